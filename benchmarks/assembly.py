#!/usr/bin/env python3
"""Docking in parts: does it save a class whose map the unguided model does not fit as a whole?

Maps of open adenylate kinase at low resolution with noise, band-limited so that no filter removes it. The miniature
prior's own unguided models are closed, and docked as the pipeline docks them; where that fits badly, they are docked
in parts. Half of the samples then begin as ever, half at the parts put together, and the sample that correlates best
with the map is kept. The last map is of the closed structure: there nothing is to be done.

All distances are of CA atoms to the structure that made the map, as they lie, without superposition; a sample is
off by its worst domain (core, NMP-binding, lid). The last line is the worst sample that was kept where the plain
start failed, that is where its best sample has a domain 5 Å away or more.

    ./classfold bench assembly [--samples 2] [--case 10:1:1]
"""

from __future__ import annotations

import contextlib
import io
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bin"))

import click
import numpy as np
import torch
from trial.guided import OURS, Trial, sampled
from trial.maps import simulated_map

from classfold.assembled_docking import Choice, assemble
from classfold.class_map import ClassMap
from classfold.docked_models import Docked, dock_models, verdict_of
from classfold.embedding_store import sample_seeds
from classfold.errors import run_stage
from classfold.schedule import Start, make_schedule
from classfold.structure import write_model
from classfold.unguided_sampling import UnguidedSampler

CLOSED, OPEN = 0, 97
FAILED_ANGSTROM, GOOD_ANGSTROM = 5.0, 2.0
CASES = ("10:1:1", "12:1:2", "10:1:3", "4:0.5:1")
NMP, LID = range(30, 68), range(118, 161)
"""Residue numbers of the two domains that move; the rest is the core."""


class Case(NamedTuple):
    """One map."""

    frame: int
    resolution: float
    noise: float
    seed: int


class Result(NamedTuple):
    """What became of one map."""

    case: Case
    whole: float
    """Score of the docked model."""
    parts: float
    """Score of the assembly; not a number where none was chosen."""
    n_parts: int
    docked: float
    """Worst domain of the model as docked, in Å."""
    assembled: float
    plain: float
    """Worst domain of the best plain sample, by its own distance: the best that could have been kept."""
    begun: float
    """Worst domain of the best sample that began at the assembly."""
    kept: float
    """Worst domain of the sample that was kept for its correlation with the map."""
    seconds: float
    """Of docking in parts."""


def unguided_models(trial: Trial, number: int) -> list[np.ndarray]:
    """The prior's own models (n_atoms, 3)."""
    sampler = UnguidedSampler(trial.prior, trial.embed(), make_schedule(OURS.schedule, trial.steps), 0)
    seeds = sample_seeds(trial.seed, number, 1)
    final = sampler.finish(sampler.warm_up(seeds), seeds).coordinates
    return list(final[:, trial.prior.atom_mask.bool()].double().numpy())


def worst_domain(trial: Trial, found: np.ndarray, true: np.ndarray) -> float:
    """Root mean square distance in Å of the CA atoms of the domain that is farthest from where it should be."""
    atoms = trial.path.topology.ca_indices()
    number = trial.path.topology.residue_number[atoms]
    square = np.square(found[atoms] - true[atoms]).sum(1)
    nmp, lid = np.isin(number, NMP), np.isin(number, LID)
    return max(math.sqrt(square[domain].mean()) for domain in (nmp, lid, ~(nmp | lid)))


def padded(trial: Trial, coordinates: np.ndarray) -> torch.Tensor:
    """Atoms (n, 3) with padding at their centre."""
    mask = trial.prior.atom_mask
    model = torch.from_numpy(coordinates).to(mask)
    whole = model.mean(0).repeat(len(mask), 1)
    whole[mask.bool()] = model
    return whole


def draw(
    trial: Trial, given: ClassMap, docked: Sequence[Docked], choice: Choice | None
) -> tuple[list[Start], np.ndarray, int]:
    """Samples: where each began, their atoms (n, n_atoms, 3), and which correlates best with the map."""
    best, verdict = docked[0], verdict_of(docked, given.resolution_angstrom)
    places = [pose.apply(best.model.coordinates) for pose in best.poses[: verdict.n_ambiguous]]
    task = replace(
        trial.task("class", given.density_map, given.resolution_angstrom, published=False),
        docked=torch.stack([padded(trial, place) for place in places]),
        assembled=choice and padded(trial, choice.assembly.apply(best.model.coordinates)),
    )
    sampler, particles = sampled(trial, OURS, [task])
    atoms = trial.coordinates(particles)
    fit = sampler.energies.local.correlation(atoms, torch.zeros(len(atoms), dtype=torch.long))
    return [each.start for each in particles], atoms.double().numpy(), int(fit.argmax())


