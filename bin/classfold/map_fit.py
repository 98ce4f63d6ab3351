"""How well a model fits a map: the correlation in a mask around its atoms, over all and per residue.

CC_mask is Pearson's correlation between the experimental and the model's simulated density over the voxels
near the atoms (Afonine et al., Acta Cryst. D74, 814, 2018, after Jiang
& Brünger, J. Mol. Biol. 243, 100, 1994):

    CC = sum((e - <e>) (s - <s>)) / sqrt(sum((e - <e>)^2) sum((s - <s>)^2))

with both means taken within the mask, so that neither the scale nor the offset of the map matters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from classfold.density import Grid, gaussian_sigma, simulate_density

# Radius of the mask around an atom: 3 Å, growing beyond 4 Å resolution with the width of the simulated atoms.
MASK_RADIUS_ANGSTROM = 3.0
MASK_RADIUS_PER_RESOLUTION = 0.75
# A stray atom must not make the window around the model fill the memory.
_FARTHEST_ANGSTROM = 50.0
# Fewer voxels say nothing about a correlation.
_FEWEST_VOXELS = 4
# Atoms × voxels of a plane that are simulated at once: at most 128 MB in float64.
_CHUNK = 2**24
_ATOMS_TOGETHER = 128
# Where an atom's Gaussian ends along z: there it is 1e-14 of its peak.
_REACH_SIGMAS = 8.0


@dataclass(frozen=True)
class Overlay:
    """A map and the simulated density of a model on one grid, which holds the map's box and the whole model."""

    experimental: np.ndarray
    """(z, y, x) float64; beyond the map's box its median."""
    simulated: np.ndarray
    """(z, y, x) float64"""
    grid: Grid
    box: tuple[slice, slice, slice]
    """Where the map's own box lies in the grid."""
    atom: np.ndarray
    """(n_pairs,) of the pairs of an atom and a voxel within the mask's radius of it"""
    voxel: np.ndarray
    """(n_pairs,) the voxel as a flat index into the grid"""

    @cached_property
    def mask(self) -> np.ndarray:
        """(z, y, x) of bool: the voxels near an atom."""
        near = np.zeros(self.experimental.size, dtype=bool)
        near[self.voxel] = True
        return near.reshape(self.experimental.shape)


@dataclass(frozen=True)
class MapFit:
    """Fit of one model to one map."""

    cc_mask: float
    """In [-1, 1]; NaN where the map or the model is constant within the mask."""
    cc_residue: np.ndarray
    """(n_residues,) the same correlation within the mask of each residue's atoms; NaN where undefined."""
    fraction_inside: float
    """Share of the atoms that lie within the map's box."""


def mask_radius(resolution_angstrom: float) -> float:
    """Radius in Å of the mask around every atom."""
    return max(MASK_RADIUS_ANGSTROM, MASK_RADIUS_PER_RESOLUTION * resolution_angstrom)


def fraction_inside(coordinates: np.ndarray, grid: Grid) -> float:
    """Share of ``coordinates (n, 3)`` that lie within the box of the grid, borders of the voxels included."""
    index = (coordinates - np.asarray(grid.origin_angstrom)) / grid.voxel_size_angstrom
    shape_xyz = np.array(grid.shape_zyx[::-1])
    return float(((index >= -0.5) & (index <= shape_xyz - 0.5)).all(axis=1).mean())


