"""The energies as functions: against plain sums over all voxels and all atoms, gradients, invariances, closed forms."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

import classfold.windows as windows
from classfold.density import Grid, gaussian_sigma, simulate_density
from classfold.local_energy import DensityStatistics, LocalEnergy, TargetMap
from classfold.published_energy import PublishedGlobalEnergy
from classfold.rotations import random_rotation
from classfold.topology import ChainRecord, Topology

GRID = Grid((11, 12, 13), 1.5, (-8.0, -9.0, -7.5))
OTHER = Grid((9, 8, 10), 2.1, (95.0, -40.0, 3.0))
WEIGHTS = torch.tensor([6.0, 7.0, 8.0, 16.0, 30.0], dtype=torch.float64)
B_FACTORS = torch.tensor([0.0, 20.0, 60.0, 5.0, 120.0], dtype=torch.float64)
CPU = torch.device("cpu")


@pytest.fixture()
def whole_gaussians(monkeypatch) -> None:
    """Gaussians that end where they are 1e-18 of their peak, so that nothing but algebra is left to differ."""
    monkeypatch.setattr(windows, "CUTOFF_SIGMAS", 9.0)


def atoms(seed: int, n_models: int = 1, grid: Grid = GRID, spread_angstrom: float = 4.0) -> Tensor:
    """Models (n_models, 5, 3) about the middle of a box, no atom within 0.05 voxels of a border between voxels."""
    generator = torch.Generator().manual_seed(seed)
    middle = torch.tensor(grid.shape_zyx[::-1], dtype=torch.float64) / 2
    drawn = torch.randn(n_models, len(WEIGHTS), 3, generator=generator, dtype=torch.float64)
    in_voxels = middle + spread_angstrom / grid.voxel_size_angstrom * drawn
    share = (in_voxels - in_voxels.floor()).clamp(0.05, 0.95)
    origin = torch.tensor(grid.origin_angstrom, dtype=torch.float64)
    return origin + grid.voxel_size_angstrom * (in_voxels.floor() + share)


def noisy_target(grid: Grid = GRID, resolution: float = 4.0, seed: int = 5, mask: Tensor | None = None) -> TargetMap:
    """A map of a model, with noise."""
    density = simulate_density(atoms(seed, grid=grid), WEIGHTS, resolution, grid)[0]
    noise = torch.randn(density.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return TargetMap(density + 0.5 * density.std() * noise, grid, resolution, mask)


def plain_density(models: Tensor, target: TargetMap, b_factors: Tensor) -> Tensor:
    """Density (b, z · y · x) of models, every Gaussian at every voxel."""
    grid, sigma = target.grid, gaussian_sigma(target.resolution_angstrom)
    widths = (sigma**2 + b_factors / (8 * math.pi**2)).sqrt()
    parts = [
        simulate_density(models[:, [index]], WEIGHTS[[index]], math.sqrt(2) * math.pi * float(width), grid)
        * (sigma / width) ** 3
        for index, width in enumerate(widths)
    ]
    return torch.stack(parts).sum(0).flatten(1)


def plain_energy(models: Tensor, target: TargetMap, b_factors: Tensor | None = None) -> Tensor:
    """Mean squared difference (b,) of standardised densities; mean and standard deviation are constants to autograd."""
    weight = torch.ones_like(target.density) if target.mask is None else target.mask
    weight = weight.flatten() / weight.sum()
    unbiased = 1 / (1 - 1 / (target.density.numel() if target.mask is None else target.mask.sum()))

    def standardised(density: Tensor) -> Tensor:
        fixed = density.detach()
        mean = (weight * fixed).sum(-1, keepdim=True)
        variance = unbiased * (weight * (fixed - mean).square()).sum(-1, keepdim=True)
        return (density - mean) / variance.sqrt()

    simulated = plain_density(models, target, torch.zeros_like(WEIGHTS) if b_factors is None else b_factors)
    return (weight * (standardised(simulated) - standardised(target.density.flatten())).square()).sum(-1)


def with_gradient(energy, models: Tensor) -> tuple[Tensor, Tensor]:
    """Values (b,) and their gradients (b, n, 3)."""
    models = models.detach().requires_grad_()
    values = energy(models)
    return values.detach(), torch.autograd.grad(values.sum(), models)[0]


def assert_equals_plain_sum(target: TargetMap, models: Tensor, b_factors: Tensor | None = None, **tolerance) -> None:
    value, gradient = with_gradient(LocalEnergy([target], WEIGHTS, b_factors), models)
    plain_value, plain_gradient = with_gradient(lambda x: plain_energy(x, target, b_factors), models)
    tolerance = tolerance or {"rtol": 1e-9, "atol": 1e-12}
    torch.testing.assert_close(value, plain_value, **tolerance)
    torch.testing.assert_close(gradient, plain_gradient, **tolerance)


def hard_mask() -> Tensor:
    mask = torch.zeros(GRID.shape_zyx, dtype=torch.float64)
    mask[2:9, 3:10, 1:11] = 1.0
    return mask


def soft_mask() -> Tensor:
    return torch.rand(GRID.shape_zyx, generator=torch.Generator().manual_seed(8), dtype=torch.float64)


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
    together = simulate_density(models, WEIGHTS, 4.0, GRID)
    parts = sum(
        simulate_density(models[1:2, i : i + 1], WEIGHTS[i : i + 1], 4.0, GRID) for i in range(len(WEIGHTS))
    )
    torch.testing.assert_close(together[1:2], parts)


@pytest.mark.parametrize("mask", [None, hard_mask(), soft_mask()], ids=["all", "mask of 0 and 1", "soft mask"])
@pytest.mark.parametrize("b_factors", [None, B_FACTORS], ids=["no B", "B factors"])
def test_local_energy_is_the_plain_sum_over_voxels(whole_gaussians, mask, b_factors) -> None:
    assert_equals_plain_sum(noisy_target(mask=mask), atoms(6, n_models=2), b_factors)


@pytest.mark.parametrize("resolution", [2.5, 4.0, 8.0])
def test_the_cutoff_costs_less_than_a_thousandth(resolution) -> None:
    target, models = noisy_target(resolution=resolution), atoms(6, n_models=4)
    value, gradient = with_gradient(LocalEnergy([target], WEIGHTS), models)
    plain_value, plain_gradient = with_gradient(lambda x: plain_energy(x, target), models)
    torch.testing.assert_close(value, plain_value, rtol=1e-3, atol=0)
    difference = torch.linalg.vector_norm(gradient - plain_gradient, dim=(1, 2))
    assert (difference < 2e-3 * torch.linalg.vector_norm(plain_gradient, dim=(1, 2))).all()


def test_atoms_outside_the_box_and_on_its_border(whole_gaussians) -> None:
    models = atoms(6, n_models=2)
    low = torch.tensor(GRID.origin_angstrom, dtype=torch.float64)
    high = low + GRID.voxel_size_angstrom * (torch.tensor(GRID.shape_zyx[::-1]) - 1)
    models[0, 0], models[0, 1] = low, high
    models[0, 2], models[0, 3] = low - 1.9, high + torch.tensor([3.1, -4.0, 0.0])
    models[0, 4] = high + 300.0
    assert_equals_plain_sum(noisy_target(), models)
    _, gradient = with_gradient(LocalEnergy([noisy_target()], WEIGHTS), models)
    assert gradient[0, 4].abs().max() == 0 and (gradient[0, :4].norm(dim=-1) > 0).all()


def test_a_model_outside_its_map_has_no_correlation_and_is_not_pulled() -> None:
    models = torch.cat([atoms(6) + 500.0, atoms(6)])
    energy, maps = LocalEnergy([noisy_target()], WEIGHTS), torch.zeros(2, dtype=torch.long)
    value, gradient = energy.value_and_gradient(models, maps)
    assert torch.isfinite(value).all() and gradient[0].abs().max() == 0 and gradient[1].abs().max() > 0
    assert energy.correlation(models, maps)[0] == 0


def test_local_energy_vanishes_at_its_target_and_ignores_scale_and_offset_of_the_map(whole_gaussians) -> None:
    density = simulate_density(atoms(5), WEIGHTS, 4.0, GRID)[0]
    exact = LocalEnergy([TargetMap(density, GRID, 4.0)], WEIGHTS)
    assert abs(float(exact(atoms(5)))) < 1e-12
    target = noisy_target()
    rescaled = replace(target, density=3.5 * target.density - 2)
    expected = with_gradient(LocalEnergy([target], WEIGHTS), atoms(6))
    torch.testing.assert_close(with_gradient(LocalEnergy([rescaled], WEIGHTS), atoms(6)), expected)


@pytest.mark.parametrize("mask", [None, soft_mask()], ids=["all", "soft mask"])
def test_local_gradient(mask) -> None:
    """With the statistics held, as the gradient takes them; the windows end where they end in use."""
    energy = LocalEnergy([noisy_target(mask=mask)], WEIGHTS, B_FACTORS)
    statistics = DensityStatistics(*torch.tensor([[1.3], [0.8]], dtype=torch.float64))
    model = atoms(6).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: energy(x, statistics=statistics), (model,))


@pytest.mark.parametrize("cutoff_sigmas", [4.0, 9.0])
@pytest.mark.parametrize("masked", [False, True])
def test_maps_of_different_boxes_in_one_batch_give_each_row_what_it_gives_alone(
    monkeypatch, masked, cutoff_sigmas
) -> None:
    """But for what lies beyond the cutoff: windows are as wide as the batch's widest."""
    monkeypatch.setattr(windows, "CUTOFF_SIGMAS", cutoff_sigmas)
    tolerance = {"rtol": 1e-9 if cutoff_sigmas > 4 else 1e-4, "atol": 1e-12 if cutoff_sigmas > 4 else 1e-5}
    targets = [
        noisy_target(mask=soft_mask() if masked else None),
        noisy_target(OTHER, 7.0, seed=3),
        noisy_target(GRID._replace(voxel_size_angstrom=1.0), 3.0, seed=4),
    ]
    models = torch.cat([atoms(seed, grid=targets[row].grid) for seed, row in ((1, 2), (2, 0), (3, 1), (4, 0))])
    maps = torch.tensor([2, 0, 1, 0])
    together = LocalEnergy(targets, WEIGHTS, B_FACTORS)
    value, gradient = together.value_and_gradient(models, maps)
    correlation = together.correlation(models, maps)
    for row, index in enumerate(maps.tolist()):
        alone = LocalEnergy([targets[index]], WEIGHTS, B_FACTORS)
        first = torch.zeros(1, dtype=torch.long)
        own_value, own_gradient = alone.value_and_gradient(models[[row]], first)
        torch.testing.assert_close(value[[row]], own_value, **tolerance)
        torch.testing.assert_close(gradient[[row]], own_gradient, **tolerance)
        torch.testing.assert_close(correlation[[row]], alone.correlation(models[[row]], first), **tolerance)


