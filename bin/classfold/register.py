"""Whether the models of a target's classes lie in one frame, as the maps of one classification do.

A class apart was aligned otherwise than its siblings, or its docking is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import torch

from classfold.chain_symmetry import exchanged
from classfold.comparison import CORE_SCALE_ANGSTROM, robust_superposition
from classfold.rotations import rotation_angle

OUT_OF_REGISTER_ANGSTROM = 8.0
"""RMSD from which on two poses are two in the docking as well."""


class Motion(NamedTuple):
    """The rigid motion that brings one class's model to another's."""

    rms_angstrom: float
    """By which the atoms move."""
    degrees: float

    @property
    def in_register(self) -> bool:
        """Whether both lie in one frame."""
        return self.rms_angstrom <= OUT_OF_REGISTER_ANGSTROM


def motion_between(
    mobile: np.ndarray, fixed: np.ndarray, anchors: np.ndarray, groups: Sequence[Sequence[np.ndarray]]
) -> Motion:
    """Motion of the rigid core of one model onto that of another.

    Parameters
    ----------
    mobile, fixed : ndarray (n_atoms, 3)
        xyz in Å, each in the frame of its own map.
    anchors : ndarray of int
        Representative atoms.
    groups : sequence of sequences of ndarray
        Identical chains, which may be exchanged (:func:`classfold.chain_symmetry.identical_chains`).
    """
    here, there = mobile[exchanged(mobile, fixed, groups)][anchors], fixed[anchors]
    pose = robust_superposition(here, there, CORE_SCALE_ANGSTROM)
    moved = np.square(pose.apply(here) - here).sum(1).mean()
    rotation = torch.from_numpy(pose.rotation)
    return Motion(float(np.sqrt(moved)), math.degrees(float(rotation_angle(torch.eye(3).to(rotation), rotation))))


def register_warnings(
    names: Sequence[str],
    models: Sequence[np.ndarray],
    anchors: np.ndarray,
    groups: Sequence[Sequence[np.ndarray]],
) -> list[str]:
    """Say which classes lie apart from the others; ``models`` are ``(n_atoms, 3)`` each, one for each name."""
    n = len(names)
    motions = {
        (i, j): motion_between(models[i], models[j], anchors, groups) for i, j in combinations(range(n), 2)
    }
    if all(motion.in_register for motion in motions.values()):
        return []
    neighbours = [
        [j for j in range(n) if i == j or motions[min(i, j), max(i, j)].in_register] for i in range(n)
    ]
    centre = max(range(n), key=lambda i: len(neighbours[i]))
    together = neighbours[centre]
    cause = "its map was aligned otherwise than theirs, or its docking is wrong"
    if 2 * len(together) <= n:
        worst = max(motions.values())
        return [
            f"classes {', '.join(names)} are not in register: their models lie up to {worst.rms_angstrom:.0f} Å (rms) "
            f"and {worst.degrees:.0f} degrees apart; maps of one classification lie in one frame, so that some were "
            f"aligned otherwise, or some dockings are wrong"
        ]
    siblings = ", ".join(names[j] for j in together)
    apart = [(names[i], motions[min(i, centre), max(i, centre)]) for i in range(n) if i not in together]
    return [
        f"class {name} is out of register with its siblings ({siblings}): its model lies {motion.rms_angstrom:.0f} Å "
        f"(rms) and {motion.degrees:.0f} degrees from theirs; {cause}"
        for name, motion in apart
    ]
