"""What a pose of a rigid model in a map is worth: overlap to climb on, correlations to judge by."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from classfold.density import Grid, gaussian_sigma
from classfold.maps import DensityMap
from classfold.rigid_fit import Field, Poses, RigidModel, ascend, blurred, mask_correlation, model_density

DETAIL_RESOLUTION_ANGSTROM = 4.0
"""Of the closer look; finer maps are blurred to it, since a predicted model's side chains may be elsewhere."""


def _fft_length(at_least: int) -> int:
    """The next length whose prime factors are all at most 7."""
    length = at_least
    while True:
        rest = length
        for prime in (2, 3, 5, 7):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return length
        length += 1


def coarse_grid(grid: Grid, voxel_size_angstrom: float) -> Grid:
    """A grid of larger voxels around a map, with a margin of a voxel or more on every side."""
    edges = [(n - 1) * grid.voxel_size_angstrom for n in grid.shape_zyx]
    n_z, n_y, n_x = (_fft_length(math.ceil(edge / voxel_size_angstrom) + 3) for edge in edges)
    x, y, z = (
        start - ((n - 1) * voxel_size_angstrom - edge) / 2
        for start, n, edge in zip(grid.origin_angstrom, (n_x, n_y, n_z), reversed(edges), strict=True)
    )
    return Grid((n_z, n_y, n_x), voxel_size_angstrom, (x, y, z))


def overlap_field(source: Field, resolution_angstrom: float, wanted_angstrom: float, voxels: float) -> Field:
    """The map convolved so that its overlap with point atoms is that of both at the wanted resolution.

    ``voxels`` is the number of voxels per wanted resolution.
    """
    grid = coarse_grid(source.grid, wanted_angstrom / voxels)
    return blurred(source, grid, overlap_sigma(resolution_angstrom, wanted_angstrom))


def overlap_sigma(resolution_angstrom: float, wanted_angstrom: float) -> float:
    """Width in Å of the Gaussian that takes a map to the wanted resolution and then convolves it with an atom's."""
    return math.sqrt(2 * gaussian_sigma(wanted_angstrom) ** 2 - gaussian_sigma(resolution_angstrom) ** 2)


def step_lengths(first: float, last: float, count: int) -> Tensor:
    """Steps in Å that shrink along half a cosine."""
    return last + (first - last) * (1 + torch.cos(torch.linspace(0, math.pi, count))) / 2


def source_field(density_map: DensityMap, device: str) -> Field:
    """The map in units of its standard deviation, its background (the median of the box's faces) at zero."""
    density = torch.tensor(density_map.density, dtype=torch.float32, device=device)
    faces = [density.select(axis, side).flatten() for axis in range(3) for side in (0, -1)]
    return Field((density - torch.cat(faces).median()) / density.std(), density_map.grid)


def details(model: RigidModel, poses: Poses, source: Field, resolution_angstrom: float) -> Tensor:
    """Correlation ``(k,)`` inside the model's mask at the map's own resolution, each pose refined there."""
    fine = max(resolution_angstrom, DETAIL_RESOLUTION_ANGSTROM)
    # On the map's own voxels: what finer ones would add to the interpolation is less than what they cost.
    field = blurred(source, source.grid, overlap_sigma(resolution_angstrom, fine))
    refined, _ = ascend(model, poses, field, step_lengths(fine / 20, fine / 1000, 30))
    return correlations(model, refined, source, resolution_angstrom, fine)


def correlations(
    model: RigidModel, poses: Poses, source: Field, resolution_angstrom: float, wanted_angstrom: float
) -> Tensor:
    """Correlation ``(k,)`` inside the model's mask, model and map both at the wanted resolution."""
    variance = gaussian_sigma(wanted_angstrom) ** 2 - gaussian_sigma(resolution_angstrom) ** 2
    fine = coarse_grid(source.grid, wanted_angstrom / 4)
    # A Gaussian narrower than half a voxel cannot be sampled; such a map is as blurred as it is wanted.
    narrow = math.sqrt(max(variance, 0.0)) < source.grid.voxel_size_angstrom / 2
    field = source if narrow else blurred(source, fine, math.sqrt(variance))
    return mask_correlation(*model_density(model, wanted_angstrom, wanted_angstrom / 4), poses, field)