def test_correlation_is_pearsons(whole_gaussians) -> None:
    target, models = noisy_target(), atoms(6, n_models=3)
    got = LocalEnergy([target], WEIGHTS).correlation(models, torch.zeros(3, dtype=torch.long))
    densities = simulate_density(models, WEIGHTS, 4.0, GRID).flatten(1).numpy()
    expected = [np.corrcoef(density, target.density.flatten().numpy())[0, 1] for density in densities]
    np.testing.assert_allclose(got, expected, rtol=1e-9)


def test_correlation_within_a_mask_is_that_of_its_voxels(whole_gaussians) -> None:
    target, models = noisy_target(mask=hard_mask()), atoms(6, n_models=2)
    got = LocalEnergy([target], WEIGHTS).correlation(models, torch.zeros(2, dtype=torch.long))
    inside = hard_mask().bool()
    densities = simulate_density(models, WEIGHTS, 4.0, GRID)
    expected = [np.corrcoef(density[inside], target.density[inside])[0, 1] for density in densities]
    np.testing.assert_allclose(got, expected, rtol=1e-9)


def test_a_map_without_contrast_is_refused() -> None:
    with pytest.raises(ValueError, match="contrast"):
        LocalEnergy([TargetMap(torch.ones(GRID.shape_zyx), GRID, 4.0)], WEIGHTS)


