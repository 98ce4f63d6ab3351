"""The local energy as the released program computes it: all atoms times all voxels, in batches of voxels."""

from __future__ import annotations

import torch
from torch import Tensor

from classfold.density import Grid, gaussian_sigma

VOXELS_AT_ONCE = 8192


def voxel_centres(grid: Grid, device: torch.device) -> Tensor:
    """xyz (n_voxels, 3) in Å of every voxel, x fastest."""
    axes = [
        origin + grid.voxel_size_angstrom * torch.arange(size, device=device)
        for origin, size in zip(grid.origin_angstrom[::-1], grid.shape_zyx, strict=True)
    ]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).flatten(0, 2).flip(1)


def local_energy(
    coordinates: Tensor, weights: Tensor, density: Tensor, grid: Grid, resolution_angstrom: float
) -> Tensor:
    """Mean squared difference of the standardised densities of one model (n_atoms, 3), with a graph over everything."""
    sigma = gaussian_sigma(resolution_angstrom)
    parts = [
        torch.exp((voxels[:, None] - coordinates[None]).square().sum(dim=2) / (-2 * sigma**2)) @ weights
        for voxels in voxel_centres(grid, coordinates.device).split(VOXELS_AT_ONCE)
    ]
    simulated = torch.cat(parts)
    mean, std = simulated.mean().detach(), simulated.std().detach()
    target = (density.flatten() - density.mean()) / density.std()
    return ((simulated - mean) / std - target).square().mean()
