"""Maps that were masked or cut off are told from those that were not, however they are stored."""

import numpy as np
import pytest
from scipy.ndimage import zoom
from trial.half_maps import soft_sphere, stored_as_integers, tight_mask

from classfold.set_voxels import find_set_voxels
from tests.simulated_half_maps import open_atoms, open_half_maps


def masked(density: np.ndarray) -> np.ndarray:
    halves = open_half_maps()
    return density * tight_mask(open_atoms()[0].numpy(), halves.grid)


def with_hot_voxel(density: np.ndarray) -> np.ndarray:
    hot = density.copy()
    hot[0, 0, 0] = 1000 * density.max()
    return hot


UNTOUCHED = {
    "mean": lambda halves: halves.mean,
    "weighted": lambda halves: halves.weighted,
    "sharpened": lambda halves: halves.sharpened,
    "16-bit floats": lambda halves: halves.weighted.astype(np.float16).astype(np.float32),
    "16-bit integers": lambda halves: stored_as_integers(halves.weighted, 3000),
    "8-bit integers": lambda halves: stored_as_integers(halves.weighted, 60),
    "clean": lambda halves: halves.weighted + 30 * np.maximum(halves.weighted, 0),
    "hot voxel": lambda halves: with_hot_voxel(halves.weighted),
}
TOUCHED = {
    "soft sphere": lambda halves: soft_sphere(halves.weighted, min(halves.weighted.shape) / 2 - 3),
    "tight mask": lambda halves: masked(halves.weighted),
    "tight mask, sharpened": lambda halves: masked(halves.sharpened),
    "tight mask, offset": lambda halves: 7 + masked(halves.sharpened),
    "tight mask, 16-bit floats": lambda halves: masked(halves.weighted).astype(np.float16).astype(np.float32),
    "tight mask, 8-bit integers": lambda halves: stored_as_integers(masked(halves.weighted), 60),
    "tight mask, resampled": lambda halves: zoom(masked(halves.weighted), 0.9, order=3),
    "cut off at zero": lambda halves: halves.weighted.clip(min=0),
}


@pytest.mark.parametrize("name", UNTOUCHED)
def test_a_map_that_nobody_masked_is_not_taken_for_masked(name):
    assert find_set_voxels(UNTOUCHED[name](open_half_maps())) is None


@pytest.mark.parametrize("name", TOUCHED)
def test_a_masked_map_is_seen_and_so_is_the_mask(name):
    density = TOUCHED[name](open_half_maps())
    found = find_set_voxels(density)
    assert found is not None
    assert found.is_lowest == (name == "cut off at zero")
    assert found.value == pytest.approx(7.0 if "offset" in name else 0.0, abs=1e-3 * np.ptp(density))
    assert found.is_set.mean() == pytest.approx(
        {"soft sphere": 0.4, "cut off at zero": 0.5}.get(name, 0.93), abs=0.05
    )


def test_ringing_around_a_mask_is_no_noise():
    halves = open_half_maps()
    ringing = 1e-4 * halves.weighted.max() * np.random.default_rng(1).standard_normal(halves.weighted.shape)
    found = find_set_voxels(masked(halves.weighted) + ringing)
    assert found is not None and found.is_set.mean() > 0.8 and not found.is_lowest
