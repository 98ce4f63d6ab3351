#!/usr/bin/env python3
"""Wrong maps: how often a mirrored map, a wrong molecule, noise or a wrong pixel size is noticed, and how often a
right map is accused.

Held-out frames of adenylate kinase are put into maps in random poses, with noise of half or of the whole of
the map's standard deviation by turns; the right conformer, one from the middle of the way and the wrong one
take turns as the model. Each map is judged as it is and mirrored. Then the model is replaced by another
protein of about its size (a wrong sequence), the map by noise of the same spectrum (junk), and the map's
voxels by such that are 4 % too large or too small. The same is asked of a few maps of the other proteins.

    ./classfold bench hand [--maps 20] [--others 6] [--threads 2]
"""

from __future__ import annotations

import itertools
import sys
import time
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bin"))

import click
import numpy as np
import torch
from trial.maps import noise_map, simulated_map
from trial.proteins import OTHERS, Protein, kinase_path, other_protein

from classfold.docking import dock, mirrored
from classfold.docking_verdict import Hand, Verdict, judge
from classfold.errors import run_stage
from classfold.map_hand import flipped
from classfold.maps import DensityMap
from classfold.pixel_size import PixelSize, fit_scale, judge_pixel_size
from classfold.rotations import random_rotation

RESOLUTIONS_ANGSTROM = (4.0, 6.0)
NOISE_LEVELS = (0.5, 1.0)
WRONG_SCALES = (1.04, 0.96)
SCALE_TOLERANCE = 0.01


def verdict_of(protein: Protein, density_map: DensityMap, resolution: float) -> Verdict:
    """What a model says about a map."""
    coordinates = protein.coordinates.numpy()
    poses, mirror = (
        dock(each, protein.weights, density_map, resolution) for each in (coordinates, mirrored(coordinates))
    )
    return judge(poses, mirror, len(coordinates), resolution)


def scale_of(protein: Protein, density_map: DensityMap, resolution: float, claimed: float) -> PixelSize:
    """What a model says about a map whose voxels are claimed to be larger than they are."""
    voxel = density_map.voxel_size_angstrom * claimed
    stretched = DensityMap(density_map.density, voxel, density_map.origin_angstrom)
    coordinates = protein.coordinates.numpy()
    pose = dock(coordinates, protein.weights, stretched, resolution)[0]
    fit = fit_scale(coordinates, protein.weights, stretched, resolution, pose)
    return judge_pixel_size(fit, voxel, resolution)


class Subject(NamedTuple):
    """A molecule, the model that is docked into its map, and another molecule that is no model of it."""

    name: str
    molecule: Protein
    model: Protein
    decoy: Protein
    noise: float


