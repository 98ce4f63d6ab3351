"""How much of the difference between two classes' models a class map shows.

Two models of one conformation differ, as samples do, by some tenths of an Ångström; and each fits its own map
best, because it was made for it. So neither the models' distance nor a better fit tells two conformations from one.
What does is to put one question to both maps: where between the two models do you lie?

With the models' densities ``a`` and ``b`` (each the mean over a class's finalists) a map ``M`` is, in least squares
over the voxels near either of them,

    M = scale [(a + b) / 2 + place (b - a)] + what does not matter

and what does not matter is a constant, the shifts, turns and the blur of ``(a + b) / 2``, to first order. ``place``
is -1/2 in a map of ``a`` and +1/2 in a map of ``b``. A fault that the models share, or that one of them has alone,
moves the places in both maps alike, so that the difference of the places is 1 where all of the models' difference is in
the maps, and 0 where none is. As ``place`` is linear in the map, its error is the noise's covariance ``C(h)`` with
the autocorrelation of the weights ``w`` by which the map is summed: ``variance = sum_h C(h) (w * w)(h)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import fft, ndimage

from classfold.density import Grid
from classfold.map_fit import mask_radius, simulate, window
from classfold.maps import DensityMap

NOISE_REACH_RESOLUTIONS = 2.0
"""Noise of a map is correlated over about its resolution; beyond twice that, chance alone would be summed."""


class Place(NamedTuple):
    """Where between two models a map lies, -1/2 at the first and +1/2 at the second, and its standard error."""

    value: float
    error: float


@dataclass(frozen=True)
class NoisyMap:
    """A class map with what is known of its noise."""

    density_map: DensityMap
    resolution_angstrom: float
    noise: np.ndarray | None
    """(n_z, n_y, n_x) one draw of the map's noise, by its half maps; None without half maps."""

    def simulated(self, models: Sequence[np.ndarray], atomic_numbers: np.ndarray, grid: Grid) -> np.ndarray:
        """Mean density (n_z, n_y, n_x) of models of (n_atoms, 3) each, at this map's resolution."""
        atoms, numbers = np.concatenate(models), np.tile(atomic_numbers, len(models)) / len(models)
        return simulate(atoms, numbers, self.resolution_angstrom, grid)


@dataclass(frozen=True)
class _Scene:
    """A map's window around two models."""

    experimental: np.ndarray
    """(z, y, x)"""
    noise: np.ndarray | None
    """(z, y, x); None without half maps"""
    measured: np.ndarray
    """(z, y, x) of bool: voxels of the map's own box"""
    near: np.ndarray
    """(z, y, x) of bool: voxels near either model"""
    grid: Grid


def _scene(noisy: NoisyMap, models: Sequence[np.ndarray]) -> _Scene:
    density_map, radius = noisy.density_map, mask_radius(noisy.resolution_angstrom)
    atoms = np.concatenate(models)
    experimental, grid, box = window(atoms, density_map.density, density_map.grid, radius)
    measured = np.zeros(grid.shape_zyx, bool)
    measured[box] = True
    noise = None
    if noisy.noise is not None:
        noise = np.zeros(grid.shape_zyx)
        noise[box] = noisy.noise
    return _Scene(experimental, noise, measured, _near(atoms, grid, radius), grid)


def _near(atoms: np.ndarray, grid: Grid, radius_angstrom: float) -> np.ndarray:
    """Voxels (z, y, x) of bool within a radius of one that holds an atom of (n, 3); atoms beyond the grid have none."""
    index = np.rint((atoms - np.asarray(grid.origin_angstrom)) / grid.voxel_size_angstrom).astype(np.int64)[:, ::-1]
    index = index[((index >= 0) & (index < grid.shape_zyx)).all(axis=1)]
    empty = np.ones(grid.shape_zyx, bool)
    if not len(index):
        return ~empty
    empty[tuple(index.T)] = False
    return ndimage.distance_transform_edt(empty, sampling=grid.voxel_size_angstrom) <= radius_angstrom


def _irrelevant(middle: np.ndarray) -> list[np.ndarray]:
    """Fields (z, y, x) of what does not matter: a constant, shifts, turns and blur of the density in the middle."""
    slopes = np.gradient(middle)
    z, y, x = np.meshgrid(*(np.arange(n) - 0.5 * (n - 1) for n in middle.shape), indexing="ij")
    d_z, d_y, d_x = slopes
    turns = [y * d_x - x * d_y, z * d_y - y * d_z, x * d_z - z * d_x]
    return [np.ones_like(middle), *slopes, *turns, ndimage.laplace(middle)]


