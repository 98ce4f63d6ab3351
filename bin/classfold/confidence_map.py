"""The density above which a stated share of voxels may be noise: FDR control of a map against its background.

Beckers, Jakobi & Sachse, IUCrJ 6:18, 2019: every voxel is tested against the noise measured where there is no
molecule, and the false discovery rate is controlled by Benjamini & Yekutieli (Ann Stat 29:1165, 2001), whose rule
holds however the voxels' noise is correlated, as that of a map is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

MIDDLE_SHARE = 0.5
"""The middle of the background is that of the shortest interval with so many of its values."""
TAIL_SHARE = 0.005
NOT_GAUSSIAN = 1.2
"""The far tail of the background, so many times wider than its half-width says, is no Gaussian's."""
LEAST_SIGMA = 2.0
"""Below so many standard deviations no voxel of a map is ever significant; it saves sorting them."""
MAX_SAMPLE = 1_000_000


@dataclass(frozen=True)
class Background:
    """The noise around the molecule."""

    level: float
    sigma: float
    """Standard deviation: of the lower half, or of its far tail where that is wider."""
    is_gaussian: bool


def measure_background(values: np.ndarray) -> Background:
    """Middle and width of background values, shape (n,), not all of one value.

    Density of something else (a micelle, a partner, the molecule's own tails) lies above the noise. The middle is
    therefore that of the shortest interval with half of the values, and the width is measured below it: by the
    mean square, and by the lowest half per cent, of which the wider counts.
    """
    ordered = np.sort(values[:: max(1, values.size // MAX_SAMPLE)].astype(float))
    n_middle = max(2, round(MIDDLE_SHARE * ordered.size))
    widths = ordered[n_middle - 1 :] - ordered[: ordered.size - n_middle + 1]
    # Of whole numbers many intervals are the shortest, and medians are whole: hence the middle one, and its mean.
    first = int(np.median(np.flatnonzero(widths == widths.min())))
    level = float(ordered[first : first + n_middle].mean())
    below = level - ordered[ordered <= level]
    half_width = float(np.sqrt(np.square(below).mean()))
    # Those below are half of the noise, whatever lies above.
    tail = float(np.quantile(below, 1 - 2 * TAIL_SHARE)) / float(-norm.ppf(TAIL_SHARE))
    return Background(level, max(half_width, tail), tail <= NOT_GAUSSIAN * half_width)


def fdr_level(values: np.ndarray, background: Background, rate: float) -> float | None:
    """Lowest density at which at most ``rate`` of the voxels above are expected to be noise; None if there is none.

    With p-values in ascending order it is the density of the last ``k`` for which ``p_k <= rate k / (n c)``,
    ``c = 1 + 1/2 + ... + 1/n``.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Densities of all voxels that are tested.
    background : Background
    rate : float
    """
    candidates = values[values > background.level + LEAST_SIGMA * background.sigma]
    ordered = np.sort(candidates.astype(float))[::-1]
    p = norm.sf((ordered - background.level) / background.sigma)
    harmonic = np.log(values.size) + np.euler_gamma
    significant = np.flatnonzero(p * values.size * harmonic <= rate * np.arange(1, ordered.size + 1))
    if not significant.size:
        return None
    # Just below the last significant density: what lies above is what was found.
    return float(np.nextafter(np.float32(ordered[significant[-1]]), np.float32(-np.inf)))
