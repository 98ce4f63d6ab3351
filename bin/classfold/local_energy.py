"""Local guidance: how far the model's density is from the map's, voxel by voxel (CryoBoltz, eq. 8)."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from .density import Grid, simulate_density


class DensityStatistics(NamedTuple):
    """Mean and standard deviation that a density is standardised with."""

    mean: Tensor
    std: Tensor


def density_statistics(density: Tensor) -> DensityStatistics:
    """Mean and (unbiased) standard deviation over the voxels of each map of a batch ``(b, z, y, x)``."""
    voxels = density.flatten(1)
    return DensityStatistics(voxels.mean(dim=1), voxels.std(dim=1))


def standardise(density: Tensor, statistics: DensityStatistics) -> Tensor:
    """Shift and scale each map of a batch ``(b, z, y, x)``."""
    return (density - statistics.mean.view(-1, 1, 1, 1)) / statistics.std.view(-1, 1, 1, 1)


class LocalEnergy:
    """Mean squared difference of the standardised simulated and experimental density.

    Parameters
    ----------
    density : Tensor, shape (z, y, x)
        The experimental map.
    grid : Grid
        Its voxels.
    resolution_angstrom : float
        Resolution at which models are simulated.
    weights : Tensor, shape (n_atoms,)
        Atomic numbers.
    """

    def __init__(self, density: Tensor, grid: Grid, resolution_angstrom: float, weights: Tensor) -> None:
        self.grid = grid
        self.resolution_angstrom = resolution_angstrom
        self.weights = weights
        self.target = standardise(density[None], density_statistics(density[None]))

    def __call__(self, coordinates: Tensor, statistics: DensityStatistics | None = None) -> Tensor:
        """Energy of each model.

        Parameters
        ----------
        coordinates : Tensor, shape (b, n_atoms, 3)
            xyz in Å in the map's frame.
        statistics : DensityStatistics, optional
            What to standardise the simulated densities with; without it, each with its own, so that a sample's energy
            does not depend on the batch that it is in. (The released program uses the first sample's for all.) Either
            way they are constants to the gradient, as they are there.

        Returns
        -------
        Tensor, shape (b,)
        """
        simulated = simulate_density(coordinates, self.weights, self.resolution_angstrom, self.grid)
        statistics = statistics or density_statistics(simulated.detach())
        standardised = standardise(simulated, statistics)
        return (standardised - self.target).square().flatten(1).mean(dim=1)
