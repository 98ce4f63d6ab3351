"""Q-score: how well the density around each atom follows the Gaussian that a well resolved atom would have.

Pintilie et al., Nature Methods 17, 328, 2020: the density is read on shells around an atom at the points that are
nearer to it than to any other, and correlated with ``exp(-r^2 / (2 sigma^2))``. Probes and shells are those of cctbx
(``cctbx.maptbx.qscore``): 32 directions, 20 shells from 0.1 to 2 Å; a point is also left out if another atom is nearer
than 0.9 times the shell's radius. The width decides the number: the paper's sigma is 0.6 Å, EMDB's today 0.4 Å.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from classfold.maps import DensityMap

SIGMAS_ANGSTROM = (0.6, 0.4)
SHELL_RADII_ANGSTROM = np.linspace(0.1, 2.0, 20)
N_PROBES = 32
NEIGHBOUR_REACH = 0.9
_TURN = 3.6
"""Step of the spiral of Saff & Kuijlaars (Math. Intelligencer 19, 5, 1997)."""


def probe_directions(n: int) -> np.ndarray:
    """``n`` unit vectors (n, 3) on a spiral from pole to pole."""
    height = np.linspace(-1.0, 1.0, n)
    turn = np.zeros(n)
    turn[1:-1] = _TURN / np.sqrt(n * (1 - height[1:-1] ** 2))
    longitude, radius = np.cumsum(turn), np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(longitude), radius * np.sin(longitude), height], axis=1)


def q_scores(
    coordinates: np.ndarray, density: DensityMap, sigmas_angstrom: Sequence[float] = SIGMAS_ANGSTROM
) -> np.ndarray:
    """Q-score of every atom for each width of the reference.

    Parameters
    ----------
    coordinates : ndarray, shape (n_atoms, 3)
        xyz in Å; heavy atoms.
    density : DensityMap
    sigmas_angstrom : sequence of float
        Widths of the reference Gaussian.

    Returns
    -------
    ndarray, shape (n_sigmas, n_atoms)
        In [-1, 1]; NaN where no point is left or the density is constant.
    """
    tree, directions = cKDTree(coordinates), probe_directions(N_PROBES)
    own = np.arange(len(coordinates))[:, None]
    beyond, spread = float(np.median(density.density)), float(np.ptp(density.density))
    if spread == 0:
        return np.full((len(sigmas_angstrom), len(coordinates)), np.nan)
    n = np.zeros((len(SHELL_RADII_ANGSTROM), len(coordinates)))
    first, second = np.zeros_like(n), np.zeros_like(n)
    for shell, radius in enumerate(SHELL_RADII_ANGSTROM):
        points = coordinates[:, None] + radius * directions
        distance, nearest = tree.query(points, k=2)
        kept = (nearest[..., 0] == own) & (distance[..., 1] >= NEIGHBOUR_REACH * radius)
        values = np.where(kept, (density.values_at(points, beyond=beyond) - beyond) / spread, 0.0)
        n[shell], first[shell], second[shell] = kept.sum(1), values.sum(1), np.square(values).sum(1)
    return np.stack([_correlate(n, first, second, sigma) for sigma in sigmas_angstrom])


def _correlate(n: np.ndarray, first: np.ndarray, second: np.ndarray, sigma_angstrom: float) -> np.ndarray:
    """(n_atoms,) correlation with the Gaussian, from how many values each shell has, their sum and sum of squares.

    All three have the shape (n_shells, n_atoms).
    """
    gaussian = np.exp(-0.5 * (SHELL_RADII_ANGSTROM / sigma_angstrom) ** 2)[:, None]
    total = np.maximum(n.sum(0), 1)
    mean, reference = first.sum(0) / total, (n * gaussian).sum(0) / total
    spread = second.sum(0) - total * mean**2
    reference_spread = (n * (gaussian - reference) ** 2).sum(0)
    product = ((gaussian - reference) * first).sum(0)
    # What rounding leaves of a constant is no signal.
    usable = (spread > 1e-9 * second.sum(0)) & (reference_spread > 0)
    scale = np.sqrt(np.where(usable, spread * reference_spread, 1.0))
    return np.where(usable, np.clip(product / scale, -1.0, 1.0), np.nan)
