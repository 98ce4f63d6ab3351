#!/usr/bin/env python3
"""Sharpness: guided samples in maps that are too blurred or too sharp, kept as they are and matched to a docked model.

Targets are frames of adenylate kinase's path that the miniature prior never saw. Each simulated map, with noise of half
its standard deviation, is multiplied in Fourier space by exp(-B s²/4), noise and all, as sharpening does it. The closed
structure, another conformation than the map's, is docked, and the map's amplitudes are matched to it as DOCK_MODEL does
it. Samples of all maps share their random numbers.

Printed are, for each B, what is found of it by the docked model, and by the right structure in its place; the Cα RMSD
of samples in the kept and in the matched map, in the map's frame, without superposition; and the correlation of these
maps with the noiseless density of the right structure, over the box. The last line is the mean of the RMSD in kept maps
less that in matched ones, over all B but 0: positive is better.

    ./classfold bench sharpness [--resolutions 3,4] [--frames 43,190] [--samples 1]
"""

from __future__ import annotations

import contextlib
import io
import itertools
import math
import sys
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bin"), str(ROOT / "demo")]

import click
import numpy as np
import pandas as pd
import torch
from trial.guided import OURS, Trial, sampled
from trial.maps import simulated_map

from classfold.amplitudes import Match, apply_match, match_amplitudes
from classfold.class_task import ClassTask
from classfold.density import simulate_density
from classfold.errors import InputError, run_stage
from classfold.maps import DensityMap
from classfold.superposition import rmsd

B_FACTORS_ANGSTROM2 = (0.0, 100.0, 200.0, -60.0)
NOISE = 0.5


class Case(NamedTuple):
    """One map."""

    resolution: float
    frame: int
    b_factor: float


def with_b_factor(density_map: DensityMap, b_factor_angstrom2: float) -> DensityMap:
    """A map with its Fourier coefficients multiplied by ``exp(-B s^2 / 4)``."""
    axes = [np.fft.fftfreq(n, density_map.voxel_size_angstrom) for n in density_map.density.shape]
    squared = sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij", sparse=True))
    density = np.fft.ifftn(np.fft.fftn(density_map.density) * np.exp(-b_factor_angstrom2 / 4 * squared)).real
    return replace(density_map, density=density.astype(np.float32))


def matched_to(model: np.ndarray, trial: Trial, density_map: DensityMap, case: Case) -> Match:
    """The match of a map to a model (n_atoms, 3)."""
    match = match_amplitudes(density_map, model, trial.weights.astype(float), case.resolution)
    if match is None:
        raise InputError(f"maps of {case.resolution:g} Å have too few shells to match; choose a finer resolution")
    return match


def kept_and_matched(trial: Trial, case: Case) -> tuple[list[ClassTask], dict[str, float]]:
    """The class as it is and with its map matched, and the B factors found by the docked and the right structure."""
    right = trial.path.at(case.frame)
    true, weights = torch.from_numpy(right).float(), torch.from_numpy(trial.weights).float()
    sharp = simulated_map(true, weights, case.resolution, NOISE, 100 * case.frame + trial.seed)
    density_map = with_b_factor(sharp, case.b_factor)
    kept = trial.task("kept", density_map, case.resolution, published=False)
    docked = kept.place(0)[kept.docked_atoms.bool()].cpu().double().numpy()
    match, by_right = (matched_to(model, trial, density_map, case) for model in (docked, right))
    density = torch.from_numpy(apply_match(density_map, match).density).to(kept.target_map.density)
    matched = replace(kept, name="matched", target_map=replace(kept.target_map, density=density))
    return [kept, matched], {"docked": match.b_factor_angstrom2, "right": by_right.b_factor_angstrom2}


def agreement(trial: Trial, case: Case, task: ClassTask) -> float:
    """Correlation of a task's map with the noiseless density of the right structure."""
    true = torch.from_numpy(trial.path.at(case.frame)).float()
    weights = torch.from_numpy(trial.weights).float()
    ideal = simulate_density(true[None], weights, case.resolution, task.target_map.grid)[0]
    return float(torch.corrcoef(torch.stack([ideal.flatten(), task.target_map.density.cpu().flatten()]))[0, 1])


def try_case(trial: Trial, case: Case) -> list[dict[str, float | str]]:
    """Sample one map as it is and matched; one row for each map, with the mean RMSD of its samples."""
    with contextlib.redirect_stdout(io.StringIO()):
        tasks, found = kept_and_matched(trial, case)
        finished = sampled(trial, OURS, tasks)[1] if trial.samples else []
    ca = torch.from_numpy(trial.path.topology.ca_indices())
    true = torch.from_numpy(trial.path.at(case.frame)).float()
    models = trial.coordinates(finished) if finished else ()
    distances: dict[int, list[float]] = {0: [], 1: []}
    for particle, model in zip(finished, models, strict=True):
        distances[particle.task].append(float(rmsd(model[ca], true[ca])))
    return [
        {
            **case._asdict(),
            **found,
            "map": task.name,
            "ca": fmean(distances[index]) if finished else math.nan,
            "cc": agreement(trial, case, task),
        }
        for index, task in enumerate(tasks)
    ]


def print_table(table: pd.DataFrame) -> None:
    """One line for each resolution and B factor."""
    click.echo(
        f"{'map':>5}{'B Å²':>7}{'found':>7}{'by right':>10}"
        f"{'kept Å':>9}{'matched Å':>11}{'CC kept':>9}{'CC matched':>12}"
    )
    for (resolution, b_factor), rows in table.groupby(["resolution", "b_factor"], sort=False):
        mean = rows.groupby("map")[["ca", "cc"]].mean()
        click.echo(
            f"{resolution:4.0f}Å{b_factor:7.0f}{rows['docked'].mean():7.0f}{rows['right'].mean():10.0f}"
            f"{mean.ca['kept']:9.2f}{mean.ca['matched']:11.2f}{mean.cc['kept']:9.3f}{mean.cc['matched']:12.3f}"
        )


@click.command(context_settings={"show_default": True}, help=__doc__)
@click.option("--resolutions", default="3,4", help="Of the maps, in Å.")
@click.option("--frames", default="43,190", help="Targets: frames of the path, held out.")
@click.option("--samples", default=1, type=click.IntRange(min=0), help="Of each map; 0 compares the maps alone.")
@click.option("--seed", default=1, help="Of noise and samples.")
@click.option("--threads", default=2, help="Of torch.")
def main(resolutions: str, frames: str, samples: int, seed: int, threads: int) -> None:
    """Sample, compare, print."""
    torch.set_num_threads(threads)
    trial = Trial(seed=seed, samples=samples)
    grid = itertools.product(map(float, resolutions.split(",")), map(int, frames.split(",")), B_FACTORS_ANGSTROM2)
    rows = []
    for case in (Case(*each) for each in grid):
        rows += try_case(trial, case)
        click.echo(f"{case}: " + ", ".join(f"{row['map']} {row['ca']:.2f} Å" for row in rows[-2:]), err=True)
    table = pd.DataFrame(rows)
    print_table(table)
    wrong = table[table["b_factor"] != 0].groupby("map")["ca"].mean()
    click.echo(f"sharpness: {wrong['kept'] - wrong['matched']:.2f}")


if __name__ == "__main__":
    run_stage(main)
