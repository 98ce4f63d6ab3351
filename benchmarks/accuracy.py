#!/usr/bin/env python3
"""The accuracy grid: ClassFold's guidance against the two published schedules, and what each stage is good for.

Targets are frames along adenylate kinase's path, from closed to open, that the miniature prior never saw; maps at
3, 4, 6 and 8 Å with noise of half and of the whole of the map's standard deviation, band-limited to the resolution.
Every cell is three seeds, one sample each, none stopped: it is guidance that is compared, not the choice between
samples. The closed structure is docked into each map as the pipeline does it. RMSDs are in the map's frame, without
superposition.

The published ways take the gradient through the network, with the paper's λ, number of cloud points and all-atom
Sinkhorn divergence at a blur of 0.05 Å. That is computed by bin/classfold/sinkhorn.py (its gradient's cosine with
geomloss's is above 0.998): with geomloss itself the grid would take many hours.

The ablation (at 4 Å and the lower noise) leaves out one stage or both, and tries mixed guidance. The last line is
the mean over the cells of the better published schedule's median Cα RMSD minus ours: positive is better.

    ./classfold bench accuracy [--processes 2] [--output accuracy.csv]
"""

from __future__ import annotations

import contextlib
import io
import itertools
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bin"), str(ROOT / "demo")]

import click
import pandas as pd
import torch
from torch import Tensor
from trial.guided import OURS, PUBLISHED_EXPERIMENTAL, PUBLISHED_SYNTHETIC, Trial, Way
from trial.maps import simulated_map

from classfold.class_task import ClassTask
from classfold.course import Course
from classfold.geometry import GeometryJudge
from classfold.guided_sampling import GuidedSampler
from classfold.schedule import GuidanceMode, Stage
from classfold.sinkhorn import Annealing, transport
from classfold.superposition import rmsd
from classfold.target_run import TargetRun

WAYS = (OURS, PUBLISHED_EXPERIMENTAL, PUBLISHED_SYNTHETIC)
MIXED = Way("mixed", GuidanceMode.MIXED, "auto")
RESOLUTIONS_ANGSTROM = (3.0, 4.0, 6.0, 8.0)
NOISE_LEVELS = (0.5, 1.0)
FRAMES = (4, 43, 69, 190)
SEEDS = (1, 2, 3)
PUBLISHED_ANNEALING = Annealing(start=100.0, blur=0.05, reach=10.0)
LEFT_OUT = {
    "both": frozenset[Stage](),
    "global only": frozenset({Stage.LOCAL}),
    "local only": frozenset({Stage.GLOBAL}),
    "none": frozenset({Stage.GLOBAL, Stage.LOCAL}),
}
ABLATION_MAP = (4.0, 0.5)


class Case(NamedTuple):
    """One map of one seed."""

    frame: int
    resolution: float
    noise: float
    seed: int


class Treatment(NamedTuple):
    """How a map is treated: in which way, and in which stages the samples are guided."""

    way: str
    stages: str


class Result(NamedTuple):
    """One sample."""

    frame: int
    resolution: float
    noise: float
    seed: int
    way: str
    stages: str
    ca_angstrom: float
    all_angstrom: float
    fit: float
    ca_outliers: int
    clashscore: float


