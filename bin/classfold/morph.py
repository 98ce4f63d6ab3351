"""The path from one class's model to another's: bodies turn as they are, bonds stay whole.

A straight line from atom to atom would shrink whatever turns. Here each body moves along the screw of its motion, and
what is left of its atoms' way is gone straight within the body, so that the path ends at the second model. Between
bodies, and in side chains that turn by themselves, that bends bonds; so the distances of atoms one and two bonds apart,
and from each residue to the next, are brought to what lies between those of the two ends (position-based constraints,
as of SHAKE: Ryckaert et al., J. Comput. Phys. 23, 327, 1977). Nothing keeps atoms from meeting others on the way: it is
a picture of what moves, not of how.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from classfold.bonds import covalent_bonds, within_bonds
from classfold.comparison import CORE_SCALE_ANGSTROM, robust_superposition
from classfold.moving_parts import MovingParts, body_of_atoms, screw
from classfold.topology import Topology

FRAMES = 13
ROUNDS = 100
RELAXATION = 1.5
"""Each atom goes this times the mean of what its distances ask for; more than 1 converges sooner."""


@dataclass(frozen=True)
class ShortDistances:
    """Distances of a target that hardly depend on its conformation."""

    ends: np.ndarray
    """(n_pairs, 2) atoms"""
    step: csr_matrix
    """(n_pairs, n_atoms) from coordinates to the vector from one end to the other."""

    @classmethod
    def of(cls, topology: Topology, anchors: np.ndarray) -> ShortDistances:
        """Atoms one and two bonds apart, and representative atoms of residues that follow each other."""
        near = np.stack(within_bonds(covalent_bonds(topology), topology.n_atoms, 2).nonzero(), axis=1)
        chain, number = topology.chain[anchors], topology.residue_number[anchors]
        follows = (chain[1:] == chain[:-1]) & (number[1:] == number[:-1] + 1)
        along = np.stack([anchors[:-1], anchors[1:]], axis=1)[follows]
        ends = np.concatenate([near[near[:, 0] < near[:, 1]], along])
        rows, values = np.repeat(np.arange(len(ends)), 2), np.tile([-1.0, 1.0], len(ends))
        return cls(ends, csr_matrix((values, (rows, ends.ravel())), shape=(len(ends), topology.n_atoms)))

    def lengths(self, coordinates: np.ndarray) -> np.ndarray:
        """(n_pairs,) Å, in coordinates (n_atoms, 3)."""
        return np.linalg.norm(self.step @ coordinates, axis=1)

    def restored(self, coordinates: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """Coordinates (n_atoms, 3) moved until the distances are nearly as wanted, (n_pairs,) in Å."""
        count = np.maximum(np.bincount(self.ends.ravel(), minlength=len(coordinates)), 1)
        back, moved = self.step.T.tocsr(), coordinates
        for _ in range(ROUNDS):
            vectors = self.step @ moved
            lengths = np.maximum(np.linalg.norm(vectors, axis=1), 1e-6)
            asked = back @ (vectors * (0.5 * (wanted - lengths) / lengths)[:, None])
            moved = moved + RELAXATION * asked / count[:, None]
        return moved


def morph(
    topology: Topology, models: tuple[np.ndarray, np.ndarray], anchors: np.ndarray, parts: MovingParts
) -> np.ndarray:
    """Frames from one model to another in the frame of the first, on which the second is superposed by the rigid core.

    Parameters
    ----------
    topology : Topology
    models : (ndarray, ndarray), shape (n_atoms, 3) each
        xyz in Å; the first and the last frame are exactly these, the second one superposed.
    anchors : ndarray of int, shape (n,)
        Representative atoms.
    parts : MovingParts
        Of the two models.

    Returns
    -------
    ndarray, shape (FRAMES, n_atoms, 3)
    """
    first, second = models
    last = robust_superposition(second[anchors], first[anchors], CORE_SCALE_ANGSTROM).apply(second)
    distances = ShortDistances.of(topology, anchors)
    lengths = distances.lengths(first), distances.lengths(last)
    body = body_of_atoms(parts, topology, anchors, first)
    frames = [first]
    for share in np.linspace(0, 1, FRAMES)[1:-1]:
        wanted = (1 - share) * lengths[0] + share * lengths[1]
        frames.append(distances.restored(_rigid_way(first, last, body, parts, float(share)), wanted))
    return np.stack([*frames, last])


def _rigid_way(
    first: np.ndarray, last: np.ndarray, body: np.ndarray, parts: MovingParts, share: float
) -> np.ndarray:
    """Atoms (n_atoms, 3) a share of their way: with their body along its screw, and straight within the body."""
    found = np.empty_like(first)
    for number, pose in enumerate(parts.poses):
        inside = body == number
        start, end = first[inside], (last[inside] - pose.translation) @ pose.rotation
        found[inside] = screw(pose, start.mean(axis=0)).part_way(share, start + share * (end - start))
    return found
