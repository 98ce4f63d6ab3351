"""A plot of a benchmark as an SVG file of its own, drawn with the report's parts."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import NamedTuple

from markupsafe import Markup

from classfold.report.svg import Frame, Points, polyline, text, x_axis, y_axis

WIDTH, HEIGHT = 640, 360
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
"""Okabe and Ito's, which the colour-blind tell apart."""
STYLE = (
    "text{font:12px sans-serif;fill:#333}.grid{stroke:#ddd}.axis{stroke:#333}"
    "polyline{fill:none;stroke-width:2}"
    + "".join(f".line{k}{{stroke:{colour}}}.mark{k}{{fill:{colour}}}" for k, colour in enumerate(COLOURS))
)


class Axes(NamedTuple):
    """What the axes are, with their units."""

    x: str
    y: str


def drawn_lines(axes: Axes, lines: Mapping[str, Points]) -> str:
    """Lines with a mark at each point, each named at its right end; y begins at 0. Points that are NaN are left out."""
    known = {name: [(x, y) for x, y in points if isfinite(y)] for name, points in lines.items()}
    places = [place for points in known.values() for place in points]
    x_range = min(x for x, _ in places), max(x for x, _ in places)
    frame = Frame(60, 40, WIDTH - 150, HEIGHT - 90, x_range, (0.0, 1.1 * max(y for _, y in places)))
    content = [y_axis(frame), x_axis(frame, axes.x), text(12, 20, axes.y)]
    for k, (name, points) in enumerate(known.items()):
        content.append(polyline(frame, points, f"line{k}"))
        mark = Markup('<circle class="mark{}" cx="{:.1f}" cy="{:.1f}" r="4"/>')
        content += [mark.format(k, frame.x(x), frame.y(y)) for x, y in points]
        if points:
            content.append(text(frame.x(points[-1][0]) + 8, frame.y(points[-1][1]) + 4, name))
    head = Markup('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" role="img"><title>{}</title>')
    title = f"{axes.y}, against {axes.x}"
    background = Markup('<style>{}</style><rect width="100%" height="100%" fill="#fff"/>').format(Markup(STYLE))
    return str(head.format(WIDTH, HEIGHT, title) + background + Markup("").join(content) + Markup("</svg>\n"))
