#!/usr/bin/env python3
"""The local energy: value and gradient against the plain sum over all atoms and voxels.

The closed structure of adenylate kinase (1,655 heavy atoms) in a noisy 4 Å map of the open one, 76³ voxels of 1 Å,
and in a box of twice the edge; then 20,000 atoms in 256³ voxels, with the peak of the memory that it takes. The
last line is how many times faster value and gradient are than the plain sum, in the same run.

    ./classfold bench local [--threads 2]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bin"), str(ROOT / "demo")]

import click
import torch
from adk_path import read_path
from published.density import local_energy
from torch import Tensor
from trial.timing import median_seconds

from classfold.batches import choose_device
from classfold.density import Grid, simulate_density
from classfold.local_energy import LocalEnergy, TargetMap
from classfold.memory import used_peak_bytes
from classfold.superposition import apply_pose, superpose

RESOLUTION_ANGSTROM = 4.0
NOISE = 0.5
MANY_ATOMS, LARGE_BOX = 20_000, 256


def cubic_grid(centre: Tensor, n_voxels: int) -> Grid:
    """A cube of voxels of 1 Å around a point."""
    x, y, z = (float(value) - 0.5 * (n_voxels - 1) for value in centre)
    return Grid((n_voxels,) * 3, 1.0, (x, y, z))


def noisy_map(atoms: Tensor, weights: Tensor, grid: Grid) -> Tensor:
    """The map of a model with white noise of half its standard deviation."""
    density = simulate_density(atoms[None], weights, RESOLUTION_ANGSTROM, grid)[0]
    noise = torch.randn(density.shape, generator=torch.Generator().manual_seed(1)).to(density)
    return density + NOISE * density.std() * noise


def plain(model: Tensor, weights: Tensor, density: Tensor, grid: Grid) -> tuple[float, Tensor]:
    """Value and gradient (n_atoms, 3) by the plain sum."""
    model = model.clone().requires_grad_()
    energy = local_energy(model, weights, density, grid, RESOLUTION_ANGSTROM)
    return float(energy.detach()), torch.autograd.grad(energy, model)[0]


def measure_many(device: torch.device) -> tuple[float, float]:
    """Seconds, and the peak in GiB of the whole process, of value and gradient for 20,000 atoms in 256³ voxels."""
    generator = torch.Generator().manual_seed(2)
    grid = cubic_grid(torch.zeros(3), LARGE_BOX)
    direction = torch.randn(MANY_ATOMS, 3, generator=generator)
    # A ball of a protein's density: about 100 atoms in 1,000 Å3.
    radius = 36.0 * torch.rand(MANY_ATOMS, 1, generator=generator) ** (1 / 3)
    atoms = radius * direction / direction.norm(dim=1, keepdim=True)
    density = torch.randn(grid.shape_zyx, generator=generator).to(device)
    energy = LocalEnergy([TargetMap(density, grid, RESOLUTION_ANGSTROM)], torch.full((MANY_ATOMS,), 7.0, device=device))
    models, maps = atoms[None].to(device), torch.zeros(1, dtype=torch.long, device=device)
    took = median_seconds(lambda: energy.value_and_gradient(models, maps), 1)
    return took, used_peak_bytes(device) / 2**30


@click.command(context_settings={"show_default": True}, help=__doc__)
@click.option("--threads", default=2, help="Of torch.")
@click.option("--repeats", default=15, help="Timed calls; the median counts.")
@click.option("--samples", default=8, help="Models at once.")
@click.option("--device", default="auto", help="Where ours and the plain sum run.")
def main(threads: int, repeats: int, samples: int, device: str) -> None:
    """Measure and print."""
    torch.set_num_threads(threads)
    place, path = choose_device(device), read_path()
    weights = torch.from_numpy(path.topology.atomic_numbers).float().to(place)
    closed, opened = (torch.from_numpy(path.coordinates[index]).float().to(place) for index in (0, -1))
    closed = apply_pose(*superpose(closed, opened), closed)
    took, gigabytes = measure_many(place)
    click.echo(f"{MANY_ATOMS} atoms in {LARGE_BOX}³ voxels: {took:.2f} s, peak of the process {gigabytes:.2f} GiB")
    per_edge = {}
    for edge in (76, 152):
        grid = cubic_grid((opened.amax(0) + opened.amin(0)) / 2, edge)
        density = noisy_map(opened, weights, grid)
        energy = LocalEnergy([TargetMap(density, grid, RESOLUTION_ANGSTROM)], weights)
        models, maps = closed.expand(samples, -1, -1).contiguous(), torch.zeros(samples, dtype=torch.long, device=place)

        def ours(energy=energy, models=models, maps=maps) -> tuple[Tensor, Tensor]:
            return energy.value_and_gradient(models, maps)

        per_edge[edge] = median_seconds(ours, repeats) / samples
        click.echo(f"{edge}³ voxels: {1000 * per_edge[edge]:.1f} ms per model, value and gradient, {samples} at once")
        if edge == 76:
            values, gradients = ours()
            started = time.perf_counter()
            value, gradient = plain(closed, weights, density, grid)
            baseline = time.perf_counter() - started  # the value was waited for
            cosine = torch.cosine_similarity(gradient.flatten(), gradients[0].flatten(), dim=0)
            click.echo(f"plain sum: {baseline:.1f} s; value {value:.6f} against {float(values[0]):.6f}, ", nl=False)
            click.echo(f"gradient cosine {float(cosine):.6f}")
    click.echo(f"twice the edge: {per_edge[152] / per_edge[76]:.2f} times the time")
    click.echo(f"local: {baseline / per_edge[76]:.0f}")


if __name__ == "__main__":
    main()
