#!/usr/bin/env python3
"""Docking: how often it finds the pose, how near, how long it takes, and whether a miss is noticed.

Held-out frames of adenylate kinase's path are put into maps in random poses at 4, 6 and 8 Å, with noise of
half and of the whole of the map's standard deviation, band-limited to the map's resolution (so that no
filter removes it). The right conformer, one from the middle of the way and the wrong one take turns as the
model.

A docking is right if the model comes to lie within 2 Å RMSD of its least-squares superposition on the atoms
that made the map, or its rotation within 10 degrees and its centroid within 2 Å. It is flagged if the
pipeline would warn: nothing stands out in the map, several poses fit equally well, or the model fits only in
part, as models of another conformation do.

PowerFit, if it is there, docks into the first --powerfit-maps of the same maps. It is fetched with

\b
    python3 -m venv ~/.cache/powerfit/v
    ~/.cache/powerfit/v/bin/pip install powerfit-em==6.0.2

The last line is the share of dockings that are right.

    ./classfold bench dock [--poses 50] [--threads 2]
"""

from __future__ import annotations

import itertools
import math
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bin"))

import click
import numpy as np
import torch
from trial import powerfit
from trial.maps import simulated_map
from trial.proteins import Protein, kinase_path

from classfold.docking import dock, mirrored
from classfold.docking_verdict import judge
from classfold.errors import run_stage
from classfold.maps import DensityMap
from classfold.rotations import random_rotation, rotation_angle
from classfold.superposition import apply_pose, rmsd, superpose

RESOLUTIONS_ANGSTROM = (4.0, 6.0, 8.0)
NOISE_LEVELS = (0.5, 1.0)
MODELS = ("right", "middle", "wrong")
RMSD_LIMIT_ANGSTROM, ANGLE_LIMIT_DEGREES = 2.0, 10.0


class Case(NamedTuple):
    """One map, and the model that is docked into it."""

    resolution: float
    noise: float
    model_name: str
    model: Protein
    atoms: torch.Tensor
    """(n_atoms, 3) that made the map."""
    density_map: DensityMap


class Result(NamedTuple):
    """One docking."""

    resolution: float
    noise: float
    model: str
    rmsd: float
    right: bool
    flagged: bool
    hand_lead: float
    cpu: float
    wall: float


def compare(found: torch.Tensor, model: torch.Tensor, target: torch.Tensor) -> tuple[float, bool]:
    """RMSD in Å of a docked model ``(n, 3)`` from its best superposition, and whether the docking is right."""
    rotation, translation = superpose(model, target)
    ideal = apply_pose(rotation, translation, model)
    distance = float(rmsd(found, ideal))
    angle = math.degrees(float(rotation_angle(superpose(model, found)[0], rotation)))
    shift = float((found.mean(0) - ideal.mean(0)).norm())
    near = angle <= ANGLE_LIMIT_DEGREES and shift <= RMSD_LIMIT_ANGSTROM
    return distance, distance <= RMSD_LIMIT_ANGSTROM or near


