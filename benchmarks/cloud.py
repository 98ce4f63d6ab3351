#!/usr/bin/env python3
"""The point cloud of a map: how long its k-means takes, and how good it is.

A map of 4 Å with voxels of 1 Å is simulated from adenylate kinase and cut off where 17,000 voxels stay. Three ways
place the 413 points: the released loop stated plainly (benchmarks/published/cloud.py), scikit-learn's KMeans with its
k-means++ start, and ClassFold's. Each is repeated with other seeds, the three in turn, so that what else the machine
does falls on all of them. ClassFold's way takes one thread, and so do the others unless told otherwise.

The objective of k-means is printed as the mean over the density of the squared distance to the nearest point. The last
line is the plain loop's median time over ClassFold's.

    ./classfold bench cloud [--repeats 7] [--threads 1]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bin"))
sys.path.insert(0, str(ROOT / "demo"))

import click
import gemmi
import numpy as np
import torch
from adk_path import read_path
from published.cloud import weighted_k_means
from scipy.spatial import cKDTree
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from classfold.density import Grid, simulate_density
from classfold.errors import run_stage
from classfold.maps import DensityMap
from classfold.point_cloud import number_of_points, place_points, remove_dust

RESOLUTION_ANGSTROM, VOXEL_SIZE_ANGSTROM = 4.0, 1.0
MARGIN_ANGSTROM = 10.0


def simulated_map() -> tuple[DensityMap, int]:
    """A map of the closed end of adenylate kinase's path, and the number of its atoms."""
    path = read_path()
    atoms = torch.from_numpy(path.coordinates[0]).float()
    numbers = torch.tensor([float(gemmi.Element(str(symbol)).atomic_number) for symbol in path.topology.element])
    low, high = atoms.amin(0) - MARGIN_ANGSTROM, atoms.amax(0) + MARGIN_ANGSTROM
    n_x, n_y, n_z = (int(n) + 1 for n in ((high - low) / VOXEL_SIZE_ANGSTROM).ceil())
    x, y, z = (float(value) for value in low)
    grid = Grid((n_z, n_y, n_x), VOXEL_SIZE_ANGSTROM, (x, y, z))
    density = simulate_density(atoms[None], numbers, RESOLUTION_ANGSTROM, grid)[0]
    return DensityMap(density.numpy(), VOXEL_SIZE_ANGSTROM, low.numpy()), len(atoms)


def ways(density_map: DensityMap, kept: np.ndarray, n_points: int) -> dict[str, Callable[[int], np.ndarray]]:
    """The three ways, each from a seed to points (n_points, 3) in Å."""
    voxels, weight = density_map.coordinates_of(np.argwhere(kept)), density_map.density[kept]
    voxels_32, weight_32 = torch.from_numpy(voxels).float(), torch.from_numpy(weight).float()

    def plain(seed: int) -> np.ndarray:
        return weighted_k_means(voxels_32, weight_32, n_points, seed).numpy()

    def k_means_plus_plus(seed: int) -> np.ndarray:
        return KMeans(n_points, n_init=1, random_state=seed).fit(voxels, sample_weight=weight).cluster_centers_

    def ours(seed: int) -> np.ndarray:
        return place_points(density_map, kept, n_points, seed).coordinates

    return {"plain loop": plain, "scikit-learn k-means++": k_means_plus_plus, "ClassFold": ours}


@click.command(context_settings={"show_default": True}, help=__doc__)
@click.option("--repeats", default=7, help="Seeds.")
@click.option("--threads", default=1, help="Of the plain loop and of scikit-learn.")
@click.option("--voxels", "n_voxels", default=17000, help="Voxels above the threshold.")
def main(repeats: int, threads: int, n_voxels: int) -> None:
    """Time, compare, print."""
    torch.set_num_threads(threads)
    density_map, n_atoms = simulated_map()
    threshold = np.partition(density_map.density, -n_voxels - 1, axis=None)[-n_voxels - 1]
    kept = remove_dust(density_map.density > threshold).kept
    voxels, weight = density_map.coordinates_of(np.argwhere(kept)), density_map.density[kept]
    n_points = number_of_points(n_atoms, VOXEL_SIZE_ANGSTROM)
    compared = ways(density_map, kept, n_points)
    seconds: dict[str, list[float]] = {name: [] for name in compared}
    objective: dict[str, list[float]] = {name: [] for name in compared}
    with threadpool_limits(threads):
        for seed in range(repeats):
            for name, place in compared.items():
                start = time.perf_counter()
                points = place(seed)
                seconds[name].append(time.perf_counter() - start)
                squared = cKDTree(points).query(voxels)[0] ** 2
                objective[name].append(float(np.average(squared, weights=weight)))
    click.echo(f"{len(voxels)} voxels, {n_points} points, {repeats} seeds, {threads} threads")
    click.echo(f"{'':24}{'median s':>10}{'fastest s':>11}{'mean Å²':>10}{'worst Å²':>10}")
    for name in compared:
        click.echo(
            f"{name:24}{np.median(seconds[name]):10.3f}{min(seconds[name]):11.3f}"
            f"{np.mean(objective[name]):10.3f}{max(objective[name]):10.3f}"
        )
    click.echo(f"cloud: {np.median(seconds['plain loop']) / np.median(seconds['ClassFold']):.1f}")


if __name__ == "__main__":
    run_stage(main)
