"""Atom inclusion: the share of heavy atoms that lie within the map's contour.

The number that EMDB's validation reports give (Lagerstedt et al., J. Struct. Biol. 184, 173, 2013), here at the contour
that PREPARE_MAP found or was given, the density being interpolated linearly.
"""

from __future__ import annotations

import numpy as np

from classfold.maps import DensityMap


def included_atoms(coordinates: np.ndarray, density: DensityMap, threshold: float) -> np.ndarray:
    """(n_atoms,) of bool: which of the atoms at ``coordinates (n_atoms, 3)``, xyz in Å, lie within the contour.

    Atoms beyond the map's box do not.
    """
    return density.values_at(coordinates, beyond=-np.inf) > threshold