def window(
    coordinates: np.ndarray, density: np.ndarray, grid: Grid, margin_angstrom: float
) -> tuple[np.ndarray, Grid, tuple[slice, slice, slice]]:
    """A map's box, extended to hold a model; beyond the box it holds the map's median.

    It ends 50 Å beyond the box, wherever atoms may be.

    Returns
    -------
    ndarray, shape (z, y, x)
        float64
    Grid
        Where its voxels are.
    tuple of slice
        The map's box in it.
    """
    step, origin = grid.voxel_size_angstrom, np.asarray(grid.origin_angstrom)
    low = np.floor((coordinates.min(axis=0) - margin_angstrom - origin) / step).astype(int)[::-1]
    high = np.ceil((coordinates.max(axis=0) + margin_angstrom - origin) / step).astype(int)[::-1] + 1
    shape, beyond = np.array(density.shape), int(_FARTHEST_ANGSTROM / step)
    low, high = np.clip(low, -beyond, 0), np.clip(high, shape, shape + beyond)
    part = np.full(tuple(high - low), np.median(density), dtype=np.float64)
    z, y, x = (slice(int(first), int(first + n)) for first, n in zip(-low, shape, strict=True))
    part[z, y, x] = density
    corner = tuple((origin + low[::-1] * step).tolist())
    return part, Grid((part.shape[0], part.shape[1], part.shape[2]), step, corner), (z, y, x)


