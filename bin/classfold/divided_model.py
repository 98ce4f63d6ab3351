"""A model in rigid parts: how they hang together, and where the chain lets them go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from classfold.density import Grid
from classfold.rigid_fit import RigidModel, rigid_model
from classfold.superposition import apply_pose

REACH_ANGSTROM = 10.0
"""How far two bonded atoms of different parts may be apart: the residues around the cut give way."""


@dataclass(frozen=True)
class DividedModel:
    """A model in rigid parts."""

    coordinates: Tensor
    """(n_atoms, 3) in Å, float64."""
    weights: Tensor
    """(n_atoms,) atomic numbers, float64."""
    part: Tensor
    """(n_atoms,) part of each atom, from 0."""
    links: Tensor
    """(n_links, 2) bonded atoms of different parts."""

    @cached_property
    def order(self) -> list[int]:
        """Parts as they are placed: the largest first, then the largest of those linked to one before."""
        sizes = torch.bincount(self.part).tolist()
        linked = {frozenset(pair) for pair in self.part[self.links].tolist()}
        order = [int(np.argmax(sizes))]
        while len(order) < len(sizes):
            left = [part for part in range(len(sizes)) if part not in order]
            held = [part for part in left if any(frozenset((part, other)) in linked for other in order)]
            order.append(max(held or left, key=lambda part: sizes[part]))
        return order

    def rigid(self, part: int) -> RigidModel:
        """One part by itself."""
        inside = self.part == part
        return rigid_model(self.coordinates[inside], self.weights[inside])

    def links_of(self, part: int, placed: Iterable[int]) -> tuple[Tensor, Tensor]:
        """Atoms of a part that are bonded to placed parts (k,), and the atoms that they are bonded to (k,)."""
        both = torch.cat([self.links, self.links.flip(1)])
        of = self.part[both]
        wanted = (of[:, 0] == part) & torch.isin(of[:, 1], torch.tensor(list(placed)))
        return both[wanted, 0], both[wanted, 1]

    def gap(self, moved: Tensor, placed: Iterable[int]) -> float:
        """Longest distance in Å between bonded atoms of different parts, of those that are placed."""
        are_placed = torch.isin(self.part[self.links], torch.tensor(list(placed))).all(1)
        ends = moved[self.links[are_placed]]
        return float((ends[:, 0] - ends[:, 1]).norm(dim=-1).max()) if len(ends) else 0.0


@dataclass(frozen=True)
class Reach:
    """Places that a chain can reach."""

    ends: Tensor
    """(k, 3) atoms of the part, in its own frame."""
    targets: Tensor
    """(k, 3) what they are bonded to, in the map."""

    def allows(self, rotations: Tensor, grid: Grid) -> Tensor:
        """Translations (b, z, y, x) at which every end is within reach of its target, for rotations (b, 3, 3)."""
        offset = self.targets - apply_pose(rotations, rotations.new_zeros(3), self.ends)
        near = torch.ones(1, dtype=torch.bool, device=rotations.device)
        for centre in offset.unbind(1):
            z, y, x = (
                (grid.origin_angstrom[axis] + grid.voxel_size_angstrom * torch.arange(n, device=rotations.device)
                 - centre[:, axis, None]).square()
                for axis, n in zip((2, 1, 0), grid.shape_zyx, strict=True)
            )  # fmt: skip
            near = near & (z[:, :, None, None] + y[:, None, :, None] + x[:, None, None, :] <= REACH_ANGSTROM**2)
        return near


def links_between(coordinates: np.ndarray, residue: np.ndarray, chain: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Bonded atoms (n_links, 2) of consecutive residues of one chain that belong to different parts.

    The bond is taken to be between the two atoms that are nearest.

    Parameters
    ----------
    coordinates : ndarray, shape (n_atoms, 3)
    residue : ndarray, shape (n_atoms,)
        Residue of each atom, counted from 0 through all chains.
    chain : ndarray of str, shape (n_atoms,)
    part : ndarray, shape (n_atoms,)
    """
    starts = np.unique(residue, return_index=True)[1]
    links = []
    for number in np.flatnonzero((part[starts][1:] != part[starts][:-1]) & (chain[starts][1:] == chain[starts][:-1])):
        before, after = np.flatnonzero(residue == number), np.flatnonzero(residue == number + 1)
        apart = np.linalg.norm(coordinates[before][:, None] - coordinates[after], axis=-1)
        first, second = np.unravel_index(apart.argmin(), apart.shape)
        links.append((before[first], after[second]))
    return np.array(links, np.int64).reshape(-1, 2)
