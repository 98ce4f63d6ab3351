"""Weighted k-means of voxels, in a fraction of the time of Lloyd's loop from a random start."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

STEP, MOMENTUM = 1.5, 0.6
COARSE_STRIDE, N_COARSE_STEPS, N_FINE_STEPS = 4, 6, 6
MIN_VOXELS_PER_CENTRE = 10


class Means(NamedTuple):
    """Centres of clusters and what belongs to them."""

    centres: np.ndarray
    """zyx in voxels, shape (n_points, 3)."""
    total: np.ndarray
    """Sum of the weights, shape (n_points,)."""


def weighted_means(index: np.ndarray, weight: np.ndarray, n_points: int, seed: int) -> Means:
    """Centres of clusters of voxels.

    Parameters
    ----------
    index : ndarray of int, shape (n_voxels, 3)
        zyx, none below zero.
    weight : ndarray, shape (n_voxels,)
        Above zero.
    n_points : int
        Clusters wanted, not more than there are voxels.
    seed : int
        Decides where along the voxels' curve the centres start.
    """
    order = _order_along_curve(index)
    voxels, weight = index[order].astype(float), weight[order]
    return _final_means(voxels, weight, _descend(voxels, weight, _start(voxels, weight, n_points, seed)))


def _order_along_curve(index: np.ndarray) -> np.ndarray:
    """Order of voxels (n, 3) along Morton's curve, on which neighbours in the list are mostly neighbours in space."""
    code = np.zeros(len(index), np.int64)
    for bit in reversed(range(int(index.max()).bit_length())):
        for axis in range(3):
            code = (code << 1) | ((index[:, axis] >> bit) & 1)
    return np.argsort(code, kind="stable")


def _start(voxels: np.ndarray, weight: np.ndarray, n_points: int, seed: int) -> np.ndarray:
    """Voxels at even steps along the curve, shape (n_points, 3); a heavy one may be taken more than once.

    The best centres of a density rho in d dimensions are as dense as rho^(d / (d + 2)) (Zador, IEEE Trans. Inf. Theory
    28, 1982): the steps are even in the sum of weight^0.6.
    """
    share = np.cumsum(weight**0.6)
    offset = np.random.default_rng(seed).random()
    steps = (np.arange(n_points) + offset) / n_points
    return voxels[np.searchsorted(share, steps * share[-1])]


def _means(voxels: np.ndarray, weight: np.ndarray, label: np.ndarray, centres: np.ndarray) -> Means:
    """Weighted mean and weight of each cluster; the centre as it was where a cluster is empty."""
    total = np.bincount(label, weight, len(centres))
    sums = np.column_stack([np.bincount(label, weight * axis, len(centres)) for axis in voxels.T])
    mean = np.divide(sums, total[:, None], out=centres.copy(), where=total[:, None] > 0)
    return Means(mean, total)


def _descend(voxels: np.ndarray, weight: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Lloyd's steps with momentum (Polyak 1964), first on every fourth voxel along the curve, then on all.

    A step is 1.5 times Lloyd's own and 0.6 of the step before. On a map of 4 Å, ten of these come lower than Lloyd's
    own do when they end. Their number is fixed: no tolerance has to be chosen.
    """
    velocity = np.zeros_like(centres)
    for stride, n_steps in ((COARSE_STRIDE, N_COARSE_STEPS), (1, N_FINE_STEPS)):
        # A subset of fewer voxels per centre says little about where its cluster ends.
        stride = min(stride, max(1, len(voxels) // (MIN_VOXELS_PER_CENTRE * len(centres))))
        some, weight_of_some = voxels[::stride], weight[::stride]
        for _ in range(n_steps):
            label = cKDTree(centres).query(some)[1]
            to_mean = _means(some, weight_of_some, label, centres).centres - centres
            velocity = MOMENTUM * velocity + STEP * to_mean
            centres = centres + velocity
    return centres


def _final_means(voxels: np.ndarray, weight: np.ndarray, centres: np.ndarray) -> Means:
    """Lloyd's last step; a centre without voxels is first put where the sum of squares has its largest terms."""
    while True:
        distance, label = cKDTree(centres).query(voxels)
        empty = np.flatnonzero(np.bincount(label, minlength=len(centres)) == 0)
        if len(empty) == 0:
            return _means(voxels, weight, label, centres)
        worst = np.argsort(weight * distance**2, kind="stable")[-len(empty) :]
        centres[empty] = voxels[worst]
