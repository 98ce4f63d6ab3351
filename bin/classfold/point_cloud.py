"""A map's shape as a weighted point cloud: what the global stage of guidance compares atoms with.

Densities below the threshold count as zero, dust is dropped, and weighted k-means places points (CryoBoltz, arXiv
2506.04490). Larger components that are no part of the molecule (micelle, a partner) stay: a map alone cannot tell
them apart.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import ndimage

from classfold.errors import InputError
from classfold.k_means import weighted_means
from classfold.maps import DensityMap

MIN_COMPONENT_VOXELS = 5
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


def remove_dust(above: np.ndarray, min_voxels: int = MIN_COMPONENT_VOXELS) -> Components:
    """Drop the connected components (faces, edges or corners touching) of fewer than five voxels.

    Parameters
    ----------
    above : ndarray of bool, shape (n_z, n_y, n_x)
    min_voxels : int
        Another number than five: the noise of a blurred map comes in larger specks.
    """
    labels, n_components = ndimage.label(above, np.ones((3, 3, 3), bool))
    sizes = np.bincount(labels.ravel(), minlength=n_components + 1)
    is_kept = sizes >= min_voxels
    is_kept[0] = False
    n_kept = int(is_kept.sum())
    if n_kept == 0:
        raise InputError(
            f"Above the threshold the map holds nothing but {n_components} specks of fewer than "
            f"{min_voxels} voxels; give a lower contour."
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
    centres, total = weighted_means(index - lowest, weight, min(n_points, len(index)), seed)
    return PointCloud(density_map.coordinates_of(centres + lowest), total / total.sum())


def write_cloud(cloud: PointCloud, path: Path) -> None:
    """Write a cloud as CSV."""
    table = pd.DataFrame(np.column_stack([cloud.coordinates, cloud.weight]), columns=list(COLUMNS))
    table.to_csv(path, index=False, float_format="%.8g")


def read_cloud(path: Path) -> PointCloud:
    """Read a cloud that :func:`write_cloud` wrote."""
    table = pd.read_csv(path)
    return PointCloud(table[list(COLUMNS[:3])].to_numpy(float), table[COLUMNS[3]].to_numpy(float))