def try_case(trial: Trial, models: Sequence[Path], case: Case) -> Result:
    """Dock as a whole and in parts, sample, and compare with what made the map."""
    true = trial.path.at(case.frame)
    atoms, weights = torch.from_numpy(true).float(), torch.from_numpy(trial.weights).float()
    density_map = simulated_map(atoms, weights, case.resolution, case.noise, case.seed)
    given = ClassMap(density_map, case.resolution, {})
    docked = dock_models(models, given, 1, "cpu")
    started = time.process_time()
    choice = assemble(docked, given, 1, "cpu")
    seconds = time.process_time() - started
    with contextlib.redirect_stdout(io.StringIO()):
        starts, samples, kept = draw(trial, given, docked, choice)
    off = [worst_domain(trial, sample, true) for sample in samples]

    def best_of(start: Start) -> float:
        return min((each for each, began in zip(off, starts, strict=True) if began is start), default=math.nan)

    model = docked[0].model.coordinates
    return Result(
        case=case,
        whole=docked[0].poses[0].score,
        parts=choice.assembly.score if choice else math.nan,
        n_parts=choice.assembly.n_parts if choice else 1,
        docked=worst_domain(trial, docked[0].coordinates, true),
        assembled=worst_domain(trial, choice.assembly.apply(model), true) if choice else math.nan,
        plain=best_of(Start.DOCKED),
        begun=best_of(Start.ASSEMBLED),
        kept=off[kept],
        seconds=seconds,
    )


def print_result(result: Result) -> None:
    """One line of the table."""
    case = result.case
    name = "closed" if case.frame == CLOSED else "open"
    click.echo(
        f"{name:>7} {case.resolution:4.0f}Å {case.noise:5.1f} {result.whole:7.2f} {result.parts:7.2f} "
        f"{result.n_parts:6d} {result.docked:9.2f} {result.assembled:11.2f} {result.plain:8.2f} {result.begun:11.2f} "
        f"{result.kept:7.2f} {result.seconds:7.1f}"
    )


@click.command(context_settings={"show_default": True}, help=__doc__)
@click.option("--case", "cases", multiple=True, default=CASES, help="Resolution in Å : noise : seed of a map.")
@click.option("--samples", default=2, help="Of each class, half of them of either start.")
@click.option("--models", default=2, help="Unguided models that are docked.")
@click.option("--threads", default=2, help="Of torch.")
def main(cases: tuple[str, ...], samples: int, models: int, threads: int) -> None:
    """Dock, sample, print."""
    torch.set_num_threads(threads)
    trial = Trial(samples=samples)
    wanted = [Case(OPEN, float(r), float(noise), int(seed)) for r, noise, seed in (case.split(":") for case in cases)]
    wanted.append(wanted[0]._replace(frame=CLOSED))
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, model in enumerate(unguided_models(trial, models), start=1):
            paths.append(Path(folder, f"model_{number:03d}.cif"))
            write_model(paths[-1], trial.path.topology, model, title="unguided")
        click.echo(f"{'':21} {'score':>5} {'score':>7} {'':6} {'worst domain, Å':>20}")
        click.echo(f"{'map':>7} {'':5} {'noise':>5} {'whole':>7} {'parts':>7} {'parts':>6} {'docked':>9} "
                   f"{'assembled':>11} {'plain':>8} {'in parts':>11} {'kept':>7} {'CPU s':>7}")  # fmt: skip
        results = []
        for case in wanted:
            results.append(try_case(trial, paths, case))
            print_result(results[-1])
    failed = [result for result in results if not result.plain < FAILED_ANGSTROM]
    saved = sum(result.kept <= GOOD_ANGSTROM for result in failed)
    click.echo(f"the plain start failed in {len(failed)} of {len(results)} maps; of these the sample that was kept is "
               f"within {GOOD_ANGSTROM:g} Å in {saved}")  # fmt: skip
    click.echo(f"assembly: {max((result.kept for result in failed), default=math.nan):.2f}")


if __name__ == "__main__":
    run_stage(main)
