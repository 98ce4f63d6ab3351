"""How sharp a map is next to its docked model: one sentence, and the spectra of both."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from markupsafe import Markup

from classfold.report.gather import ClassResult
from classfold.report.svg import Frame, number, picture, polyline, text, upright, x_axis, y_axis

WIDTH, LEFT, RIGHT, TOP, HEIGHT = 1000, 64, 12, 30, 190
LINES = {"map_amplitude": "line given", "model_amplitude": "line model", "matched_amplitude": "line best"}
DEEPEST = 1e-4
"""The axis ends at this share of the highest amplitude: shells that a filter emptied must not flatten the others."""
ALIKE_GAIN = 1.25
"""A map whose finest detail is changed by less than this factor is called as sharp as its model."""


def sharpness_sentences(result: ClassResult) -> list[str]:
    """What DOCK_MODEL found about the map's sharpness, and what guidance made of it."""
    found = (result.docking or {}).get("sharpness")
    if found is None:
        return []
    if not found["matched"]:
        return [f"The map's sharpness was left as it is: {found['reason']}."]
    b_factor, gain = float(found["b_factor_angstrom2"]), float(found["gain_at_end"])
    if 1 / ALIKE_GAIN < gain < ALIKE_GAIN:
        said = "Next to its docked model the map is about as sharp as it should be"
    else:
        said = f"Next to its docked model the map is {'blurred' if gain > 1 else 'sharpened too far'}"
    said += f" (B factor {b_factor:+.0f} Å²)"
    used = (result.samples or {}).get("sharpness_matched")
    if used is None:
        return [f"{said}; a map of the same sharpness was {found['reason']}."]
    made = f"the density that guided the samples was {found['reason']}, its finest detail times {number(gain)}"
    return [f"{said}; {made if used else 'the samples were guided by the map as it is, because matching was off'}."]


def plot_spectra(spectra: pd.DataFrame, resolution_angstrom: float) -> Markup:
    """Amplitudes of the map, of the map as it guides, and of the docked model over spatial frequency.

    Parameters
    ----------
    spectra : DataFrame
        ``spectra.csv`` of DOCK_MODEL.
    resolution_angstrom : float
        Marked by a dashed upright.
    """
    frequency = spectra["frequency_per_angstrom"]
    high = float(spectra[list(LINES)].max().max())
    low = max(float(spectra[list(LINES)].min().min()), DEEPEST * high)
    x_range = (0.0, float(frequency.max()))
    frame = Frame(LEFT, TOP, WIDTH - LEFT - RIGHT, HEIGHT, x_range, (low, high), is_log=True)
    lines = [
        polyline(frame, list(zip(frequency, spectra[column], strict=True)), css) for column, css in LINES.items()
    ]
    mark = frame.x(1 / resolution_angstrom)
    content = Markup("").join(
        [
            text(LEFT, 14, "amplitude around the docked model", css="axis-label"),
            y_axis(frame),
            *lines,
            upright(mark, (TOP, TOP + HEIGHT), "decision"),
            text(mark + 4, TOP + 12, f"{resolution_angstrom:g} Å", css="tick"),
            x_axis(frame, "spatial frequency (1/Å)"),
        ]
    )
    title = "Amplitudes of the map, of the map that guides, and of the docked model over spatial frequency"
    return picture((WIDTH, TOP + HEIGHT + 44), title, content, list(_readout(spectra, frame)))


def _readout(spectra: pd.DataFrame, frame: Frame) -> Iterator[tuple[float, float, str]]:
    """What is said at each shell."""
    for row in spectra.to_dict(orient="records"):
        amounts = [number(row[f"{name}_amplitude"]) for name in ("map", "matched", "model")]
        said = f"{1 / row['frequency_per_angstrom']:.3g} Å: map {amounts[0]}, times {number(row['gain'])}"
        said += f" makes {amounts[1]}; docked model {amounts[2]}"
        yield frame.x(row["frequency_per_angstrom"]), frame.y(row["matched_amplitude"]), said
