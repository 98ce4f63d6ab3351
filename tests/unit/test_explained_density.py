"""Shares of map and model that lie in each other, on boxes that can be counted by hand."""

import numpy as np
import pytest

from classfold.explained_density import explained
from classfold.maps import DensityMap


def two_rods() -> DensityMap:
    """Rods of height 3 and 2 along z, 40 Å apart, in a map with a threshold of 1."""
    density = np.zeros((30, 6, 46), np.float32)
    density[5:25, 2, 2] = 3
    density[5:25, 2, 42] = 2
    return DensityMap(density, 1.0, np.array([10.0, 20.0, 30.0]))


def rod_atoms(x: float, first: float, last: float) -> np.ndarray:
    z = np.arange(first, last)
    return np.stack([np.full_like(z, x + 10), np.full_like(z, 22.0), z + 30], axis=1)


def test_shares_are_weighted_by_the_height_above_the_threshold():
    inside = explained(rod_atoms(2, 5, 25), two_rods(), 1.0, 4.0)
    assert inside == pytest.approx((2 / 3, 1.0))
    both = np.concatenate([rod_atoms(2, 5, 25), rod_atoms(42, 5, 25)])
    assert explained(both, two_rods(), 1.0, 4.0) == pytest.approx((1.0, 1.0))


def test_half_a_model_outside_of_the_density():
    atoms = np.concatenate([rod_atoms(42, 5, 25), rod_atoms(22, 5, 25)])
    assert explained(atoms, two_rods(), 1.0, 4.0) == pytest.approx((1 / 3, 0.5))


def test_the_reach_grows_with_the_resolution():
    beside = rod_atoms(2 + 4.5, 5, 25)
    assert explained(beside, two_rods(), 1.0, 4.0) == (0, 0)
    assert explained(beside, two_rods(), 1.0, 10.0) == pytest.approx((2 / 3, 1.0))


def test_a_threshold_above_everything_leaves_nothing():
    assert explained(rod_atoms(2, 5, 25), two_rods(), 5.0, 4.0) == (0, 0)
