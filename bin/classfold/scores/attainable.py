"""The highest correlation that the noise of a map leaves to a right model.

Let a map be ``e = a s + n``, the model's own density and noise that does not depend on it. Then the model's correlation
with the map within its mask is expected to be

    CC = sqrt(1 - var(n) / var(e)),

with the variance of ``e`` taken within the mask and that of the noise well outside of it. A model far below has errors
that noise does not explain. The noise is taken to be the same everywhere: where it is stronger at the molecule, because
parts of it move or differ between particles, a right model stays below.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt

from classfold.confidence_map import measure_background
from classfold.map_fit import Overlay

GAP_RESOLUTIONS = 0.5
"""Noise is measured from this share of the resolution on beyond the mask."""
FEWEST_VOXELS = 500
LEAST_NOISE = 1e-3
"""Noise of less than this share of the map's spread is none: the map was masked or cut off, or simulated without."""


def noise_sigma(overlay: Overlay, resolution_angstrom: float) -> float | None:
    """Standard deviation of the noise in the map's box beyond the model; None where it cannot be told.

    Density beside the model (a micelle, a partner) lies above the noise, which is therefore measured on its lower side.
    """
    away = np.asarray(distance_transform_edt(~overlay.mask)) * overlay.grid.voxel_size_angstrom
    values = overlay.experimental[overlay.box][away[overlay.box] > GAP_RESOLUTIONS * resolution_angstrom]
    if len(values) < FEWEST_VOXELS or np.ptp(values) == 0:
        return None
    sigma = measure_background(values).sigma
    return sigma if sigma > LEAST_NOISE * float(overlay.experimental[overlay.mask].std()) else None


def attainable_cc(overlay: Overlay, resolution_angstrom: float) -> float | None:
    """CC_mask that a right model would have here, 0 to 1; None where the noise cannot be told."""
    sigma = noise_sigma(overlay, resolution_angstrom)
    if sigma is None:
        return None
    return float(np.sqrt(max(0.0, 1.0 - sigma**2 / float(overlay.experimental[overlay.mask].var()))))
