"""Local guidance: how far the model's density is from the map's, voxel by voxel (CryoBoltz, eq. 8).

With the map's voxels ``T`` (standardised) and a simulated density ``rho`` of mean ``m`` and standard deviation
``s``, the energy is ``E = mean(((rho - m) / s - T)^2)``. ``rho`` is zero away from the atoms, so that E follows
from ``sum rho``, ``sum rho^2`` and ``sum rho T`` over the atoms' windows alone, and its gradient from the same
windows. Neither depends on the box's size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from .density import Grid, gaussian_sigma
from .energy import WithGradient
from .windows import Grids, each_window


class DensityStatistics(NamedTuple):
    """Mean and standard deviation that a density is standardised with."""

    mean: Tensor
    """(b,)"""
    std: Tensor
    """(b,)"""


@dataclass(frozen=True)
class TargetMap:
    """An experimental map that models are compared with."""

    density: Tensor
    """(z, y, x)"""
    grid: Grid
    resolution_angstrom: float
    """At which models are simulated."""
    mask: Tensor | None = None
    """(z, y, x), 0 to 1: how much each voxel counts; without it, all the same."""

    def counted(self) -> Tensor:
        """How much each voxel counts, (z · y · x,)."""
        return torch.ones_like(self.density).flatten() if self.mask is None else self.mask.to(self.density).flatten()

    def standardised(self) -> Tensor:
        """The voxels (z · y · x,) with mean 0 and (unbiased) variance 1, as far as they count."""
        voxels, weight = self.density.flatten(), self.counted()
        centred = voxels - (weight * voxels).sum() / weight.sum()
        variance = (weight * centred.square()).sum() / (weight.sum() - 1)
        if not bool(variance > 0):
            raise ValueError("a map without contrast cannot guide")
        return centred / variance.sqrt()


class Sums(NamedTuple):
    """Sums over the voxels of a map, as far as they count, or their derivatives."""

    density: Tensor
    """Sum of rho."""
    square: Tensor
    """Sum of rho²."""
    product: Tensor
    """Sum of rho T."""


class LocalEnergy:
    """Mean squared difference of the standardised simulated and experimental density, for several maps at once.

    Parameters
    ----------
    targets : sequence of TargetMap
        On one device and in one precision.
    weights : Tensor, shape (n_atoms,)
        Atomic numbers.
    b_factors_angstrom2 : Tensor, shape (n_atoms,), optional
        Blur of each atom beyond the resolution; the sum of its density stays.
    """

    def __init__(
        self, targets: Sequence[TargetMap], weights: Tensor, b_factors_angstrom2: Tensor | None = None
    ) -> None:
        counted = torch.cat([target.counted() for target in targets])
        self.mask = None if all(target.mask is None for target in targets) else counted
        self.voxels = torch.cat([target.standardised() for target in targets]) * counted
        self.n_counted = torch.stack([target.counted().sum() for target in targets])
        self.grids = Grids.of([target.grid for target in targets], self.voxels)
        self.sigma = self.voxels.new_tensor([gaussian_sigma(target.resolution_angstrom) for target in targets])
        self.weights = weights.to(self.voxels)
        blur = torch.zeros_like(self.weights) if b_factors_angstrom2 is None else b_factors_angstrom2.to(self.weights)
        self.blur_angstrom2 = blur / (8 * torch.pi**2)

    def __call__(
        self, coordinates: Tensor, maps: Tensor | None = None, statistics: DensityStatistics | None = None
    ) -> Tensor:
        """Energy of each model.

        Parameters
        ----------
        coordinates : Tensor, shape (b, n_atoms, 3)
            xyz in Å, each in the frame of its map.
        maps : Tensor of int, shape (b,), optional
            Which of the maps each model is compared with; without it, the first.
        statistics : DensityStatistics, optional
            What to standardise the simulated densities with; without it, each with its own, so that a sample's energy
            does not depend on the batch that it is in. (The released program uses the first sample's for all.) Either
            way they are constants to the gradient, as they are there.

        Returns
        -------
        Tensor, shape (b,)
        """
        if maps is None:
            maps = torch.zeros(len(coordinates), dtype=torch.long, device=coordinates.device)
        return WithGradient.apply(coordinates, lambda x: self.value_and_gradient(x, maps, statistics))

    def value_and_gradient(
        self, coordinates: Tensor, maps: Tensor, statistics: DensityStatistics | None = None
    ) -> tuple[Tensor, Tensor]:
        """Energies (b,) and their gradients (b, n_atoms, 3), in one pass and without a graph."""
        sums, slopes = self.sums(coordinates, maps)
        n = self.n_counted[maps]
        mean, std = statistics or own_statistics(sums, n)
        model = (sums.square - 2 * mean * sums.density + n * mean.square()) / std.square()
        values = (model - 2 * sums.product / std + n - 1) / n
        mean, std, n = (each[:, None, None] for each in (mean, std, n))
        by_model = (slopes.square - 2 * mean * slopes.density) / std.square()
        return values, (by_model - 2 * slopes.product / std) / n

    def correlation(self, coordinates: Tensor, maps: Tensor) -> Tensor:
        """Pearson correlation (b,) of simulated and experimental density over the voxels that count."""
        sums, _ = self.sums(coordinates, maps)
        return sums.product / (own_statistics(sums, self.n_counted[maps]).std * (self.n_counted[maps] - 1))

    def sums(self, coordinates: Tensor, maps: Tensor) -> tuple[Sums, Sums]:
        """The sums (b,) of each model, and their derivatives (b, n_atoms, 3) by the coordinates."""
        boxes = self.grids.rows(maps)
        sigma = (self.sigma[maps, None].square() + self.blur_angstrom2).sqrt()
        peak = (self.weights * (self.sigma[maps, None] / sigma) ** 3).flatten()
        near, first, n_voxels = boxes.around(coordinates, sigma)
        density = self.voxels.new_zeros(n_voxels)
        for atoms, window in each_window(coordinates, sigma, boxes):
            density.index_add_(0, window.places(near, first).flatten(), window.density(peak[atoms]).flatten())
        found: list[Tensor] = []
        for atoms, window in each_window(coordinates, sigma, boxes):
            places, own = window.places(boxes), density[window.places(near, first)]
            if self.mask is None:
                parts = [window.total(), window.project(own)]
            else:
                counted = self.mask[places]
                parts = [window.project(counted), window.project(counted * own)]
            parts.append(window.project(self.voxels[places]))
            found.append(peak[atoms, None, None] * torch.stack(parts, dim=1))
        each = torch.cat(found).view(*coordinates.shape[:2], 3, 4)
        values, slopes = each[..., 0].sum(dim=1), each[..., 1:]
        # rho² changes by twice the density that an atom meets.
        return Sums(*values.unbind(1)), Sums(slopes[:, :, 0], 2 * slopes[:, :, 1], slopes[:, :, 2])


def own_statistics(sums: Sums, n_voxels: Tensor) -> DensityStatistics:
    """Mean and (unbiased) standard deviation (b,) of densities with these sums."""
    mean = sums.density / n_voxels
    variance = (sums.square - n_voxels * mean.square()) / (n_voxels - 1)
    return DensityStatistics(mean, variance.clamp(min=torch.finfo(variance.dtype).tiny).sqrt())
