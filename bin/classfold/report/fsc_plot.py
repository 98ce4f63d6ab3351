"""The report's plot of the half maps' Fourier shell correlation, with and without what the mask adds to it."""

from __future__ import annotations

from typing import Any

import pandas as pd
from markupsafe import Markup

from classfold.half_map_fsc import FSC_THRESHOLD
from classfold.report.svg import Frame, picture, polyline, text, upright, x_axis, y_axis

WIDTH, LEFT, RIGHT = 1000, 64, 12
LOWEST = -0.1
CURVES = {
    "randomised": "random phases under the mask",
    "unmasked": "without a mask",
    "masked": "under the mask",
    "corrected": "corrected for the mask",
}
"""Column of fsc.csv -> its name; the last is drawn on top."""


def plot_fsc(curves: pd.DataFrame, record: dict[str, Any]) -> Markup:
    """The four curves over spatial frequency, the level that counts, and the resolution that was used.

    Parameters
    ----------
    curves : DataFrame
        fsc.csv of PREPARE_MAP, one row per shell.
    record : dict
        map.json of PREPARE_MAP.
    """
    shells = curves.iloc[1:]  # the first is the mean, which says nothing
    frequency = shells["frequency_per_angstrom"].tolist()
    used = 1 / float(record["resolution_angstrom"])
    frame = Frame(LEFT, 30, WIDTH - LEFT - RIGHT, 190, (0.0, max(frequency[-1], used)), (LOWEST, 1.0))
    level = [(0.0, FSC_THRESHOLD), (frame.x_range[1], FSC_THRESHOLD)]
    bottom = frame.top + frame.height
    label = f"resolution used: {record['resolution_angstrom']:.3g} Å"
    content = [
        text(LEFT, 14, "Fourier shell correlation of the half maps", css="axis-label"),
        y_axis(frame),
        polyline(frame, level, "line checkpoint"),
        *(polyline(frame, list(zip(frequency, shells[name], strict=True)), f"line fsc-{name}") for name in CURVES),
        upright(frame.x(used), (frame.top, bottom), "decision"),
        text(frame.x(used) - 6, frame.top + 14, label, css="tick", anchor="end"),
        x_axis(frame, "spatial frequency (1/Å)"),
    ]
    said = [
        (
            frame.x(shell["frequency_per_angstrom"]),
            frame.y(shell["corrected"]),
            f"{1 / shell['frequency_per_angstrom']:.3g} Å: "
            + ", ".join(f"{words} {shell[name]:.2f}" for name, words in reversed(CURVES.items())),
        )
        for shell in shells.to_dict(orient="records")
    ]
    title = f"Fourier shell correlation of the half maps over spatial frequency; {FSC_THRESHOLD} is what counts"
    return picture((WIDTH, 264), title, Markup("").join(content), said)
