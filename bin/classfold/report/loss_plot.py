"""The report's plot of the losses: which stage each sample was in, when it was stopped, how near the map it came."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from markupsafe import Markup

from classfold.report.course_strip import strip
from classfold.report.courses import Courses
from classfold.report.svg import Frame, band, number, picture, polyline, text, upright, x_axis, y_axis
from classfold.schedule import Stage

WIDTH, LEFT, RIGHT, TOP = 1000, 112, 12, 8
PANEL_HEIGHT, GAP = 150, 16
COMPARED = {Stage.GLOBAL.value: "shape", Stage.LOCAL.value: "density"}
"""Guided stage -> what its loss compares."""
FAR_OFF = 10.0
"""The axis ends this many times above the 98th percentile: a sample that went astray must not flatten the others."""


def plot_losses(losses: pd.DataFrame, courses: Courses) -> Markup:
    """Guidance loss of every sample over the steps after the warm-up; the best model's line is drawn thick.

    The global and the local loss have different units, and samples may change from one to the other at different
    steps, so each stage has a panel of its own over the same steps.
    """
    losses = losses[losses["stage"] != Stage.WARM_UP.value]
    first, last = int(losses["step"].min()), int(losses["step"].max())
    steps = Frame(LEFT, TOP, WIDTH - LEFT - RIGHT, 0, (first - 0.5, last + 0.5), (0, 1))
    rows_above, top = strip(courses, steps)
    guided = losses[np.isfinite(losses["loss"])]
    tables = {stage: guided[guided["stage"] == stage] for stage in COMPARED if (guided["stage"] == stage).any()}
    tops = (top + GAP + place * (PANEL_HEIGHT + GAP) for place in range(len(tables)))
    frames = {stage: _panel_frame(rows, steps, y) for (stage, rows), y in zip(tables.items(), tops, strict=True)}
    bottom = top + len(frames) * (PANEL_HEIGHT + GAP)
    drawn = [_panel(stage, tables[stage], frame, courses) for stage, frame in frames.items()]
    judged = dict.fromkeys([*courses.stopped, *courses.replaced])
    drawn += [upright(steps.x(step + 0.5), (top, bottom), "checkpoint") for step in judged]
    drawn += [upright(steps.x(span.last + 0.5), (TOP, bottom), "decision") for span in courses.spans[:-1]]
    base = Frame(LEFT, bottom, steps.width, 0, steps.x_range, (0, 1))
    label = "step of the sampler" + (f" (0 to {first - 1}: warm-up, without the map)" if first else "")
    drawn += [rows_above, x_axis(base, label)]
    title = "Guidance loss of each sample over the steps of the sampler; lower is nearer to the map"
    readout = list(_readout(guided, courses, frames))
    return picture((WIDTH, round(bottom) + 44), title, Markup("").join(drawn), readout)


def _panel_frame(rows: pd.DataFrame, steps: Frame, top: float) -> Frame:
    """Logarithmic, for a stage ends when the loss no longer falls by a certain ratio."""
    loss = rows.loc[rows["loss"] > 0, "loss"]
    low, high = (loss.min(), min(loss.max(), FAR_OFF * np.percentile(loss, 98))) if len(loss) else (1.0, 1.0)
    return Frame(LEFT, top, steps.width, PANEL_HEIGHT, steps.x_range, (float(low), float(high)), is_log=True)


def _panel(stage: str, rows: pd.DataFrame, frame: Frame, courses: Courses) -> Markup:
    """Lines of all samples in one stage; a cross ends those that were stopped in it."""
    drawn = [band(frame, (span.first - 0.5, span.last + 0.5), f"stage-{span.stage}") for span in courses.spans]
    drawn.append(y_axis(frame))
    stops = {sample: step for step, samples in courses.stopped.items() for sample in samples}
    lines = {int(str(sample)): own for sample, own in rows.groupby("sample")}
    for sample in sorted(lines, key=lambda each: each not in stops):
        points = list(zip(lines[sample]["step"].tolist(), lines[sample]["loss"].tolist(), strict=True))
        # What follows was copied from another sample: the line does not lead there.
        breaks = [(step + 0.5, float("nan")) for step, lost in courses.replaced.items() if sample in lost]
        drawn.append(polyline(frame, sorted(points + breaks), "line stopped" if sample in stops else "line other"))
        if points[-1][0] == stops.get(sample):
            x, y = points[-1]
            drawn.append(text(frame.x(x), frame.y(y) + 4, "×", css="stop", anchor="middle"))
    best = courses.rows[courses.rows["stage"] == stage]
    drawn.append(polyline(frame, list(zip(best["step"], best["loss"], strict=True)), "line best"))
    right = frame.left + frame.width
    drawn.append(
        text(right - 6, frame.top + 16, f"loss of the {stage} stage: {COMPARED[stage]}", css="axis-label", anchor="end")
    )
    return Markup("").join(drawn)


def _readout(guided: pd.DataFrame, courses: Courses, frames: dict[str, Frame]) -> Iterator[tuple[float, float, str]]:
    """For each guided step of the marked sample: its loss, the median in its stage, noise, and what happened after."""
    others = {key: rows["loss"] for key, rows in guided.groupby(["step", "stage"])}
    for row in courses.rows.to_dict(orient="records"):
        step, stage, loss = int(row["step"]), str(row["stage"]), float(row["loss"])
        if stage not in frames or not np.isfinite(loss):
            continue
        alike = others[step, stage]
        said = (
            f"step {step}, {stage} stage: {courses.name} {number(loss)}, median of {len(alike)} samples in this "
            f"stage {number(float(alike.median()))}; noise σ {number(row['sigma_angstrom'])} Å"
        )
        if np.isfinite(row["guidance_strength"]):
            said += f", guidance strength {number(row['guidance_strength'])}"
        for what, events in (("stopped", courses.stopped), ("replaced by copies of others", courses.replaced)):
            if step in events:
                said += f"; {len(events[step])} samples {what} after this step"
        yield frames[stage].x(step), frames[stage].y(loss), said
