"""The classes of a target in the order of their main motion."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from classfold.comparison import CORE_SCALE_ANGSTROM, robust_superposition


class MainMotion(NamedTuple):
    """The first principal component of superposed models."""

    order: list[int]
    """Classes from the most compact end on."""
    position_angstrom: np.ndarray
    """(n_classes,) of each class along it, as an rms displacement from the mean."""
    share: float
    """Of the models' variance, 0 to 1."""


def main_motion(models: Sequence[np.ndarray]) -> MainMotion:
    """Order models (n, 3) of the same residues, in Å, superposed on the core that each shares with the central one."""
    apart = np.zeros((len(models), len(models)))
    for i, j in combinations(range(len(models)), 2):
        pose = robust_superposition(models[i], models[j], CORE_SCALE_ANGSTROM)
        apart[i, j] = apart[j, i] = np.linalg.norm(pose.apply(models[i]) - models[j])
    centre = models[int(apart.sum(axis=0).argmin())]
    placed = np.stack([robust_superposition(each, centre, CORE_SCALE_ANGSTROM).apply(each) for each in models])
    offset = (placed - placed.mean(axis=0)).reshape(len(models), -1)
    left, singular, _ = np.linalg.svd(offset, full_matrices=False)
    position = left[:, 0] * singular[0] / np.sqrt(placed.shape[1])
    spread = [float(np.square(each - each.mean(0)).sum()) for each in models]
    ends = int(position.argmin()), int(position.argmax())
    if spread[ends[0]] > spread[ends[1]]:
        position = -position
    variance = float(np.square(singular).sum())
    share = float(singular[0] ** 2) / variance if variance > 0 else 0.0
    return MainMotion([int(i) for i in np.argsort(position, kind="stable")], position, share)