def make_case(path: list[Protein], number: int, resolution: float, noise: float, seed: int) -> Case:
    """The map of a held-out frame in a random pose, and the model whose turn it is."""
    ends = path[number % 6], path[-1 - number % 6]
    right, wrong = ends if number % 2 else ends[::-1]
    turn = number + RESOLUTIONS_ANGSTROM.index(resolution) + NOISE_LEVELS.index(noise)
    name = MODELS[turn % len(MODELS)]
    seed += 1000 * number + int(10 * resolution + 2 * noise)
    shift = 40 * torch.randn(3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    atoms = apply_pose(random_rotation(seed, torch.float64), shift, right.coordinates)
    density_map = simulated_map(atoms.float(), torch.tensor(right.weights).float(), resolution, noise, seed)
    model = {"right": right, "middle": path[len(path) // 2], "wrong": wrong}[name]
    return Case(resolution, noise, name, model, atoms, density_map)


def dock_case(case: Case) -> Result:
    """Dock the model, by the clock, and its mirror image, for the verdict."""
    coordinates, weights = case.model.coordinates.numpy(), case.model.weights
    wall, cpu = time.perf_counter(), time.process_time()
    poses = dock(coordinates, weights, case.density_map, case.resolution)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    mirror = dock(mirrored(coordinates), weights, case.density_map, case.resolution)
    verdict = judge(poses, mirror, len(coordinates), case.resolution)
    distance, right = compare(torch.from_numpy(poses[0].apply(coordinates)), case.model.coordinates, case.atoms)
    flagged = not (verdict.is_certain and verdict.fits)
    return Result(*case[:3], distance, right, flagged, verdict.hand_lead, cpu, wall)


def print_table(results: list[Result]) -> None:
    """One line for each resolution, noise level and model."""
    click.echo(f"{'map':>5} {'noise':>5} {'model':>7} {'right':>9} {'flagged':>7} {'median Å':>9} {'worst Å':>8} "
               f"{'hand':>6} {'least':>6} {'CPU s':>6} {'wall s':>7}")  # fmt: skip
    for resolution, noise, model in itertools.product(RESOLUTIONS_ANGSTROM, NOISE_LEVELS, MODELS):
        rows = [row for row in results if row[:3] == (resolution, noise, model)]
        if not rows:
            continue
        distances, leads = ([getattr(row, name) for row in rows] for name in ("rmsd", "hand_lead"))
        cpu, wall = (np.median([getattr(row, name) for row in rows]) for name in ("cpu", "wall"))
        click.echo(
            f"{resolution:4.0f}Å {noise:5.1f} {model:>7} {sum(row.right for row in rows):4d}/{len(rows):<4d} "
            f"{sum(row.flagged for row in rows):7d} {np.median(distances):9.2f} {max(distances):8.2f} "
            f"{np.median(leads):6.2f} {min(leads):6.2f} {cpu:6.2f} {wall:7.2f}"
        )
    click.echo("hand: standard errors of the lead over the mirror image, median and least")


def print_powerfit(command: str, cases: list[Case], ours: list[Result], threads: int) -> None:
    """Both programs on the same maps, one after the other."""
    click.echo(f"the same maps in PowerFit ({powerfit.ANGLE_DEGREES} degrees, {threads} processes):")
    n_right = 0
    for case, own in zip(cases, ours, strict=True):
        found = powerfit.fit(command, case.model.coordinates, case.density_map, case.resolution, threads)
        distance, right = compare(found.coordinates, case.model.coordinates, case.atoms)
        n_right += right
        click.echo(
            f"{case.resolution:4.0f}Å {case.noise:5.1f} {case.model_name:>7}: ClassFold {own.rmsd:5.2f} Å "
            f"{'right' if own.right else 'wrong'}, {own.cpu:.2f} CPU s, {own.wall:.2f} s; PowerFit {distance:5.2f} Å "
            f"{'right' if right else 'wrong'}, {found.cpu:.0f} CPU s, {found.wall:.0f} s"
        )
    click.echo(f"right: ClassFold {sum(each.right for each in ours)}/{len(ours)}, PowerFit {n_right}/{len(ours)}")


@click.command(context_settings={"show_default": True}, help=__doc__)
@click.option("--poses", default=50, help="Random poses.")
@click.option("--threads", default=2, help="Of torch, and processes of PowerFit.")
@click.option("--seed", default=0, help="Of poses and noise.")
@click.option("--powerfit", "command", help="PowerFit's command; else it is sought on PATH and in ~/.cache/powerfit/v.")
@click.option("--powerfit-maps", default=2, help="Maps for PowerFit, some minutes of CPU each; 0 leaves it out.")
def main(poses: int, threads: int, seed: int, command: str | None, powerfit_maps: int) -> None:
    """Dock, count, print."""
    torch.set_num_threads(threads)
    path, results, cases = kinase_path(), [], []
    for number in range(poses):
        for resolution, noise in itertools.product(RESOLUTIONS_ANGSTROM, NOISE_LEVELS):
            case = make_case(path, number, resolution, noise, seed)
            results.append(dock_case(case))
            if len(cases) < powerfit_maps:
                cases.append(case)
        click.echo(f"pose {number + 1} of {poses}: {sum(r.right for r in results)} of {len(results)} right", err=True)
    print_table(results)
    program = powerfit.find_command(command)
    if program and cases:
        print_powerfit(program, cases, results[: len(cases)], threads)
    elif cases:
        click.echo("PowerFit is not here, so that no comparison was made; --help says how to fetch it.")
    missed = [row for row in results if not row.right]
    click.echo(f"within {RMSD_LIMIT_ANGSTROM:g} Å RMSD alone: "
               f"{sum(row.rmsd <= RMSD_LIMIT_ANGSTROM for row in results)} of {len(results)}; flagged: "
               f"{sum(row.flagged for row in missed)} of {len(missed)} wrong ones, "
               f"{sum(row.flagged for row in results if row.right)} of {len(results) - len(missed)} right ones; "
               f"{np.median([row.cpu for row in results]):.2f} CPU s, "
               f"{np.median([row.wall for row in results]):.2f} s each (median)")  # fmt: skip
    click.echo(f"dock: {1 - len(missed) / len(results):.3f}")


if __name__ == "__main__":
    run_stage(main)
