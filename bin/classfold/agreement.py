"""How far the samples of a class agree: what independent draws find again is not an accident of one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from classfold.chain_symmetry import exchanged, identical_chains
from classfold.clusters import distances
from classfold.topology import Topology


@dataclass(frozen=True)
class Agreement:
    """Of the ranked samples of one class with the best one, in the frame of the map; None with too few of them."""

    residue_spread: np.ndarray
    """(n_residues,) Å, median over the other samples of how far the residue's middle lies from that in the best
    one; NaN if there is no other."""
    replicate_rmsd_angstrom: float | None
    """RMSD of representative atoms to the best sample of all, of the best one of that replicate which is farthest."""
    n_replicates: int
    """Independent replicates with a ranked sample."""

    @property
    def median_spread_angstrom(self) -> float | None:
        """Of the residues."""
        spread = self.residue_spread[np.isfinite(self.residue_spread)]
        return float(np.median(spread)) if len(spread) else None


def residue_middles(coordinates: np.ndarray, topology: Topology) -> np.ndarray:
    """(n, n_residues, 3) middles of the residues' atoms, of models ``coordinates (n, n_atoms, 3)``.

    A ring that is flipped over has the same middle.
    """
    starts = topology.residue_starts
    counts = np.diff([*starts.tolist(), topology.n_atoms])
    return np.add.reduceat(coordinates, starts, axis=1) / counts[:, None]


def comparable(coordinates: np.ndarray, order: Sequence[int], topology: Topology) -> np.ndarray:
    """Models ``(n, n_atoms, 3)`` with identical chains exchanged so that the ranked ones come nearest to the best."""
    groups, best = identical_chains(topology), coordinates[order[0]]
    found = coordinates.copy()
    for index in order:
        found[index] = coordinates[index][exchanged(coordinates[index], best, groups)]
    return found


def agreement(
    coordinates: np.ndarray, replicates: Sequence[int], order: Sequence[int], topology: Topology
) -> Agreement:
    """Compare the ranked samples with the best.

    Parameters
    ----------
    coordinates : ndarray, shape (n_samples, n_atoms, 3)
        xyz in Å in the frame of the map.
    replicates : sequence of int
        Replicate of each sample.
    order : sequence of int
        The ranked samples, best first.
    topology : Topology
    """
    best, others = order[0], list(order[1:])
    spread = np.full(len(topology.residue_starts), np.nan)
    if others:
        middles = residue_middles(coordinates[[best, *others]], topology)
        spread = np.median(np.linalg.norm(middles[1:] - middles[0], axis=-1), axis=0)
    best_of: dict[int, int] = {}
    for index in order:
        best_of.setdefault(replicates[index], index)
    rmsd = None
    if len(best_of) > 1:
        anchors = coordinates[:, anchor_atoms(topology)]
        rmsd = float(distances(anchors[list(best_of.values())], anchors[best]).max())
    return Agreement(spread, rmsd, len(best_of))


def anchor_atoms(topology: Topology) -> np.ndarray:
    """Indices of the atoms by which models are compared: CA and C1', or all atoms of what has none."""
    atoms = topology.ca_indices()
    return atoms if len(atoms) else np.arange(topology.n_atoms)
