"""Boltz's potential against clashes between chains, over the pairs of atoms that are near enough to clash."""

from __future__ import annotations

from typing import Any

import torch
from boltz.data import const
from boltz.model.potentials.potentials import VDWOverlapPotential
from torch import Tensor

from .inputs import Features

ROWS = 1024
"""Atoms whose distances to all others are held at a time."""
MARGIN_ANGSTROM = 0.5
"""Added to the search radius: distances from a matrix product are a little off."""


class ChainClashes(VDWOverlapPotential):
    """``VDWOverlapPotential``, the same to the bit, without its list of all pairs of atoms.

    Boltz lists every pair of atoms of different chains, 2.7 million for two chains of 1,655 atoms, and a step of a
    sample takes seconds. Pairs that do not overlap have no gradient.

    Parameters
    ----------
    parameters : dict
        Of Boltz's own potential.
    features : dict of Tensor
        Of one target.
    """

    def __init__(self, parameters: dict[str, Any], features: Features) -> None:
        super().__init__(parameters)
        tokens = features["atom_to_token"][0].float()
        self.chain = (tokens @ features["asym_id"][0].float()[:, None])[:, 0].long()
        real = features["atom_pad_mask"][0].bool()
        radii = torch.zeros(const.num_elements, device=real.device)
        radii[1:119] = torch.tensor(const.vdw_radii, device=real.device)
        self.radius_angstrom = (features["ref_element"][0].float() @ radii[:, None])[:, 0]
        sizes = torch.bincount(self.chain[real], minlength=int(self.chain.max()) + 1)
        several = sizes > 1
        self.may_clash = several[:, None] & several[None, :]
        linked = features["connected_chain_index"][0]
        self.may_clash[linked[0], linked[1]] = self.may_clash[linked[1], linked[0]] = False
        self.may_clash.fill_diagonal_(False)
        self.real = real

    def near_pairs(self, coords: Tensor, buffer: float) -> Tensor:
        """Pairs (2, n_pairs), in Boltz's order: all that overlap in any of the samples (b, n_atoms, 3), and more."""
        reach = 2 * float(self.radius_angstrom.max()) * (1.0 - buffer) + MARGIN_ANGSTROM
        centred = coords - coords.mean(dim=-2, keepdim=True)
        atoms = torch.arange(len(self.chain), device=coords.device)
        found = [torch.empty((2, 0), dtype=torch.long, device=coords.device)]
        for rows in atoms.split(ROWS) if bool(self.may_clash.any()) else ():
            near = torch.zeros((len(rows), len(atoms)), dtype=torch.bool, device=coords.device)
            for sample in centred:
                near |= torch.cdist(sample[rows], sample) < reach
            near &= self.may_clash[self.chain[rows]][:, self.chain] & self.real[rows, None] & self.real
            near &= rows[:, None] < atoms
            row, column = near.nonzero(as_tuple=True)
            found.append(torch.stack([rows[row], column]))
        return torch.cat(found, dim=1)

    def compute_gradient(self, coords: Tensor, feats: Features, parameters: dict[str, Any]) -> Tensor:
        """Gradient (b, n_atoms, 3) of the overlaps in Å, summed over all pairs."""
        pairs = self.near_pairs(coords, parameters["buffer"])
        return super().compute_gradient(coords, feats | {"near_pairs": pairs}, parameters)

    def compute_args(self, feats: Features, parameters: dict[str, Any]) -> tuple[Any, ...]:
        """Boltz's arguments of the pairs that :meth:`compute_gradient` found: the least distances in Å."""
        pairs = feats["near_pairs"]
        least = self.radius_angstrom[pairs].sum(dim=0) * (1.0 - parameters["buffer"])
        return pairs, (torch.ones_like(least), least, None), None, None, None
