"""Simulated maps of adenylate kinase with noise that no filter removes."""

from __future__ import annotations

import math

import numpy as np
import torch

from classfold.density import Grid, gaussian_sigma, simulate_density
from classfold.maps import DensityMap
from classfold.rigid_fit import Field, blurred


def simulated_map(
    atoms: torch.Tensor, weights: torch.Tensor, resolution_angstrom: float, noise: float, seed: int
) -> DensityMap:
    """A map of atoms ``(n, 3)`` in a box that is not cubic, with noise band-limited to the map's own resolution.

    Parameters
    ----------
    atoms : Tensor, shape (n_atoms, 3)
        xyz in Å.
    weights : Tensor, shape (n_atoms,)
        Atomic numbers.
    resolution_angstrom : float
        Of the map; its voxels are a third of it, but not smaller than 1 Å.
    noise : float
        Standard deviation of the noise over that of the map.
    seed : int
    """
    generator = torch.Generator().manual_seed(seed)
    density, grid = _noiseless(atoms, weights, resolution_angstrom, generator)
    density = density + noise * density.std() * _grain(grid, resolution_angstrom, generator)
    return DensityMap(density.numpy(), grid.voxel_size_angstrom, np.array(grid.origin_angstrom))


def simulated_halves(
    atoms: torch.Tensor, weights: torch.Tensor, resolution_angstrom: float, noise: float, seed: int
) -> tuple[DensityMap, DensityMap]:
    """Two half maps as :func:`simulated_map` makes maps, each with its own noise: ``noise`` is that of their mean."""
    generator = torch.Generator().manual_seed(seed)
    density, grid = _noiseless(atoms, weights, resolution_angstrom, generator)
    level = math.sqrt(2) * noise * density.std()
    halves = (density + level * _grain(grid, resolution_angstrom, generator) for _ in range(2))
    origin = np.array(grid.origin_angstrom)
    first, second = (DensityMap(half.numpy(), grid.voxel_size_angstrom, origin) for half in halves)
    return first, second


def _noiseless(
    atoms: torch.Tensor, weights: torch.Tensor, resolution_angstrom: float, generator: torch.Generator
) -> tuple[torch.Tensor, Grid]:
    """Density of atoms ``(n, 3)`` in a box with random margins, and its grid."""
    voxel = max(resolution_angstrom / 3, 1.0)
    margins = 10 + 6 * torch.rand(2, 3, generator=generator)
    low, high = atoms.amin(0) - margins[0], atoms.amax(0) + margins[1]
    n_x, n_y, n_z = (int(n) + 1 for n in ((high - low) / voxel).ceil())
    x, y, z = (float(value) for value in low)
    grid = Grid((n_z, n_y, n_x), voxel, (x, y, z))
    return simulate_density(atoms[None], weights, resolution_angstrom, grid)[0], grid


def noise_map(like: DensityMap, resolution_angstrom: float, seed: int) -> DensityMap:
    """Nothing but such noise, on the grid of another map."""
    grain = _grain(like.grid, resolution_angstrom, torch.Generator().manual_seed(seed))
    return DensityMap(grain.numpy(), like.voxel_size_angstrom, like.origin_angstrom)


def _grain(grid: Grid, resolution_angstrom: float, generator: torch.Generator) -> torch.Tensor:
    """Band-limited noise ``(z, y, x)`` of standard deviation 1."""
    white = Field(torch.randn(grid.shape_zyx, generator=generator), grid)
    grain = blurred(white, grid, gaussian_sigma(resolution_angstrom)).values
    return grain / grain.std()
