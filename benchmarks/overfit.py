#!/usr/bin/env python3
"""Over-fitting: whether half maps tell guidance that is too strong, and leave alone guidance that is as it should be.

Half-map pairs of frames of adenylate kinase's path that the miniature prior never saw, with white noise of more than
twice the signal's standard deviation: their FSC is 0.143 at the resolution by construction. As `--half_map_validation`
does it, a sample is guided by the pair's mean and one, with the same random numbers, by the first half map alone; the
gap is what the second has of its FSC in the first beyond what it has in the other, less the same of the first sample.

Four ways of guiding: the default; λ ten times as strong, which the bound of 1 Å for each local step undoes; λ and bound
ten times; and the default without relaxation, guided to the last step. Printed are the average FSC in both half maps,
the gap with its standard error, the limit, and the Cα RMSD to the right structure in the map's frame. The last line is
the share of maps in which the default is let pass and ten times λ without the bound is caught.

    ./classfold bench overfit [--resolutions 3,3.5,4] [--frames 69,190] [--seeds 1]
"""

from __future__ import annotations

import contextlib
import io
import itertools
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bin"), str(ROOT / "demo")]

import click
import numpy as np
import pandas as pd
import torch
from trial.guided import OURS, Trial
from trial.half_maps import box_around, half_maps

from classfold.class_task import ClassTask
from classfold.course import LOCAL_STRENGTH, Course
from classfold.errors import run_stage
from classfold.guided_sampling import GuidedSampler
from classfold.half_map_validation import Validation, judge_halves
from classfold.half_maps import HalfMaps
from classfold.maps import DensityMap
from classfold.schedule import Stage
from classfold.superposition import rmsd
from classfold.target_run import TargetRun

MARGIN_ANGSTROM = 12.0


class Way(NamedTuple):
    """How strongly samples are guided, against the default."""

    name: str
    strength: float = 1.0
    """Of λ."""
    bound: float = 1.0
    """Of the longest local step."""
    to_the_end: bool = False
    """Whether the steps of the relaxation are local ones instead."""


DEFAULT = Way("default")
TEN_TIMES = Way("λ × 10, no bound", strength=10.0, bound=10.0)
WAYS = (DEFAULT, Way("λ × 10", strength=10.0), TEN_TIMES, Way("no relaxation", to_the_end=True))


@dataclass
class ScaledCourse:
    """A course with another strength, and without relaxation if wanted."""

    course: Course
    way: Way

    def stage_at(self, step: int) -> Stage:
        """Stage of the step."""
        stage = self.course.stage_at(step)
        return Stage.LOCAL if self.way.to_the_end and stage is Stage.RELAXATION else stage

    def strength_at(self, step: int) -> float:
        """Strength of the step; in the relaxation, that of the local stage."""
        return self.way.strength * (self.course.strength_at(step) or LOCAL_STRENGTH)

    def note(self, step: int, loss: float) -> None:
        """The loss that the step found."""
        self.course.note(step, loss)


@dataclass(frozen=True)
class ScaledRun(TargetRun):
    """A run whose samples are guided more strongly."""

    way: Way

    def new_course(self, resolution_angstrom: float) -> Course:
        """A course at its start."""
        return ScaledCourse(super().new_course(resolution_angstrom), self.way)


def sampled(trial: Trial, tasks: list[ClassTask], way: Way) -> torch.Tensor:
    """Real atoms (n_tasks, n_atoms, 3) of one sample of each task."""
    sampler = GuidedSampler(ScaledRun(**vars(trial.run(OURS)), way=way), tasks)
    energies = sampler.energies
    sampler.energies = replace(energies, furthest_angstrom=way.bound * energies.furthest_angstrom)
    return trial.coordinates(sampler.sample())


def try_map(frame: int, resolution: float, seed: int) -> list[dict[str, float | str | bool]]:
    """Guide by the mean of a pair of half maps and by the first, in every way."""
    trial = Trial(seed=seed, samples=1)
    true, weights = torch.from_numpy(trial.path.at(frame)).float(), torch.from_numpy(trial.weights).float()
    made = half_maps(true, weights, resolution, box_around(true, resolution / 3, MARGIN_ANGSTROM), 100 * frame + seed)
    origin = np.array(made.grid.origin_angstrom)
    mean, first, second = (
        DensityMap(density, made.grid.voxel_size_angstrom, origin) for density in (made.mean, made.first, made.second)
    )
    ca, rows = torch.from_numpy(trial.path.topology.ca_indices()), []
    with contextlib.redirect_stdout(io.StringIO()):
        whole = trial.task("whole", mean, resolution, False)
        half = replace(whole, target_map=replace(whole.target_map, density=torch.from_numpy(first.density)))
        for way in WAYS:
            models = sampled(trial, [whole, half], way)
            fits = [
                judge_halves(model.double().numpy(), trial.weights, HalfMaps(first, second), resolution)
                for model in models
            ]
            found = Validation(guided=fits[1], whole=fits[0])
            place = {"resolution": resolution, "frame": frame, "seed": seed, "way": way.name}
            distance = float(rmsd(models[0][ca], true[ca]))
            rows.append(place | found.record() | {"ca": distance})
    return rows


def print_rows(rows: list[dict[str, float | str | bool]]) -> None:
    """A line for each way of one map."""
    for row in rows:
        click.echo(
            f"{row['resolution']:4.1f} Å{row['frame']:5d}{row['seed']:3d}  {row['way']:18}{row['fsc_work']:8.3f}"
            f"{row['fsc_free']:8.3f}{row['gap']:8.3f} ± {row['gap_error']:.3f}{row['limit']:8.3f}"
            f"{'caught' if row['overfitted'] else 'passes':>9}{row['ca']:8.2f} Å"
        )


@click.command(context_settings={"show_default": True}, help=__doc__)
@click.option("--resolutions", default="3,3.5,4", help="Of the maps, in Å.")
@click.option("--frames", default="69,190", help="Targets: frames of the path, held out.")
@click.option("--seeds", default=1, type=click.IntRange(min=1), help="Of noise and samples.")
@click.option("--threads", default=2, help="Of torch.")
def main(resolutions: str, frames: str, seeds: int, threads: int) -> None:
    """Sample, judge, print."""
    torch.set_num_threads(threads)
    click.echo("map, frame, seed; way; average FSC in the work and the free map; gap; limit; verdict; Cα RMSD")
    rows = []
    for case in itertools.product(map(int, frames.split(",")), map(float, resolutions.split(",")), range(1, seeds + 1)):
        new = try_map(*case)
        print_rows(new)
        rows += new
    table = pd.DataFrame(rows).pivot(index=["resolution", "frame", "seed"], columns="way", values="overfitted")
    click.echo(table.mean().rename("share caught").to_string())
    told = table[TEN_TIMES.name].astype(bool) & ~table[DEFAULT.name].astype(bool)
    click.echo(f"overfit: {told.mean():.2f}")


if __name__ == "__main__":
    run_stage(main)