def simulate(
    coordinates: np.ndarray, weights: np.ndarray, resolution_angstrom: float, grid: Grid
) -> np.ndarray:
    """Simulated density ``(z, y, x)`` of one model in float64.

    Atoms of about the same height are simulated together in the slab of the grid that they reach.
    """
    n_z, n_y, n_x = grid.shape_zyx
    (x, y, z), step = grid.origin_angstrom, grid.voxel_size_angstrom
    reach = _REACH_SIGMAS * gaussian_sigma(resolution_angstrom)
    order = np.argsort(coordinates[:, 2], kind="stable")
    points, charges = torch.from_numpy(np.array(coordinates, np.float64)[order]), torch.from_numpy(weights[order])
    size = min(_ATOMS_TOGETHER, max(1, _CHUNK // max(n_z * n_y, n_y * n_x)))
    total = torch.zeros(grid.shape_zyx, dtype=torch.float64)
    for atoms, charge in zip(points.split(size), charges.split(size), strict=True):
        first = math.floor((float(atoms[0, 2]) - reach - z) / step)
        last = math.ceil((float(atoms[-1, 2]) + reach - z) / step) + 1
        first, last = max(first, 0), min(last, n_z)
        if first < last:
            slab = Grid((last - first, n_y, n_x), step, (x, y, z + first * step))
            total[first:last] += simulate_density(atoms[None], charge, resolution_angstrom, slab)[0]
    return total.numpy()


def voxels_near(coordinates: np.ndarray, grid: Grid, radius_angstrom: float) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of an atom and a voxel whose centre lies within the radius of it.

    Returns
    -------
    atom, voxel : ndarray of int, shape (n_pairs,)
        The voxel as a flat index into the grid.
    """
    position = ((coordinates - np.asarray(grid.origin_angstrom)) / grid.voxel_size_angstrom)[:, ::-1]
    nearest = np.rint(position).astype(np.int64)
    radius = radius_angstrom / grid.voxel_size_angstrom
    reach = np.arange(-int(np.ceil(radius)), int(np.ceil(radius)) + 1)
    atoms, voxels = [], []
    for offset in np.stack(np.meshgrid(reach, reach, reach, indexing="ij"), axis=-1).reshape(-1, 3):
        index = nearest + offset
        near = np.sum((index - position) ** 2, axis=1) <= radius**2
        near &= ((index >= 0) & (index < grid.shape_zyx)).all(axis=1)
        atoms.append(np.flatnonzero(near))
        voxels.append(np.ravel_multi_index(tuple(index[near].T), grid.shape_zyx))
    return np.concatenate(atoms), np.concatenate(voxels)


def correlation(first: np.ndarray, second: np.ndarray, group: np.ndarray, n_groups: int) -> np.ndarray:
    """Pearson's correlation of two series within each group; NaN where a group is too small or constant.

    Parameters
    ----------
    first, second : ndarray, shape (n,)
    group : ndarray of int, shape (n,)
        Group of each value, from 0.
    n_groups : int

    Returns
    -------
    ndarray, shape (n_groups,)
    """
    size = np.bincount(group, minlength=n_groups)

    def centred(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean = np.bincount(group, weights=values, minlength=n_groups) / np.maximum(size, 1)
        difference = values - mean[group]
        spread = np.bincount(group, weights=difference**2, minlength=n_groups)
        # What rounding leaves of a constant is no signal.
        return difference, np.where(spread > size * (1e-12 * mean) ** 2, spread, 0.0)

    (a, spread_a), (b, spread_b) = centred(first), centred(second)
    product = np.bincount(group, weights=a * b, minlength=n_groups)
    scale = np.sqrt(spread_a) * np.sqrt(spread_b)
    usable = (size >= _FEWEST_VOXELS) & (scale > 0)
    result = np.divide(product, scale, out=np.full(n_groups, np.nan), where=usable)
    return np.clip(result, -1.0, 1.0)


def lay_over(
    coordinates: np.ndarray, atomic_numbers: np.ndarray, density: np.ndarray, grid: Grid, resolution_angstrom: float
) -> Overlay:
    """Lay a model's simulated density over a map.

    Parameters
    ----------
    coordinates : ndarray, shape (n_atoms, 3)
        xyz in Å in the frame of the map.
    atomic_numbers : ndarray, shape (n_atoms,)
        Weights Z of the atoms in the simulated density.
    density : ndarray, shape (n_z, n_y, n_x)
    grid : Grid
    resolution_angstrom : float
    """
    coordinates = np.asarray(coordinates, dtype=np.float64)
    radius = mask_radius(resolution_angstrom)
    experimental, whole, box = window(coordinates, density, grid, radius)
    simulated = simulate(coordinates, np.asarray(atomic_numbers, dtype=np.float64), resolution_angstrom, whole)
    return Overlay(experimental, simulated, whole, box, *voxels_near(coordinates, whole, radius))


def cc_mask(overlay: Overlay) -> float:
    """Correlation within the mask, in [-1, 1]; NaN where the map or the model is constant there."""
    experimental, simulated = overlay.experimental[overlay.mask], overlay.simulated[overlay.mask]
    return float(correlation(experimental, simulated, np.zeros(len(simulated), dtype=np.int64), 1)[0])


def cc_residues(overlay: Overlay, residue_index: np.ndarray) -> np.ndarray:
    """(n_residues,) the same within the mask of each residue's atoms, of the density of the whole model."""
    size = overlay.experimental.size
    pairs = np.unique(residue_index[overlay.atom].astype(np.int64) * size + overlay.voxel)
    residue, voxel = np.divmod(pairs, size)
    experimental, simulated = overlay.experimental.ravel()[voxel], overlay.simulated.ravel()[voxel]
    return correlation(experimental, simulated, residue, int(residue_index.max()) + 1)


def fit_to_map(
    coordinates: np.ndarray,
    atomic_numbers: np.ndarray,
    residue_index: np.ndarray,
    density: np.ndarray,
    grid: Grid,
    resolution_angstrom: float,
) -> MapFit:
    """Compare one model with one map.

    The voxels of the mask that lie beyond the map's box count as empty (the map's median), so that a model
    gains nothing by hanging out of the box.

    Parameters
    ----------
    coordinates : ndarray, shape (n_atoms, 3)
        xyz in Å in the frame of the map.
    atomic_numbers : ndarray, shape (n_atoms,)
        Weights Z of the atoms in the simulated density.
    residue_index : ndarray of int, shape (n_atoms,)
        Residue of each atom, from 0.
    density : ndarray, shape (n_z, n_y, n_x)
    grid : Grid
    resolution_angstrom : float

    Returns
    -------
    MapFit
    """
    inside = fraction_inside(coordinates, grid)
    if inside == 0:
        return MapFit(float("nan"), np.full(int(residue_index.max()) + 1, np.nan), inside)
    overlay = lay_over(coordinates, atomic_numbers, density, grid, resolution_angstrom)
    return MapFit(cc_mask(overlay), cc_residues(overlay, residue_index), inside)
