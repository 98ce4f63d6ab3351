"""The report's plots along the sequence: fit to the map, displacement between classes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from markupsafe import Markup

from classfold.report.svg import Frame, picture, polyline, text, x_axis, y_axis

WIDTH, LEFT, RIGHT = 1000, 64, 12
# Below this correlation a residue is called weakly supported in the plot.
WEAK_CC = 0.5


def _chains(residues: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Chains in the order of the table."""
    for chain in dict.fromkeys(residues["chain"]):
        yield str(chain), residues[residues["chain"] == chain].sort_values("residue_number")


def _with_gaps(numbers: np.ndarray, values: np.ndarray) -> list[tuple[float, float]]:
    """Points with a break wherever residue numbers jump."""
    points: list[tuple[float, float]] = []
    for i, (x, y) in enumerate(zip(numbers, values, strict=True)):
        if i and x != numbers[i - 1] + 1:
            points.append((float(x), float("nan")))
        points.append((float(x), float(y)))
    return points


def _x_range(numbers: np.ndarray) -> tuple[float, float]:
    return float(numbers.min()) - 0.5, float(numbers.max()) + 0.5


def plot_fit(residues: pd.DataFrame) -> list[tuple[str, Markup]]:
    """Per chain: correlation of each residue of the best model with the map."""
    plots = []
    low = min(0.0, float(residues["cc"].min(skipna=True)))
    for chain, rows in _chains(residues):
        numbers, cc = rows["residue_number"].to_numpy(float), rows["cc"].to_numpy(float)
        frame = Frame(LEFT, 30, WIDTH - LEFT - RIGHT, 170, _x_range(numbers), (low, 1.0))
        weak = Frame(LEFT, frame.y(WEAK_CC), frame.width, frame.top + frame.height - frame.y(WEAK_CC), (0, 1), (0, 1))
        marks = [
            text(frame.x(x), frame.top + frame.height - 4, "×", css="weak", anchor="middle")
            for x, value in zip(numbers, cc, strict=True)
            if value < WEAK_CC
        ]
        said = []
        plddt = rows["plddt"].to_numpy(float) if "plddt" in rows else np.full(len(cc), np.nan)
        for x, name, value, sure in zip(numbers, rows["residue_name"], cc, plddt, strict=True):
            if np.isfinite(value):
                note = f", pLDDT {sure:.0f}" if np.isfinite(sure) else ""
                weak_note = " (weakly supported)" if value < WEAK_CC else ""
                said.append((frame.x(x), frame.y(value), f"{name} {x:.0f}: CC {value:.2f}{weak_note}{note}"))
        content = Markup("").join(
            [
                Markup('<rect class="band weak-band" x="{}" y="{:.1f}" width="{}" height="{:.1f}"/>').format(
                    weak.left, weak.top, weak.width, weak.height
                ),
                text(LEFT, 14, "map correlation (CC) of the residue", css="axis-label"),
                y_axis(frame),
                polyline(frame, _with_gaps(numbers, cc), "line best"),
                *marks,
                x_axis(frame, f"residue of chain {chain}"),
            ]
        )
        title = f"Map correlation of each residue of chain {chain}; 1 is a perfect fit"
        plots.append((chain, picture((WIDTH, 244), title, content, said)))
    return plots


def plot_displacement(rows: pd.DataFrame, first: str, second: str) -> list[tuple[str, Markup]]:
    """Per chain: how far each residue lies from itself in the other class, after superposition."""
    plots = []
    high = max(float(rows["displacement_angstrom"].max()), 1.0)
    for chain, part in _chains(rows):
        numbers = part["residue_number"].to_numpy(float)
        moved = part["displacement_angstrom"].to_numpy(float)
        frame = Frame(LEFT, 30, WIDTH - LEFT - RIGHT, 150, _x_range(numbers), (0.0, high * 1.05))
        said = [
            (frame.x(x), frame.y(value), f"residue {x:.0f}: moved {value:.1f} Å")
            for x, value in zip(numbers, moved, strict=True)
            if np.isfinite(value)
        ]
        content = Markup("").join(
            [
                text(LEFT, 14, "displacement (Å)", css="axis-label"),
                y_axis(frame),
                polyline(frame, _with_gaps(numbers, moved), "line best"),
                x_axis(frame, f"residue of chain {chain}"),
            ]
        )
        title = f"Displacement of each residue of chain {chain} between {first} and {second}, in Å"
        plots.append((chain, picture((WIDTH, 224), title, content, said)))
    return plots
