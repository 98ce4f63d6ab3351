"""The cloud stands for the density: same centre, same total, no dust, no dependence on the frame, and k-means' best."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from adk_path import read_path
from published.cloud import weighted_k_means
from scipy.spatial import cKDTree
from sklearn.cluster import KMeans

from classfold.density import Grid, simulate_density
from classfold.errors import InputError
from classfold.maps import DensityMap
from classfold.point_cloud import number_of_points, place_points, read_cloud, remove_dust, write_cloud


@pytest.fixture
def density_map() -> DensityMap:
    rng = np.random.default_rng(3)
    density = rng.uniform(0.5, 3.0, (9, 11, 13)).astype(np.float32)
    return DensityMap(density, 1.6, np.array([-20.0, 5.0, 40.0]))


@pytest.fixture(scope="module")
def protein_map() -> DensityMap:
    """Adenylate kinase at 4 Å, voxels of 1.6 Å."""
    atoms = torch.from_numpy(read_path().coordinates[0]).float()
    low = atoms.amin(0) - 8
    n_x, n_y, n_z = (int(n) for n in ((atoms.amax(0) + 8 - low) / 1.6).ceil())
    x, y, z = (float(value) for value in low)
    density = simulate_density(atoms[None], torch.ones(len(atoms)), 4.0, Grid((n_z, n_y, n_x), 1.6, (x, y, z)))[0]
    return DensityMap(density.numpy(), 1.6, low.numpy())


def sum_of_squares(density_map: DensityMap, kept: np.ndarray, points: np.ndarray) -> float:
    """What k-means makes small, from xyz in Å, shape (n_points, 3)."""
    distance = cKDTree(points).query(density_map.coordinates_of(np.argwhere(kept)))[0]
    return float(density_map.density[kept] @ distance**2)


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


def test_by_default_four_atoms_share_a_point_whatever_the_voxels():
    assert number_of_points(1655) == 413


def test_the_cloud_has_the_densitys_centre_and_total(density_map):
    kept = density_map.density > 1.0
    cloud = place_points(density_map, kept, 25, seed=1)
    assert len(cloud.weight) == 25
    assert cloud.weight.sum() == pytest.approx(1.0)
    voxels = density_map.coordinates_of(np.argwhere(kept))
    centre = np.average(voxels, axis=0, weights=density_map.density[kept])
    assert np.average(cloud.coordinates, axis=0, weights=cloud.weight) == pytest.approx(centre, abs=0.01)


def test_the_sum_of_squares_is_as_low_as_that_of_others(protein_map):
    kept = protein_map.density > np.quantile(protein_map.density, 0.93)
    voxels, weight = protein_map.coordinates_of(np.argwhere(kept)), protein_map.density[kept]
    tensors = torch.from_numpy(voxels).float(), torch.from_numpy(weight)
    ours, plus_plus, plain = [], [], []
    for seed in range(5):
        ours.append(place_points(protein_map, kept, 101, seed).coordinates)
        k_means = KMeans(101, n_init=1, random_state=seed).fit(voxels, sample_weight=weight)
        plus_plus.append(k_means.cluster_centers_)
        plain.append(weighted_k_means(*tensors, 101, seed).numpy())
    mean_of_ours, *means_of_others = (
        np.mean([sum_of_squares(protein_map, kept, points) for points in clouds]) for clouds in (ours, plus_plus, plain)
    )
    assert mean_of_ours < 1.02 * min(means_of_others)


def test_the_released_loop_ends_where_each_point_is_its_voxels_mean(protein_map):
    kept = protein_map.density > np.quantile(protein_map.density, 0.97)
    voxels, weight = protein_map.coordinates_of(np.argwhere(kept)), protein_map.density[kept].astype(float)
    points = weighted_k_means(torch.from_numpy(voxels).float(), torch.from_numpy(weight).float(), 12, seed=2).numpy()
    nearest = cKDTree(points).query(voxels)[1]
    means = [np.average(voxels[nearest == i], axis=0, weights=weight[nearest == i]) for i in range(12)]
    assert points == pytest.approx(np.array(means), abs=0.01)


@pytest.mark.parametrize("n_points", [1, 7, 39, 40, 100])
def test_every_voxel_counts_once_and_a_point_is_its_voxels_mean(n_points):
    # A power of two for each voxel: a point's weight spells out which voxels it stands for.
    power = 2 ** np.random.default_rng(6).permutation(40)
    density_map = DensityMap(power.reshape(2, 4, 5).astype(np.float32), 1.6, np.array([-20.0, 5.0, 40.0]))
    kept = np.ones((2, 4, 5), bool)
    voxels = density_map.coordinates_of(np.argwhere(kept))
    cloud = place_points(density_map, kept, n_points, seed=3)
    assert len(cloud.weight) == min(n_points, 40)
    is_of_point = np.round(cloud.weight * power.sum()).astype(np.int64)[:, None] & power > 0
    assert (is_of_point.sum(axis=0) == 1).all()
    for point, is_its in zip(cloud.coordinates, is_of_point, strict=True):
        assert point == pytest.approx(np.average(voxels[is_its], axis=0, weights=power[is_its]))


@pytest.mark.parametrize("seed", range(5))
def test_no_point_is_lost_where_weights_are_very_unequal(seed):
    density = np.exp(4 * np.random.default_rng(seed).normal(size=(12, 12, 12))).astype(np.float32)
    cloud = place_points(DensityMap(density, 1.0, np.zeros(3)), density > 0, 300, seed)
    assert len(np.unique(cloud.coordinates, axis=0)) == 300
    assert (cloud.weight > 0).all()


def test_voxels_without_weight_draw_no_point(density_map):
    kept = np.zeros(density_map.density.shape, bool)
    kept[2:6, 2:6, 2:9] = True
    density = np.where(kept, 0.0, density_map.density)
    density[3, 4, 5:8] = [1.0, 2.0, 5.0]
    cloud = place_points(DensityMap(density, 1.0, np.zeros(3)), kept, 20, seed=1)
    assert sorted(cloud.coordinates.tolist()) == [[5.0, 4.0, 3.0], [6.0, 4.0, 3.0], [7.0, 4.0, 3.0]]
    assert sorted(cloud.weight) == pytest.approx([0.125, 0.25, 0.625])


def test_voxels_that_are_all_alike_weigh_the_same():
    flat = DensityMap(np.full((4, 4, 4), -2.0, np.float32), 1.0, np.zeros(3))
    cloud = place_points(flat, np.ones((4, 4, 4), bool), 64, seed=1)
    assert cloud.weight == pytest.approx(np.full(64, 1 / 64))


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


def test_the_margin_of_the_map_does_not_matter(density_map):
    wider = DensityMap(np.pad(density_map.density, ((3, 1), (5, 0), (2, 9))), 1.6, density_map.origin_angstrom)
    here, there = (place_points(each, each.density > 1.0, 20, seed=4) for each in (density_map, wider))
    assert there.coordinates == pytest.approx(here.coordinates + 1.6 * np.array([2, 5, 3]))
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
