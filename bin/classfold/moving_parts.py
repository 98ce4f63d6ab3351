"""The rigid core of two models, the parts that move against it, and the hinges between them.

The core is what superposes best (:func:`classfold.comparison.robust_superposition`, an iterative superposition whose
weights leave out what does not fit). What is left is superposed in the same way, and so on, as RIGIDFINDER does it with
distances (Abyzov et al., Proteins 78, 309, 2010). Each residue then belongs to the body whose motion carries it, with
its neighbours along the chain, where it should be.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from classfold.comparison import CORE_SCALE_ANGSTROM, Superposition, rigid_superposition, robust_superposition
from classfold.topology import Topology

BODY_SCALE_ANGSTROM = 2.0
"""Distance at which a residue counts half in the superposition of a body: no body of a protein is quite rigid."""
RIGID_ANGSTROM = 3.0
"""A residue moves as one with a body if it ends nearer than this to where the body's motion puts it."""
LEAST_MOVED_ANGSTROM = 2.0
"""A body that moves by less (rms) against the core is part of it: samples of one conformation differ by up to 0.7 Å."""
LEAST_RESIDUES = 12
"""Of a body, and of the rest in which another is sought."""
SHORTEST_RUN = 8
"""Fewer consecutive residues of a body go with those before and after them."""
MOST_BODIES = 8
SMOOTHED_RESIDUES = 7
HINGE_ANGSTROM, LONGEST_HINGE = 1.0, 4
"""A hinge goes on from where two bodies meet, on each side at most so far, while both motions fit a residue as well."""


class Screw(NamedTuple):
    """A rigid motion as a turn about an axis and a shift along it (Chasles)."""

    degrees: float
    axis: np.ndarray
    """(3,) unit vector; the turn is right-handed about it"""
    point: np.ndarray
    """(3,) Å, of the axis, nearest to the part's centre; the centre itself where nothing turns"""
    along_angstrom: float
    """Shift along the axis."""

    def part_way(self, share: float, coordinates: np.ndarray) -> np.ndarray:
        """Coordinates (n, 3) moved by a share of the motion, 0 to 1."""
        turn = Rotation.from_rotvec(np.radians(share * self.degrees) * self.axis)
        return turn.apply(coordinates - self.point) + self.point + share * self.along_angstrom * self.axis


class Hinge(NamedTuple):
    """Residues between two bodies that follow each other in the chain."""

    first: int
    """Index of its first anchor."""
    last: int
    bodies: tuple[int, int]


@dataclass(frozen=True)
class MovingParts:
    """What two models share and what moves, in the frame of the first."""

    label: np.ndarray
    """(n,) body of each residue; 0 is the core"""
    poses: tuple[Superposition, ...]
    """Of each body, from the first model to the second one as superposed on the first by the core."""
    displacement: np.ndarray
    """(n,) Å by which each residue moves"""
    screws: tuple[Screw, ...]
    """Of each body but the core"""
    hinges: tuple[Hinge, ...]

    @property
    def n_parts(self) -> int:
        """Number of moving parts."""
        return len(self.screws)

    def rms(self, body: int) -> float:
        """Displacement in Å of a body's residues, root mean square."""
        return float(np.sqrt(np.square(self.displacement[self.label == body]).mean()))


def find_moving_parts(first: np.ndarray, second: np.ndarray, chain: np.ndarray) -> MovingParts:
    """Divide two models of the same residues into the core and what moves against it.

    Parameters
    ----------
    first, second : ndarray, shape (n, 3)
        Representative atoms in Å, each in a frame of its own.
    chain : ndarray of str, shape (n,)
        Chain of each residue.
    """
    there = robust_superposition(second, first, CORE_SCALE_ANGSTROM).apply(second)
    poses = _bodies(first, there)
    label = _labels(first, there, chain, poses)
    label, poses = _without_resting(first, there, label)
    screws = tuple(screw(pose, first[label == body].mean(0)) for body, pose in enumerate(poses) if body)
    distance = np.stack([np.linalg.norm(pose.apply(first) - there, axis=1) for pose in poses])
    displacement = np.linalg.norm(there - first, axis=1)
    return MovingParts(label, tuple(poses), displacement, screws, tuple(_hinges(label, chain, distance)))


