"""Where a sample stands in its schedule: fixed beforehand, or decided by the course of its own losses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from .schedule import Schedule, Stage

PATIENCE = 0.03
"""Share of all steps that the global stage may go on without paying."""
GAIN = 0.01
"""A step pays if its loss is lower than all before by this share."""
LOCAL_STRENGTH = 1.0
"""λ of the local stage: twice the paper's, whose gradient the network sharpens."""


class Course(Protocol):
    """Which stage a sample is in at a step, and how strongly it is pulled."""

    def stage_at(self, step: int) -> Stage:
        """Stage of the step."""
        ...

    def strength_at(self, step: int) -> float:
        """Guidance strength λ of the step."""
        ...

    def note(self, step: int, loss: float) -> None:
        """The loss that the step found."""
        ...


@dataclass(frozen=True)
class FixedCourse:
    """A schedule that losses do not change."""

    schedule: Schedule

    def stage_at(self, step: int) -> Stage:
        return self.schedule.stage(step)

    def strength_at(self, step: int) -> float:
        return self.schedule.strength(step)

    def note(self, step: int, loss: float) -> None:
        pass


@dataclass
class AutomaticCourse:
    """The global stage ends when it has stopped paying, and at the latest where the schedule ends it.

    It does not end before the noise is as low as the map's resolution, for until then nothing is where the density
    could tell it where to go. The steps that it leaves go to the local stage, which goes on to its scheduled end: it
    holds what has been found against the prior.
    """

    latest: Schedule
    first_local: int
    """First step that the local stage may take."""
    reached: Stage = Stage.GLOBAL
    lowest: float = math.inf
    paid_last: int = -1
    """Last step that paid; before there is one, the step before the stage's first."""

    def stage_at(self, step: int) -> Stage:
        scheduled = self.latest.stage(step)
        return scheduled if scheduled is Stage.WARM_UP else max(scheduled, self.reached, key=list(Stage).index)

    def strength_at(self, step: int) -> float:
        stage = self.stage_at(step)
        return LOCAL_STRENGTH if stage is Stage.LOCAL else self.latest.strength(step, stage)

    def note(self, step: int, loss: float) -> None:
        stage = self.stage_at(step)
        if stage is not self.reached or self.paid_last < 0:
            self._begin(stage, step - 1)
        if loss < (1 - GAIN) * self.lowest:
            self.lowest, self.paid_last = loss, step
        has_stopped_paying = step - self.paid_last >= max(2, round(PATIENCE * self.latest.steps))
        if stage is Stage.GLOBAL and has_stopped_paying and step + 1 >= self.first_local:
            self._begin(Stage.LOCAL, step)

    def _begin(self, stage: Stage, last_step: int) -> None:
        self.reached, self.lowest, self.paid_last = stage, math.inf, last_step
