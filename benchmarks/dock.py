#!/usr/bin/env python3
"""Docking: how often it finds the pose, how near, and how long it takes.

Held-out frames of adenylate kinase's path are put into maps in random poses at 4, 6 and 8 Å, with noise of
half and of the whole of the map's standard deviation, band-limited to the map's resolution (so that no
filter removes it). The right conformer, one from the middle of the way and the wrong one are docked into
each map.

A docking succeeds if the model comes to lie within 2 Å RMSD of its least-squares superposition on the atoms
that made the map, or its rotation within 10 degrees and its centroid within 2 Å. The last line is the share
of successes.

    ./classfold bench dock [--poses 50] [--threads 2]
"""

from __future__ import annotations

import itertools
import math
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bin"))

import click
import gemmi
import numpy as np
import torch
from trial.maps import simulated_map

from classfold.docking import Pose, dock, mirrored, relative_margin
from classfold.errors import run_stage
from classfold.maps import DensityMap, write_map
from classfold.rotations import random_rotation, rotation_angle
from classfold.superposition import apply_pose, rmsd, superpose

RESOLUTIONS_ANGSTROM = (4.0, 6.0, 8.0)
NOISE_LEVELS = (0.5, 1.0)
MODELS = ("right", "middle", "wrong")
RMSD_LIMIT_ANGSTROM, ANGLE_LIMIT_DEGREES = 2.0, 10.0


class Case(NamedTuple):
    """One map."""

    resolution: float
    noise: float
    seed: int
    hand: bool


class Result(NamedTuple):
    """One docking."""

    resolution: float
    noise: float
    model: str
    rmsd: float
    success: bool
    margin: float
    hand: float
    """Score over the score of the mirror image; not a number if that was not asked for."""
    wall: float
    cpu: float


def compare(pose: Pose, model: torch.Tensor, target: torch.Tensor) -> tuple[float, bool]:
    """RMSD in Å from the best superposition, and whether the docking counts as a success."""
    rotation, translation = superpose(model, target)
    ideal = apply_pose(rotation, translation, model)
    found = torch.from_numpy(pose.apply(model.numpy()))
    distance = float(rmsd(found, ideal))
    angle = math.degrees(float(rotation_angle(torch.from_numpy(pose.rotation), rotation)))
    shift = float((found.mean(0) - ideal.mean(0)).norm())
    near = angle <= ANGLE_LIMIT_DEGREES and shift <= RMSD_LIMIT_ANGSTROM
    return distance, distance <= RMSD_LIMIT_ANGSTROM or near


