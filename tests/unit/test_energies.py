"""The energies as functions: gradients, invariances, closed forms."""

import math

import pytest
import torch

from classfold.density import Grid, gaussian_sigma, simulate_density
from classfold.global_energy import GlobalEnergy
from classfold.local_energy import LocalEnergy, density_statistics
from classfold.rotations import random_rotation

GRID = Grid((11, 12, 13), 1.5, (-8.0, -9.0, -7.5))
WEIGHTS = torch.tensor([6.0, 7.0, 8.0, 16.0, 30.0])


def atoms(seed: int, n_models: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 4 * torch.randn(n_models, len(WEIGHTS), 3, generator=generator, dtype=torch.float64)


def local_energy() -> LocalEnergy:
    target = simulate_density(atoms(5), WEIGHTS.double(), 4.0, GRID)[0]
    return LocalEnergy(target, GRID, 4.0, WEIGHTS.double())


def test_density_of_one_atom_is_its_gaussian() -> None:
    position = torch.tensor([[[0.4, -1.1, 2.3]]], dtype=torch.float64)
    density = simulate_density(position, torch.tensor([8.0], dtype=torch.float64), 5.0, GRID)[0]
    sigma = gaussian_sigma(5.0)
    z, y, x = 4, 6, 5
    centre = torch.tensor([-8.0 + 1.5 * x, -9.0 + 1.5 * y, -7.5 + 1.5 * z], dtype=torch.float64)
    squared = float((centre - position[0, 0]).square().sum())
    assert float(density[z, y, x]) == pytest.approx(8 * math.exp(-squared / (2 * sigma**2)), rel=1e-12)


def test_density_is_a_sum_over_atoms_and_independent_of_the_batch() -> None:
    models = atoms(1, n_models=3)
    weights = WEIGHTS.double()
    together = simulate_density(models, weights, 4.0, GRID)
    parts = sum(
        simulate_density(models[1:2, i : i + 1], weights[i : i + 1], 4.0, GRID) for i in range(len(weights))
    )
    torch.testing.assert_close(together[1:2], parts)


def test_local_energy_vanishes_at_its_target_and_ignores_scale_and_offset_of_the_map() -> None:
    energy = local_energy()
    assert float(energy(atoms(5))) < 1e-20
    rescaled = LocalEnergy(3.5 * energy.target[0] - 2, GRID, 4.0, WEIGHTS.double())
    torch.testing.assert_close(rescaled(atoms(6)), energy(atoms(6)))


def test_local_gradient() -> None:
    energy = local_energy()
    model = atoms(6).requires_grad_()
    statistics = density_statistics(simulate_density(model.detach(), WEIGHTS.double(), 4.0, GRID))
    assert torch.autograd.gradcheck(lambda x: energy(x, statistics), (model,))


def test_global_energy_vanishes_on_its_cloud_and_grows_with_the_distance() -> None:
    cloud = atoms(2)[0]
    energy = GlobalEnergy(cloud)
    values = [float(energy((cloud + shift)[None])) for shift in (0.0, 1.0, 2.0)]
    assert abs(values[0]) < 1e-6 and values[0] < values[1] < values[2]


@pytest.mark.parametrize(
    ("rotation", "tolerance"),
    [
        (torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]], dtype=torch.float64), 1e-6),
        # geomloss starts its descent at the size of the bounding box, which turns with the frame.
        (random_rotation(3, torch.float64), 1e-2),
    ],
)
def test_moving_model_and_cloud_together_changes_no_energy(rotation, tolerance) -> None:
    shift = torch.tensor([3.0, -20.0, 7.0], dtype=torch.float64)
    cloud, models = atoms(2)[0], atoms(4, n_models=2)
    expected = GlobalEnergy(cloud)(models)
    moved = GlobalEnergy(cloud @ rotation.mT + shift)(models @ rotation.mT + shift)
    torch.testing.assert_close(moved, expected, rtol=tolerance, atol=0)
