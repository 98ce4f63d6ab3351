#!/usr/bin/env python3
"""What differs between classes: how often the verdict is right, and the smallest motion that is called.

Maps are simulated from frames of adenylate kinase's path, with noise of half their standard deviation, in half
maps. The models are these frames with a smooth random displacement of 0.5 Å rms, three for each class: samples have
errors of that size, but such models have not followed their map's noise. Closed against closed is to be "same
conformation", closed against open "different"; then the second class walks along the path until the verdict is
"different" in 95 % of the pairs. The last line is the share of right verdicts.

    ./classfold bench difference [--pairs 20] [--steps 6]
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bin"), str(ROOT / "demo")]

import click
import numpy as np
import torch
from adk_path import AdkPath, read_path
from trial.maps import simulated_halves

from classfold.comparison import ca_rmsd
from classfold.comparison_output import ClassModel, judge_classes
from classfold.difference_verdict import Verdict
from classfold.errors import run_stage
from classfold.maps import DensityMap
from classfold.shown_difference import noise_by_halves

RESOLUTIONS_ANGSTROM = (4.0, 6.0, 8.0)
CLOSED, OPEN = 4, 190
WALK = (5, 11, 13, 19, 21, 27)
MODELS, ERROR_ANGSTROM, SMOOTH_ANGSTROM = 3, 0.5, 5.0
CALLED = 0.95


def like_a_sample(path: AdkPath, frame: int, random: np.random.Generator) -> np.ndarray:
    """A frame (n_atoms, 3) with residues displaced at random, those near each other alike."""
    atoms = path.at(frame)
    ca = atoms[path.topology.ca_indices()]
    alike = np.exp(-0.5 * np.square(ca[:, None] - ca).sum(-1) / SMOOTH_ANGSTROM**2)
    step = alike @ random.standard_normal(ca.shape)
    step *= ERROR_ANGSTROM / np.sqrt(np.square(step).sum(1).mean())
    return atoms + step[path.topology.residue_index]


def make_class(path: AdkPath, frame: int, resolution: float, noise: float, seed: int) -> ClassModel:
    """A class of one frame: its map by two halves, and its models."""
    atoms, weights = torch.from_numpy(path.at(frame)).float(), torch.from_numpy(path.topology.atomic_numbers).float()
    first, second = simulated_halves(atoms, weights, resolution, noise, seed)
    mean = DensityMap(0.5 * (first.density + second.density), first.voxel_size_angstrom, first.origin_angstrom)
    random = np.random.default_rng(seed)
    models = tuple(like_a_sample(path, frame, random) for _ in range(MODELS))
    halves = noise_by_halves(mean, first.density, second.density)
    return ClassModel(str(seed), models[0], mean, resolution, models, halves)


def verdicts(path: AdkPath, frame: int, resolution: float, noise: float, seeds: range) -> list[Verdict]:
    """Of the closed frame against another, once for every seed."""
    found = []
    for seed in seeds:
        sides = enumerate((CLOSED, frame))
        pair = [make_class(path, each, resolution, noise, 2 * seed + k) for k, each in sides]
        found.append(judge_classes(path.topology, *pair, path.topology.ca_indices())[0].verdict)
    return found


@click.command(context_settings={"show_default": True}, help=__doc__)
@click.option("--pairs", default=20, help="Of each kind and resolution.")
@click.option("--steps", default=len(WALK), help="Along the path.")
@click.option("--noise", default=0.5, help="Of the maps, in their own standard deviations.")
@click.option("--seed", default=0, help="Of noise and models.")
def main(pairs: int, steps: int, noise: float, seed: int) -> None:
    """Judge, count, print."""
    torch.set_num_threads(1)
    path, seeds = read_path(), range(seed, seed + pairs)
    ca, right = path.topology.ca_indices(), 0
    kinds = {CLOSED: Verdict.SAME, OPEN: Verdict.DIFFERENT}
    for resolution, frame in itertools.product(RESOLUTIONS_ANGSTROM, kinds):
        n = verdicts(path, frame, resolution, noise, seeds).count(kinds[frame])
        right += n
        click.echo(f"{resolution:g} Å, frame {frame} against {CLOSED}: {kinds[frame]} in {n} of {pairs}")
    for resolution in RESOLUTIONS_ANGSTROM if steps else ():
        for frame in WALK[:steps]:
            share = verdicts(path, frame, resolution, noise, seeds).count(Verdict.DIFFERENT) / pairs
            motion = ca_rmsd(path.at(frame)[ca], path.at(CLOSED)[ca])
            click.echo(f"{resolution:g} Å  {motion:4.2f} Å  {'#' * round(20 * share):20} {share:4.0%}")
            if share >= CALLED:
                click.echo(f"{resolution:g} Å: smallest motion called: {motion:.2f} Å RMSD")
                break
    click.echo(f"difference: {right / (2 * pairs * len(RESOLUTIONS_ANGSTROM)):.3f}")


if __name__ == "__main__":
    run_stage(main)
