"""Poses that differ by an exchange of identical chains only: one and the same docking of a symmetric assembly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from classfold.docking import Pose
from classfold.mmcif import Model
from classfold.topology import Topology

SAME_PLACE_ANGSTROM = 4.0
"""RMSD; half the distance of distinct poses, since predicted assemblies are not exactly symmetric."""


def identical_chains(model: Model | Topology) -> list[list[np.ndarray]]:
    """Groups of two or more chains with the same atoms in the same order, each as its atoms' indices ``(k,)``."""
    groups: dict[tuple[tuple[str, str], ...], list[np.ndarray]] = {}
    for name in dict.fromkeys(model.chain.tolist()):
        atoms = np.flatnonzero(model.chain == name)
        names = zip(model.residue_name[atoms].tolist(), model.atom_name[atoms].tolist(), strict=True)
        groups.setdefault(tuple(names), []).append(atoms)
    return [chains for chains in groups.values() if len(chains) > 1]


def exchanged(moved: np.ndarray, place: np.ndarray, groups: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """Indices ``(n_atoms,)`` that exchange whole identical chains so that ``moved`` comes nearest to ``place``.

    ``moved[exchanged(moved, place, groups)]`` corresponds to ``place``, both ``(n_atoms, 3)``; nothing is
    superposed.
    """
    index = np.arange(len(moved))
    for chains in groups:
        # |a - b|^2 summed over the atoms, without all pairs of chains in memory.
        cost = [[np.square(moved[source] - place[target]).sum() for source in chains] for target in chains]
        for target, source in zip(*linear_sum_assignment(cost), strict=True):
            index[chains[target]] = chains[source]
    return index


def without_equivalents(
    poses: Sequence[Pose], coordinates: np.ndarray, groups: Sequence[Sequence[np.ndarray]]
) -> list[Pose]:
    """The poses that put identical chains where no better one puts them.

    Parameters
    ----------
    poses : sequence of Pose
        Best first.
    coordinates : ndarray (n_atoms, 3)
        xyz in Å, as they were docked.
    groups : sequence of sequences of ndarray
        From :func:`identical_chains`.
    """
    kept: list[Pose] = []
    places: list[np.ndarray] = []
    for pose in poses:
        moved = pose.apply(coordinates)
        apart = (np.square(moved[exchanged(moved, place, groups)] - place).sum(1).mean() for place in places)
        if all(square > SAME_PLACE_ANGSTROM**2 for square in apart):
            kept.append(pose)
            places.append(moved)
    return kept
