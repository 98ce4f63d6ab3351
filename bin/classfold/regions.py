"""Where in a box the molecule is, roughly, and where it surely is not.

The molecule is sought by the volume that its mass fills in a blurred, coarse copy of the map, which takes
milliseconds. That is good enough for windows and for finding background; it is not the threshold.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

COARSE_VOXEL_ANGSTROM = 4.0
BLUR_ANGSTROM = 4.0
"""Standard deviation; noise must not look like molecule."""
REACH_ANGSTROM = 3.0
"""The molecule's window is full up to here from its volume."""
EDGE_ANGSTROM = 10.0
"""Width of the windows' cosine edges: sharper ones would mix the frequencies of a map."""
GAP_ANGSTROM = 4.0
"""Between the end of the molecule's window and the beginning of the solvent's."""
BACKGROUND_ANGSTROM = 8.0
"""Voxels so far from the molecule's volume show nothing of it."""


class Windows(NamedTuple):
    """Soft windows between 0 and 1, float32, shape (n_z, n_y, n_x)."""

    molecule: np.ndarray
    solvent: np.ndarray


def find_windows(
    density: np.ndarray,
    voxel_size_zyx: np.ndarray,
    volume_angstrom3: float,
    inside: np.ndarray | None = None,
    is_set: np.ndarray | None = None,
) -> Windows:
    """Windows of the molecule and of solvent; the arguments are those of :func:`find_background`."""
    outside, free, coarse = _distances(density, voxel_size_zyx, volume_angstrom3, inside, is_set)
    beyond = np.minimum(outside - (REACH_ANGSTROM + EDGE_ANGSTROM + GAP_ANGSTROM), free - EDGE_ANGSTROM)
    windows = _cosine_edge(REACH_ANGSTROM + EDGE_ANGSTROM - outside), _cosine_edge(beyond)
    return Windows(*(coarse.spread(window) for window in windows))


def find_background(
    density: np.ndarray,
    voxel_size_zyx: np.ndarray,
    volume_angstrom3: float,
    inside: np.ndarray | None = None,
    is_set: np.ndarray | None = None,
) -> np.ndarray:
    """Voxels well outside the molecule that no program has touched: bool, shape (n_z, n_y, n_x).

    Parameters
    ----------
    density : ndarray, shape (n_z, n_y, n_x)
    voxel_size_zyx : ndarray, shape (3,)
        Å.
    volume_angstrom3 : float
        That the molecule fills.
    inside : ndarray of bool, shape (n_z, n_y, n_x), optional
        Where the molecule may be (the user's mask).
    is_set : ndarray of bool, shape (n_z, n_y, n_x), optional
        Voxels that a program has set; an edge's width around them may be set in part, and is left out.
    """
    outside, free, coarse = _distances(density, voxel_size_zyx, volume_angstrom3, inside, is_set)
    return coarse.spread(np.minimum(outside - BACKGROUND_ANGSTROM, free - EDGE_ANGSTROM)) > 0


def _distances(
    density: np.ndarray,
    voxel_size_zyx: np.ndarray,
    volume_angstrom3: float,
    inside: np.ndarray | None,
    is_set: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, Coarse]:
    """Distances in Å from the molecule and from set voxels (infinite if there are none), on the coarse grid."""
    coarse = Coarse(density.shape, voxel_size_zyx)
    blurred = gaussian_filter(coarse.mean(density), BLUR_ANGSTROM / coarse.voxel_size_zyx, mode="nearest")
    if inside is not None:
        blurred[coarse.mean(inside.astype(np.float32)) < 0.5] = blurred.min()
    n_voxels = min(max(1, round(volume_angstrom3 / float(np.prod(coarse.voxel_size_zyx)))), blurred.size - 1)
    level = np.partition(blurred, blurred.size - n_voxels, axis=None)[blurred.size - n_voxels]
    outside = distance_transform_edt(blurred < level, coarse.voxel_size_zyx)
    if is_set is None:
        return outside, np.full(outside.shape, np.inf), coarse
    touched = coarse.mean(is_set.astype(np.float32)) > 0
    return outside, distance_transform_edt(~touched, coarse.voxel_size_zyx), coarse


def _cosine_edge(depth_angstrom: np.ndarray) -> np.ndarray:
    """A window that rises from 0 at depth 0 to 1 at the depth of an edge's width."""
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(depth_angstrom / EDGE_ANGSTROM, 0, 1))


class Coarse:
    """A grid of blocks of voxels of about 4 Å."""

    def __init__(self, shape_zyx: tuple[int, ...], voxel_size_zyx: np.ndarray) -> None:
        self.shape = shape_zyx
        self.factors = np.maximum(1, np.rint(COARSE_VOXEL_ANGSTROM / voxel_size_zyx)).astype(int)
        self.voxel_size_zyx = voxel_size_zyx * self.factors

    def mean(self, fine: np.ndarray) -> np.ndarray:
        """Mean over each block; those at the far faces may be smaller."""
        for axis, factor in enumerate(self.factors):
            starts = np.arange(0, fine.shape[axis], factor)
            counts = np.diff([*starts, fine.shape[axis]]).astype(np.float32)
            fine = np.add.reduceat(fine, starts, axis=axis) / _along(counts, axis)
        return fine

    def spread(self, coarse: np.ndarray) -> np.ndarray:
        """Linear interpolation between the middles of blocks, back on the fine grid, float32."""
        spread = coarse.astype(np.float32)
        for axis, factor in enumerate(self.factors):
            place = np.clip((np.arange(self.shape[axis]) + 0.5) / factor - 0.5, 0, coarse.shape[axis] - 1)
            low = place.astype(int)
            high = np.minimum(low + 1, coarse.shape[axis] - 1)
            part = _along((place - low).astype(np.float32), axis)
            spread = np.take(spread, low, axis) * (1 - part) + np.take(spread, high, axis) * part
        return spread


def _along(values: np.ndarray, axis: int) -> np.ndarray:
    """One value for every plane of an axis, to be broadcast."""
    return values.reshape([-1 if each == axis else 1 for each in range(3)])
