"""Energies, gradients and strengths against what the paper's released program computes.

``tests/data/reference_guidance.npz`` holds its arrays for 40 residues of adenylate kinase in a noisy 4 Å map. Its local
gradient is that of the sum of squares over voxels, and its simulated maps are standardised with the first sample's mean
and standard deviation. Ours ends each Gaussian at four standard deviations.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from classfold.density import Grid, simulate_density
from classfold.local_energy import DensityStatistics, LocalEnergy, TargetMap
from classfold.published_energy import PublishedGlobalEnergy
from classfold.schedule import Stage, make_schedule

REFERENCE = Path(__file__).parents[1] / "data/reference_guidance.npz"


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    with np.load(REFERENCE) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def grid(reference) -> Grid:
    origin = tuple(float(value) for value in reference["origin_xyz_angstrom"])
    return Grid(reference["map_zyx"].shape, float(reference["voxel_size_angstrom"]), origin)


@pytest.fixture(scope="module")
def weights(reference) -> torch.Tensor:
    return torch.from_numpy(reference["atomic_numbers"].astype(np.float32))


def cosine(first: torch.Tensor, second: torch.Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(first.flatten(), second.flatten(), dim=0))


def test_simulated_density(reference, grid, weights) -> None:
    simulated = simulate_density(torch.from_numpy(reference["coords_angstrom"]), weights, 4.0, grid)
    expected = torch.from_numpy(reference["simulated_density_zyx"])
    assert float((simulated - expected).abs().max()) <= 1e-4 * float(expected.max())


def test_local_loss_and_gradient(reference, grid, weights) -> None:
    resolution = float(reference["resolution_angstrom"])
    energy = LocalEnergy([TargetMap(torch.from_numpy(reference["map_zyx"]), grid, resolution)], weights)
    coordinates = torch.from_numpy(reference["coords_angstrom"]).requires_grad_()
    first = simulate_density(coordinates[:1].detach(), weights, resolution, grid)
    of_all = DensityStatistics(first.mean().expand(len(coordinates)), first.std().expand(len(coordinates)))
    losses = energy(coordinates, statistics=of_all)
    np.testing.assert_allclose(losses.detach(), reference["local_loss"], rtol=1e-4)
    n_voxels = reference["map_zyx"].size
    (gradient,) = torch.autograd.grad(losses.sum() * n_voxels, coordinates)
    for got, expected in zip(gradient, torch.from_numpy(reference["local_grad"]), strict=True):
        assert cosine(got, expected) >= 0.9999
        assert float(got.norm() / expected.norm()) == pytest.approx(1, rel=1e-3)


def test_global_loss_and_gradient(reference) -> None:
    coordinates = torch.from_numpy(reference["coords_angstrom"]).requires_grad_()
    losses = PublishedGlobalEnergy([torch.from_numpy(reference["cloud_angstrom"])])(coordinates)
    np.testing.assert_allclose(losses.detach(), reference["global_loss_each"], rtol=1e-4)
    (gradient,) = torch.autograd.grad(losses.mean(), coordinates)
    for got, expected in zip(gradient, torch.from_numpy(reference["global_grad_of_mean"]), strict=True):
        assert cosine(got, expected) >= 0.9999
        assert float(got.norm() / expected.norm()) == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize(
    ("stage", "array"), [(Stage.GLOBAL, "global_scale_by_step"), (Stage.LOCAL, "local_scale_by_step")]
)
def test_strength_of_every_step(reference, stage, array) -> None:
    schedule = make_schedule("experimental", 200)
    expected = reference[array]
    got = [schedule.strength(step) if schedule.stage(step) is stage else 0.0 for step in range(len(expected))]
    np.testing.assert_allclose(np.float32(got), expected, rtol=0, atol=np.spacing(np.float32(0.25)))
