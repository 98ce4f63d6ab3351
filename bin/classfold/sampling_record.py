"""What a guided run tells while it goes on, and what it leaves beside its coordinates."""

from __future__ import annotations

import csv
from pathlib import Path

import click
from torch import Tensor

from .sampler import NoiseStep
from .schedule import Schedule

COLUMNS = ("sample", "step", "stage", "sigma_angstrom", "guidance_strength", "loss")
STEPS_BETWEEN_LINES = 10


class LossLog:
    """Losses of one batch of samples over the diffusion steps.

    Parameters
    ----------
    name : str
        Target and class, for the lines of progress.
    schedule : Schedule
        Tells the stage of a step.
    batch : range
        Samples of the batch, counted from 0.
    """

    def __init__(self, name: str, schedule: Schedule, batch: range) -> None:
        self.name = name
        self.schedule = schedule
        self.batch = batch
        self.rows: list[tuple[object, ...]] = []

    def __call__(self, step: NoiseStep, energies: Tensor | None) -> None:
        """Note the losses of a step, and show every tenth step."""
        stage, strength = self.schedule.stage(step.index), self.schedule.strength(step.index)
        losses: list[float | None] = [None] * len(self.batch) if energies is None else energies.tolist()
        for sample, loss in zip(self.batch, losses, strict=True):
            shown = "" if loss is None else f"{loss:.6g}"
            self.rows.append(
                (sample + 1, step.index, stage.value, f"{step.sigma:.6g}", f"{strength:.6g}", shown)
            )
        last = step.index + 1 == self.schedule.steps
        if (step.index + 1) % STEPS_BETWEEN_LINES == 0 or last:
            line = f"{self.name}  samples {self.batch.start + 1}-{self.batch.stop}  "
            line += f"step {step.index + 1}/{self.schedule.steps}  {stage.value}  sigma {step.sigma:.3g} Å"
            if energies is not None:
                line += f"  loss {energies.min():.4g} to {energies.max():.4g}"
            click.echo(line)


def write_losses(logs: list[LossLog], path: Path) -> None:
    """Write the losses of all batches as one table."""
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(row for log in logs for row in log.rows)
