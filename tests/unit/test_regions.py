"""Windows lie where the molecule is and where it is not; coarse grids keep places."""

import numpy as np
import pytest
from trial.half_maps import distance_to_atoms

from classfold.regions import Coarse, find_background, find_windows
from tests.simulated_half_maps import open_atoms, open_half_maps

VOLUME = 1.21 * 23_600


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
