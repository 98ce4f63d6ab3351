#!/usr/bin/env python3
"""Ten classes for the price of one: what ten classes cost in ClassFold's way against one class in the published way.

Ten maps along adenylate kinase's path (frames that the miniature prior never saw, 4 Å, noise of half the map's standard
deviation), 25 samples each, in one batch on shared warm-up states; against the last of these maps with 25 samples in
the published way. Counted are calls of the denoiser, one with a gradient through it as two, and time; the trunk, which
both run once, is left out. Beside it what each way found: the sample that fits its map best, Cα, in the map's frame.

The last line is our calls over the published way's.

    ./classfold bench price [--classes 10] [--samples 25] [--threads 2]
"""

from __future__ import annotations

import contextlib
import io
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bin"), str(ROOT / "demo")]

import click
import numpy as np
import torch
from adk_path import read_path
from trial.guided import OURS, PUBLISHED_EXPERIMENTAL, Trial, Way, sampled
from trial.maps import simulated_map

from classfold.population import Selection
from classfold.superposition import rmsd

RESOLUTION_ANGSTROM, NOISE = 4.0, 0.5
OURS_STOPPING = Way(OURS.name, OURS.guidance, OURS.schedule, Selection(early_stop=True, steering=False))
FRAMES = range(98, 200)
"""The second transition, from closed to open."""


class Cost(NamedTuple):
    """What one way of guiding cost, and what it found for each class."""

    calls: int
    seconds: float
    processor_seconds: float
    """Of all threads; what other work on the machine hardly changes."""
    best_ca_angstrom: list[float]
    finished: int


def measure(samples: int, device: str, way: Way, frames: Sequence[int]) -> Cost:
    """Sample the maps of some frames."""
    trial = Trial(samples=samples, device=device)
    weights, ca = torch.from_numpy(trial.weights).float(), torch.from_numpy(trial.path.topology.ca_indices())
    truths = [torch.from_numpy(trial.path.at(frame)).float() for frame in frames]
    tasks = []
    for frame, true in zip(frames, truths, strict=True):
        density_map = simulated_map(true, weights, RESOLUTION_ANGSTROM, NOISE, frame)
        tasks.append(trial.task(f"frame{frame}", density_map, RESOLUTION_ANGSTROM, way.is_published))
    trial.embed()
    started, begun = time.perf_counter(), time.process_time()
    sampler, finished = sampled(trial, way, tasks)
    seconds, processor_seconds = time.perf_counter() - started, time.process_time() - begun
    best = []
    for index, true in enumerate(truths):
        models = trial.coordinates([particle for particle in finished if particle.task == index])
        local = sampler.energies.local
        fit = local.correlation(models.to(local.voxels), torch.full((len(models),), index, device=local.voxels.device))
        best.append(float(rmsd(models[int(fit.argmax())][ca], true[ca])))
    calls = sum(sampler.log.evaluations) + sampler.run.schedule.warm_up * samples
    return Cost(calls, seconds, processor_seconds, best, len(finished))


@click.command(context_settings={"show_default": True}, help=__doc__)
@click.option("--classes", default=10, help="Classes in our way.")
@click.option("--samples", default=25, help="Samples of each class.")
@click.option("--threads", default=2, help="Of torch.")
@click.option("--device", default="auto", help="Where the network and the energies run.")
def main(classes: int, samples: int, threads: int, device: str) -> None:
    """Measure and print."""
    torch.set_num_threads(threads)
    path = read_path()
    held_out = [int(frame) for frame in path.frame[path.held_out] if frame in FRAMES]
    frames = [held_out[round(place)] for place in np.linspace(0, len(held_out) - 1, classes)]
    costs = {}
    for name, way, chosen in (
        (f"ours, {classes} classes", OURS_STOPPING, frames),
        ("published, 1 class", PUBLISHED_EXPERIMENTAL, frames[-1:]),
    ):
        with contextlib.redirect_stdout(io.StringIO()):
            costs[name] = measure(samples, device, way, chosen)
        cost = costs[name]
        found = " ".join(f"{value:.2f}" for value in cost.best_ca_angstrom)
        click.echo(
            f"{name}: {cost.calls} calls of the denoiser, {cost.seconds:.0f} s ({cost.processor_seconds:.0f} s of "
            f"processors), {cost.finished} samples finished; best by fit, Cα Å: {found}"
        )
    ours, published = costs.values()
    of_processors = ours.processor_seconds / published.processor_seconds
    click.echo(f"time: {ours.seconds / published.seconds:.2f}, of processors {of_processors:.2f}")
    click.echo(f"price: {ours.calls / published.calls:.2f}")


if __name__ == "__main__":
    main()
