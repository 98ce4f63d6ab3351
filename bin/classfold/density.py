"""The density of a model at a given resolution, as a differentiable function of its coordinates.

Every atom is an isotropic Gaussian of its atomic number's weight (CryoBoltz, arXiv 2506.04490, eq. 7):
``rho(v) = sum_i Z_i exp(-|v - x_i|^2 / (2 sigma^2))`` with ``sigma = resolution / (sqrt(2) pi)``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Grid(NamedTuple):
    """Where the voxels of a canonical map are."""

    shape_zyx: tuple[int, int, int]
    voxel_size_angstrom: float
    origin_angstrom: tuple[float, float, float]
    """xyz of the centre of voxel [0, 0, 0]."""


def gaussian_sigma(resolution_angstrom: float) -> float:
    """Width in Å of an atom's Gaussian at a resolution: its Fourier transform is 1/e at 1/resolution."""
    return resolution_angstrom / (math.sqrt(2) * math.pi)


def axis_profiles(coordinates: Tensor, grid: Grid, sigma_angstrom: float) -> tuple[Tensor, Tensor, Tensor]:
    """One-dimensional Gaussians of every atom along z, y and x, whose product is the atom's density.

    Parameters
    ----------
    coordinates : Tensor, shape (b, n_atoms, 3)
        xyz in Å.

    Returns
    -------
    z, y, x : Tensor, shapes (b, n_atoms, n_z), (b, n_atoms, n_y), (b, n_atoms, n_x)
    """
    profiles = []
    for n_voxels, axis in zip(grid.shape_zyx, (2, 1, 0), strict=True):
        steps = torch.arange(n_voxels, device=coordinates.device, dtype=coordinates.dtype)
        centres = grid.origin_angstrom[axis] + steps * grid.voxel_size_angstrom
        offset = coordinates[..., axis, None] - centres
        profiles.append(torch.exp(offset.square() / (-2 * sigma_angstrom**2)))
    return profiles[0], profiles[1], profiles[2]


def simulate_density(coordinates: Tensor, weights: Tensor, resolution_angstrom: float, grid: Grid) -> Tensor:
    """Density of a batch of models on a grid.

    A Gaussian separates into its axes, so that the sum over atoms is one matrix product per model; nothing is cut off.

    Parameters
    ----------
    coordinates : Tensor, shape (b, n_atoms, 3)
        xyz in Å, in the frame of the grid.
    weights : Tensor, shape (n_atoms,)
        Atomic numbers Z.
    resolution_angstrom : float
        Resolution of the simulated map.
    grid : Grid
        Voxels at which the density is wanted.

    Returns
    -------
    Tensor, shape (b, n_z, n_y, n_x)
    """
    z, y, x = axis_profiles(coordinates, grid, gaussian_sigma(resolution_angstrom))
    planes = (weights[:, None, None] * z[..., :, None] * y[..., None, :]).flatten(2)
    return (planes.mT @ x).unflatten(1, (z.shape[2], y.shape[2]))