def test_every_element_weighs_its_atomic_number() -> None:
    """Phosphorus of nucleic acids, ions and metals, as mmCIF writes them."""
    numbers = {"C": 6, "P": 15, "SE": 34, "MG": 12, "ZN": 30, "Fe": 26, "K": 19, "NA": 11, "Cl": 17, "BR": 35, "U": 92}
    n = len(numbers)
    topology = Topology(
        target="metals",
        chains=(ChainRecord("A", "ligand", 0, None),),
        chain=np.full(n, "A"),
        residue_number=np.arange(1, n + 1),
        residue_name=np.full(n, "XXX"),
        atom_name=np.array(list(numbers)),
        element=np.array(list(numbers)),
        charge=np.zeros(n, np.int64),
        token_index=np.arange(n),
    )
    grid = Grid((6, 6, 6 + 6 * n), 1.0, (0.0, 0.0, 0.0))
    models = torch.full((1, n, 3), 3.0, dtype=torch.float64)
    models[0, :, 0] += 6.0 * torch.arange(n)
    target = TargetMap(torch.rand(grid.shape_zyx, dtype=torch.float64), grid, 3.0)
    energy = LocalEnergy([target], torch.from_numpy(topology.atomic_numbers))
    sums, _ = energy.sums(models, torch.zeros(1, dtype=torch.long))
    one = simulate_density(models[:, :1], torch.ones(1, dtype=torch.float64), 3.0, grid).sum()
    assert float(sums.density) == pytest.approx(sum(numbers.values()) * float(one), rel=1e-3)
    assert dict(zip(topology.element, topology.atomic_numbers, strict=True)) == numbers