def body_of_atoms(parts: MovingParts, topology: Topology, anchors: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Body of each atom, (n_atoms,): that of its residue, or of the nearest one if its own has no anchor (ligands).

    Parameters
    ----------
    parts : MovingParts
    topology : Topology
    anchors : ndarray of int, shape (n,)
        The atoms that the parts were found by.
    first : ndarray, shape (n_atoms, 3)
        The first model, in Å.
    """
    label = np.full(int(topology.residue_index.max()) + 1, -1)
    label[topology.residue_index[anchors]] = parts.label
    found = label[topology.residue_index]
    alone = found < 0
    if alone.any():
        found[alone] = parts.label[cKDTree(first[anchors]).query(first[alone])[1]]
    return found


def _bodies(first: np.ndarray, there: np.ndarray) -> list[Superposition]:
    """Motions of the bodies, the core's first."""
    left = np.arange(len(first))
    poses: list[Superposition] = []
    while len(poses) < MOST_BODIES and (not poses or len(left) >= LEAST_RESIDUES):
        pose = robust_superposition(first[left], there[left], BODY_SCALE_ANGSTROM)
        fits = np.linalg.norm(pose.apply(first[left]) - there[left], axis=1) < RIGID_ANGSTROM
        if poses and fits.sum() < LEAST_RESIDUES:
            break
        poses.append(pose)
        left = left[~fits]
    return poses


def _labels(first: np.ndarray, there: np.ndarray, chain: np.ndarray, poses: list[Superposition]) -> np.ndarray:
    """(n,) of the body whose motion suits each residue and its neighbours; short runs go with those beside them."""
    distance = np.stack([np.linalg.norm(pose.apply(first) - there, axis=1) for pose in poses])
    for name in dict.fromkeys(chain.tolist()):
        rows = chain == name
        # What is far off under every motion must not outweigh its neighbours.
        distance[:, rows] = uniform_filter1d(
            np.minimum(distance[:, rows], 2 * RIGID_ANGSTROM), SMOOTHED_RESIDUES, mode="nearest"
        )
    label = distance.argmin(axis=0)
    while True:
        runs = [run for run in _runs(label, chain) if len(run) < SHORTEST_RUN and _beside(run, label, chain)]
        if not runs:
            return label
        run = min(runs, key=len)
        label[run] = min(_beside(run, label, chain), key=lambda body: float(distance[body, run].sum()))


def _runs(label: np.ndarray, chain: np.ndarray) -> list[range]:
    """Consecutive residues of one chain in one body."""
    ends = np.flatnonzero((label[1:] != label[:-1]) | (chain[1:] != chain[:-1])) + 1
    return [range(first, end) for first, end in pairwise([0, *ends.tolist(), len(label)])]


def _beside(run: range, label: np.ndarray, chain: np.ndarray) -> list[int]:
    """Bodies of the residues before and after a run in its chain."""
    sides = [i for i in (run.start - 1, run.stop) if 0 <= i < len(label) and chain[i] == chain[run.start]]
    return label[sides].tolist()


def _without_resting(
    first: np.ndarray, there: np.ndarray, label: np.ndarray
) -> tuple[np.ndarray, list[Superposition]]:
    """Labels, and motions fitted to them, with bodies that are too small or rest joined to the core.

    The core is the largest body; the others are numbered by their first residue.
    """
    label = label.copy()
    bodies, sizes = np.unique(label, return_counts=True)
    core = bodies[sizes.argmax()]
    for body in bodies:
        inside = label == body
        moved = np.sqrt(np.square(there[inside] - first[inside]).sum(1).mean())
        if body != core and (inside.sum() < LEAST_RESIDUES or moved < LEAST_MOVED_ANGSTROM):
            label[inside] = core
    others = [int(label[i]) for i in np.sort(np.unique(label, return_index=True)[1]) if label[i] != core]
    order = [int(core), *others]
    renumbered = np.array([order.index(body) for body in label.tolist()])
    poses = [rigid_superposition(first[renumbered == k], there[renumbered == k]) for k in range(len(order))]
    return renumbered, poses


def screw(pose: Superposition, centre: np.ndarray) -> Screw:
    """A motion as its screw; ``centre (3,)`` is of what moves, in Å."""
    vector = Rotation.from_matrix(pose.rotation).as_rotvec()
    angle = float(np.linalg.norm(vector))
    shift = pose.apply(centre[None])[0] - centre
    if angle < 1e-6:
        length = float(np.linalg.norm(shift))
        return Screw(0.0, shift / length if length else np.array([0.0, 0.0, 1.0]), centre, length)
    axis = vector / angle
    along = float(shift @ axis)
    across = shift - along * axis
    # A turn by the angle about c + p moves c by `across`, with p perpendicular to the axis.
    point = centre + 0.5 * across + 0.5 / np.tan(0.5 * angle) * np.cross(axis, across)
    return Screw(float(np.degrees(angle)), axis, point, along)


def _hinges(label: np.ndarray, chain: np.ndarray, distance: np.ndarray) -> list[Hinge]:
    """Where two bodies meet, with the residues that both motions (n_bodies, n) suit about as well."""
    found = []
    for before, after in pairwise(_runs(label, chain)):
        if chain[before[-1]] != chain[after[0]]:
            continue
        bodies = int(label[before[0]]), int(label[after[0]])
        alike = np.abs(distance[bodies[0]] - distance[bodies[1]]) < HINGE_ANGSTROM
        first, last = before[-1], after[0]
        while first > before[0] and alike[first - 1] and before[-1] - first < LONGEST_HINGE - 1:
            first -= 1
        while last < after[-1] and alike[last + 1] and last - after[0] < LONGEST_HINGE - 1:
            last += 1
        found.append(Hinge(first, last, bodies))
    return found
