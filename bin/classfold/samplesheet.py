"""The samplesheet as a table of text: one row is one class.

Rows are counted as a text editor does: the header is line 1. What only differs in form is accepted: a
byte-order mark, Windows line ends, spaces around a cell, semicolons or tabs in place of commas.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import NamedTuple

from classfold.errors import InputError

REQUIRED = ("target", "class", "map", "sequence")
OPTIONAL = (
    *("resolution", "half_map_1", "half_map_2", "mask", "contour"),
    *("msa", "initial_model", "population", "pixel_size"),
)
COLUMNS = REQUIRED + OPTIONAL


class Row(NamedTuple):
    """One class: its line in the sheet and its cells by column."""

    number: int
    cells: dict[str, str]


def read_rows(sheet: Path) -> list[Row]:
    """Rows of the sheet as text.

    Raises
    ------
    InputError
        If it is no text, has no rows, lacks a column, has an unknown one or one twice, or a row too long.
    """
    try:
        lines = re.split(r"\r\n|\n|\r", sheet.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(
            "the samplesheet is not UTF-8 text; save it as CSV (UTF-8), not as a spreadsheet."
        ) from error
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line.strip(" \t,;")]
    if not numbered:
        raise InputError(f"the samplesheet is empty; give a header with the columns {', '.join(REQUIRED)}.")
    delimiter = max(",;\t", key=numbered[0][1].count)
    header = [name.lower() for name in _split(numbered[0][1], delimiter)]
    problems = _header_problems(header)
    rows = []
    for number, line in numbered[1:]:
        cells = _split(line, delimiter)
        if any(cells[len(header) :]):
            problems.append(
                f"row {number} has {len(cells)} cells, the header {len(header)}; quote cells with commas."
            )
        cells += [""] * (len(header) - len(cells))
        rows.append(Row(number, dict(zip(header, cells, strict=False))))
    if not rows:
        problems.append("the samplesheet has a header and no rows; give one row for every class.")
    if problems:
        raise InputError("\n".join(problems))
    return rows


def _split(line: str, delimiter: str) -> list[str]:
    """Cells of one line, without the spaces around them."""
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))]


def _header_problems(header: list[str]) -> list[str]:
    """Sentences about the columns."""
    missing = [name for name in REQUIRED if name not in header]
    unknown = [name for name in header if name not in COLUMNS]
    twice = sorted({name for name in header if header.count(name) > 1})
    problems = []
    if missing:
        problems.append(f"the column {', '.join(missing)} is missing; required are {', '.join(REQUIRED)}.")
    if unknown:
        shown = ", ".join(map(repr, unknown))
        problems.append(f"the column {shown} is not known; allowed are {', '.join(COLUMNS)}.")
    if twice:
        problems.append(f"the column {', '.join(map(repr, twice))} is there more than once; keep one.")
    return problems