def kinase_subject(path: list[Protein], number: int) -> Subject:
    """Adenylate kinase, with its right, a middle or its wrong conformer as the model."""
    ends = (path[number % 6], path[-1 - number % 6])
    right, wrong = ends if number % 2 else ends[::-1]
    model = (right, path[len(path) // 2], wrong)[number % 3]
    decoy = other_protein(OTHERS[number % 3])
    return Subject("kinase", right, model, decoy, NOISE_LEVELS[number % 2])


def other_subject(path: list[Protein], number: int) -> Subject:
    """One of the other proteins, with adenylate kinase as the wrong one."""
    molecule = other_protein(OTHERS[number % 3])
    return Subject("others", molecule, molecule, path[number % len(path)], NOISE_LEVELS[number % 2])


class Counts:
    """How often something was flagged, of how many, and the leads on the way."""

    def __init__(self) -> None:
        self.flags: defaultdict[tuple[str, float, str], list[bool]] = defaultdict(list)
        self.values: defaultdict[tuple[str, float, str], list[float]] = defaultdict(list)

    def add(self, subject: Subject, resolution: float, question: str, flag: bool, value: float) -> None:
        """Note one map."""
        self.flags[subject.name, resolution, question].append(flag)
        self.values[subject.name, resolution, question].append(value)

    def text(self, question: str) -> str:
        """3/20 at all resolutions and of all molecules together."""
        flags = [flag for (*_, other), found in self.flags.items() if other == question for flag in found]
        return f"{sum(flags)}/{len(flags)}"

    def print_table(self) -> None:
        """One line for each molecule, resolution and question."""
        click.echo(f"{'of':>6} {'map':>5} {'question':<34} {'flagged':>8} {'least':>8} {'median':>8} {'most':>8}")
        for (name, resolution, question), flags in sorted(self.flags.items()):
            values = self.values[name, resolution, question]
            click.echo(
                f"{name:>6} {resolution:4.0f}Å {question:<34} {sum(flags):4d}/{len(flags):<3d} "
                f"{min(values):8.3f} {np.median(values):8.3f} {max(values):8.3f}"
            )


def judge_map(counts: Counts, subject: Subject, resolution: float, claimed: float, seed: int) -> None:
    """Make one map of a molecule and ask all the questions of it."""
    note = partial(counts.add, subject, resolution)
    molecule, model = subject.molecule, subject.model
    atoms = molecule.coordinates @ random_rotation(seed, torch.float64).mT + 30
    weights = torch.tensor(molecule.weights).float()
    density_map = simulated_map(atoms.float(), weights, resolution, subject.noise, seed)
    plain = verdict_of(model, density_map, resolution)
    other_hand = verdict_of(model, flipped(density_map, 0.0), resolution)
    note("unmirrored: mirrored?", plain.hand is Hand.MIRRORED, plain.hand_lead)
    note("unmirrored: not decided?", plain.hand is Hand.UNDECIDED, plain.hand_lead)
    note("mirrored: mirrored?", other_hand.hand is Hand.MIRRORED, other_hand.hand_lead)
    note("right molecule: not found?", not plain.found, plain.lead)
    decoy = verdict_of(subject.decoy, density_map, resolution)
    note("wrong molecule: not found?", not decoy.found, decoy.lead)
    junk = verdict_of(model, noise_map(density_map, resolution, seed), resolution)
    note("noise: not found?", not junk.found, junk.lead)
    size = scale_of(molecule, density_map, resolution, claimed)
    near = size.is_doubtful and abs(size.fit.scale / claimed - 1) <= SCALE_TOLERANCE
    note("pixel size off by 4 %: within 1 %?", near, size.fit.scale / claimed)
    size = scale_of(model, density_map, resolution, 1.0)
    note("pixel size right: doubted?", size.is_doubtful, size.fit.scale)


@click.command(context_settings={"show_default": True}, help=__doc__)
@click.option("--maps", default=20, help="Maps of adenylate kinase at each resolution.")
@click.option("--others", default=6, help="Maps of other proteins at each resolution.")
@click.option("--threads", default=2, help="Of torch.")
@click.option("--seed", default=0, help="Of poses and noise.")
def main(maps: int, others: int, threads: int, seed: int) -> None:
    """Judge, count, print."""
    torch.set_num_threads(threads)
    path, counts, cpu = kinase_path(), Counts(), time.process_time()
    subjects = [kinase_subject(path, number) for number in range(maps)]
    subjects += [other_subject(path, number) for number in range(others)]
    for (number, subject), resolution in itertools.product(enumerate(subjects), RESOLUTIONS_ANGSTROM):
        claimed = WRONG_SCALES[number // 2 % 2]
        judge_map(counts, subject, resolution, claimed, seed + 1000 * number + int(resolution))
        click.echo(f"map {number + 1} of {len(subjects)}, {resolution:g} Å", err=True)
    counts.print_table()
    click.echo("least, median and most: leads in standard errors (over the mirror image where the hand is asked for,")
    click.echo("the largest of all where the molecule is), and scales over the true one")
    click.echo(f"{time.process_time() - cpu:.0f} CPU s")
    click.echo(
        f"hand: mirrored {counts.text('mirrored: mirrored?')}, unmirrored accused "
        f"{counts.text('unmirrored: mirrored?')}; wrong molecule {counts.text('wrong molecule: not found?')}, "
        f"noise {counts.text('noise: not found?')}, right molecule accused "
        f"{counts.text('right molecule: not found?')}; pixel size off by 4 % found within 1 % "
        f"{counts.text('pixel size off by 4 %: within 1 %?')}, right one doubted "
        f"{counts.text('pixel size right: doubted?')}"
    )


if __name__ == "__main__":
    run_stage(main)
