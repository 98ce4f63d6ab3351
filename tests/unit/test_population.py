"""Which samples go on."""

import math

import numpy as np
import pytest

from classfold.population import (
    LEAST_EFFECTIVE,
    Selection,
    better_half,
    log_likelihood,
    resampled,
    tempered_weights,
)
from classfold.schedule import make_schedule


@pytest.mark.parametrize(
    ("fit", "kept"),
    [
        ([0.1, 0.5, 0.3, 0.4, 0.2, 0.6], [1, 3, 5]),
        ([0.1, 0.5, 0.3, 0.4, 0.2, 0.6, 0.7], [1, 3, 5, 6]),
        ([0.4, 0.1, 0.2, 0.3], [0, 2, 3]),  # never fewer than three
        ([0.2, 0.1], [0, 1]),
        ([0.5], [0]),
        ([0.2] * 8, [0, 1, 2, 3]),  # of equals the first
        ([0.1, 0.2, 0.3, 0.2, 0.2, 0.1], [1, 2, 3]),
        ([math.nan, 0.1, math.nan, -0.9, 0.3, 0.2], [1, 4, 5]),
        ([math.nan, -0.5, math.nan, -0.9, math.nan, -1.0], [1, 3, 5]),
        ([math.nan] * 6, [0, 1, 2]),
    ],
)
def test_the_better_half_in_its_order(fit, kept) -> None:
    assert better_half(np.array(fit)).tolist() == kept


def test_log_likelihood_rises_with_the_fit_and_with_what_the_map_holds() -> None:
    fit = np.linspace(0, 0.999, 50)
    values = log_likelihood(fit, 100.0)
    assert values[0] == 0 and (np.diff(values) > 0).all()
    np.testing.assert_allclose(log_likelihood(fit, 300.0), 3 * values)
    np.testing.assert_allclose(values, -50 * np.log(1 - fit**2))


def test_log_likelihood_is_finite_and_lowest_for_models_that_do_not_fit() -> None:
    values = log_likelihood(np.array([1.0, -0.8, 0.0, math.nan, 1.1]), 1000.0)
    assert np.isfinite(values).all()
    assert values[1:4].tolist() == [0, 0, 0] and values[0] == values[4] > 1000


def test_weights_are_the_likelihoods_where_half_of_them_are_in_effect() -> None:
    logs = np.log(np.array([1.0, 2.0, 3.0, 2.0])) - 700
    np.testing.assert_allclose(tempered_weights(logs), np.array([1, 2, 3, 2]) / 8)


@pytest.mark.parametrize("n", [2, 3, 8, 25])
@pytest.mark.parametrize("scale", [1.0, 100.0, 1e5])
def test_tempering_leaves_half_in_effect_and_keeps_the_order(n, scale) -> None:
    logs = scale * np.random.default_rng(n).normal(size=n)
    weights = tempered_weights(logs)
    effective = 1 / np.square(weights).sum()
    assert weights.sum() == pytest.approx(1)
    assert (np.argsort(weights, kind="stable") == np.argsort(logs, kind="stable")).all()
    if scale > 1:
        assert effective == pytest.approx(LEAST_EFFECTIVE * n, rel=1e-3)
    assert effective >= LEAST_EFFECTIVE * n * (1 - 1e-9)


def test_one_particle_has_all_the_weight() -> None:
    assert tempered_weights(np.array([-3.0])).tolist() == [1.0]
    assert resampled(np.array([1.0]), (1,)).tolist() == [0]


def test_equal_weights_change_nothing() -> None:
    assert tempered_weights(np.full(7, -12.0)).tolist() == pytest.approx([1 / 7] * 7)
    for seed in range(20):
        assert resampled(np.full(8, 1 / 8), (seed,)).tolist() == list(range(8))


@pytest.mark.parametrize("seed", range(20))
def test_survivors_keep_their_places_and_each_gets_its_share_to_within_one(seed) -> None:
    weights = np.random.default_rng(seed).dirichlet(np.full(12, 0.4))
    ancestors = resampled(weights, (1, seed))
    survivors = np.unique(ancestors)
    assert len(survivors) < 12
    assert (ancestors[survivors] == survivors).all()
    # Systematic resampling: as many copies as the expected number, rounded down or up.
    copies = np.bincount(ancestors, minlength=12)
    assert (copies >= np.floor(12 * weights - 1e-9)).all() and (copies <= np.ceil(12 * weights + 1e-9)).all()


def test_resampling_is_unbiased() -> None:
    weights = np.array([0.05, 0.45, 0.3, 0.2])
    copies = sum(np.bincount(resampled(weights, (seed,)), minlength=4) for seed in range(2000))
    np.testing.assert_allclose(copies / 2000, 4 * weights, atol=0.04)


def test_the_same_seed_draws_the_same_and_another_draws_otherwise() -> None:
    weights = np.random.default_rng(0).dirichlet(np.ones(50))
    assert (resampled(weights, (1, 2)) == resampled(weights, (1, 2))).all()
    assert len({tuple(resampled(weights, (1, step))) for step in range(10)}) > 5


@pytest.mark.parametrize("name", ["auto", "experimental", "synthetic"])
@pytest.mark.parametrize("steps", [8, 9, 16, 50, 200, 1000])
def test_samples_are_judged_within_the_global_stage_and_at_its_end(name, steps) -> None:
    schedule = make_schedule(name, steps)
    checkpoints = Selection(early_stop=True, steering=False).checkpoints(schedule)
    assert checkpoints == sorted(set(checkpoints)) and 1 <= len(checkpoints) <= 3
    assert schedule.warm_up <= checkpoints[0] and checkpoints[-1] == schedule.warm_up + schedule.global_ - 1
    assert checkpoints == Selection(early_stop=False, steering=True).checkpoints(schedule)


def test_checkpoints_of_the_published_schedule() -> None:
    """After 13, 25 and all of the 50 steps of the global stage."""
    assert Selection(True, False).checkpoints(make_schedule("experimental", 200)) == [112, 124, 149]


def test_nothing_is_judged_where_nothing_follows_from_it() -> None:
    assert Selection(early_stop=False, steering=False).checkpoints(make_schedule("auto", 200)) == []
