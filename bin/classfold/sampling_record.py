"""What a guided run tells while it goes on, and the losses that it leaves."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import click
import torch
from torch import Tensor

from .map_guide import MapGuide
from .sampler import NoiseStep

COLUMNS = ("sample", "step", "stage", "sigma_angstrom", "guidance_strength", "loss")
STEPS_BETWEEN_LINES = 10


Entry = tuple[int, int, str, str, str, str]
"""A row of the table of losses."""


class LossLog:
    """Losses of all samples of a target's classes over the diffusion steps.

    Parameters
    ----------
    target : str
        For the lines of progress.
    classes : sequence of str
        Names of the classes.
    steps : int
        Diffusion steps of a whole run.
    """

    def __init__(self, target: str, classes: Sequence[str], steps: int) -> None:
        self.target = target
        self.classes = classes
        self.steps = steps
        self.rows: list[list[Entry]] = [[] for _ in classes]
        self.evaluations = [0] * len(classes)
        """Calls of the denoiser for each class alone; one whose gradient is taken through it counts as two."""

    def of(self, samples: Sequence[tuple[int, int]], guide: MapGuide) -> BatchLog:
        """A log for one batch of (class, sample) pairs, both counted from 0, that this guide pulls."""
        return BatchLog(self, samples, guide)

    def write(self, index: int, path: Path) -> None:
        """Write the losses of one class as a table, sample by sample."""
        with path.open("w", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(COLUMNS)
            rows = sorted(self.rows[index], key=lambda entry: entry[:2])
            writer.writerows(rows)


class BatchLog:
    """Collects what one batch tells; nothing counts until :meth:`keep`, for the batch may have to be begun again."""

    def __init__(self, log: LossLog, samples: Sequence[tuple[int, int]], guide: MapGuide) -> None:
        self.log = log
        self.samples = samples
        self.guide = guide
        self.entries: list[tuple[int, Entry, int]] = []

    def __call__(self, step: NoiseStep, energies: Tensor | None) -> None:
        """Note the losses of a step, and show every tenth step."""
        losses = [float("nan")] * len(self.samples) if energies is None else energies.tolist()
        pulls = zip(self.guide.modes, self.guide.stages, self.guide.strengths, losses, strict=True)
        for (task, sample), (mode, stage, strength, loss) in zip(self.samples, pulls, strict=True):
            shown = f"{loss:.6g}" if math.isfinite(loss) else ""
            pull = f"{strength:.6g}" if mode.uses_strength(stage) else ""
            entry = (sample + 1, step.index, stage.value, f"{step.sigma:.6g}", pull, shown)
            self.entries.append((task, entry, 2 if mode.looks_through_network(stage) else 1))
        if (step.index + 1) % STEPS_BETWEEN_LINES == 0 or step.index + 1 == self.log.steps:
            click.echo(self._line(step, energies))

    def _line(self, step: NoiseStep, energies: Tensor | None) -> str:
        names = {self.log.classes[task]: None for task, _ in self.samples}
        stages = {stage.value: None for stage in self.guide.stages}
        line = f"{self.log.target} {' '.join(names)}  {len(self.samples)} samples  "
        line += f"step {step.index + 1}/{self.log.steps}  {'/'.join(stages)}  sigma {step.sigma:.3g} Å"
        if energies is not None and bool(torch.isfinite(energies).any()):
            known = energies[torch.isfinite(energies)]
            line += f"  loss {known.min():.4g} to {known.max():.4g}"
        return line

    def keep(self) -> None:
        """Add the batch to the log."""
        for task, entry, evaluations in self.entries:
            self.log.rows[task].append(entry)
            self.log.evaluations[task] += evaluations
