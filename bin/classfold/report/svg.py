"""Small SVG pictures: axes, lines, bands, and the readout that the page's script shows under the pointer.

Coordinates given to these functions are data; only :class:`Frame` knows pixels. Everything is text that
Markup escapes, so names from users cannot become markup.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10

from markupsafe import Markup

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Frame:
    """A rectangle of a picture and the data range that it shows, linear in x, linear or logarithmic in y."""

    left: float
    top: float
    width: float
    height: float
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    is_log: bool = False
    """Whether equal ratios of y are equally far apart; then its range is positive."""

    def x(self, value: float) -> float:
        """Pixel of a data x."""
        low, high = self.x_range
        return self.left + self.width * (value - low) / ((high - low) or 1.0)

    def y(self, value: float) -> float:
        """Pixel of a data y; values outside the range stay on its edge."""
        low, high = self.y_range
        if self.is_log:
            low, high, value = log10(low), log10(high), log10(max(value, low))
        part = (value - low) / ((high - low) or 1.0)
        return self.top + self.height * (1.0 - min(max(part, 0.0), 1.0))


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers between ``low`` and ``high``, about so many."""
    if not high > low:
        return [low]
    raw = (high - low) / max(about, 1)
    unit = 10.0 ** floor(log10(raw))
    step = next((unit * factor for factor in (1, 2, 5) if unit * factor >= raw), unit * 10)
    first = ceil(low / step - 1e-9)
    return [round(index * step, 12) for index in range(first, floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten between two positive numbers, their doubles and quintuples; within one of these, round numbers."""
    decades = range(floor(log10(low)), ceil(log10(high)) + 1)
    factors = (1, 2, 5) if len(decades) < 5 else (1,)
    found = [factor * 10.0**decade for decade in decades for factor in factors]
    inside = [value for value in found if low <= value <= high]
    return inside if len(inside) > 1 else ticks(low, high, about=4)


def number(value: float) -> str:
    """A number as a reader wants it: four digits at most, no exponent where it can be helped."""
    if value == 0 or 1e-4 <= abs(value) < 1e5:
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}".replace(",", "\u202f")
    return f"{value:.2e}"


def count(number_of: int, singular: str, plural: str) -> str:
    """A number with its noun in the right form."""
    return f"{number_of} {singular if number_of == 1 else plural}"


def polyline(frame: Frame, points: Points, css: str) -> Markup:
    """A line through data points; it breaks where a value is not finite."""
    parts: list[list[str]] = [[]]
    for x, y in points:
        if isfinite(y):
            parts[-1].append(f"{frame.x(x):.1f},{frame.y(y):.1f}")
        elif parts[-1]:
            parts.append([])
    lines = []
    for part in filter(None, parts):
        # A lone point would draw nothing.
        part = part * 2 if len(part) == 1 else part
        lines.append(Markup('<polyline class="{}" points="{}"/>').format(css, " ".join(part)))
    return Markup("").join(lines)


def band(frame: Frame, x_range: tuple[float, float], css: str) -> Markup:
    """A shaded stretch of the x axis."""
    left, right = frame.x(x_range[0]), frame.x(x_range[1])
    return Markup('<rect class="band {}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
        css, left, frame.top, right - left, frame.height
    )


def upright(x: float, y_range: tuple[float, float], css: str) -> Markup:
    """A vertical line at a pixel."""
    return Markup('<line class="{}" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>').format(css, x, x, *y_range)


def interval(x_range: tuple[float, float], middle: float, y: float, css: str) -> Markup:
    """A horizontal bar from pixel to pixel with a tick in it; a range of no width shows the tick alone."""
    bar = Markup('<line class="{}" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>').format(css, *x_range, y, y)
    return bar + upright(middle, (y - 5, y + 5), css)


def text(x: float, y: float, content: str, *, css: str = "", anchor: str = "start") -> Markup:
    """A piece of text at a pixel."""
    template = Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>')
    return template.format(css, x, y, anchor, content)


def y_axis(frame: Frame) -> Markup:
    """Grid lines with their numbers on the left of the frame."""
    line = Markup('<line class="grid" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>')
    drawn = []
    for value in log_ticks(*frame.y_range) if frame.is_log else ticks(*frame.y_range, about=4):
        y = frame.y(value)
        drawn.append(line.format(frame.left, frame.left + frame.width, y, y))
        # The lowest number stands above the x axis, which may run on beside this frame.
        drawn.append(
            text(frame.left - 6, min(y + 4, frame.top + frame.height - 3), number(value), css="tick", anchor="end")
        )
    return Markup("").join(drawn)


def x_axis(frame: Frame, label: str) -> Markup:
    """Tick numbers under the frame and the axis' name at its right end."""
    bottom = frame.top + frame.height
    drawn = [text(frame.left + frame.width, bottom + 34, label, css="axis-label", anchor="end")]
    for value in ticks(*frame.x_range, about=10):
        drawn.append(text(frame.x(value), bottom + 16, number(value), css="tick", anchor="middle"))
    line = Markup('<line class="axis" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>')
    drawn.append(line.format(frame.left, frame.left + frame.width, bottom, bottom))
    return Markup("").join(drawn)


def picture(size: tuple[int, int], title: str, content: Markup, readout: list[tuple[float, float, str]]) -> Markup:
    """A whole figure: the drawing, a cursor, and the line of text that names what is under the pointer.

    Parameters
    ----------
    size : (width, height)
        In the picture's own units; the page scales it.
    title : str
        What a reader who cannot see the picture is told.
    content : Markup
        The drawing.
    readout : list of (x, y, text)
        Places in pixels and what to say there.
    """
    width, height = size
    places = json.dumps([[round(x, 1), round(y, 1), said] for x, y, said in readout], ensure_ascii=False)
    return Markup(
        '<figure class="plot"><svg viewBox="0 0 {w} {h}" role="img" tabindex="0" aria-label="{title}" '
        'data-readout="{places}">{content}<g class="cursor" visibility="hidden">'
        '<line y1="0" y2="{h}" x1="0" x2="0"/><circle r="4"/></g></svg>'
        '<p class="readout" aria-live="polite">Point at the plot, or focus it and use the arrow keys, '
        "to read its values.</p></figure>"
    ).format(w=width, h=height, title=title, places=places, content=content)
