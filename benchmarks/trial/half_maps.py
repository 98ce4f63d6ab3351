"""Half-map pairs of a known structure whose resolution is known by construction, and what programs do to such maps."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from classfold.density import Grid, simulate_density
from classfold.shells import first_crossing, make_shells

BLUR_PER_RESOLUTION = 1.5
"""Width of an atom against that of a map simulated at the resolution. It is a B factor of 9 resolution^2: 81 Å^2 at
3 Å, 324 Å^2 at 6 Å, as the Guinier plots of such maps show."""
MASK_ANGSTROM = 6.0
"""The mask in which the FSC is 0.143 at the resolution: everything so near to an atom."""
MICELLE_DENSITY, MICELLE_BLUR_ANGSTROM = 0.5, 12.0


class HalfMaps(NamedTuple):
    """Two half maps, their mean as refinement leaves it, and as post-processing does."""

    first: np.ndarray
    second: np.ndarray
    weighted: np.ndarray
    """The mean weighted by its FSC, as refinement leaves it."""
    sharpened: np.ndarray
    """The same, sharpened to a flat spectrum and cut off at the resolution, as post-processing leaves it."""
    grid: Grid
    resolution_angstrom: float
    """Where the FSC that signal and noise have by construction falls below 0.143."""

    @property
    def mean(self) -> np.ndarray:
        """Neither weighted nor sharpened, shape (n_z, n_y, n_x)."""
        return 0.5 * (self.first + self.second)


def box_around(atoms: torch.Tensor, voxel_size_angstrom: float, margin_angstrom: float) -> Grid:
    """A box around atoms ``(n, 3)`` with a margin on each side that differs a little between the axes."""
    extra = margin_angstrom * torch.tensor([1.0, 1.1, 1.25], dtype=atoms.dtype)
    low, high = atoms.amin(0) - extra, atoms.amax(0) + extra
    n_x, n_y, n_z = (2 * math.ceil(float(n) / 2) for n in (high - low) / voxel_size_angstrom)
    x, y, z = (float(value) for value in low)
    return Grid((n_z, n_y, n_x), voxel_size_angstrom, (x, y, z))


def voxel_centres(grid: Grid) -> np.ndarray:
    """Coordinates xyz in Å, shape (n_z, n_y, n_x, 3)."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape_zyx), indexing="ij"), axis=-1)
    return index[..., ::-1] * grid.voxel_size_angstrom + np.array(grid.origin_angstrom)


def distance_to_atoms(atoms: np.ndarray, grid: Grid) -> np.ndarray:
    """Distance in Å of every voxel to the nearest atom, shape (n_z, n_y, n_x); infinite beyond 30 Å."""
    centres = voxel_centres(grid).reshape(-1, 3)
    return cKDTree(atoms).query(centres, distance_upper_bound=30.0)[0].reshape(grid.shape_zyx)