class AllAtomTransport:
    """The published global energy between all atoms and the points, each side of mass one, without the self-terms."""

    def __init__(self, points: Tensor) -> None:
        self.points = points

    def value_and_gradient(self, coordinates: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Energies (b,) and gradients (b, n_atoms, 3)."""
        points = self.points.expand(len(coordinates), -1, -1)
        masses = [side.new_full(side.shape[:2], 1 / side.shape[1]) for side in (coordinates, points)]
        moved = transport(coordinates, masses[0], points, masses[1], PUBLISHED_ANNEALING)
        return -moved.kept, moved.gradient


@dataclass
class AblatedCourse:
    """A course without guidance in some of its stages."""

    course: Course
    left_out: frozenset[Stage]

    def stage_at(self, step: int) -> Stage:
        """Stage of the step; one that is left out is as the relaxation."""
        stage = self.course.stage_at(step)
        return Stage.RELAXATION if stage in self.left_out else stage

    def strength_at(self, step: int) -> float:
        """Strength of the step."""
        return self.course.strength_at(step)

    def note(self, step: int, loss: float) -> None:
        """The loss that the step found."""
        self.course.note(step, loss)


@dataclass(frozen=True)
class AblatedRun(TargetRun):
    """A run whose samples are not guided in some stages."""

    left_out: frozenset[Stage]

    def new_course(self, resolution_angstrom: float) -> Course:
        """A course at its start."""
        return AblatedCourse(super().new_course(resolution_angstrom), self.left_out)


@cache
def trial_of(seed: int) -> Trial:
    """The prior and the warm-up states of one seed, once in each process."""
    return Trial(seed=seed, samples=1)


def sample_one(trial: Trial, way: Way, task: ClassTask, left_out: frozenset[Stage]) -> tuple[Tensor, float]:
    """Real atoms (n_atoms, 3) of one sample, and its fit to the map."""
    sampler = GuidedSampler(AblatedRun(**vars(trial.run(way)), left_out=left_out), [task])
    if way.is_published:
        sampler.energies = replace(sampler.energies, global_=AllAtomTransport(task.cloud.points))
    model = trial.coordinates(sampler.sample())
    return model[0], float(sampler.energies.local.correlation(model, torch.zeros(1, dtype=torch.long))[0])


def treatments(case: Case) -> list[Treatment]:
    """What is tried on a map: every way, and on those of the ablation also without some stages."""
    plain = [Treatment(way.name, "both") for way in WAYS]
    if (case.resolution, case.noise) != ABLATION_MAP:
        return plain
    ablated = [Treatment(way.name, stages) for way in WAYS for stages in LEFT_OUT if stages != "both"]
    return [*plain, *ablated, Treatment(MIXED.name, "both")]


def try_case(case: Case, wanted: list[Treatment]) -> list[Result]:
    """Sample one map in some ways."""
    torch.set_num_threads(1)
    trial = trial_of(case.seed)
    true = torch.from_numpy(trial.path.at(case.frame)).float()
    ca = torch.from_numpy(trial.path.topology.ca_indices())
    judge = GeometryJudge(trial.path.topology)
    weights = torch.from_numpy(trial.weights).float()
    density_map = simulated_map(true, weights, case.resolution, case.noise, 100 * case.frame + case.seed)
    results = []
    with contextlib.redirect_stdout(io.StringIO()):
        for treatment in wanted:
            way = next(way for way in (*WAYS, MIXED) if way.name == treatment.way)
            task = trial.task("class", density_map, case.resolution, way.is_published)
            model, fit = sample_one(trial, way, task, LEFT_OUT[treatment.stages])
            geometry = judge.judge(model.double().numpy())
            distances = float(rmsd(model[ca], true[ca])), float(rmsd(model, true))
            results.append(Result(*case, *treatment, *distances, fit, geometry.ca_outliers, geometry.clashscore))
    return results


def try_all(cases: list[Case], processes: int, output: Path) -> pd.DataFrame:
    """Every sample of all maps; what the file holds already is not sampled again."""
    done = pd.read_csv(output) if output.is_file() else pd.DataFrame(columns=list(Result._fields))
    known = set(done[[*Case._fields, *Treatment._fields]].itertuples(index=False, name=None))
    missing = {case: [each for each in treatments(case) if (*case, *each) not in known] for case in cases}
    missing = {case: wanted for case, wanted in missing.items() if wanted}
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for number, results in enumerate(pool.map(try_case, missing.keys(), missing.values()), start=1):
            click.echo(f"map {number} of {len(missing)}", err=True)
            new = pd.DataFrame(results)
            done = new if done.empty else pd.concat([done, new], ignore_index=True)
            done.to_csv(output, index=False)
    return done.sort_values(["resolution", "noise"], kind="stable")


def summary(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Medians and worst values of the samples of each way."""
    grouped = table.groupby([*by, "way"], sort=False)
    return pd.DataFrame(
        {
            "Cα median": grouped["ca_angstrom"].median(),
            "Cα worst": grouped["ca_angstrom"].max(),
            "all median": grouped["all_angstrom"].median(),
            "all worst": grouped["all_angstrom"].max(),
            "Cα-Cα outliers": grouped["ca_outliers"].median(),
            "clashscore": grouped["clashscore"].median(),
        }
    ).round(2)


def best_by_fit(table: pd.DataFrame) -> pd.DataFrame:
    """Of the samples of one map target, the one that fits best."""
    groups = table.groupby(["frame", "resolution", "noise", "way"], sort=False)["fit"]
    return table.loc[groups.idxmax()]


@click.command(context_settings={"show_default": True}, help=__doc__)
@click.option("--processes", default=2, help="Maps that are worked on at once, each with one thread.")
@click.option("--seeds", default=3, help="Samples of each map and way.")
@click.option("--frames", default=",".join(map(str, FRAMES)), help="Targets: frames of the path, held out.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default="accuracy.csv",
    help="CSV with every sample; those that it holds are not drawn again.",
)
def main(processes: int, seeds: int, frames: str, output: Path) -> None:
    """Measure and print."""
    chosen = [int(frame) for frame in frames.split(",")]
    grid = itertools.product(range(1, seeds + 1), RESOLUTIONS_ANGSTROM, NOISE_LEVELS, chosen)
    cases = [Case(frame, resolution, noise, seed) for seed, resolution, noise, frame in grid]
    table = try_all(cases, processes, output)
    both = table[(table["stages"] == "both") & (table["way"] != MIXED.name)]
    click.echo(summary(both, ["resolution", "noise"]).to_string())
    click.echo("\nby target\n" + summary(both, ["frame"]).to_string())
    click.echo("\nbest of the seeds by fit\n" + summary(best_by_fit(both), ["resolution", "noise"]).to_string())
    ablation = table[(table["resolution"] == ABLATION_MAP[0]) & (table["noise"] == ABLATION_MAP[1])]
    click.echo("\nablation\n" + summary(ablation, ["stages"]).to_string())
    median = both.groupby(["resolution", "noise", "way"])["ca_angstrom"].median().unstack()
    gain = median[[PUBLISHED_EXPERIMENTAL.name, PUBLISHED_SYNTHETIC.name]].min(axis=1) - median[OURS.name]
    click.echo(f"cells in which ours is no worse: {int((gain >= 0).sum())} of {len(gain)}; worst {gain.min():.2f} Å")
    click.echo(f"accuracy: {gain.mean():.2f}")


if __name__ == "__main__":
    main()
