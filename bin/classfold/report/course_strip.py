"""The rows above the plot of the losses: stages of the best sample, where the others' ended, how many were stopped."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from classfold.report.courses import Courses, Span
from classfold.report.svg import Frame, band, interval, text

SPAN_HEIGHT, LINE_HEIGHT = 22, 16
CHARACTER_WIDTH = 7.0
"""Of the labels, at most; a label that is longer than its place is left out."""


def strip(courses: Courses, steps: Frame) -> tuple[Markup, float]:
    """Draw the rows from the top of a frame over all steps; returns the drawing and the y where it ends."""
    drawn, top = [_row_name(steps, steps.top + 15, courses.name)], steps.top
    drawn += [_span(span, steps) for span in courses.spans]
    top += SPAN_HEIGHT + 2
    for stage, last in courses.differing_ends().items():
        drawn.append(_range(stage, last, steps, top))
        top += LINE_HEIGHT
    for name, events in (("stopped", courses.stopped), ("replaced", courses.replaced)):
        if events:
            drawn.append(_row_name(steps, top + 12, name))
            for step, samples in events.items():
                drawn.append(text(steps.x(step + 0.5), top + 12, str(len(samples)), css="tick", anchor="middle"))
            top += LINE_HEIGHT
    return Markup("").join(drawn), top


def _row_name(steps: Frame, y: float, name: str) -> Markup:
    return text(steps.left - 8, y, name, css="tick", anchor="end")


def _span(span: Span, steps: Frame) -> Markup:
    """One stage of the sample, with its first and its last step."""
    row = Frame(steps.left, steps.top, steps.width, SPAN_HEIGHT, steps.x_range, (0, 1))
    left, right = row.x(span.first - 0.5), row.x(span.last + 0.5)
    numbers = f"{span.first}–{span.last}" if span.last > span.first else f"{span.first}"
    fitting = (said for said in (f"{span.stage} {numbers}", numbers) if CHARACTER_WIDTH * len(said) < right - left)
    label = text((left + right) / 2, row.top + 15, next(fitting, ""), css="span-label", anchor="middle")
    return band(row, (span.first - 0.5, span.last + 0.5), f"stage-{span.stage}") + label


def _range(stage: str, last: np.ndarray, steps: Frame, top: float) -> Markup:
    """From the first to the last of the others' last steps (n,) in a stage, with their median."""
    low, high, middle = (steps.x(float(value) + 0.5) for value in (last.min(), last.max(), np.median(last)))
    y = top + LINE_HEIGHT / 2
    numbers = f"{last.min()} to {last.max()}" if last.max() > last.min() else f"{last.min()}"
    is_left = low - steps.left > steps.left + steps.width - high
    x, anchor = (low - 8, "end") if is_left else (high + 8, "start")
    return Markup("").join(
        [
            _row_name(steps, y + 4, "other samples"),
            interval((low, high), middle, y, "interval"),
            text(x, y + 4, f"{stage} stage ended at {numbers}", css="tick", anchor=anchor),
        ]
    )