def spatial_frequency(grid: Grid) -> np.ndarray:
    """Frequency in 1/Å of every coefficient of rfftn."""
    n_z, n_y, n_x = grid.shape_zyx
    voxel = grid.voxel_size_angstrom
    axes = np.fft.fftfreq(n_z, voxel), np.fft.fftfreq(n_y, voxel), np.fft.rfftfreq(n_x, voxel)
    return np.sqrt(sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij")))


def half_maps(
    atoms: torch.Tensor,
    weights: torch.Tensor,
    resolution_angstrom: float,
    grid: Grid,
    seed: int,
    foreign: np.ndarray | None = None,
) -> HalfMaps:
    """Half maps with white, independent noise whose FSC within 6 Å of the atoms is 0.143 at the resolution.

    Of shells in which the signal's power is S and the noise's N the FSC is S / (S + N): N is six times the
    mean of S around 1/resolution.

    Parameters
    ----------
    atoms : Tensor, shape (n_atoms, 3)
        xyz in Å.
    weights : Tensor, shape (n_atoms,)
        Atomic numbers.
    resolution_angstrom : float
    grid : Grid
    seed : int
    foreign : ndarray, shape (n_z, n_y, n_x), optional
        Density of something else, over the mean density of the molecule.
    """
    blur = BLUR_PER_RESOLUTION * resolution_angstrom
    signal = simulate_density(atoms[None], weights, blur, grid)[0].numpy()
    power = np.abs(np.fft.rfftn(signal)) ** 2
    frequency = spatial_frequency(grid)
    noise_power = 6 * np.mean(power[np.abs(frequency * resolution_angstrom - 1) < 0.1])
    shells = make_shells(grid.shape_zyx, np.full(3, grid.voxel_size_angstrom))
    in_shells = shells.sums(power) / shells.sums(np.ones_like(power))
    fsc = in_shells / (in_shells + noise_power)
    inside = (distance_to_atoms(atoms.numpy(), grid) < MASK_ANGSTROM).mean()
    sigma = math.sqrt(noise_power / (inside * signal.size))
    if foreign is not None:
        signal = signal + foreign * signal[signal > 0.1 * signal.max()].mean()
    rng = np.random.default_rng(seed)
    first, second = (signal + sigma * rng.standard_normal(signal.shape) for _ in range(2))
    # What post-processing knows is the FSC; beyond the last shell there is nothing but noise.
    weight = np.append(np.sqrt(2 * fsc / (1 + fsc)), 0)[shells.index]
    mean = np.fft.rfftn(0.5 * (first + second)) * weight
    edge = np.clip((1.05 - frequency * resolution_angstrom) / 0.05, 0, 1)
    flat = mean * edge * np.exp((blur * frequency).clip(max=BLUR_PER_RESOLUTION * 1.1) ** 2)
    weighted, sharpened = (np.fft.irfftn(each, s=signal.shape, axes=(0, 1, 2)) for each in (mean, flat))
    maps = (each.astype(np.float32) for each in (first, second, weighted, sharpened))
    return HalfMaps(*maps, grid, 1 / first_crossing(shells.frequency, fsc, 0.143))


def micelle(atoms: np.ndarray, grid: Grid) -> np.ndarray:
    """A belt of even density around the middle of the atoms ``(n, 3)``, as detergent makes it; 1 is the protein's."""
    centred = voxel_centres(grid) - atoms.mean(axis=0)
    axis = np.linalg.svd(atoms - atoms.mean(axis=0), full_matrices=False)[2][0]
    along = centred @ axis
    across = np.linalg.norm(centred - along[..., None] * axis, axis=-1)
    distance = distance_to_atoms(atoms, grid)
    belt = MICELLE_DENSITY * ((np.abs(along) < 12) & (across < 32) & (distance > 3))
    damped = np.exp(-((MICELLE_BLUR_ANGSTROM * spatial_frequency(grid)) ** 2))
    return np.fft.irfftn(np.fft.rfftn(belt) * damped, s=belt.shape, axes=(0, 1, 2))


def soft_sphere(density: np.ndarray, radius_voxels: float, edge_voxels: float = 5.0) -> np.ndarray:
    """The map within a sphere around the middle of its box, zero outside, with a cosine edge."""
    index = np.stack(np.meshgrid(*(np.arange(n) - n / 2 for n in density.shape), indexing="ij"))
    beyond = np.clip((np.linalg.norm(index, axis=0) - radius_voxels) / edge_voxels, 0, 1)
    return (density * (0.5 + 0.5 * np.cos(np.pi * beyond))).astype(np.float32)


def tight_mask(atoms: np.ndarray, grid: Grid, reach_angstrom: float = 5.0, edge_angstrom: float = 5.0) -> np.ndarray:
    """A mask of the atoms with a cosine edge, shape (n_z, n_y, n_x), 0 to 1."""
    outside = distance_transform_edt(distance_to_atoms(atoms, grid) > reach_angstrom, grid.voxel_size_angstrom)
    return 0.5 + 0.5 * np.cos(np.pi * np.clip(outside / edge_angstrom, 0, 1))


def stored_as_integers(density: np.ndarray, highest: int) -> np.ndarray:
    """The map in whole numbers up to a highest."""
    return np.round(density * (highest / density.max())).astype(np.float32)
