"""Resampling and cropping move no density and invent none."""

import numpy as np
import pytest

from classfold.maps import DensityMap, SourceMap
from classfold.resampling import choose_voxel_size, crop, crop_box, interpolation_matrix, resample


def source_map(density: np.ndarray, voxel_xyz, origin=(0.0, 0.0, 0.0)) -> SourceMap:
    return SourceMap(
        density.astype(np.float32), np.array(voxel_xyz, float), np.array(origin, float), "xyz", 2, "map.mrc"
    )


def gaussian(shape_zyx, voxel_xyz, origin, centre, sigma: float) -> np.ndarray:
    """A Gaussian at a point (xyz, Å), on any orthogonal grid."""
    squared = 0.0
    for axis in range(3):
        along = origin[axis] + np.arange(shape_zyx[2 - axis]) * voxel_xyz[axis] - centre[axis]
        squared = squared + np.expand_dims(along**2, tuple(k for k in range(3) if k != 2 - axis))
    return np.exp(-squared / (2 * sigma**2))


def centre_of_mass(density_map: DensityMap) -> np.ndarray:
    index = np.argwhere(np.ones(density_map.density.shape, bool))
    return density_map.coordinates_of(np.average(index, axis=0, weights=density_map.density.ravel()))


@pytest.mark.parametrize(
    ("voxel", "resolution", "expected", "is_kept"),
    [
        ((1.6, 1.6, 1.6), 4.0, 1.6, True),
        ((1.0, 1.0, 1.0), 4.0, 1.0, True),
        ((2.0, 2.0, 2.0), 4.0, 2.0, True),
        ((0.8, 0.8, 0.8), 4.0, 1.3333, False),
        ((0.8, 0.8, 0.8), 2.5, 1.0, False),
        ((0.5, 0.5, 0.5), 6.0, 2.0, False),
        ((3.0, 3.0, 3.0), 4.0, 3.0, True),
        ((1.0, 1.2, 1.1), 4.0, 1.3333, False),
        ((1.0, 1.0, 1.5), 4.0, 1.5, False),
        ((2.0, 2.0, 3.0), 4.0, 3.0, False),
    ],
)
def test_the_voxel_suits_the_resolution_and_is_never_finer_than_the_data(voxel, resolution, expected, is_kept):
    chosen = choose_voxel_size(source_map(np.ones((2, 2, 2)), voxel), resolution)
    assert chosen.voxel_size_angstrom == pytest.approx(expected)
    assert chosen.is_kept == is_kept
    assert chosen.voxel_size_angstrom >= max(voxel)
    assert f"{expected:g}" in chosen.reason


def test_a_kept_grid_keeps_every_number():
    density = np.random.default_rng(2).standard_normal((4, 5, 6))
    source = source_map(density, (1.6, 1.6, 1.6), (1, 2, 3))
    kept = resample(source, choose_voxel_size(source, 4.0))
    assert np.array_equal(kept.density, source.density)
    assert np.array_equal(kept.origin_angstrom, (1, 2, 3))


@pytest.mark.parametrize("n_source", [11, 12])
def test_interpolation_is_exact_for_a_band_limited_function(n_source):
    step = 1.37
    weights = interpolation_matrix(n_source, step)

    def wave(position):
        turn = 2 * np.pi * position / n_source
        return 0.7 + np.cos(turn) - 0.4 * np.sin(2 * turn) + 0.2 * np.cos(3 * turn)

    assert weights @ wave(np.arange(n_source)) == pytest.approx(wave(step * np.arange(len(weights))), abs=1e-5)


def test_a_step_of_one_changes_nothing():
    assert interpolation_matrix(9, 1.0) == pytest.approx(np.eye(9), abs=1e-6)
    assert interpolation_matrix(10, 1.0) == pytest.approx(np.eye(10), abs=1e-6)


@pytest.mark.parametrize("step", [0.8, 1.0, 1.5, 1.6, 2.0, 3.7])
def test_no_voxel_lies_outside_the_data(step):
    n_target = len(interpolation_matrix(41, step))
    assert (n_target - 1) * step <= 40 + 1e-3
    assert n_target * step > 40


def test_what_the_new_voxels_cannot_carry_is_filtered_out():
    fast = np.cos(2 * np.pi * 20 * np.arange(64) / 64)  # 0.31 per voxel; the new Nyquist frequency is 0.25
    slow = np.cos(2 * np.pi * 6 * np.arange(64) / 64)
    weights = interpolation_matrix(64, 2.0)
    assert np.abs(weights @ fast).max() < 1e-5
    assert weights @ slow == pytest.approx(slow[::2], abs=1e-5)


@pytest.mark.parametrize("voxel", [(1.1, 1.1, 1.1), (0.9, 1.2, 1.5), (1.3, 0.7, 1.0)])
def test_a_gaussian_is_found_where_it_was_put(voxel):
    origin, centre = (-31.3, 12.7, 4.4), np.array([-9.13, 31.41, 25.77])
    shape = tuple(int(44 / edge) for edge in reversed(voxel))
    source = source_map(gaussian(shape, voxel, origin, centre, 3.0), voxel, origin)
    resampling = choose_voxel_size(source, 6.0)
    assert not resampling.is_kept
    whole = resample(source, resampling)
    cropped = crop(whole, crop_box(whole.density > 0.01, 2))
    assert cropped.density.shape < whole.density.shape
    tolerance = 0.05 * resampling.voxel_size_angstrom
    assert np.abs(centre_of_mass(cropped) - centre).max() < tolerance
    expected = gaussian(cropped.density.shape, [cropped.voxel_size_angstrom] * 3, cropped.origin_angstrom, centre, 3.0)
    assert np.abs(cropped.density - expected).max() < 0.005


def test_resampling_commutes_with_a_shift_of_the_frame():
    density = np.random.default_rng(3).standard_normal((12, 13, 14))
    resampled = []
    for origin in [(0, 0, 0), (100.5, -20.25, 7.75)]:
        source = source_map(density, (1.0, 1.0, 1.3), origin)
        resampled.append(resample(source, choose_voxel_size(source, 5.0)))
    assert np.array_equal(resampled[0].density, resampled[1].density)
    assert np.array_equal(resampled[1].origin_angstrom, (100.5, -20.25, 7.75))


def test_resampling_keeps_the_mean_of_an_offset():
    source = source_map(np.full((9, 10, 11), 7.5), (0.6, 0.7, 0.8))
    assert resample(source, choose_voxel_size(source, 4.0)).density == pytest.approx(7.5, abs=1e-4)


def test_cropping_leaves_voxels_where_they_are_and_stops_at_the_data():
    density = np.random.default_rng(4).standard_normal((10, 12, 14)).astype(np.float32)
    whole = DensityMap(density, 1.5, np.array([3.0, -6.0, 9.0]))
    kept = np.zeros(density.shape, bool)
    kept[1, 5:7, 10] = True
    box = crop_box(kept, 2)
    assert box == ((0, 3, 8), (4, 9, 13))
    cropped = crop(whole, box)
    assert np.array_equal(cropped.density, density[0:4, 3:9, 8:13])
    assert np.array_equal(cropped.coordinates_of([1, 2, 2]), whole.coordinates_of([1, 5, 10]))
