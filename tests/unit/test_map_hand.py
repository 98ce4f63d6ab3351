"""A map in the other hand: every voxel mirrored at a plane, and no further."""

import numpy as np
import pytest

from classfold.map_hand import flipped, middle_z
from classfold.maps import DensityMap

RECORD = {
    "source": {
        "shape_zyx": [21, 8, 8],
        "voxel_size_angstrom_xyz": [1.0, 1.0, 2.0],
        "origin_angstrom": [0.0, 0.0, -7.0],
    }
}


@pytest.fixture()
def density_map() -> DensityMap:
    values = np.random.default_rng(1).normal(size=(5, 4, 3)).astype(np.float32)
    return DensityMap(values, 1.5, np.array([3.0, -4.0, 11.0]))


def test_the_plane_is_the_middle_of_the_box_as_it_was_given():
    assert middle_z(RECORD) == -7 + 20 * 2 / 2


def test_every_voxel_keeps_its_value_at_the_mirrored_place(density_map):
    plane = middle_z(RECORD)
    other = flipped(density_map, plane)
    for index in np.ndindex(*density_map.density.shape):
        here = density_map.coordinates_of(np.array([index]))[0]
        there = here * [1, 1, -1] + [0, 0, 2 * plane]
        place = np.rint((there - other.origin_angstrom) / other.voxel_size_angstrom).astype(int)
        np.testing.assert_allclose(other.coordinates_of(place[None, ::-1])[0], there)
        assert other.density[tuple(place[::-1])] == density_map.density[index]


def test_twice_flipped_is_as_it_was(density_map):
    again = flipped(flipped(density_map, 8.25), 8.25)
    np.testing.assert_array_equal(again.density, density_map.density)
    np.testing.assert_allclose(again.origin_angstrom, density_map.origin_angstrom)
