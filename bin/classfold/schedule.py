"""Which guidance acts at which diffusion step, and how strongly. Pure functions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from .errors import InputError

GLOBAL_STRENGTH = (0.25, 0.05)
"""λ at the first and the last step of the global stage."""
LOCAL_STRENGTH = 0.5
COARSE_ANGSTROM = 5.0
"""From this resolution on a map says too little about each atom: what it leaves open only the network can fill."""
PUBLISHED_STEPS = 200


class Stage(StrEnum):
    """The four stages of guided sampling, in their order."""

    WARM_UP = "warm_up"
    GLOBAL = "global"
    LOCAL = "local"
    RELAXATION = "relaxation"

    @property
    def is_guided(self) -> bool:
        """Whether a map pulls in this stage."""
        return self in (Stage.GLOBAL, Stage.LOCAL)


class Start(StrEnum):
    """Where a sample's guided steps begin."""

    DOCKED = "docked"
    """At the end of the warm-up, placed where the docked model is."""
    ASSEMBLED = "assembled"
    """Later and with less noise, at the model whose parts were docked one by one."""


class GuidanceMode(StrEnum):
    """Where the gradient is taken, and how far a sample is corrected."""

    AUTO = "auto"
    """Fast, for coarse maps mixed."""
    FAST = "fast"
    """Taken at the denoised sample; in the global stage as far as the shape is away, in the local one at most 1 Å."""
    MIXED = "mixed"
    """The same, but through the network in the local stage, where there is little noise."""
    PUBLISHED = "published"
    """Through the network in both stages, with the paper's lengths."""

    def of_map(self, resolution_angstrom: float) -> GuidanceMode:
        """What is meant for a class whose map has this resolution: never auto."""
        if self is not self.AUTO:
            return self
        return self.MIXED if resolution_angstrom >= COARSE_ANGSTROM else self.FAST

    def uses_strength(self, stage: Stage) -> bool:
        """Whether λ sets how far a stage corrects."""
        return stage is not Stage.GLOBAL or self is self.PUBLISHED

    def looks_through_network(self, stage: Stage) -> bool:
        """Whether the gradient of a stage is taken through the denoiser."""
        return stage.is_guided and (self is self.PUBLISHED or (self is self.MIXED and stage is Stage.LOCAL))


@dataclass(frozen=True)
class Schedule:
    """Number of diffusion steps that each stage takes."""

    name: str
    warm_up: int
    global_: int
    local: int
    relaxation: int

    @property
    def steps(self) -> int:
        """Diffusion steps of all stages."""
        return self.warm_up + self.global_ + self.local + self.relaxation

    def stage(self, step: int) -> Stage:
        """Stage of a step counted from 0."""
        if step < self.warm_up:
            return Stage.WARM_UP
        if step < self.warm_up + self.global_:
            return Stage.GLOBAL
        if step < self.warm_up + self.global_ + self.local:
            return Stage.LOCAL
        return Stage.RELAXATION

    def strength(self, step: int, stage: Stage | None = None) -> float:
        """Guidance strength λ of a step: a half cosine through the global stage, constant through the local one.

        ``stage`` is the one that a sample is in where that is not the schedule's own.
        """
        stage = stage or self.stage(step)
        if stage is Stage.GLOBAL:
            first, last = GLOBAL_STRENGTH
            progress = min((step - self.warm_up) / max(self.global_ - 1, 1), 1.0)
            return last + (first - last) * 0.5 * (1 + math.cos(math.pi * progress))
        return LOCAL_STRENGTH if stage is Stage.LOCAL else 0.0


PUBLISHED = {
    "experimental": Schedule("experimental", 100, 50, 25, 25),
    "synthetic": Schedule("synthetic", 125, 25, 25, 25),
}
"""The two schedules of the paper (section 4 and appendix), for T = 200."""
AUTOMATIC = "auto"
SCHEDULES = PUBLISHED | {AUTOMATIC: Schedule(AUTOMATIC, 112, 38, 25, 25)}
"""The automatic schedule's global stage is the longest that it can be: it ends earlier when it has stopped paying."""


def make_schedule(name: str, steps: int) -> Schedule:
    """A schedule with its stages scaled to another number of steps.

    Raises
    ------
    InputError
        If the name is unknown or the steps do not suffice for the four stages.
    """
    if name not in SCHEDULES:
        raise InputError(f"schedule '{name}' is unknown; allowed are {', '.join(sorted(SCHEDULES))}")
    whole = SCHEDULES[name]
    if steps < 8:
        raise InputError(
            f"steps = {steps} is too few for the four stages; allowed are 8 and more (published: 200)"
        )
    ends = [0]
    for length in (whole.warm_up, whole.global_, whole.local):
        ends.append(ends[-1] + length)
    scaled = [round(end * steps / PUBLISHED_STEPS) for end in ends] + [steps]
    lengths = [after - before for before, after in pairwise(scaled)]
    return Schedule(name, *lengths)
