#!/usr/bin/env python3
"""What differs between classes: how often the verdict is right, and the smallest motion that is called.

Maps are simulated from adenylate kinase's second path between closed and open, with noise in half maps. The models are
these conformations with a smooth random displacement of 0.5 Å rms, three for each class: samples have errors of that
size, but such models have not followed their map's noise. Two maps of one conformation, each pair of another one, are
to be "same conformation", closed against open "different". The thresholds were set on frames of the first path and on
frame 190, none of which is used here.

With --pool, classes with guided models are judged, too: those that bench selection drew for maps of two conformations
at several resolutions and levels of noise; every pair of maps of one conformation is to be "same".

Then the second class walks along the path: the smallest motion (Cα RMSD) that is called "different" in 95 % of the
pairs, at each resolution and level of noise. The last line is the share of right verdicts.

    ./classfold bench difference [--pairs 20] [--no-half_maps] [--no-curve] [--plot docs/smallest_motion.svg]
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bin"), str(ROOT / "demo")]

import click
import numpy as np
import torch
from adk_path import AdkPath, read_path
from trial.guided_classes import guided_classes
from trial.maps import simulated_halves
from trial.plot import Axes, drawn_lines

from classfold.class_models import ClassModel
from classfold.comparison import ca_rmsd
from classfold.difference_verdict import Verdict
from classfold.errors import run_stage
from classfold.half_maps import HalfMaps
from classfold.judged_classes import judge_classes
from classfold.topology import Topology

RESOLUTIONS_ANGSTROM = (4.0, 6.0, 8.0)
ONE_CONFORMATION = (102, 118, 134, 150, 166, 182)
CLOSED, OPEN = (101, 102, 103), (197, 198, 199)
MODELS, ERROR_ANGSTROM, SMOOTH_ANGSTROM = 3, 0.5, 5.0
WALK = (102, 110, 118, 126, 134, 142, 150, 158, 166)
WALK_RESOLUTIONS_ANGSTROM = (4.0, 6.0, 8.0, 10.0, 12.0)
NOISE = (0.5, 1.0)
"""Of the maps, in their own standard deviations; the first of them in the verdicts."""
MOTIONS_ANGSTROM = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.2, 1.4, 1.6, 2.0, 2.5, 3.0, 3.5, 4.0)
CALLED = 0.95


@dataclass(frozen=True)
class Conditions:
    """What the maps of a pair are like."""

    resolution_angstrom: float
    noise: float
    half_maps: bool


def like_a_sample(topology: Topology, atoms: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Atoms (n_atoms, 3) with residues displaced at random, those near each other alike."""
    ca = atoms[topology.ca_indices()]
    alike = np.exp(-0.5 * np.square(ca[:, None] - ca).sum(-1) / SMOOTH_ANGSTROM**2)
    step = alike @ random.standard_normal(ca.shape)
    step *= ERROR_ANGSTROM / np.sqrt(np.square(step).sum(1).mean())
    return atoms + step[topology.residue_index]


def make_class(topology: Topology, atoms: np.ndarray, conditions: Conditions, seed: int) -> ClassModel:
    """A class of one conformation (n_atoms, 3): its map by two halves, and its models."""
    points, weights = torch.from_numpy(atoms).float(), torch.from_numpy(topology.atomic_numbers).float()
    resolution = conditions.resolution_angstrom
    halves = HalfMaps(*simulated_halves(points, weights, resolution, conditions.noise, seed))
    mean = replace(halves.first, density=0.5 * (halves.first.density + halves.second.density))
    random = np.random.default_rng(seed)
    models = tuple(like_a_sample(topology, atoms, random) for _ in range(MODELS))
    noise = halves.noise.density if conditions.half_maps else None
    return ClassModel(str(seed), models[0], mean, resolution, models, noise)


def verdict(topology: Topology, pair: Sequence[np.ndarray], conditions: Conditions, seed: int) -> Verdict:
    """Of two conformations (n_atoms, 3), each with its own noise."""
    classes = [make_class(topology, atoms, conditions, 2 * seed + k) for k, atoms in enumerate(pair)]
    return judge_classes(topology, *classes, topology.ca_indices())[0].verdict


def count_right(path: AdkPath, resolution: float, half_maps: bool, seeds: range) -> int:
    """Judge pairs of one conformation, and closed against open; print and count the right verdicts."""
    conditions, right = Conditions(resolution, NOISE[0], half_maps), 0
    cases = (
        ("one conformation", Verdict.SAME, [(frame, frame) for frame in ONE_CONFORMATION]),
        ("closed and open", Verdict.DIFFERENT, list(itertools.product(CLOSED, OPEN))),
    )
    for name, wanted, frames in cases:
        pairs = itertools.cycle([tuple(path.at(frame) for frame in pair) for pair in frames])
        found = [verdict(path.topology, pair, conditions, seed) for seed, pair in zip(seeds, pairs, strict=False)]
        right += found.count(wanted)
        others = ", ".join(f"{found.count(each)} {each}" for each in Verdict if each is not wanted and each in found)
        said = f"{resolution:g} Å, {name}: {wanted} in {found.count(wanted)} of {len(found)}"
        click.echo(said + (f" ({others})" if others else ""))
    return right


