"""Gaussians kept in a small cube of voxels around each atom: what makes density cost O(atoms), whatever the box.

A batch may hold models of several maps. Every row has a grid of its own; the voxels of all boxes lie one behind the
other in a flat array, so that no map is padded to the size of another.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .density import Grid

CUTOFF_SIGMAS = 4.0
"""Where a Gaussian ends along each axis; there it is 3e-4 of its peak."""
CHUNK_VOXELS = 1 << 21
"""Voxels of all windows that are worked on at once, some 100 MB with their temporaries."""


@dataclass(frozen=True)
class Grids:
    """Boxes whose voxels lie one behind the other in a flat array."""

    shape: Tensor
    """(b, 3) voxels along x, y, z."""
    origin_angstrom: Tensor
    """(b, 3) xyz of the centre of each first voxel."""
    voxel_size_angstrom: Tensor
    """(b, 1)"""
    start: Tensor
    """(b,) place of each first voxel in the flat array."""

    @classmethod
    def of(cls, grids: Sequence[Grid], like: Tensor) -> Grids:
        """Boxes in their order, on the device and in the precision of ``like``."""
        sizes = [math.prod(grid.shape_zyx) for grid in grids]
        return cls(
            torch.tensor([grid.shape_zyx[::-1] for grid in grids], device=like.device),
            like.new_tensor([grid.origin_angstrom for grid in grids]),
            like.new_tensor([[grid.voxel_size_angstrom] for grid in grids]),
            torch.tensor([sum(sizes[:i]) for i in range(len(sizes))], device=like.device),
        )

    def rows(self, index: Tensor) -> Grids:
        """The boxes of some rows, where they lie in the same array."""
        return Grids(*(field[index] for field in vars(self).values()))

    def around(self, coordinates: Tensor, sigma_angstrom: Tensor) -> tuple[Grids, Tensor, int]:
        """The part of each box that the windows of its row's atoms lie in, in a flat array of its own.

        Returns
        -------
        parts : Grids
        first : Tensor, shape (b, 3)
            xyz index of each part's first voxel in its box.
        n_voxels : int
            Length of the flat array.
        """
        reach = window_width(sigma_angstrom, self.voxel_size_angstrom) // 2
        in_voxels = (coordinates - self.origin_angstrom[:, None]) / self.voxel_size_angstrom[:, None]
        first = in_voxels.amin(1).floor().long() - (reach - 1)
        last = in_voxels.amax(1).floor().long() + reach
        first = torch.minimum(first.clamp(min=0), self.shape - 1)
        shape = torch.minimum(last.clamp(min=0), self.shape - 1).maximum(first) - first + 1
        origin = self.origin_angstrom + first * self.voxel_size_angstrom
        ends = shape.prod(dim=1).cumsum(dim=0)
        return Grids(shape, origin, self.voxel_size_angstrom, ends - shape.prod(dim=1)), first, int(ends[-1])


@dataclass(frozen=True)
class Windows:
    """The windows of ``m`` atoms, each of ``w`` voxels along every axis."""

    first: Tensor
    """(m, 3) xyz index of the window's corner in the atom's box; it may lie outside."""
    row: Tensor
    """(m,) row of the batch that each atom belongs to."""
    kernel: Tensor
    """(m, 3, w) Gaussians along x, y and z, zero outside the box; their product is the atom's density."""
    slope: Tensor
    """(m, 3, w) derivatives of the kernel by the atom's coordinate, per Å."""

    def places(self, grids: Grids, corner: Tensor | None = None) -> Tensor:
        """Place of every voxel in the flat array of ``grids``, (m, w³) with x fastest; outside a box, its nearest.

        ``corner`` (b, 3) is where these boxes begin in those that the windows were made for, if they are parts of them.
        """
        shape = grids.shape[self.row]
        first = self.first if corner is None else self.first - corner[self.row]
        steps = torch.arange(self.kernel.shape[2], device=first.device)
        index = torch.minimum((first[..., None] + steps).clamp_(min=0), shape[..., None] - 1)
        x, y, z = index.unbind(1)
        y = y * shape[:, :1]
        z = z * (shape[:, :1] * shape[:, 1:2]) + grids.start[self.row, None]
        return (z[:, :, None, None] + y[:, None, :, None] + x[:, None, None, :]).flatten(1)

    def density(self, amplitude: Tensor) -> Tensor:
        """Density (m, w³) of atoms whose peaks are ``amplitude`` (m,)."""
        x, y, z = self.kernel.unbind(1)
        plane = y[:, :, None] * x[:, None, :]
        return ((amplitude[:, None] * z)[:, :, None, None] * plane[:, None]).flatten(1)

    def project(self, voxels: Tensor) -> Tensor:
        """Voxels (m, w³) times each atom's Gaussian, and times its derivatives along x, y and z, summed: (m, 4)."""
        width = self.kernel.shape[2]
        x, y, z = torch.stack([self.kernel, self.slope], dim=-1).unbind(1)
        along_x = torch.bmm(voxels.view(len(voxels), width * width, width), x)
        along_x = along_x.view(-1, width, width, 2)
        along_y = torch.einsum("nzyk,nyl->nzkl", along_x, y)
        together = torch.einsum("nzkl,nzm->nklm", along_y, z)
        return torch.stack([together[:, i, j, k] for i, j, k in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))], dim=1)

    def total(self) -> Tensor:
        """What :meth:`project` gives for voxels that are all one, (m, 4)."""
        sums, slopes = self.kernel.sum(2), self.slope.sum(2)
        x, y, z = sums.unbind(1)
        dx, dy, dz = slopes.unbind(1)
        return torch.stack([x * y * z, dx * y * z, x * dy * z, x * y * dz], dim=1)


