"""The threshold finds the molecule in simulated maps, and what it rests on is measured rightly."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial import cKDTree

from classfold.density import Grid, gaussian_sigma, simulate_density
from classfold.errors import InputError
from classfold.maps import DensityMap
from classfold.point_cloud import remove_dust
from classfold.threshold import (
    VOLUME_PER_DALTON_ANGSTROM3,
    automatic_threshold,
    estimate_background,
    expected_volume,
    user_threshold,
    volume_warning,
)

ADK_DALTON = 23_600.0
MARGIN_ANGSTROM = 25.0


def adk_map(coordinates, topology, resolution: float, voxel: float, noise: float) -> DensityMap:
    """Density of a model, with filtered noise relative to the signal's deviation within its mask."""
    origin = coordinates.min(axis=0) - MARGIN_ANGSTROM
    shape = np.ceil((np.ptp(coordinates, axis=0) + 2 * MARGIN_ANGSTROM) / voxel).astype(int)[::-1]
    grid = Grid(tuple(int(size) for size in shape), voxel, tuple(origin))
    signal = simulate_density(torch.tensor(coordinates[None]), torch.tensor(topology.atomic_numbers), resolution, grid)[
        0
    ].numpy()
    white = np.random.default_rng(8).standard_normal(signal.shape)
    filtered = gaussian_filter(white, gaussian_sigma(resolution) / voxel, mode="wrap")
    amplitude = noise * signal[signal > 0.1 * signal.max()].std() / filtered.std()
    return DensityMap((signal + amplitude * filtered).astype(np.float32), voxel, origin)


def ball_map(rng: np.random.Generator, noise: float = 1.0, level: float = 0.0) -> DensityMap:
    """A ball of radius 12 Å and density 10 in noise."""
    index = np.indices((48, 50, 52)).transpose(1, 2, 3, 0) - 24.0
    ball = 10.0 * ((index**2).sum(axis=-1) < 144)
    density = level + ball + noise * rng.standard_normal(ball.shape)
    return DensityMap(density.astype(np.float32), 1.0, np.zeros(3))


@pytest.mark.parametrize("noise", [0.0, 0.3, 0.5])
@pytest.mark.parametrize(("resolution", "voxel"), [(4.0, 1.6), (6.0, 2.0), (8.0, 2.6667)])
def test_the_threshold_includes_the_atoms_and_leaves_out_the_noise(adk_open, adk_topology, resolution, voxel, noise):
    density_map = adk_map(adk_open, adk_topology, resolution, voxel, noise)
    threshold = automatic_threshold(density_map, ADK_DALTON)
    at_atoms = map_coordinates(density_map.density, density_map.index_of(adk_open).T, order=1)
    assert (at_atoms > threshold.value).mean() >= 0.9
    kept = density_map.coordinates_of(np.argwhere(remove_dust(density_map.density > threshold.value).kept))
    distance = cKDTree(adk_open).query(kept)[0]
    assert (distance > 8.0).mean() <= 0.01
    if noise == 0:
        assert threshold.method == "volume"
    else:
        assert threshold.value == max(threshold.volume_level, threshold.background_level)


def test_the_volume_level_encloses_the_volume():
    density_map = ball_map(np.random.default_rng(1), noise=0.01)
    threshold = automatic_threshold(density_map, 4000.0)
    assert threshold.method == "volume"
    assert (density_map.density > threshold.value).sum() == pytest.approx(expected_volume(4000.0), abs=2)
    assert expected_volume(1000.0) == 1000.0 * VOLUME_PER_DALTON_ANGSTROM3


@pytest.mark.parametrize(("level", "noise"), [(0.0, 1.0), (5.0, 0.3), (-2.0, 2.0)])
def test_the_background_is_measured_beside_the_molecule(level, noise):
    background = estimate_background(ball_map(np.random.default_rng(2), noise, level), 7238.0)
    assert background.level == pytest.approx(level, abs=0.15 * noise)
    assert background.half_width == pytest.approx(noise, rel=0.1)
    assert not background.is_masked


