"""The cloud stands for the density: same centre, same total, no dust, no dependence on the frame."""

import numpy as np
import pytest

from classfold.errors import InputError
from classfold.maps import DensityMap
from classfold.point_cloud import number_of_points, place_points, read_cloud, remove_dust, write_cloud


@pytest.fixture
def density_map() -> DensityMap:
    rng = np.random.default_rng(3)
    density = rng.uniform(0.5, 3.0, (9, 11, 13)).astype(np.float32)
    return DensityMap(density, 1.6, np.array([-20.0, 5.0, 40.0]))


def test_components_under_five_voxels_are_dust():
    above = np.zeros((9, 9, 12), bool)
    above[0, 0, :4] = True
    above[3, 3, :5] = True
    above[8, 8, 11] = True
    components = remove_dust(above)
    assert (components.n_kept, components.n_removed) == (1, 2)
    assert np.array_equal(np.argwhere(components.kept), [[3, 3, x] for x in range(5)])


def test_voxels_that_touch_at_corners_are_one_component():
    above = np.zeros((6, 6, 6), bool)
    above[range(5), range(5), range(5)] = True
    assert remove_dust(above).n_kept == 1


def test_nothing_but_dust_is_refused():
    above = np.zeros((6, 6, 6), bool)
    above[1, 1, 1] = above[4, 4, 4] = True
    with pytest.raises(InputError, match="2 specks"):
        remove_dust(above)


@pytest.mark.parametrize(("n_atoms", "voxel", "expected"), [(1655, 1.0, 413), (1655, 1.6, 101), (20, 3.0, 1)])
def test_the_number_of_points_is_the_papers(n_atoms, voxel, expected):
    assert number_of_points(n_atoms, voxel) == expected


def test_the_cloud_has_the_densitys_centre_and_total(density_map):
    kept = density_map.density > 1.0
    cloud = place_points(density_map, kept, 25, seed=1)
    assert len(cloud.weight) == 25
    assert cloud.weight.sum() == pytest.approx(1.0)
    voxels = density_map.coordinates_of(np.argwhere(kept))
    centre = np.average(voxels, axis=0, weights=density_map.density[kept])
    assert np.average(cloud.coordinates, axis=0, weights=cloud.weight) == pytest.approx(centre, abs=0.01)


def test_heavier_density_draws_the_points():
    density = np.ones((3, 3, 40), np.float32)
    density[..., 30:] = 50.0
    cloud = place_points(DensityMap(density, 1.0, np.zeros(3)), density > 0, 8, seed=1)
    assert (cloud.coordinates[:, 0] > 29).sum() >= 4


def test_a_point_at_each_voxel_is_the_voxels_themselves(density_map):
    kept = np.zeros(density_map.density.shape, bool)
    kept[4, 5, 2:8] = True
    cloud = place_points(density_map, kept, 500, seed=1)
    order = np.argsort(cloud.coordinates[:, 0])
    assert cloud.coordinates[order] == pytest.approx(density_map.coordinates_of(np.argwhere(kept)))
    shares = density_map.density[kept] / density_map.density[kept].sum()
    assert cloud.weight[order] == pytest.approx(shares)


def test_a_shift_of_the_frame_shifts_the_cloud(density_map):
    kept = density_map.density > 1.0
    shift = np.array([100.0, -50.0, 12.5])
    shifted = DensityMap(density_map.density, 1.6, density_map.origin_angstrom + shift)
    here, there = (place_points(each, kept, 20, seed=4) for each in (density_map, shifted))
    assert there.coordinates == pytest.approx(here.coordinates + shift)
    assert np.array_equal(there.weight, here.weight)


def test_the_seed_decides(density_map):
    kept = density_map.density > 1.0
    first, again, other = (place_points(density_map, kept, 20, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.coordinates, again.coordinates)
    assert not np.array_equal(first.coordinates, other.coordinates)


def test_a_contour_below_zero_gives_no_negative_weights(density_map):
    offset = DensityMap(density_map.density - 5.0, 1.6, density_map.origin_angstrom)
    cloud = place_points(offset, offset.density > -4.0, 20, seed=1)
    assert (cloud.weight >= 0).all()
    assert cloud.weight.sum() == pytest.approx(1.0)


def test_a_cloud_survives_the_disk(density_map, tmp_path):
    cloud = place_points(density_map, density_map.density > 1.0, 20, seed=1)
    write_cloud(cloud, tmp_path / "cloud.csv")
    read = read_cloud(tmp_path / "cloud.csv")
    assert read.coordinates == pytest.approx(cloud.coordinates, abs=1e-4)
    assert read.weight == pytest.approx(cloud.weight, rel=1e-6)