def test_a_sample_that_went_wrong_leaves_the_others_alone() -> None:
    energy, models = LocalEnergy([noisy_target()], WEIGHTS), atoms(6, n_models=2)
    expected = energy.value_and_gradient(models, torch.zeros(2, dtype=torch.long))
    spoilt = torch.cat([models, torch.full_like(models[:1], torch.nan)])
    value, gradient = energy.value_and_gradient(spoilt, torch.zeros(3, dtype=torch.long))
    assert torch.equal(value[:2], expected[0]) and torch.equal(gradient[:2], expected[1])


@pytest.mark.parametrize(
    ("rotation", "tolerance"),
    [
        (torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]], dtype=torch.float64), 1e-6),
        # geomloss starts its descent at the size of the bounding box, which turns with the frame.
        (random_rotation(3, torch.float64), 1e-2),
    ],
)
def test_moving_model_and_cloud_together_changes_no_published_energy(rotation, tolerance) -> None:
    shift = torch.tensor([3.0, -20.0, 7.0], dtype=torch.float64)
    cloud, models = atoms(2)[0], atoms(4, n_models=2)
    expected = PublishedGlobalEnergy([cloud])(models)
    moved = PublishedGlobalEnergy([cloud @ rotation.mT + shift])(models @ rotation.mT + shift)
    torch.testing.assert_close(moved, expected, rtol=tolerance, atol=0)


def test_autograd_weighs_each_rows_gradient() -> None:
    energy, models = LocalEnergy([noisy_target()], WEIGHTS), atoms(6, n_models=2).requires_grad_()
    _, expected = energy.value_and_gradient(models.detach(), torch.zeros(2, dtype=torch.long))
    (gradient,) = torch.autograd.grad((energy(models) * torch.tensor([2.0, -3.0])).sum(), models)
    torch.testing.assert_close(gradient, expected * torch.tensor([2.0, -3.0])[:, None, None])
