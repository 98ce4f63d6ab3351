"""A class map made small enough to look at in a browser: cropped, without dust, at most 96 voxels a side, 8 bits.

Where many maps share a page each has fewer voxels. The surface of a display map may lie half a voxel off, no more;
every number comes from the full map.
"""

from __future__ import annotations

import base64
import gzip
from dataclasses import dataclass
from math import ceil

import numpy as np
from scipy import ndimage

from classfold.maps import DensityMap

MAX_SIDE = 96
MOST_VOXELS = 4_500_000
"""Of all maps of a page; a noisy one takes about a byte for each."""
# Below this the surface of a map looks like bricks: the viewer's surface runs through voxel corners.
COARSE_VOXEL_ANGSTROM = 1.2
MARGIN_ANGSTROM = 6.0
# The contour slider ends at this multiple of the threshold, so no brighter value has to be told apart.
BRIGHTEST = 4.0
LEVELS = 255
DUST_SHARE = 0.05
"""What is above the threshold and smaller than this share of the largest body is dust, and is not shown there."""


@dataclass(frozen=True)
class DisplayMap:
    """Density in 8 bits for the viewer."""

    levels: np.ndarray
    """(z, y, x) uint8; density = levels * step"""
    voxel_size_angstrom: float
    origin_angstrom: np.ndarray
    """(3,) xyz of voxel [0, 0, 0] in the user's frame."""
    step: float
    threshold: float

    def payload(self, origin_angstrom: np.ndarray) -> dict[str, object]:
        """What the page's script unpacks; voxels with z fastest, as the viewer wants them.

        Parameters
        ----------
        origin_angstrom : ndarray, shape (3,)
            xyz of the viewer's zero in the user's frame.
        """
        ordered = np.ascontiguousarray(self.levels.transpose(2, 1, 0))
        return {
            "size": list(ordered.shape),
            "voxel": round(self.voxel_size_angstrom, 5),
            "origin": (self.origin_angstrom - origin_angstrom).round(3).tolist(),
            "step": self.step,
            "threshold": self.threshold,
            "levels": packed(ordered.tobytes()),
        }


def packed(content: bytes) -> str:
    """Compressed and as base64; the same content gives the same text."""
    return base64.b64encode(gzip.compress(content, compresslevel=9, mtime=0)).decode("ascii")


def _without_dust(density: np.ndarray, threshold: float) -> np.ndarray:
    """Density with small bodies above the threshold lowered to just below it: at a lower contour they come back."""
    bodies, n_bodies = ndimage.label(density > threshold)
    if n_bodies < 2:
        return density
    sizes = np.bincount(bodies.ravel())
    sizes[0] = sizes[1:].max()
    dust = (sizes < DUST_SHARE * sizes[0])[bodies]
    return np.where(dust, threshold - 0.02 * abs(threshold), density)


def _crop(density_map: DensityMap, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Density around all bodies above the threshold but dust, and the index zyx at which it begins."""
    density = density_map.density
    above = _without_dust(density, threshold) > threshold
    if not above.any():
        return density, np.zeros(3)
    margin = ceil(MARGIN_ANGSTROM / density_map.voxel_size_angstrom)
    boxes = ndimage.find_objects(above.astype(np.uint8))[0]
    window = tuple(
        slice(max(box.start - margin, 0), min(box.stop + margin, side))
        for box, side in zip(boxes, density.shape, strict=True)
    )
    return density[window], np.array([side.start for side in window], dtype=float)


def _bin(density: np.ndarray, factor: int) -> np.ndarray:
    """Mean over cubes of ``factor`` voxels a side; an incomplete cube takes its edge's values."""
    padding = [(0, -side % factor) for side in density.shape]
    filled = np.pad(density, padding, mode="edge")
    z, y, x = (side // factor for side in filled.shape)
    return filled.reshape(z, factor, y, factor, x, factor).mean(axis=(1, 3, 5))


def display_side(n_maps: int) -> int:
    """Most voxels a side of each of the maps of a page."""
    return min(MAX_SIDE, int((MOST_VOXELS / n_maps) ** (1 / 3)))


def display_map(density_map: DensityMap, threshold: float, most_voxels: int = MAX_SIDE) -> DisplayMap:
    """Crop a map around its thresholded density and bring it to a size that a page has room for.

    Parameters
    ----------
    density_map : DensityMap
        Canonical map, (z, y, x).
    threshold : float
        Contour of the molecule in the map's units.
    most_voxels : int
        A side; one that is drawn finer than it is may have more, for that compresses well.

    Returns
    -------
    DisplayMap
    """
    density, start = _crop(density_map, threshold)
    voxel = density_map.voxel_size_angstrom
    factor = ceil(max(density.shape) / most_voxels)
    if factor > 1:
        density = _bin(density, factor)
        start = start + (factor - 1) / 2
        voxel *= factor
    elif voxel > COARSE_VOXEL_ANGSTROM and 2 * max(density.shape) - 1 <= MAX_SIDE:
        density = ndimage.zoom(density, [(2 * side - 1) / side for side in density.shape], order=3)
        voxel /= 2
    density = _without_dust(density, threshold)
    origin = density_map.coordinates_of(start)
    brightest = min(float(density.max()), BRIGHTEST * threshold) if threshold > 0 else float(density.max())
    step = brightest / LEVELS if brightest > 0 else 1.0
    levels = np.clip(np.rint(density / step), 0, LEVELS).astype(np.uint8)
    return DisplayMap(levels, voxel, origin, step, threshold)
