"""Over-fitting told by half maps: chance, models that follow noise, and how sharp half maps are made."""

from dataclasses import replace

import numpy as np
import pytest

from classfold.amplitudes import filtered, shells_of, soft_mask
from classfold.density import Grid
from classfold.half_map_validation import Validation, block_sums, judge_halves
from classfold.half_maps import HalfMaps, sharpened_alike
from classfold.map_fit import simulate
from classfold.maps import DensityMap

RESOLUTION, VOXEL = 4.0, 1.4


@pytest.fixture(scope="module")
def box(adk_open) -> Grid:
    low = adk_open.min(axis=0) - 9
    n_x, n_y, n_z = np.ceil((adk_open.max(axis=0) + 9 - low) / VOXEL).astype(int).tolist()
    return Grid((n_z, n_y, n_x), VOXEL, tuple(low.tolist()))


@pytest.fixture(scope="module")
def signal(adk_open, adk_topology, box) -> np.ndarray:
    return simulate(adk_open, adk_topology.atomic_numbers, 1.5 * RESOLUTION, box)


def halves_with(signal: np.ndarray, box: Grid, seed: int) -> HalfMaps:
    """Half maps with white noise of one and a half times the signal's standard deviation."""
    rng = np.random.default_rng(seed)
    noisy = (signal + 1.5 * signal.std() * rng.standard_normal(signal.shape) for _ in range(2))
    maps = (DensityMap(each.astype(np.float32), VOXEL, np.array(box.origin_angstrom)) for each in noisy)
    return HalfMaps(*maps)


def judged(model, topology, halves):
    return judge_halves(model, topology.atomic_numbers, halves, RESOLUTION)


def climbed(model: np.ndarray, half: DensityMap, steps: int) -> np.ndarray:
    """Atoms moved up the slope of a density alone, as guidance without a prior would move them."""
    for _ in range(steps):
        offsets = np.array([[0.35, 0, 0], [0, 0.35, 0], [0, 0, 0.35]])
        slope = np.stack(
            [half.values_at(model + o, beyond=0) - half.values_at(model - o, beyond=0) for o in offsets], axis=1
        )
        model = model + 0.1 * slope / np.linalg.norm(slope, axis=1, keepdims=True).clip(min=1e-9)
    return model


def test_the_blocks_add_up_to_the_difference_of_the_curves(adk_open, adk_topology, signal, box):
    halves = halves_with(signal, box, 1)
    fit = judged(adk_open, adk_topology, halves)
    # Both maps have nearly the same power, so that their own norms make little difference.
    assert fit.blocks.sum() == pytest.approx(fit.fsc_work - fit.fsc_free, abs=0.02)
    same = judged(adk_open, adk_topology, HalfMaps(halves.first, halves.first))
    assert same.blocks.sum() == pytest.approx(0, abs=1e-9) and same.fsc_work == same.fsc_free
    doubled = HalfMaps(halves.first, replace(halves.first, density=0 * halves.first.density + 1))
    # Against an empty map the difference is the whole FSC; the mean norm is 1/sqrt(2) of the map's own.
    assert judged(adk_open, adk_topology, doubled).difference == pytest.approx(2**0.5 * fit.fsc_work, rel=1e-5)


def test_a_model_that_saw_neither_half_has_no_gap_but_chance(adk_open, adk_topology, signal, box):
    """Over twelve pairs of half maps gaps of a slightly wrong model are as large as their errors say."""
    moved = adk_open + 0.3 * np.random.default_rng(3).standard_normal(adk_open.shape)
    scores = []
    for seed in range(12):
        halves = halves_with(signal, box, seed)
        validation = Validation(judged(moved, adk_topology, halves), judged(adk_open, adk_topology, halves))
        assert not validation.is_overfitted
        scores.append(validation.gap / validation.error)
    assert abs(np.mean(scores)) < 1 and 0.4 < np.sqrt(np.mean(np.square(scores))) < 1.8


def test_a_model_that_climbs_the_noise_of_one_half_is_caught(adk_open, adk_topology, signal, box):
    halves = halves_with(signal, box, 1)
    whole = judged(adk_open, adk_topology, halves)
    gaps = []
    for steps in (0, 3, 10):
        validation = Validation(judged(climbed(adk_open, halves.first, steps), adk_topology, halves), whole)
        gaps.append(validation.gap)
    assert gaps[0] == 0 and gaps == sorted(gaps)
    assert validation.is_overfitted and validation.gap > 1.5 * validation.limit
    assert validation.guided.cc_work > validation.guided.cc_free + 0.05
    record = validation.record()
    assert record["overfitted"] and record["sentence"].startswith("the models follow the noise")
    curves = validation.curves()
    assert (curves["work"] - curves["free"])[1:].mean() > 0.02


def test_half_maps_are_made_as_sharp_as_their_map(adk_open, adk_topology, signal, box):
    """A map that is its half maps' mean, blurred and filtered: the mean of the filtered halves is that map again."""
    halves = halves_with(signal, box, 2)
    mean = replace(halves.first, density=(halves.first.density + halves.second.density) / 2)
    shells = shells_of(mean)
    gain = np.exp(-30 * shells.frequency**2) * np.clip((0.27 - shells.frequency) / 0.03, 1e-4, 1)
    like = replace(mean, density=7 * filtered(mean.density, shells, gain))
    mask = soft_mask(adk_open, adk_topology.atomic_numbers.astype(float), like)
    made = sharpened_alike(halves, like, mask)
    again, inside = (made.first.density + made.second.density) / 2, mask > 0.5
    assert np.corrcoef(again[inside], like.density[inside])[0, 1] > 0.99
    assert again[inside].std() == pytest.approx(like.density[inside].std(), rel=0.05)
    assert made.noise.density.std() == pytest.approx((made.first.density - made.second.density).std() / 2, rel=1e-5)


def test_blocks_hold_everything_once():
    field = np.random.default_rng(1).standard_normal((13, 9, 20))
    sums = block_sums(field, voxel_size_angstrom=1.0, resolution_angstrom=2.0)
    assert len(sums) == 3 * 2 * 4 and sums.sum() == pytest.approx(field.sum())
    assert sums[0] == pytest.approx(field[:6, :6, :6].sum())