def window_width(sigma_angstrom: Tensor, voxel_size_angstrom: Tensor) -> int:
    """Voxels along each axis that hold every Gaussian as far as it goes."""
    return 2 * math.ceil(float((CUTOFF_SIGMAS * sigma_angstrom / voxel_size_angstrom).max()) - 1e-6)


def each_window(coordinates: Tensor, sigma_angstrom: Tensor, grids: Grids) -> Iterator[tuple[slice, Windows]]:
    """Windows of all atoms of a batch, a chunk at a time, with the atoms' places among all (b · n_atoms).

    Parameters
    ----------
    coordinates : Tensor, shape (b, n_atoms, 3)
        xyz in Å; finite.
    sigma_angstrom : Tensor, shape (b, n_atoms)
        Width of each atom's Gaussian.
    grids : Grids
        Box of each row.
    """
    width = window_width(sigma_angstrom, grids.voxel_size_angstrom)
    in_voxels = ((coordinates - grids.origin_angstrom[:, None]) / grids.voxel_size_angstrom[:, None]).flatten(0, 1)
    rows = torch.arange(len(coordinates), device=coordinates.device).repeat_interleave(coordinates.shape[1])
    sigma = sigma_angstrom.flatten()
    steps = torch.arange(width, device=coordinates.device)
    for part in torch.arange(len(rows)).split(max(1, CHUNK_VOXELS // width**3)):
        atoms = slice(int(part[0]), int(part[-1]) + 1)
        row = rows[atoms]
        first = in_voxels[atoms].floor().long() - (width // 2 - 1)
        index = first[..., None] + steps
        away = (index - in_voxels[atoms, :, None]) * grids.voxel_size_angstrom[row, :, None]
        inverse = sigma[atoms, None, None].pow(-2)
        kernel = torch.exp(-0.5 * inverse * away.square())
        kernel = torch.where((index >= 0) & (index < grids.shape[row, :, None]), kernel, 0.0)
        yield atoms, Windows(first, row, kernel, kernel * inverse * away)
