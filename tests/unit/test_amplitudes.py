"""Matching a map's radial amplitudes to those of a docked model, whatever is wrong with either."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from classfold.amplitudes import (
    MOST_GAIN,
    SHAPE_ANGSTROM,
    amplitudes,
    apply_match,
    filtered,
    match_amplitudes,
    shells_of,
    soft_mask,
)
from classfold.density import Grid
from classfold.map_fit import simulate
from classfold.maps import DensityMap
from classfold.shells import make_shells

RESOLUTION, VOXEL = 4.0, 1.3


@pytest.fixture(scope="module")
def weights(adk_topology) -> np.ndarray:
    return adk_topology.atomic_numbers.astype(float)


@pytest.fixture(scope="module")
def sharp(adk_open, weights) -> DensityMap:
    """A noiseless map of the open structure in a box that is not a cube."""
    low, high = adk_open.min(axis=0) - np.array([12, 14, 11]), adk_open.max(axis=0) + np.array([13, 12, 15])
    n_x, n_y, n_z = np.ceil((high - low) / VOXEL).astype(int).tolist()
    grid = Grid((n_z, n_y, n_x), VOXEL, (float(low[0]), float(low[1]), float(low[2])))
    return DensityMap(simulate(adk_open, weights, RESOLUTION, grid).astype(np.float32), VOXEL, low)


@pytest.fixture(scope="module")
def docked_closed(adk_closed, adk_open) -> np.ndarray:
    """The closed structure, superposed on the open one: another conformation than the map's."""
    centred = adk_closed - adk_closed.mean(axis=0)
    rotation = Rotation.align_vectors(adk_open - adk_open.mean(axis=0), centred)[0]
    return rotation.apply(centred) + adk_open.mean(axis=0)