@pytest.mark.parametrize(("factor", "offset"), [(1.0, 100.0), (0.001, 0.0), (50.0, -7.0)])
def test_the_threshold_follows_the_maps_scale_and_offset(factor, offset):
    density_map = ball_map(np.random.default_rng(3), noise=2.0)
    other = DensityMap(density_map.density * np.float32(factor) + np.float32(offset), 1.0, np.zeros(3))
    expected = automatic_threshold(density_map, 6000.0).value * factor + offset
    assert automatic_threshold(other, 6000.0).value == pytest.approx(expected, rel=1e-4)


def masked(density_map: DensityMap, radius: float) -> DensityMap:
    index = np.indices(density_map.density.shape).transpose(1, 2, 3, 0) - 24.0
    inside = (index**2).sum(axis=-1) < radius**2
    return DensityMap(np.where(inside, density_map.density, np.float32(0)), 1.0, np.zeros(3))


def test_a_masked_map_tells_its_background_by_what_the_mask_has_left():
    density_map = masked(ball_map(np.random.default_rng(4)), 23.0)
    background = estimate_background(density_map, 7238.0)
    assert background.is_masked
    assert background.level == pytest.approx(0.0, abs=0.2)
    assert background.half_width == pytest.approx(1.0, rel=0.1)
    assert "of what a mask has left" in automatic_threshold(density_map, 5900.0).evidence


def test_a_tightly_masked_map_is_judged_by_volume_alone():
    density_map = masked(ball_map(np.random.default_rng(4)), 14.0)
    threshold = automatic_threshold(density_map, 5900.0)
    assert threshold.background.level is None
    assert threshold.method == "volume"
    assert "masked tightly" in threshold.evidence


def test_a_map_of_few_integers_is_not_taken_for_masked():
    density_map = ball_map(np.random.default_rng(5))
    coarse = DensityMap(np.round(density_map.density), 1.0, np.zeros(3))
    _, counts = np.unique(coarse.density, return_counts=True)
    assert counts.max() > 0.3 * counts.sum()
    assert not estimate_background(coarse, 7238.0).is_masked


def test_the_volume_is_sought_inside_the_users_mask():
    rng = np.random.default_rng(6)
    density_map = ball_map(rng, noise=0.01)
    density_map.density[2:12, 2:12, 2:12] = 50.0  # something else in the box, stronger than the molecule
    inside = np.ones(density_map.density.shape, bool)
    inside[:14, :14, :14] = False
    mass = 0.9 * 7238 / VOLUME_PER_DALTON_ANGSTROM3
    threshold = automatic_threshold(density_map, mass, inside)
    assert (density_map.density[inside] > threshold.value).sum() == pytest.approx(0.9 * 7238, rel=0.01)


def test_the_users_contour_is_taken_if_the_map_has_it():
    density_map = ball_map(np.random.default_rng(7))
    assert user_threshold(density_map, 4.5).value == 4.5
    assert user_threshold(density_map, 4.5).method == "user"
    for contour in (1e3, -1e3, float("nan"), float("inf")):
        with pytest.raises(InputError, match="outside the map's densities"):
            user_threshold(density_map, contour)


def test_a_molecule_that_the_box_cannot_hold_is_refused():
    with pytest.raises(InputError, match="check the pixel size and the number of copies"):
        automatic_threshold(ball_map(np.random.default_rng(7)), 1e6)


def test_a_map_whose_highest_density_is_its_background_is_refused():
    inverted = -np.random.default_rng(9).exponential(1.0, (20, 20, 20)).astype(np.float32)
    with pytest.raises(InputError, match="No density stands out"):
        automatic_threshold(DensityMap(inverted, 1.0, np.zeros(3)), 100.0)


@pytest.mark.parametrize(("ratio", "warns"), [(0.4, True), (0.6, False), (1.0, False), (1.9, False), (2.1, True)])
def test_volumes_that_differ_twofold_are_worth_a_warning(ratio, warns):
    assert (volume_warning(ratio * 1000.0, 1000.0) is not None) == warns