def places(
    noisy: NoisyMap,
    first: Sequence[np.ndarray],
    second: Sequence[np.ndarray],
    atomic_numbers: np.ndarray,
    parts: Sequence[np.ndarray],
) -> list[Place]:
    """Where a map lies between the models of two classes, each part of them by itself.

    Parameters
    ----------
    noisy : NoisyMap
    first, second : sequence of ndarray, shape (n_atoms, 3)
        Finalists of the two classes, xyz in Å in the frame of the map.
    atomic_numbers : ndarray, shape (n_atoms,)
    parts : sequence of ndarray of int
        Atoms of each part; together all atoms, none twice.

    Returns
    -------
    list of Place
        One for each part; NaN where the models' densities are the same, so that there is nothing to ask.
    """
    scene = _scene(noisy, [*first, *second])
    ends = [
        [noisy.simulated([m[part] for m in models], atomic_numbers[part], scene.grid) for part in parts]
        for models in (first, second)
    ]
    middle = 0.5 * np.sum(ends[0] + ends[1], axis=0)
    steps = [b - a for a, b in zip(*ends, strict=True)]
    columns = np.stack([each[scene.near] for each in (middle, *steps, *_irrelevant(middle))], axis=1)
    # Columns of very different size would lose digits.
    size = np.linalg.norm(columns, axis=0)
    usable = size > 1e-9 * size[0]
    weights = np.zeros(columns.shape[::-1])
    weights[usable] = np.linalg.pinv(columns[:, usable] / size[usable], rcond=1e-8) / size[usable, None]
    fitted = weights @ scene.experimental[scene.near]
    noise, seen = scene.noise, scene.near & scene.measured
    if noise is None:
        noise = np.zeros(scene.grid.shape_zyx)
        noise[scene.near] = scene.experimental[scene.near] - columns @ fitted
    covariance = _Covariance.of(noise, seen, NOISE_REACH_RESOLUTIONS * noisy.resolution_angstrom, scene.grid)
    found = []
    for k in range(1, 1 + len(parts)):
        field = np.zeros(scene.grid.shape_zyx)
        field[scene.near] = weights[k]
        error = np.sqrt(covariance.variance(field)) / abs(fitted[0]) if fitted[0] else np.nan
        is_told = usable[k] and fitted[0] > 0
        found.append(Place(fitted[k] / fitted[0], float(error)) if is_told else Place(np.nan, np.nan))
    return found


@dataclass(frozen=True)
class _Covariance:
    """Covariance of a map's noise by the distance of two voxels, on a padded box."""

    values: np.ndarray
    """Padded (z, y, x), the distance zero first."""

    @classmethod
    def of(cls, noise: np.ndarray, seen: np.ndarray, reach_angstrom: float, grid: Grid) -> _Covariance:
        """From one draw (z, y, x) of it where it is seen, out to a reach."""
        padded = [fft.next_fast_len(2 * n, real=True) for n in noise.shape]
        inside = noise[seen].mean() if seen.any() else 0.0
        sums = _autocorrelation(np.where(seen, noise - inside, 0.0), padded)
        pairs = _autocorrelation(seen.astype(float), padded)
        steps = np.meshgrid(*(np.minimum(np.arange(n), n - np.arange(n)) for n in padded), indexing="ij")
        near = sum(step**2 for step in steps) <= (reach_angstrom / grid.voxel_size_angstrom) ** 2
        return cls(np.divide(sums, pairs, out=np.zeros(padded), where=near & (pairs > 0.5)))

    def variance(self, weights: np.ndarray) -> float:
        """Variance of the sum of the noise with weights (z, y, x)."""
        return max(float((self.values * _autocorrelation(weights, list(self.values.shape))).sum()), 0.0)


def _autocorrelation(field: np.ndarray, padded: list[int]) -> np.ndarray:
    """``sum_v f(v) f(v + h)`` for all ``h``, on a padded box."""
    return fft.irfftn(np.abs(fft.rfftn(field, s=padded)) ** 2, s=padded)