def run_powerfit(
    command: str,
    model: torch.Tensor,
    atoms: torch.Tensor,
    frames: Mapping[str, np.ndarray],
    density_map: DensityMap,
) -> tuple[float, float]:
    """CPU seconds and RMSD in Å of PowerFit's first solution, with its defaults, in a map of 4 Å."""
    structure, chain = gemmi.Structure(), gemmi.Chain("A")
    for i, position in enumerate(model.numpy()):
        number = int(frames["residue_number"][i])
        if not len(chain) or chain[-1].seqid.num != number:
            residue = gemmi.Residue()
            residue.name, residue.seqid = str(frames["residue_name"][i]), gemmi.SeqId(str(number))
            chain.add_residue(residue)
        atom = gemmi.Atom()
        atom.name, atom.element = str(frames["atom_name"][i]), gemmi.Element(str(frames["element"][i]))
        atom.pos = gemmi.Position(*position)
        chain[-1].add_atom(atom)
    structure.add_model(gemmi.Model("1"))
    structure[0].add_chain(chain)
    with tempfile.TemporaryDirectory() as folder:
        structure.write_pdb(f"{folder}/model.pdb")
        write_map(Path(folder, "map.mrc"), density_map)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        inputs = [f"{folder}/map.mrc", "4.0", f"{folder}/model.pdb"]
        subprocess.run([command, *inputs, "-a", "10", "-n", "1", "-d", folder], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        solution = gemmi.read_structure(f"{folder}/fit_1.pdb")[0]
    fitted = torch.tensor([site.atom.pos.tolist() for site in solution.all()]).double()
    return seconds, float(rmsd(fitted, atoms))


def print_table(results: list[Result]) -> None:
    """One line for each resolution, noise level and model."""
    click.echo(f"{'map':>5} {'noise':>5} {'model':>7} {'right':>9} {'median Å':>9} {'worst Å':>8} "
               f"{'margin':>7} {'hand':>6} {'CPU s':>6} {'wall s':>7}")  # fmt: skip
    for resolution, noise, model in itertools.product(RESOLUTIONS_ANGSTROM, NOISE_LEVELS, MODELS):
        rows = [row for row in results if row[:3] == (resolution, noise, model)]
        if not rows:
            continue
        n_right = sum(row.success for row in rows)
        distances = [row.rmsd for row in rows]
        margin, hand, wall, cpu = (
            np.median([getattr(row, name) for row in rows]) for name in ("margin", "hand", "wall", "cpu")
        )
        click.echo(
            f"{resolution:4.0f}Å {noise:5.1f} {model:>7} {n_right:4d}/{len(rows):<4d} {np.median(distances):9.2f} "
            f"{max(distances):8.2f} {margin:7.2f} {hand:6.2f} {cpu:6.2f} {wall:7.2f}"
        )


def dock_case(atoms: torch.Tensor, models: dict[str, torch.Tensor], weights: np.ndarray, case: Case) -> list[Result]:
    """Dock each of the models into one map of ``atoms``."""
    single = atoms.float(), torch.tensor(weights).float()
    density_map = simulated_map(*single, case.resolution, case.noise, case.seed)
    results = []
    for name, model in models.items():
        wall, cpu = time.perf_counter(), time.process_time()
        found = dock(model.numpy(), weights, density_map, case.resolution)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        hand = math.nan
        if case.hand and name == "right":
            other = dock(mirrored(model.numpy()), weights, density_map, case.resolution)
            hand = found[0].score / other[0].score
        results.append(
            Result(
                *(case.resolution, case.noise, name),
                *compare(found[0], model, atoms),
                *(relative_margin(found), hand, wall, cpu),
            )
        )
    return results


@click.command(context_settings={"show_default": True}, help=__doc__)
@click.option("--poses", default=50, help="Random poses.")
@click.option("--threads", default=2, help="Of torch.")
@click.option("--hand/--no-hand", default=True, help="Dock the mirror image of the right model as well.")
@click.option("--seed", default=0, help="Of poses and noise.")
@click.option("--powerfit", default="powerfit", help="Command of PowerFit, which needs NumPy 2: another environment.")
def main(poses: int, threads: int, hand: bool, seed: int, powerfit: str) -> None:
    """Dock, count, print."""
    torch.set_num_threads(threads)
    frames = np.load(ROOT / "assets/demo/adk_path.npz")
    weights = np.array([gemmi.Element(str(symbol)).atomic_number for symbol in frames["element"]], float)
    # One of the two transitions, from closed to open.
    held_out = np.flatnonzero(frames["held_out"] & (frames["frame"] < 98))
    path = torch.from_numpy(frames["coordinates"][held_out] * 0.01).double()
    results: list[Result] = []
    for number in range(poses):
        ends = path[number % 6], path[-1 - number % 6]
        right, wrong = ends if number % 2 else ends[::-1]
        models = dict(zip(MODELS, (right, path[len(path) // 2], wrong), strict=True))
        for resolution, noise in itertools.product(RESOLUTIONS_ANGSTROM, NOISE_LEVELS):
            case = Case(resolution, noise, seed + 1000 * number + int(10 * resolution + 2 * noise), hand)
            generator = torch.Generator().manual_seed(case.seed)
            shift = 40 * torch.randn(3, generator=generator, dtype=torch.float64)
            atoms = apply_pose(random_rotation(case.seed, torch.float64), shift, right)
            results += dock_case(atoms, models, weights, case)
        n_right = sum(row.success for row in results)
        click.echo(f"pose {number + 1} of {poses}: {n_right} of {len(results)} right", err=True)
    print_table(results)
    if shutil.which(powerfit):
        density_map = simulated_map(atoms.float(), torch.tensor(weights).float(), 4.0, 0.5, seed)
        cpu = time.process_time()
        ours = compare(dock(right.numpy(), weights, density_map, 4.0)[0], right, atoms)[0]
        cpu = time.process_time() - cpu
        seconds, theirs = run_powerfit(powerfit, right, atoms, frames, density_map)
        click.echo(f"the same map of 4 Å, noise 0.5, right model, CPU seconds and Å: ClassFold {cpu:.1f} s, "
                   f"{ours:.2f} Å; PowerFit (10 degrees) {seconds:.1f} s, {theirs:.2f} Å")  # fmt: skip
    else:
        click.echo(f"PowerFit (powerfit-em) is not here as {powerfit}; no comparison was made.")
    n_near = sum(row.rmsd <= RMSD_LIMIT_ANGSTROM for row in results)
    click.echo(f"within {RMSD_LIMIT_ANGSTROM:g} Å RMSD alone: {n_near} of {len(results)}")
    click.echo(f"dock: {sum(row.success for row in results) / len(results):.3f}")


if __name__ == "__main__":
    run_stage(main)
