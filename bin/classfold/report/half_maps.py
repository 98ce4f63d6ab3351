"""What the report says of half maps as judges of the models: over-fitting, and which residues the map supports."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pandas as pd
from markupsafe import Markup

from classfold.report.svg import Frame, count, picture, polyline, text, upright, x_axis, y_axis
from classfold.support import Support

WIDTH, LEFT, RIGHT = 1000, 64, 12
LOWEST = -0.1
LINES = {"free": "line given", "work": "line best"}
"""Column of half_map_validation.csv -> its style; the last is drawn on top."""
MOST_STRETCHES = 12


def validation_sentences(models: dict[str, Any] | None) -> list[str]:
    """The verdict on over-fitting, and the numbers beside it; nothing where it was not asked for."""
    found = (models or {}).get("half_map_validation")
    if not found:
        return []
    sentence = str(found["sentence"])
    return [
        sentence[0].upper() + sentence[1:] + ".",
        f"CC_mask {found['cc_work']:.3f} with half map 1, {found['cc_free']:.3f} with half map 2; "
        f"the gap of the FSC is {found['gap']:.3f} ± {found['gap_error']:.3f}.",
    ]


def support_sentences(residues: pd.DataFrame | None) -> list[str]:
    """How many residues are supported, and which have no density; nothing for a table without that column."""
    if residues is None or "support" not in residues:
        return []
    n, counts = len(residues), residues["support"].value_counts()
    supported, weak, none = (int(counts.get(support, 0)) for support in Support)
    said = f"{supported} of {count(n, 'residue', 'residues')} ({supported / n:.0%}) are supported, {weak} weak, "
    said += f"{none} without density."
    stretches = _stretches(residues[residues["support"] == Support.NO_DENSITY])
    if not stretches:
        return [said]
    shown = ", ".join(stretches[:MOST_STRETCHES])
    left = len(stretches) - MOST_STRETCHES
    return [said, f"Without density: {shown}" + (f" and {left} more, see residues.csv." if left > 0 else ".")]


def _stretches(residues: pd.DataFrame) -> list[str]:
    """Neighbouring residues together, as A 12-18."""
    found = []
    for chain, rows in residues.groupby("chain", sort=False):
        numbers = rows["residue_number"].astype(int).tolist()
        for _, group in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
            members = [number for _, number in group]
            last = f"-{members[-1]}" if len(members) > 1 else ""
            found.append(f"{chain} {members[0]}{last}")
    return found


def plot_validation(curves: pd.DataFrame, resolution_angstrom: float) -> Markup:
    """FSC of the model that half map 1 guided with both half maps over spatial frequency.

    Parameters
    ----------
    curves : DataFrame
        half_map_validation.csv of SELECT_MODELS, one row per shell.
    resolution_angstrom : float
        Of the whole map, marked by an upright.
    """
    shells = curves.iloc[1:]  # the first is the mean, which says nothing
    frequency = shells["frequency_per_angstrom"].tolist()
    mark = 1 / resolution_angstrom
    frame = Frame(LEFT, 30, WIDTH - LEFT - RIGHT, 190, (0.0, max(frequency[-1], mark)), (LOWEST, 1.0))
    content = [
        text(LEFT, 14, "Fourier shell correlation of a model guided by half map 1", css="axis-label"),
        y_axis(frame),
        *(polyline(frame, list(zip(frequency, shells[name], strict=True)), css) for name, css in LINES.items()),
        upright(frame.x(mark), (frame.top, frame.top + frame.height), "decision"),
        x_axis(frame, "spatial frequency (1/Å)"),
    ]
    said = [
        (
            frame.x(shell["frequency_per_angstrom"]),
            frame.y(shell["work"]),
            f"{1 / shell['frequency_per_angstrom']:.3g} Å: half map 1 {shell['work']:.2f}, "
            f"half map 2 {shell['free']:.2f}",
        )
        for shell in shells.to_dict(orient="records")
    ]
    title = "Fourier shell correlation of a model guided by half map 1 with half map 1 and with half map 2"
    return picture((WIDTH, 264), title, Markup("").join(content), said)
