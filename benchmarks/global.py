#!/usr/bin/env python3
"""The global energy: value and gradient against the paper's all-atom Sinkhorn divergence, one sample after the other.

Structures of adenylate kinase (1,655 heavy atoms) against the point cloud (413 points) of a 4 Å map of the open
one. Says how alike the two gradients are, summed per residue, and what each asks for where nothing is to be done:
at the structure that made the map. Then four times the atoms, in four copies. The last line is how many times
faster ours is.

    ./classfold bench global [--threads 2]
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bin"), str(ROOT / "demo")]

import click
import numpy as np
import torch
from adk_path import read_path
from torch import Tensor
from trial.timing import median_seconds

from classfold.batches import choose_device
from classfold.density import Grid, simulate_density
from classfold.global_energy import Cloud, GlobalEnergy
from classfold.maps import DensityMap
from classfold.point_cloud import place_points
from classfold.pseudo_atoms import PseudoAtoms, halves_of_residues
from classfold.published_energy import PublishedGlobalEnergy
from classfold.superposition import apply_pose, superpose

N_POINTS = 413
MOLECULE_ANGSTROM3 = 28_500.0
"""1.21 Å³ for each dalton of adenylate kinase."""


def open_cloud(atoms: Tensor, weights: Tensor) -> Cloud:
    """Point cloud of a 4 Å map of a model, voxels of 1 Å."""
    low = atoms.amin(0) - 12
    n_x, n_y, n_z = (int(n) for n in ((atoms.amax(0) - low) + 12).ceil())
    x, y, z = (float(value) for value in low)
    density = simulate_density(atoms[None], weights, 4.0, Grid((n_z, n_y, n_x), 1.0, (x, y, z)))[0]
    level = float(density.flatten().sort(descending=True).values[int(MOLECULE_ANGSTROM3)])
    points = place_points(
        DensityMap(density.numpy(), 1.0, np.array([x, y, z])), (density > level).numpy(), N_POINTS, seed=1
    )
    return Cloud(torch.from_numpy(points.coordinates).float(), torch.from_numpy(points.weight).float())


def per_residue(gradient: Tensor, residue: Tensor) -> Tensor:
    """Gradients (n_atoms, 3) summed per residue."""
    return gradient.new_zeros(int(residue.max()) + 1, 3).index_add_(0, residue, gradient)


def root_mean_square(displacement: Tensor, mass: Tensor) -> float:
    """Mass-weighted length in Å of displacements (n, 3)."""
    return float((mass[:, None] * displacement.square()).sum().sqrt())


def copies(atoms: PseudoAtoms, n_copies: int) -> PseudoAtoms:
    """The groups of several copies of a molecule."""
    group = torch.cat([atoms.group + copy * len(atoms.mass) for copy in range(n_copies)])
    return PseudoAtoms.of(group, atoms.share.repeat(n_copies) * atoms.mass[atoms.group].repeat(n_copies))


@click.command(context_settings={"show_default": True}, help=__doc__)
@click.option("--threads", default=2, help="Of torch.")
@click.option("--repeats", default=9, help="Timed calls; the median counts.")
@click.option("--samples", default=8, help="Models at once.")
@click.option("--device", default="auto", help="Where ours and the published energy run.")
def main(threads: int, repeats: int, samples: int, device: str) -> None:
    """Measure and print."""
    torch.set_num_threads(threads)
    place, path = choose_device(device), read_path()
    weights = torch.from_numpy(path.topology.atomic_numbers).float()
    opened = torch.from_numpy(path.coordinates[-1]).float()
    cloud = Cloud(*(part.to(place) for part in open_cloud(opened, weights)))
    halves, weights, opened = halves_of_residues(path.topology, place), weights.to(place), opened.to(place)
    ours, published = GlobalEnergy([cloud], halves), PublishedGlobalEnergy([cloud.points])
    one = torch.zeros(1, dtype=torch.long, device=place)
    residue, mass = torch.from_numpy(path.topology.residue_index).to(place), weights / weights.sum()
    click.echo(f"{len(mass)} atoms, {len(halves.mass)} pseudo-atoms, {len(cloud.mass)} points")
    models = {"closed": path.coordinates[0], "a third of the way": path.coordinates[12], "open": path.coordinates[-1]}
    for name, frame in models.items():
        model = torch.from_numpy(frame).float().to(place)
        model = apply_pose(*superpose(model, opened), model)[None]
        (_, fast), (_, plain) = ours.value_and_gradient(model, one), published.value_and_gradient(model, one)
        cosine = torch.cosine_similarity(
            per_residue(fast[0], residue).flatten(), per_residue(plain[0], residue).flatten(), dim=0
        )
        asked = root_mean_square(fast[0] / mass[:, None], mass), root_mean_square(plain[0] * len(mass), mass)
        click.echo(
            f"{name}: cosine with the all-atom gradient, per residue {float(cosine):.3f}; asks atoms to move "
            f"{asked[0]:.2f} Å (all-atom: {asked[1]:.2f} Å)"
        )
    closed = torch.from_numpy(path.coordinates[0]).float().to(place)
    closed = apply_pose(*superpose(closed, opened), closed)
    batch, maps = closed.expand(samples, -1, -1).contiguous(), torch.zeros(samples, dtype=torch.long, device=place)
    fast = median_seconds(lambda: ours.value_and_gradient(batch, maps), repeats) / samples
    plain_seconds = median_seconds(lambda: published.value_and_gradient(batch[:1], one), max(2, repeats // 3))
    shifts = 60.0 * torch.tensor([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], device=place)
    larger = GlobalEnergy([cloud], copies(halves, 4))
    four = torch.cat([batch + shift for shift in shifts], dim=1)
    fourfold = median_seconds(lambda: larger.value_and_gradient(four, maps), repeats) / samples
    click.echo(f"value and gradient: {1000 * fast:.1f} ms per model, all-atom {1000 * plain_seconds:.0f} ms")
    click.echo(f"four times the atoms, the same points: {fourfold / fast:.2f} times the time")
    click.echo(f"global: {plain_seconds / fast:.1f}")


if __name__ == "__main__":
    main()
