"""Unbalanced transport against geomloss, and what symmetry and closed forms say about it."""

import pytest
import torch
from geomloss import SamplesLoss
from torch import Tensor

from classfold.global_energy import ANNEALING
from classfold.rotations import random_rotation
from classfold.sinkhorn import Annealing, divergence, self_transport, transport

DEFAULT = ANNEALING
SLOW = DEFAULT._replace(scaling=0.9)
SLOWEST = DEFAULT._replace(scaling=0.995)
LAST_UPDATE_ALONE = (1 + 0.5 * 2.0**2 / 10.0**2) / (1 + 2.0**2 / 10.0**2)
"""geomloss differentiates its last update and takes what went in for constant: by this factor its gradient is short."""


def points(seed: int, n: int, n_problems: int = 1, spread_angstrom: float = 6.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return spread_angstrom * torch.randn(n_problems, n, 3, generator=generator, dtype=torch.float64)


def masses(seed: int, n: int, total: float = 1.0, n_problems: int = 1) -> Tensor:
    drawn = 0.2 + torch.rand(n_problems, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return total * drawn / drawn.sum(dim=1, keepdim=True)


def solve(x: Tensor, a: Tensor, y: Tensor, b: Tensor, annealing: Annealing = DEFAULT) -> tuple[Tensor, Tensor]:
    """Divergence (n_problems,) and its gradient by ``x``."""
    between, own = transport(x, a, y, b, annealing), self_transport(x, a, annealing)
    return divergence(between, own, self_transport(y, b, annealing).kept, annealing)


def geomloss(x: Tensor, a: Tensor, y: Tensor, b: Tensor, scaling: float) -> tuple[Tensor, Tensor]:
    """The same by geomloss."""
    loss = SamplesLoss(
        "sinkhorn", p=2, blur=2.0, reach=10.0, debias=True, scaling=scaling, diameter=DEFAULT.start,
        backend="tensorized",
    )  # fmt: skip
    x = x.clone().requires_grad_()
    value = loss(a, x, b, y)
    return value.detach(), torch.autograd.grad(value.sum(), x)[0]


@pytest.mark.parametrize("scaling", [0.5, 0.7, 0.9])
def test_temperatures_fall_from_start_to_blur_by_one_factor(scaling) -> None:
    temperatures = torch.tensor(DEFAULT._replace(scaling=scaling).temperatures(), dtype=torch.float64)
    factors = temperatures[1:] / temperatures[:-1]
    assert temperatures[[0, -2, -1]].tolist() == [10.0**2, 2.0**2, 2.0**2]
    assert (temperatures[1:-2] > 2.0**2).all()
    torch.testing.assert_close(factors[:-2], torch.full_like(factors[:-2], scaling**2))


def test_a_start_below_the_blur_is_the_blur() -> None:
    assert set(DEFAULT._replace(start=2.0).temperatures()) == {2.0**2}


@pytest.mark.parametrize("total", [1.0, 0.4, 2.5], ids=["equal masses", "less mass in the map", "more mass in the map"])
def test_at_the_optimum_value_and_gradient_are_those_of_geomloss(total) -> None:
    x, a, y, b = points(1, 40), masses(2, 40), points(3, 25) + 2.0, masses(4, 25, total)
    value, gradient = solve(x, a, y, b, SLOWEST)
    expected, expected_gradient = geomloss(x, a, y, b, SLOWEST.scaling)
    torch.testing.assert_close(value, expected, rtol=1e-4, atol=0)
    assert (LAST_UPDATE_ALONE * gradient - expected_gradient).norm() < 5e-3 * expected_gradient.norm()


@pytest.mark.parametrize("spread_angstrom", [3.0, 6.0])
def test_annealed_as_fast_it_is_as_far_as_geomloss(spread_angstrom) -> None:
    """Neither has converged: geomloss from 10 Å by halves, as in use here, and ours agree with each other."""
    x, y = points(1, 40, spread_angstrom=spread_angstrom), points(3, 25, spread_angstrom=spread_angstrom) + 2.0
    inputs = x, masses(2, 40), y, masses(4, 25)
    value, gradient = solve(*inputs, DEFAULT)
    expected, expected_gradient = geomloss(*inputs, DEFAULT.scaling)
    torch.testing.assert_close(value, expected, rtol=1e-2, atol=0)
    assert torch.cosine_similarity(gradient.flatten(), expected_gradient.flatten(), dim=0) > 0.998
    torch.testing.assert_close(gradient.norm(), expected_gradient.norm(), rtol=0.05, atol=0)


def test_points_on_themselves_cost_nothing_and_are_not_pulled() -> None:
    x, a = points(1, 40), masses(2, 40)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    value, gradient = solve(x, a, x[:, order], a[:, order])
    away, away_gradient = solve(x, a, x[:, order] + 1.0, a[:, order])
    assert abs(value) < 0.01 * away and gradient.norm() < 0.05 * away_gradient.norm()


@pytest.mark.parametrize("shift", [0.2, 1.0])
@pytest.mark.parametrize("total", [1.0, 0.5])
def test_a_small_shift_pulls_all_points_by_it(shift, total) -> None:
    """For b = a + t, S(a, b) is about m |t|² / 2 and the gradient sums to about -m t, the points' mass m being given.

    So it is for a compact set; of a wide one, the reach lets some mass change instead of moving.
    """
    x, a = points(1, 60, spread_angstrom=1.0), masses(2, 60, total)
    translation = shift * torch.tensor([2.0, -1.0, 2.0], dtype=torch.float64) / 3
    value, gradient = solve(x, a, x + translation, a, SLOW)
    assert float(value) == pytest.approx(total * shift**2 / 2, rel=0.06)
    torch.testing.assert_close(gradient.sum(dim=1)[0], -total * translation, rtol=0.06, atol=0)
    assert ((gradient[0] @ translation) < 0).all()


def test_what_is_beyond_the_reach_is_given_up() -> None:
    """A point with half of the mass near it and half 80 Å away goes to the near one."""
    x, a = torch.zeros(1, 1, 3, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)
    y = torch.tensor([[[1.0, 0, 0], [0, 80.0, 0]]], dtype=torch.float64)
    _, gradient = solve(x, a, y, torch.full((1, 2), 0.5, dtype=torch.float64), SLOW)
    assert gradient[0, 0, 0] < -0.5 and abs(gradient[0, 0, 1]) < 1e-6


def test_turning_everything_turns_the_gradient() -> None:
    x, a, y, b = points(1, 30), masses(2, 30), points(3, 20), masses(4, 20)
    rotation, shift = random_rotation(7, torch.float64), torch.tensor([100.0, -50.0, 20.0], dtype=torch.float64)
    value, gradient = solve(x, a, y, b)
    turned, turned_gradient = solve(x @ rotation.mT + shift, a, y @ rotation.mT + shift, b)
    torch.testing.assert_close(turned, value, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(turned_gradient, gradient @ rotation.mT, rtol=1e-6, atol=1e-9)


def test_a_point_of_mass_zero_does_nothing() -> None:
    x, a, y, b = points(1, 30), masses(2, 30), points(3, 20), masses(4, 20)
    nothing = torch.zeros(1, 3, dtype=torch.float64)
    value, gradient = solve(
        torch.cat([x, points(5, 3)], dim=1), torch.cat([a, nothing], dim=1),
        torch.cat([y, points(6, 3)], dim=1), torch.cat([b, nothing], dim=1),
    )  # fmt: skip
    expected, expected_gradient = solve(x, a, y, b)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient[:, :30], expected_gradient)
    assert gradient[:, 30:].abs().max() == 0


@pytest.mark.parametrize("total", [1e-3, 0.3, 3.0, 100.0])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_unequal_masses_and_far_points_stay_finite(total, dtype) -> None:
    x, y = points(1, 30), torch.cat([points(3, 10), points(3, 10) + 1000.0], dim=1)
    inputs = (x, masses(2, 30), y, masses(4, 20, total))
    value, gradient = solve(*(tensor.to(dtype) for tensor in inputs))
    assert torch.isfinite(value).all() and torch.isfinite(gradient).all()
    assert value > 0 and gradient.abs().max() > 0


def test_a_batch_gives_each_problem_what_it_gives_alone() -> None:
    x, a = points(1, 30, n_problems=3), masses(2, 30, n_problems=3)
    y, b = points(3, 20, n_problems=3), masses(4, 20, n_problems=3)
    value, gradient = solve(x, a, y, b)
    for row in range(3):
        alone, alone_gradient = solve(*(tensor[[row]] for tensor in (x, a, y, b)))
        torch.testing.assert_close(value[[row]], alone)
        torch.testing.assert_close(gradient[[row]], alone_gradient)


def test_the_divergence_is_symmetric() -> None:
    """Which side is called the model changes no value, though geomloss's updates are all that makes it so."""
    x, a, y, b = points(1, 30), masses(2, 30), points(3, 20), masses(4, 20, 0.7)
    torch.testing.assert_close(solve(x, a, y, b)[0], solve(y, b, x, a)[0])
