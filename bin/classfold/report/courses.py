"""How the samples of a class went through the stages, read from what SAMPLE_GUIDED wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from classfold.schedule import Stage


class Span(NamedTuple):
    """A stretch of steps that a sample spent in one stage."""

    stage: str
    first: int
    last: int


@dataclass(frozen=True)
class Courses:
    """The course of one sample, and how those of the others differed from it."""

    sample: int
    """Number of the sample whose course is shown: the best one, or the first finished one where none is the best."""
    is_best: bool
    rows: pd.DataFrame
    """Losses of this sample; before it continued from a copy of another one, those of that one."""
    spans: list[Span]
    """Its stages in their order."""
    origins: list[tuple[int, int]]
    """(step, sample): after this step it went on from a copy of that sample."""
    last_steps: dict[str, np.ndarray]
    """Stage -> last steps (n,) in it of all other samples that went on to the next one."""
    stopped: dict[int, list[int]]
    """Step -> samples that were stopped after it."""
    replaced: dict[int, list[int]]
    """Step -> samples whose place a copy of another one took after it."""

    @property
    def name(self) -> str:
        """What the sample whose course is shown is called."""
        return "best model" if self.is_best else f"sample {self.sample}"

    def differing_ends(self) -> dict[str, np.ndarray]:
        """Stage -> last steps (n,) of the others, where they are not all the same as the shown sample's."""
        own = {span.stage: {span.last} for span in self.spans}
        return {stage: last for stage, last in self.last_steps.items() if set(last.tolist()) != own.get(stage)}


def read_courses(losses: pd.DataFrame, samples: Mapping[str, Any], best: int) -> Courses:
    """Courses of all samples of a class.

    Parameters
    ----------
    losses : DataFrame
        Table ``losses.csv``.
    samples : mapping
        Record ``samples.json``; what it lacks did not happen.
    best : int
        Number of the best sample, or one that is not in the table where there is none.
    """
    losses = losses[losses["stage"] != Stage.WARM_UP.value]
    resamplings = sorted(samples.get("resamplings", []), key=lambda event: -event["step"])
    tables = {int(str(sample)): rows.sort_values("step") for sample, rows in losses.groupby("sample")}
    is_best = best in tables
    finished = [sample for sample, rows in tables.items() if rows["step"].iloc[-1] == losses["step"].max()]
    shown = best if is_best else finished[0]
    rows, origins = _follow(tables, resamplings, shown)
    ends: dict[str, list[int]] = {}
    for sample in filter(lambda each: each != shown, tables):
        for span in _spans(_follow(tables, resamplings, sample)[0])[:-1]:
            ends.setdefault(span.stage, []).append(span.last)
    return Courses(
        sample=shown,
        is_best=is_best,
        rows=rows,
        spans=_spans(rows),
        origins=origins,
        last_steps={stage: np.array(last) for stage, last in ends.items()},
        stopped=read_stopped(samples),
        replaced={event["step"]: lost for event in reversed(resamplings) if (lost := replaced_samples(event))},
    )


def read_stopped(samples: Mapping[str, Any]) -> dict[int, list[int]]:
    """Step -> samples that were stopped after it, in the order of the steps."""
    stopped: dict[int, list[int]] = {}
    for entry in sorted(samples.get("stopped", []), key=lambda entry: entry["step"]):
        stopped.setdefault(int(entry["step"]), []).append(int(entry["sample"]))
    return stopped


def replaced_samples(resampling: Mapping[str, Any]) -> list[int]:
    """Samples whose place a copy of another one took."""
    pairs = zip(resampling["samples"], resampling["continued_from"], strict=True)
    return [int(sample) for sample, origin in pairs if sample != origin]


def _follow(
    tables: Mapping[int, pd.DataFrame], resamplings: Sequence[Mapping[str, Any]], sample: int
) -> tuple[pd.DataFrame, list[tuple[int, int]]]:
    """Rows of a sample back through those that it was copied from; resamplings come last first."""
    pieces, origins, end = [], [], np.inf
    for event in resamplings:
        origin = dict(zip(event["samples"], event["continued_from"], strict=True)).get(sample, sample)
        if origin == sample:
            continue
        steps = tables[sample]["step"]
        pieces.append(tables[sample][(steps > event["step"]) & (steps <= end)])
        sample, end = int(origin), event["step"]
        origins.append((int(event["step"]), sample))
    pieces.append(tables[sample][tables[sample]["step"] <= end])
    return pd.concat(pieces[::-1]), origins[::-1]


def _spans(rows: pd.DataFrame) -> list[Span]:
    """Stretches of equal stages in rows that are in the order of their steps."""
    stretch = (rows["stage"] != rows["stage"].shift()).cumsum()
    return [
        Span(str(part["stage"].iloc[0]), int(part["step"].iloc[0]), int(part["step"].iloc[-1]))
        for _, part in rows.groupby(stretch)
    ]
