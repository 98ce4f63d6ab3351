"""The prepared map as later stages read it."""

import numpy as np

from classfold.class_map import ClassMap
from classfold.maps import DensityMap


def speck_and_ball() -> DensityMap:
    """One strong voxel far from a ball of weaker ones."""
    zyx = np.indices((24, 24, 24)) - 12
    density = (np.square(zyx).sum(axis=0) <= 25).astype(np.float32)
    density[2, 2, 2] = 3.0
    return DensityMap(density, 2.0, np.zeros(3))


def test_the_contour_is_that_of_the_blurred_copy_in_which_it_was_drawn() -> None:
    record = {"threshold": 0.9, "threshold_blur_angstrom": 12.0, "threshold_in_blurred_map": 0.3}
    blurry, level = ClassMap(speck_and_ball(), 4.0, record).contour
    above = blurry.density > level
    assert level == 0.3 and above[12, 12, 12] and not above[2, 2, 2]


def test_a_contour_that_was_drawn_in_the_map_stays_there() -> None:
    record = {"threshold": 0.9, "threshold_blur_angstrom": 0.0, "threshold_in_blurred_map": None}
    given = speck_and_ball()
    density_map, level = ClassMap(given, 4.0, record).contour
    assert level == 0.9 and density_map is given
