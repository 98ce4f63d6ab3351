"""Few points that stand for the atoms of a model where only its shape matters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from .topology import Topology

PROTEIN_BACKBONE = ("N", "CA", "C", "O", "OXT")
NUCLEIC_BACKBONE = r"^P$|^OP[1-3]$|'$"
"""Phosphate, and the sugar's atoms, whose names end with a prime."""
LIGAND_ATOMS_PER_POINT = 4


@dataclass(frozen=True)
class PseudoAtoms:
    """Groups of atoms, each at the centre of its mass."""

    group: Tensor
    """(n_atoms,) group of each atom, counted from 0"""
    share: Tensor
    """(n_atoms,) share of its group's mass that an atom has"""
    mass: Tensor
    """(n_groups,) mass of each group; the sum is 1"""

    @classmethod
    def of(cls, group: Tensor, weights: Tensor) -> PseudoAtoms:
        """Groups whose atoms have the masses ``weights`` (n_atoms,), relative to each other."""
        total = weights.new_zeros(int(group.max()) + 1).index_add_(0, group, weights)
        return cls(group, weights / total[group], total / weights.sum())

    def centres(self, coordinates: Tensor) -> Tensor:
        """Centre of each group, (b, n_groups, 3), of atoms (b, n_atoms, 3)."""
        centres = coordinates.new_zeros(len(coordinates), len(self.mass), 3)
        return centres.index_add_(1, self.group, coordinates * self.share[:, None].to(coordinates))

    def spread(self, gradient: Tensor) -> Tensor:
        """Gradient by the atoms, (b, n_atoms, 3), from that by the groups' centres (b, n_groups, 3)."""
        return gradient[:, self.group] * self.share[:, None].to(gradient)


def halves_of_residues(topology: Topology, device: torch.device) -> PseudoAtoms:
    """Two points for each residue of a polymer, its backbone and its side chain or base; one for four ligand atoms.

    Masses are the atomic numbers, as the map shows them.
    """
    names = pd.Series(topology.atom_name)
    side = np.where(
        topology.chain_type == "protein", ~names.isin(PROTEIN_BACKBONE), ~names.str.contains(NUCLEIC_BACKBONE)
    )
    position = np.arange(topology.n_atoms) - topology.residue_starts[topology.residue_index]
    part = np.where(topology.chain_type == "ligand", position // LIGAND_ATOMS_PER_POINT, side)
    _, group = np.unique(np.stack([topology.residue_index, part]), axis=1, return_inverse=True)
    weights = torch.from_numpy(topology.atomic_numbers.astype(np.float32)).to(device)
    return PseudoAtoms.of(torch.from_numpy(group.reshape(-1)).to(device), weights)
