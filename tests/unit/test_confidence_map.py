"""The background is measured as it is, and the false discovery rate is what was asked for."""

import numpy as np
import pytest
from scipy.stats import norm

from classfold.confidence_map import Background, fdr_level, measure_background


@pytest.mark.parametrize(("level", "sigma"), [(0.0, 1.0), (100.0, 0.2), (-3.0, 40.0)])
def test_the_background_of_plain_noise_is_that_noise(level, sigma):
    found = measure_background(np.random.default_rng(1).normal(level, sigma, 200_000))
    assert found.level == pytest.approx(level, abs=0.05 * sigma)
    assert found.sigma == pytest.approx(sigma, rel=0.05)
    assert found.is_gaussian


def test_density_of_something_else_does_not_widen_the_noise():
    rng = np.random.default_rng(2)
    noise, micelle = rng.normal(5, 1, 80_000), rng.normal(9, 2, 20_000)
    found = measure_background(np.concatenate([noise, micelle]))
    assert found.level == pytest.approx(5, abs=0.15)
    assert found.sigma == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("level", [0.0, 0.3, 0.5, 0.8])
@pytest.mark.parametrize("sigma", [2.0, 3.0, 5.0])
def test_noise_stored_in_a_few_whole_numbers_is_as_wide(level, sigma):
    found = measure_background(np.round(np.random.default_rng(6).normal(level, sigma, 200_000)))
    assert found.level == pytest.approx(level, abs=0.2 * sigma)
    assert found.sigma == pytest.approx(sigma, rel=0.15)


def test_heavy_tails_count():
    values = np.random.default_rng(3).laplace(0, 1, 200_000)
    found = measure_background(values)
    assert not found.is_gaussian
    assert found.sigma == pytest.approx(-np.quantile(values, 0.005) / norm.ppf(0.995), rel=0.05)


def brute_force_level(values: np.ndarray, background: Background, rate: float) -> float:
    """Benjamini & Yekutieli as their paper states it, over all values."""
    ordered = np.sort(values)[::-1]
    p = norm.sf((ordered - background.level) / background.sigma)
    harmonic = (1 / np.arange(1, values.size + 1)).sum()
    passed = np.flatnonzero(p <= rate * np.arange(1, values.size + 1) / (values.size * harmonic))
    return float(ordered[passed[-1]])


@pytest.mark.parametrize("rate", [0.01, 0.1])
def test_the_level_is_that_of_the_procedure_as_published(rate):
    rng = np.random.default_rng(4)
    values = np.concatenate([rng.normal(0, 1, 50_000), rng.normal(5, 1.5, 2_000)]).astype(np.float32)
    background = Background(0.0, 1.0, True)
    level = fdr_level(values, background, rate)
    published = brute_force_level(values.astype(float), background, rate)
    assert level == pytest.approx(published, abs=1e-5) and level < published


@pytest.mark.parametrize("rate", [0.01, 0.05])
def test_no_more_than_the_stated_share_is_noise(rate):
    """Noise that is correlated from voxel to voxel as that of a map is, over many draws."""
    false, found = 0, 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        noise = np.convolve(rng.standard_normal(30_010), np.ones(9) / 3, "valid")[:30_000]
        signal = np.zeros(30_000)
        signal[10_000:11_000] = 5.0
        level = fdr_level(noise + signal, Background(0.0, 1.0, True), rate)
        above = noise + signal > level
        false += int(above[signal == 0].sum())
        found += int(above.sum())
    assert found > 15_000
    assert false <= rate * found


def test_nothing_is_found_in_noise():
    values = np.random.default_rng(5).standard_normal(100_000)
    assert fdr_level(values, measure_background(values), 0.01) is None
