"""The pixel size by fit: what a header claims wrongly is found, and what a conformation does is not blamed on it."""

import numpy as np
import pytest
import torch
from trial.maps import simulated_map
from trial.proteins import kinase_path

from classfold.docking import dock
from classfold.maps import DensityMap
from classfold.pixel_size import PixelSize, ScaleFit, _peak, fit_scale, judge_pixel_size


@pytest.fixture(scope="module")
def closed():
    return kinase_path()[0]


def sized(protein, truth, claimed: float, resolution: float) -> PixelSize:
    """What a model says about the map of another whose voxels are claimed to be larger than they are."""
    true_map = simulated_map(truth.coordinates.float(), torch.tensor(truth.weights).float(), resolution, 0.5, 3)
    voxel = true_map.voxel_size_angstrom * claimed
    density_map = DensityMap(true_map.density, voxel, true_map.origin_angstrom)
    coordinates = protein.coordinates.numpy()
    pose = dock(coordinates, protein.weights, density_map, resolution)[0]
    fit = fit_scale(coordinates, protein.weights, density_map, resolution, pose)
    return judge_pixel_size(fit, voxel, resolution)


@pytest.mark.parametrize(("claimed", "resolution"), [(1.04, 4.0), (0.93, 6.0)])
def test_a_wrong_pixel_size_is_found_within_one_percent(closed, claimed, resolution):
    size = sized(closed, closed, claimed, resolution)
    assert size.is_doubtful
    assert size.better_angstrom == pytest.approx(max(resolution / 3, 1.0), rel=0.01)


def test_a_right_pixel_size_is_not_doubted(closed):
    size = sized(closed, closed, 1.0, 4.0)
    assert size.is_decidable and not size.is_doubtful
    assert size.fit.scale == pytest.approx(1, abs=0.01)


def test_another_conformation_is_not_taken_for_another_scale(closed):
    assert not sized(kinase_path()[-1], closed, 1.0, 4.0).is_doubtful


def test_outlines_say_nothing_about_the_pixel_size():
    fit = ScaleFit(1.04, 0.95, 0.1)
    assert judge_pixel_size(fit, 1.0, 6.0).is_doubtful
    assert not judge_pixel_size(fit, 1.0, 8.0).is_doubtful
    assert not judge_pixel_size(fit._replace(correlation=0.6), 1.0, 4.0).is_doubtful


def test_the_peak_of_a_parabola_is_its_vertex():
    scales = np.linspace(0.9, 1.1, 11)
    found = _peak(scales, 0.8 - 4 * (scales - 1.033) ** 2)
    assert found == pytest.approx((1.033, 0.8, 4 * 0.033**2))
    rising = _peak(scales, scales)
    assert rising == pytest.approx((1.1, 1.1, 0.1))