def judge_guided(path: AdkPath, pool: Path) -> None:
    """Judge every pair of classes with guided models; print how many verdicts are right, and what is wrong."""
    ca, right = path.topology.ca_indices(), 0
    shown: dict[Verdict, list[float]] = {Verdict.SAME: [], Verdict.DIFFERENT: []}
    for (one, first), (other, second) in itertools.combinations(guided_classes(pool).items(), 2):
        wanted = Verdict.SAME if one.frame == other.frame else Verdict.DIFFERENT
        judged = judge_classes(path.topology, first, second, ca)[0]
        right += judged.verdict is wanted
        shown[wanted].append(abs(judged.evidence.motion_angstrom))
        if judged.verdict is not wanted:
            click.echo(f"guided, not {wanted}: {judged.reason}")
    for wanted, motions in shown.items():
        click.echo(f"guided models, {len(motions)} pairs, {wanted}: shown {min(motions):.2f} to {max(motions):.2f} Å")
    click.echo(f"guided models: {right} of {sum(map(len, shown.values()))} verdicts right")


def walked(path: AdkPath) -> dict[float, np.ndarray]:
    """Conformations (n_atoms, 3) by their Cα RMSD from the start of the walk, straight from frame to frame."""
    ca, stops = path.topology.ca_indices(), np.stack([path.at(frame) for frame in WALK])
    places = np.linspace(0, len(WALK) - 1, 20 * len(WALK))
    atoms = [stops[int(k)] + (k % 1) * (stops[min(int(k) + 1, len(WALK) - 1)] - stops[int(k)]) for k in places]
    gone = np.maximum.accumulate([ca_rmsd(each[ca], stops[0][ca]) for each in atoms])
    nearest = {motion: int(np.abs(gone - motion).argmin()) for motion in MOTIONS_ANGSTROM}
    return {ca_rmsd(atoms[k][ca], stops[0][ca]): atoms[k] for k in nearest.values()}


def is_called(topology: Topology, pair: Sequence[np.ndarray], conditions: Conditions, seeds: range) -> bool:
    """Whether enough pairs come out as different; ends when they cannot any more."""
    missed, allowed = 0, len(seeds) * (1 - CALLED) + 1e-9
    for seed in seeds:
        missed += verdict(topology, pair, conditions, seed) is not Verdict.DIFFERENT
        if missed > allowed:
            return False
    return True


def smallest_motion(path: AdkPath, steps: dict[float, np.ndarray], conditions: Conditions, seeds: range) -> float:
    """By bisection, Å; NaN where even the largest is not called."""
    motions, start = sorted(steps), path.at(WALK[0])
    first, end = 0, len(motions)
    while first < end:
        middle = (first + end) // 2
        if is_called(path.topology, (start, steps[motions[middle]]), conditions, seeds):
            end = middle
        else:
            first = middle + 1
    return motions[first] if first < len(motions) else float("nan")


@click.command(context_settings={"show_default": True}, help=__doc__)
@click.option("--pairs", type=click.IntRange(min=1), default=20, help="Of each kind, resolution, and step of the walk.")
@click.option("--half_maps/--no-half_maps", default=True, help="Whether the noise is known by half maps.")
@click.option("--curve/--no-curve", default=True, help="Whether to look for the smallest motion.")
@click.option("--plot", type=click.Path(path_type=Path), help="Where to draw the smallest motion, as SVG.")
@click.option("--pool", type=click.Path(path_type=Path, dir_okay=False), help="Samples, to judge guided models, too.")
@click.option("--seed", default=0, help="Of noise and models.")
def main(pairs: int, half_maps: bool, curve: bool, plot: Path | None, pool: Path | None, seed: int) -> None:
    """Judge, count, print."""
    torch.set_num_threads(1)
    path, seeds = read_path(), range(seed, seed + pairs)
    right = sum(count_right(path, resolution, half_maps, seeds) for resolution in RESOLUTIONS_ANGSTROM)
    if pool:
        judge_guided(path, pool)
    steps, curves = walked(path), {}
    for noise in NOISE if curve else ():
        found = []
        for resolution in WALK_RESOLUTIONS_ANGSTROM:
            motion = smallest_motion(path, steps, Conditions(resolution, noise, half_maps), seeds)
            click.echo(f"noise {noise:g}, {resolution:g} Å: smallest motion called {motion:.2f} Å")
            found.append((resolution, motion))
        curves[f"noise {noise:g}"] = found
    if plot and curves:
        axes = Axes("resolution of the maps, Å", "smallest motion called, Å (Cα RMSD)")
        plot.write_text(drawn_lines(axes, curves), encoding="utf-8")
    click.echo(f"difference: {right / (2 * pairs * len(RESOLUTIONS_ANGSTROM)):.3f}")


if __name__ == "__main__":
    run_stage(main)
