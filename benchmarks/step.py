#!/usr/bin/env python3
"""What guidance adds to a diffusion step: guided against unguided, at 1,655 atoms and eight samples at once.

Steps in the map's frame with the miniature prior and a 3 Å map of 1 Å voxels: without guidance, in the global and in
the local stage of the default guidance, and in those of the published one. The miniature's denoiser is far cheaper than
Boltz-1's, beside which the same energies weigh less. The last line is the dearer of the two default stages over the
unguided step.

    ./classfold bench step [--threads 2]
"""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bin"), str(ROOT / "demo")]

import click
import torch
from trial.guided import OURS, PUBLISHED_EXPERIMENTAL, Trial, Way
from trial.maps import simulated_map
from trial.timing import median_seconds

from classfold.course import FixedCourse
from classfold.guided_sampling import GuidedSampler
from classfold.map_guide import MapGuide
from classfold.random_draws import SampleStreams
from classfold.sampler import Frame, State, sample
from classfold.schedule import Schedule

RESOLUTION_ANGSTROM, NOISE = 3.0, 0.5
STAGES = {
    "unguided": Schedule("unguided", 112, 0, 0, 88),
    "global": Schedule("global", 112, 88, 0, 0),
    "local": Schedule("local", 112, 0, 88, 0),
}
STEP = 140


class StepTimer:
    """Takes one and the same step of a batch of samples, guided in one way or another."""

    def __init__(self, trial: Trial, way: Way, true_frame: int) -> None:
        atoms = torch.from_numpy(trial.path.at(true_frame)).float()
        weights = torch.from_numpy(trial.weights).float()
        density_map = simulated_map(atoms, weights, RESOLUTION_ANGSTROM, NOISE, seed=1)
        task = trial.task("open", density_map, RESOLUTION_ANGSTROM, way.is_published)
        self.sampler = GuidedSampler(trial.run(way), [task])
        real = trial.prior.atom_mask.bool()
        noise = torch.randn(trial.samples, len(real), 3, generator=torch.Generator().manual_seed(1))
        noisy = task.docked[0] + 5.0 * noise.to(task.docked)
        memory = trial.run(way).warm_up.memory
        self.state = State(noisy, None if memory is None else memory.to(noisy), in_map_frame=True)
        self.n_samples = trial.samples
        self.frame = Frame(
            trial.prior.atom_mask,
            task.docked[0].expand_as(noisy),
            task.docked_atoms.expand(self.n_samples, -1),
        )

    def take(self, schedule: Schedule) -> State:
        """One step of a schedule."""
        courses = [FixedCourse(schedule)] * self.n_samples
        place = self.frame.atom_mask.device
        guide = MapGuide(self.sampler.energies, torch.zeros(self.n_samples, dtype=torch.long, device=place), courses)
        streams = SampleStreams(self.sampler.seeds, len(self.frame.atom_mask), place)
        return sample(
            self.state,
            self.sampler.process.steps[STEP : STEP + 1],
            streams.step,
            self.sampler.denoise,
            self.sampler.process,
            self.frame,
            guide,
        )


@click.command(context_settings={"show_default": True}, help=__doc__)
@click.option("--threads", default=2, help="Of torch.")
@click.option("--samples", default=8, help="Samples at once.")
@click.option("--repeats", default=7, help="Timed steps; the median counts.")
@click.option("--device", default="auto", help="Where the network and the energies run.")
def main(threads: int, samples: int, repeats: int, device: str) -> None:
    """Measure and print."""
    torch.set_num_threads(threads)
    trial = Trial(samples=samples, device=device)
    seconds: dict[tuple[str, str], float] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        timers = {way.name: StepTimer(trial, way, 190) for way in (OURS, PUBLISHED_EXPERIMENTAL)}
    for name, timer in timers.items():
        for stage, schedule in STAGES.items():
            seconds[name, stage] = median_seconds(lambda t=timer, s=schedule: t.take(s), repeats)
    unguided = seconds[OURS.name, "unguided"]
    for (name, stage), took in seconds.items():
        click.echo(f"{name:24s} {stage:10s} {1000 * took:8.0f} ms for {samples} samples, {took / unguided:6.2f} times")
    dearest = max(seconds[OURS.name, "global"], seconds[OURS.name, "local"])
    click.echo(f"step: {dearest / unguided:.2f}")


if __name__ == "__main__":
    main()