def frequency_of(density_map: DensityMap) -> np.ndarray:
    """1/Å of every coefficient of the whole transform."""
    axes = [np.fft.fftfreq(n, density_map.voxel_size_angstrom) for n in density_map.density.shape]
    return np.sqrt(sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij", sparse=True)))


def changed(density_map: DensityMap, gain: np.ndarray) -> DensityMap:
    """A map times a gain at every frequency."""
    density = np.fft.ifftn(np.fft.fftn(density_map.density) * gain).real
    return replace(density_map, density=density.astype(np.float32))


def with_b_factor(density_map: DensityMap, b_factor: float) -> DensityMap:
    return changed(density_map, np.exp(-b_factor / 4 * frequency_of(density_map) ** 2))


def noisy(density_map: DensityMap, share: float) -> DensityMap:
    """With white noise of so many standard deviations of the map."""
    noise = np.random.default_rng(3).normal(0, share * density_map.density.std(), density_map.density.shape)
    return replace(density_map, density=(density_map.density + noise).astype(np.float32))


def agreement(density_map: DensityMap, sharp: DensityMap, coordinates: np.ndarray, weights: np.ndarray) -> float:
    """Correlation of two maps where the molecule is."""
    inside = soft_mask(coordinates, weights, sharp) > 0.5
    return float(np.corrcoef(density_map.density[inside], sharp.density[inside])[0, 1])


def test_a_shells_amplitude_is_the_root_mean_square_of_its_coefficients():
    """Of white noise it is the same in all shells (Parseval); of a wave it is in the wave's own shell alone."""
    noise = np.random.default_rng(1).normal(size=(40, 36, 45))
    shells = make_shells(noise.shape, np.full(3, 2.0))
    assert amplitudes(noise, shells)[4:] == pytest.approx(np.sqrt(noise.size), rel=0.1)
    z = np.arange(40)[:, None, None]
    wave = np.broadcast_to(np.cos(2 * np.pi * 5 * z / 40), (40, 36, 45))
    found = amplitudes(wave, shells)
    assert np.argmax(found) == np.argmin(abs(shells.frequency - 5 / (40 * 2.0)))
    assert np.sort(found)[-2] < 1e-3 * found.max()


def test_a_gain_of_one_changes_nothing_and_the_mean_is_kept(sharp):
    shells = shells_of(sharp)
    unchanged = filtered(sharp.density, shells, np.ones(shells.n))
    np.testing.assert_allclose(unchanged, sharp.density, atol=1e-5 * sharp.density.max())
    nothing_left = filtered(sharp.density, shells, np.zeros(shells.n))
    np.testing.assert_allclose(nothing_left, sharp.density.mean(), rtol=1e-4)


@pytest.mark.parametrize("b_factor", [-60.0, 0.0, 100.0, 200.0])
def test_the_b_factor_is_found_and_undone_by_the_right_structure(sharp, adk_open, weights, b_factor):
    wrong = with_b_factor(sharp, b_factor)
    match = match_amplitudes(wrong, adk_open, weights, RESOLUTION)
    assert match is not None and match.b_factor_angstrom2 == pytest.approx(b_factor, abs=8)
    assert 1 / match.shells.frequency[match.last] == pytest.approx(RESOLUTION, rel=0.06)
    assert agreement(apply_match(wrong, match), sharp, adk_open, weights) > 0.93


@pytest.mark.parametrize("b_factor", [-60.0, 0.0, 100.0, 200.0])
def test_another_conformation_serves_as_well(sharp, docked_closed, adk_open, weights, b_factor):
    """The gain comes out much the same, and the map is nearer to the sharp one, or as near as it was."""
    wrong = with_b_factor(noisy(sharp, 0.3), b_factor)
    match, ideal = (match_amplitudes(wrong, model, weights, RESOLUTION) for model in (docked_closed, adk_open))
    assert match is not None and ideal is not None
    assert match.b_factor_angstrom2 == pytest.approx(ideal.b_factor_angstrom2, abs=15)
    within = match.shells.frequency <= 1 / RESOLUTION
    np.testing.assert_allclose(match.gain[within], ideal.gain[within], rtol=0.25)
    before = agreement(wrong, sharp, adk_open, weights)
    after = agreement(apply_match(wrong, match), sharp, adk_open, weights)
    assert after > before + (0.05 if b_factor else -0.005)


def test_the_matched_spectrum_is_the_models(sharp, docked_closed, weights):
    match = match_amplitudes(with_b_factor(sharp, 100), docked_closed, weights, RESOLUTION)
    assert match is not None
    straight = slice(np.searchsorted(match.shells.frequency, 1 / SHAPE_ANGSTROM), match.last + 1)
    off_before = match.map[straight] / match.model[straight]
    off_after = match.matched[straight] / match.model[straight]
    assert off_before.max() / off_before.min() > 3
    assert off_after.max() / off_after.min() < 1.6


def test_nothing_is_changed_where_amplitudes_tell_of_shape(sharp, docked_closed, weights):
    match = match_amplitudes(with_b_factor(sharp, 200), docked_closed, weights, RESOLUTION)
    assert match is not None
    coarse = match.shells.frequency <= 1 / SHAPE_ANGSTROM
    np.testing.assert_allclose(match.gain[coarse], 1)
    assert (match.gain[match.last :] <= match.gain[match.last]).all()


def test_scale_and_offset_of_the_map_do_not_matter(sharp, docked_closed, weights):
    match = match_amplitudes(sharp, docked_closed, weights, RESOLUTION)
    moved = match_amplitudes(replace(sharp, density=1e-3 * sharp.density - 7), docked_closed, weights, RESOLUTION)
    assert match is not None and moved is not None
    np.testing.assert_allclose(moved.gain, match.gain, rtol=0.02)


@pytest.mark.parametrize("b_factor", [-60.0, 100.0])
def test_a_mask_around_the_molecule_does_no_harm(sharp, docked_closed, adk_open, weights, b_factor):
    wrong = with_b_factor(noisy(sharp, 0.2), b_factor)
    mask = simulate(adk_open, weights, 15.0, sharp.grid)
    masked = replace(wrong, density=wrong.density * (mask > 0.05 * mask.max()))
    match, whole = (match_amplitudes(each, docked_closed, weights, RESOLUTION) for each in (masked, wrong))
    assert match is not None and whole is not None
    assert match.b_factor_angstrom2 == pytest.approx(whole.b_factor_angstrom2, abs=10)
    assert agreement(apply_match(masked, match), sharp, adk_open, weights) > 0.9


def test_a_map_without_fine_detail_is_matched_only_as_far_as_it_goes(sharp, docked_closed, weights):
    """A filter has cut everything off at 6 Å: no rounding error is blown up to look like detail."""
    cut = changed(sharp, frequency_of(sharp) < 1 / 6)
    match = match_amplitudes(cut, docked_closed, weights, RESOLUTION)
    assert match is not None
    assert 1 / match.shells.frequency[match.last] == pytest.approx(6, rel=0.06)
    assert match.gain.max() < 2.5


def test_a_gap_in_the_spectrum_does_not_spread(sharp, docked_closed, weights):
    frequency = frequency_of(sharp)
    gap = changed(sharp, np.where((frequency > 1 / 7.5) & (frequency < 1 / 6.5), 0, 1))
    match, whole = (match_amplitudes(each, docked_closed, weights, RESOLUTION) for each in (gap, sharp))
    assert match is not None and whole is not None
    assert match.last == whole.last
    np.testing.assert_allclose(match.gain, whole.gain, rtol=0.3)


def test_a_gain_has_its_limits(sharp, docked_closed, weights):
    for b_factor in (-400.0, 500.0):
        match = match_amplitudes(with_b_factor(sharp, b_factor), docked_closed, weights, RESOLUTION)
        assert match is not None
        limits = 1 / MOST_GAIN, MOST_GAIN
        assert match.gain.min() >= limits[0] * (1 - 1e-6) and match.gain.max() <= limits[1] * (1 + 1e-6)


def test_too_few_shells_give_no_match(sharp, docked_closed, weights):
    cut = changed(sharp, frequency_of(sharp) < 1 / 11)
    assert match_amplitudes(cut, docked_closed, weights, RESOLUTION) is None
    assert match_amplitudes(sharp, docked_closed, weights, 11.0) is None
