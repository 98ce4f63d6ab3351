"""Correlations of a map with a model's density over the map's whole box and over its strongest voxels.

With CC_mask (``classfold.map_fit``) these are the four numbers of Afonine et al., Acta Cryst. D74, 814, 2018, sec. 2.2:
all are Pearson's correlation, each over other voxels, so that neither the scale nor the offset of the map matters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from classfold.map_fit import Overlay, correlation


@dataclass(frozen=True)
class Correlations:
    """Each in [-1, 1]; NaN where the map or the model is constant over the voxels."""

    box: float
    """All voxels of the map: density that the model leaves unexplained counts, and so does the noise around it."""
    volume: float
    """The N strongest voxels of the model's density, N being the number of voxels in the model's mask."""
    peaks: float
    """The N strongest voxels of either: strong density that the model leaves unexplained counts."""


def strongest(values: np.ndarray, n: int) -> np.ndarray:
    """Mask of bool over the ``n`` largest of some values (n_values,), and of those that equal the smallest of these."""
    if n < 1:
        return np.zeros(len(values), dtype=bool)
    n = min(n, len(values))
    return values >= np.partition(values, len(values) - n)[len(values) - n]


def correlate(experimental: np.ndarray, simulated: np.ndarray, n_strongest: int) -> Correlations:
    """Correlations of two densities (n_voxels,) of one box."""

    def over(chosen: np.ndarray) -> float:
        group = np.zeros(int(chosen.sum()), dtype=np.int64)
        return float(correlation(experimental[chosen], simulated[chosen], group, 1)[0])

    model = strongest(simulated, n_strongest)
    return Correlations(
        box=over(np.ones(len(simulated), dtype=bool)),
        volume=over(model),
        peaks=over(model | strongest(experimental, n_strongest)),
    )


def score_correlations(overlay: Overlay) -> Correlations:
    """Correlations within the map's own box."""
    box = overlay.box
    n_strongest = int(overlay.mask[box].sum())
    return correlate(overlay.experimental[box].ravel(), overlay.simulated[box].ravel(), n_strongest)
