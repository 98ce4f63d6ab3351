#!/usr/bin/env python3
"""The scores of a model: what they cost, and what they say of models that are right and wrong.

A map is simulated from the open end of adenylate kinase's path (1,655 atoms, 76³ voxels of 1 Å), with noise. It judges
the structure itself, the same with noise on every atom and shifted, the closed end superposed on it, and its mirror
image, by all scores of bin/classfold/scores/table.py but the confidence. Times are the processor's, in seconds, those
of cctbx's process included. The last line is what the scores of every sample take for one model.

    ./classfold bench scores [--resolution 4] [--noise 0.5] [--repeats 3]
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bin"))
sys.path.insert(0, str(ROOT / "demo"))

import click
import numpy as np
import torch
from adk_path import read_path

from classfold.density import Grid
from classfold.errors import run_stage
from classfold.map_fit import simulate
from classfold.maps import DensityMap
from classfold.scores.every_sample import SampleJudge
from classfold.scores.finalists import judge_finalists
from classfold.scores.table import SCORES
from classfold.superposition import apply_pose, superpose

N_VOXELS, VOXEL_SIZE_ANGSTROM = 76, 1.0
# What 23.6 kDa fill at 1.21 Å³ per dalton: the contour is where so many voxels are above it.
N_MOLECULE_VOXELS = 28_556


def models(opened: np.ndarray, closed: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """What is judged, by name, each (n_atoms, 3) in Å."""
    random = np.random.default_rng(seed)
    centre = opened.mean(axis=0)
    step = np.ones(3) / np.sqrt(3)
    mobile, fixed = torch.from_numpy(closed), torch.from_numpy(opened)
    return {
        "itself": opened,
        "0.3 Å noise": opened + random.normal(scale=0.3 / np.sqrt(3), size=opened.shape),
        "1 Å noise": opened + random.normal(scale=1 / np.sqrt(3), size=opened.shape),
        "1 Å shift": opened + step,
        "3 Å shift": opened + 3 * step,
        "closed": apply_pose(*superpose(mobile, fixed), mobile).numpy(),
        "mirror": (opened - centre) * [1, 1, -1] + centre,
    }


def processor_seconds() -> float:
    """Of this process and of those that it has ended, user and system."""
    return sum(os.times()[:4])


def shown(value: float | None, digits: int) -> str:
    """A number, a dash where there is none."""
    return "-" if value is None or not np.isfinite(value) else f"{value:.{digits}f}"


def table(names: list[str], found: list[dict[str, float | None]]) -> list[str]:
    """One row per score, one column per model."""
    rows = [f"{'':26}" + "".join(f"{name:>13}" for name in names)]
    for score in SCORES:
        if any(score.name in each for each in found):
            values = (shown(each.get(score.name), score.digits) for each in found)
            rows.append(f"{score.title:26}" + "".join(f"{value:>13}" for value in values))
    return rows


@click.command(context_settings={"show_default": True}, help=__doc__)
@click.option("--resolution", default=4.0, help="Of the map, Å.")
@click.option("--noise", default=0.5, help="Of the map, in its own standard deviations.")
@click.option("--repeats", default=3, help="Timings, of which the fastest counts.")
@click.option("--seed", default=0, help="Of the noise.")
def main(resolution: float, noise: float, repeats: int, seed: int) -> None:
    """Simulate, judge, print."""
    torch.set_num_threads(1)
    path = read_path()
    opened, closed = (path.at(frame).astype(np.float64) for frame in (97, 0))
    low = opened.mean(axis=0) - (N_VOXELS - 1) / 2 * VOXEL_SIZE_ANGSTROM
    grid = Grid((N_VOXELS,) * 3, VOXEL_SIZE_ANGSTROM, tuple(low.tolist()))
    values = simulate(opened, path.topology.atomic_numbers, resolution, grid)
    values += np.random.default_rng(seed).normal(scale=noise * values.std(), size=values.shape)
    density = DensityMap(values.astype(np.float32), VOXEL_SIZE_ANGSTROM, low)
    contour = float(np.partition(density.density, -N_MOLECULE_VOXELS, axis=None)[-N_MOLECULE_VOXELS])
    judge = SampleJudge(path.topology, density, resolution, contour)
    candidates = models(opened, closed, seed)
    seconds = []
    for _ in range(repeats):
        start = processor_seconds()
        found = [judge.judge(model).scores for model in candidates.values()]
        seconds.append((processor_seconds() - start) / len(candidates))
    start = processor_seconds()
    slow, warnings = judge_finalists(list(candidates.values()), path.topology, density, resolution)
    of_all = (processor_seconds() - start) / len(candidates)
    for line in table(list(candidates), [{**fast, **more.scores} for fast, more in zip(found, slow, strict=True)]):
        click.echo(line)
    for warning in warnings:
        click.echo(f"warning: {warning}")
    click.echo(f"scores of a finalist: {of_all:.2f}")
    click.echo(f"scores: {min(seconds):.2f}")


if __name__ == "__main__":
    run_stage(main)
