"""Fourier shell correlation of a map and its model, and the resolutions at which it falls below 0.5 and 0.143.

As in phenix.mtriage (Afonine et al., Acta Cryst. D74, 814, 2018) a soft mask around the atoms is laid over the map, and
the model's density stays whole: it ends by itself. What the map holds outside of the mask on average is taken off
before, so that its offset does not matter. FSC does not depend on how sharp either density is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft
from scipy.ndimage import distance_transform_edt

from classfold.half_map_fsc import correlate
from classfold.map_fit import Overlay
from classfold.shells import first_crossing, make_shells

SOFT_EDGE_ANGSTROM = 5.0
"""Width of the cosine edge of the mask."""
LEVELS = (0.5, 0.143)


@dataclass(frozen=True)
class ModelMapFsc:
    """The curve, both of shape (n_shells,), and what it says."""

    frequency: np.ndarray
    """Middle of each shell in 1/Å."""
    curve: np.ndarray
    d_05_angstrom: float | None
    """Where it first falls below 0.5; the last shell if it never does; None if it begins below."""
    d_0143_angstrom: float | None
    """The same for 0.143."""


def soft_mask(inside: np.ndarray, voxel_size_angstrom: float) -> np.ndarray:
    """1 inside of a mask (z, y, x) of bool, falling to 0 along a cosine outside of it."""
    away = np.asarray(distance_transform_edt(~inside)) * voxel_size_angstrom
    return 0.5 + 0.5 * np.cos(np.pi * np.clip(away / SOFT_EDGE_ANGSTROM, 0.0, 1.0))


def resolution_at(frequency: np.ndarray, curve: np.ndarray, level: float) -> float | None:
    """Å at which a curve first falls below a level; the last shell if it never does; None if it begins below."""
    if len(curve) < 2 or curve[1] < level:
        return None
    crossing = first_crossing(frequency, curve, level)
    return 1 / (float(frequency[-1]) if crossing is None else crossing)


def masked_map(overlay: Overlay) -> np.ndarray:
    """The map within its own box (z, y, x), over what it holds outside of the model's soft mask, within that mask."""
    mask, experimental = overlay.mask[overlay.box], overlay.experimental[overlay.box]
    weight = soft_mask(mask, overlay.grid.voxel_size_angstrom)
    solvent = experimental[weight == 0].mean() if (weight == 0).any() else experimental.mean()
    return (experimental - solvent) * weight


def score_fsc(overlay: Overlay) -> ModelMapFsc:
    """FSC within the map's own box."""
    simulated = overlay.simulated[overlay.box]
    shells = make_shells(simulated.shape, np.full(3, overlay.grid.voxel_size_angstrom))
    if not overlay.mask[overlay.box].any():
        return ModelMapFsc(shells.frequency, np.zeros(shells.n), None, None)
    curve = correlate(fft.rfftn(masked_map(overlay)), fft.rfftn(simulated), shells)
    d_05, d_0143 = (resolution_at(shells.frequency, curve, level) for level in LEVELS)
    return ModelMapFsc(shells.frequency, curve, d_05, d_0143)
