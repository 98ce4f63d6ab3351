"""A map's shape as a weighted point cloud: what the global stage of guidance compares atoms with.

Densities below the threshold count as zero, dust is dropped, and weighted k-means places points (CryoBoltz, arXiv
2506.04490). Larger
components that are no part of the molecule (micelle, a partner) stay: a map alone cannot tell them apart.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.spatial import cKDTree

from classfold.errors import InputError
from classfold.maps import DensityMap

MIN_COMPONENT_VOXELS = 5
STEP, MOMENTUM = 1.5, 0.6
COARSE_STRIDE, N_COARSE_STEPS, N_FINE_STEPS = 4, 6, 6
MIN_VOXELS_PER_CENTRE = 10
COLUMNS = ("x_angstrom", "y_angstrom", "z_angstrom", "weight")


class Components(NamedTuple):
    """Voxels above the threshold, without dust."""

    kept: np.ndarray
    """bool, shape (n_z, n_y, n_x)."""
    n_kept: int
    n_removed: int


class PointCloud(NamedTuple):
    """Points that stand for a map's density."""

    coordinates: np.ndarray
    """xyz in Å, shape (n_points, 3)."""
    weight: np.ndarray
    """Share of the density that each point stands for, shape (n_points,); the sum is 1."""


class Means(NamedTuple):
    """Centres of clusters and what belongs to them."""

    centres: np.ndarray
    """zyx in voxels, shape (n_points, 3)."""
    total: np.ndarray
    """Sum of the weights, shape (n_points,)."""


def remove_dust(above: np.ndarray) -> Components:
    """Drop the connected components (faces, edges or corners touching) of fewer than five voxels.

    Parameters
    ----------
    above : ndarray of bool, shape (n_z, n_y, n_x)
    """
    labels, n_components = ndimage.label(above, np.ones((3, 3, 3), bool))
    sizes = np.bincount(labels.ravel(), minlength=n_components + 1)
    is_kept = sizes >= MIN_COMPONENT_VOXELS
    is_kept[0] = False
    n_kept = int(is_kept.sum())
    if n_kept == 0:
        raise InputError(
            f"Above the threshold the map holds nothing but {n_components} specks of fewer than "
            f"{MIN_COMPONENT_VOXELS} voxels; give a lower contour."
        )
    return Components(is_kept[labels], n_kept, n_components - n_kept)


def number_of_points(n_atoms: int, voxel_size_angstrom: float | None = None) -> int:
    """One point for four heavy atoms, at least 1; or ``k = floor(n_atoms / (4 r^3))`` where a voxel size is given.

    The latter is the paper's rule. On voxels of 2 Å it leaves one point for four residues, and atoms are pulled
    together there (docs/performance.md).
    """
    return max(1, int(n_atoms / (4 * (voxel_size_angstrom or 1.0) ** 3)))


def place_points(density_map: DensityMap, kept: np.ndarray, n_points: int, seed: int) -> PointCloud:
    """Weighted k-means of the kept voxels.

    Parameters
    ----------
    density_map : DensityMap
    kept : ndarray of bool, shape (n_z, n_y, n_x)
        Voxels that are molecule.
    n_points : int
        Points wanted; no more than there are voxels with any weight are placed.
    seed : int
        Decides where along the voxels' curve the centres start.
    """
    density = density_map.density[kept].astype(float)
    # Weights must not be negative; only a contour below zero (a map with an offset) makes a shift necessary.
    weight = density - min(float(density.min()), 0.0)
    if not weight.any():
        weight = np.ones_like(weight)
    has_weight = weight > 0
    index, weight = np.argwhere(kept)[has_weight], weight[has_weight]
    # Around the lowest voxel, so that neither a shift of the map nor the width of its margin changes the clusters.
    lowest = index.min(axis=0)
    order = _order_along_curve(index - lowest)
    voxels, weight = (index - lowest)[order].astype(float), weight[order]
    n_points = min(n_points, len(voxels))
    centres = _descend(voxels, weight, _start(voxels, weight, n_points, seed))
    centres, total = _final_means(voxels, weight, centres)
    return PointCloud(density_map.coordinates_of(centres + lowest), total / total.sum())


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


def write_cloud(cloud: PointCloud, path: Path) -> None:
    """Write a cloud as CSV."""
    table = pd.DataFrame(np.column_stack([cloud.coordinates, cloud.weight]), columns=list(COLUMNS))
    table.to_csv(path, index=False, float_format="%.8g")


def read_cloud(path: Path) -> PointCloud:
    """Read a cloud that :func:`write_cloud` wrote."""
    table = pd.read_csv(path)
    return PointCloud(table[list(COLUMNS[:3])].to_numpy(float), table[COLUMNS[3]].to_numpy(float))
