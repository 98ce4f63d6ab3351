"""How much of a map a docked model explains, and how much of the model the map holds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from classfold.maps import DensityMap

LEAST_REACH_ANGSTROM = 3.0


class Explained(NamedTuple):
    """Two shares, 0 to 1."""

    density: float
    """Of the density that rises above the threshold, how much lies within reach of an atom."""
    atoms: float
    """Of the atoms, how many lie within reach of density above the threshold."""


def explained(
    coordinates: np.ndarray, density_map: DensityMap, threshold: float, resolution_angstrom: float
) -> Explained:
    """Compare a docked model with the contoured map.

    Parameters
    ----------
    coordinates : ndarray (n_atoms, 3)
        xyz in Å in the frame of the map.
    density_map : DensityMap
    threshold : float
        Contour. If nothing is above it, both shares are zero.
    resolution_angstrom : float
        Half of it is the reach, 3 Å at least.
    """
    reach = max(LEAST_REACH_ANGSTROM, resolution_angstrom / 2)
    above = np.argwhere(density_map.density > threshold)
    if not len(above):
        return Explained(0.0, 0.0)
    points = density_map.coordinates_of(above)
    height = density_map.density[tuple(above.T)].astype(float) - threshold
    near, _ = cKDTree(coordinates).query(points, distance_upper_bound=reach)
    to_density, _ = cKDTree(points).query(coordinates, distance_upper_bound=reach)
    return Explained(
        float(height[near < len(coordinates)].sum() / height.sum()), float(np.isfinite(to_density).mean())
    )
