"""Voxels that a program has set to one value: outside a mask, or below a level at which a map was cut off."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

SET_SHARE, SET_CONTRAST = 0.02, 5.0
"""A value of so many voxels, and so many times more than any other value has, was set by a program."""
FLAT_WIDTH, FLAT_CONTRAST = 2e-4, 3.0
"""So were values within this share of the map's range, where within five times that there are not so many times more:
a map that was resampled or filtered after it was masked rings a little."""
RANGE_SHARE = 5e-4
"""Of the voxels at either end, without which a map's range is measured."""
LEAST_DISTINCT = 100
"""Fewer different values are those of integers, not of ringing."""
MAX_SAMPLE = 1_000_000


class SetVoxels(NamedTuple):
    """Voxels that a program has set to one value."""

    is_set: np.ndarray
    """bool, shape (n_z, n_y, n_x)."""
    value: float
    is_lowest: bool
    """Whether nothing lies below that value: the map was cut off there, or has no noise around its molecule."""


def find_set_voxels(density: np.ndarray) -> SetVoxels | None:
    """Voxels that have the same value, exactly or but for ringing; None if no value stands out.

    A value must also stand out from the second commonest, or a map stored in few integers would look masked.
    """
    ordered = np.sort(density.ravel()[:: max(1, density.size // MAX_SAMPLE)])
    values, counts = np.unique(ordered, return_counts=True)
    commonest = int(np.argmax(counts))
    second = np.partition(counts, -2)[-2] if len(counts) > 1 else 0
    if counts[commonest] >= max(SET_SHARE * ordered.size, SET_CONTRAST * second):
        value = values[commonest]
        return SetVoxels(density == value, float(value), bool(value <= density.min()))
    return _find_flat_voxels(density, ordered)


def _find_flat_voxels(density: np.ndarray, ordered: np.ndarray) -> SetVoxels | None:
    """Voxels whose values differ by ringing alone, from a sample of all values in order."""
    n_end = int(RANGE_SHARE * ordered.size)
    width = FLAT_WIDTH * float(ordered[-1 - n_end] - ordered[n_end])
    ends = np.searchsorted(ordered, ordered + width, side="right")
    first = int(np.argmax(ends - np.arange(ordered.size)))
    flat = ordered[first : ends[first]]
    value, reach = float(np.median(flat)), 2.5 * width
    low, high = np.searchsorted(ordered, [value - reach, value + reach])
    if flat.size < SET_SHARE * ordered.size or high - low > FLAT_CONTRAST * flat.size:
        return None
    if len(np.unique(flat)) < LEAST_DISTINCT:
        return None
    is_lowest = value - reach <= float(density.min())
    return SetVoxels(np.abs(density - np.float32(value)) <= reach, value, is_lowest)
