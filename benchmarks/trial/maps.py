"""Simulated maps of adenylate kinase with noise that no filter removes."""

from __future__ import annotations

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
    voxel = max(resolution_angstrom / 3, 1.0)
    margins = 10 + 6 * torch.rand(2, 3, generator=generator)
    low, high = atoms.amin(0) - margins[0], atoms.amax(0) + margins[1]
    n_x, n_y, n_z = (int(n) + 1 for n in ((high - low) / voxel).ceil())
    x, y, z = (float(value) for value in low)
    grid = Grid((n_z, n_y, n_x), voxel, (x, y, z))
    density = simulate_density(atoms[None], weights, resolution_angstrom, grid)[0]
    density = density + noise * density.std() * _grain(grid, resolution_angstrom, generator)
    return DensityMap(density.numpy(), voxel, np.array([x, y, z]))


def noise_map(like: DensityMap, resolution_angstrom: float, seed: int) -> DensityMap:
    """Nothing but such noise, on the grid of another map."""
    grain = _grain(like.grid, resolution_angstrom, torch.Generator().manual_seed(seed))
    return DensityMap(grain.numpy(), like.voxel_size_angstrom, like.origin_angstrom)


def _grain(grid: Grid, resolution_angstrom: float, generator: torch.Generator) -> torch.Tensor:
    """Band-limited noise ``(z, y, x)`` of standard deviation 1."""
    white = Field(torch.randn(grid.shape_zyx, generator=generator), grid)
    grain = blurred(white, grid, gaussian_sigma(resolution_angstrom)).values
    return grain / grain.std()
