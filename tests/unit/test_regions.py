"""Voxels that a program has set are seen, others are not; windows lie where the molecule is and where it is not."""

import numpy as np
import pytest
from scipy.ndimage import zoom
from trial.half_maps import distance_to_atoms, soft_sphere, stored_as_integers, tight_mask

from classfold.regions import Coarse, find_background, find_set_voxels, find_windows
from tests.simulated_half_maps import open_atoms, open_half_maps

VOLUME = 1.21 * 23_600


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


def test_the_windows_hold_the_molecule_and_the_solvent():
    halves, atoms = open_half_maps(), open_atoms()[0].numpy()
    distance = distance_to_atoms(atoms, halves.grid)
    windows = find_windows(halves.weighted, np.full(3, halves.grid.voxel_size_angstrom), VOLUME)
    assert (windows.molecule[distance < 2] > 0.9).mean() > 0.95
    assert windows.molecule[distance > 22].max() < 0.05
    assert windows.solvent[distance < 8].max() < 0.01
    assert (windows.solvent[distance > 29] > 0.9).mean() > 0.8


def test_the_background_is_out_of_reach_of_molecule_and_mask():
    halves, atoms = open_half_maps(), open_atoms()[0].numpy()
    voxel = np.full(3, halves.grid.voxel_size_angstrom)
    distance = distance_to_atoms(atoms, halves.grid)
    free = find_background(halves.weighted, voxel, VOLUME)
    assert (distance[free] < 5).mean() < 0.002 and free.mean() > 0.5
    is_set = np.zeros(free.shape, bool)
    is_set[:10] = True
    around = find_background(halves.weighted, voxel, VOLUME, is_set=is_set)
    assert not around[:14].any() and (around <= free).all() and around.any()


def test_the_molecule_is_sought_inside_the_mask():
    halves, atoms = open_half_maps(), open_atoms()[0].numpy()
    density = halves.weighted.copy()
    density[:8, :8, :8] = 10 * density.max()
    inside = distance_to_atoms(atoms, halves.grid) < 12
    voxel = np.full(3, halves.grid.voxel_size_angstrom)
    assert find_windows(density, voxel, VOLUME).molecule[2, 2, 2] > 0.9
    windows = find_windows(density, voxel, VOLUME, inside)
    assert windows.molecule[2, 2, 2] == 0
    assert (windows.molecule[distance_to_atoms(atoms, halves.grid) < 2] > 0.9).mean() > 0.95


@pytest.mark.parametrize("shape", [(12, 12, 12), (13, 10, 15)])
def test_means_over_blocks_and_back(shape):
    coarse = Coarse(shape, np.array([2.0, 1.3, 4.5]))
    assert coarse.factors.tolist() == [2, 3, 1]
    x = np.broadcast_to(np.arange(shape[2], dtype=np.float32), shape)
    assert coarse.mean(x)[0, 0] == pytest.approx(np.arange(shape[2]))
    z = np.broadcast_to(np.arange(shape[0], dtype=np.float32)[:, None, None], shape)
    means = coarse.mean(z)
    assert means[0, 0, 0] == 0.5
    assert means[-1, 0, 0] == (shape[0] - 1 if shape[0] % 2 else shape[0] - 1.5)
    inner = slice(1, 2 * (shape[0] // 2) - 1)
    assert coarse.spread(means)[inner] == pytest.approx(z[inner])
