"""From the classes that were found to the rows of a samplesheet, with a sentence for all that a person must know."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import NamedTuple

from classfold.errors import InputError
from classfold.imports.found import FoundClass, FoundJob
from classfold.input_check import NYQUIST_TOLERANCE, PIXEL_SIZE_TOLERANCE, RESOLUTION_LIMITS_ANGSTROM
from classfold.maps import read_voxel_size

NO_RESOLUTION_ANGSTROM = 999.0
"""What programs write, with inf and 0, where they could not tell a resolution."""


class Row(NamedTuple):
    """One class of the sheet to be."""

    name: str
    map: Path
    population: float | None
    resolution_angstrom: float | None
    pixel_size_angstrom: float
    """Of the map's header, which is what the pipeline works with."""
    half_maps: tuple[Path, Path] | None


def choose_rows(job: FoundJob, min_population: float = 0.0) -> tuple[list[Row], list[str]]:
    """Rows for the classes that can be modelled, and sentences about the rest.

    Parameters
    ----------
    job : FoundJob
    min_population : float
        Classes with a smaller share of the particles are left out; those with none always are.

    Raises
    ------
    InputError
        If a class's map is missing or unreadable (all of them are named), or no class is left.
    """
    rows, missing = [], []
    doubts: dict[str, list[str]] = {}
    for found in job.classes:
        if found.population is not None and (found.population <= 0 or found.population < min_population):
            doubts.setdefault(f"left out, with {_percent(found.population)} of the particles.", []).append(found.name)
            continue
        path = found.map
        if path is None:
            places = ", ".join(map(str, found.places))
            missing.append(f"{found.name}: its map {found.places[0].name} was not found (looked for {places})")
            continue
        row, doubtful = _row(found, path, len(job.classes), job.program)
        rows.append(row)
        for sentence in doubtful:
            doubts.setdefault(sentence, []).append(found.name)
    if missing:
        raise InputError("\n  ".join([f"maps of {job.title} are missing; copy them there:", *missing]))
    if not rows:
        raise InputError(f"no class of {job.title} is left; give a --min-population below {min_population:g}.")
    return rows, job.notes + [f"{', '.join(names)}: {sentence}" for sentence, names in doubts.items()]


def _row(found: FoundClass, path: Path, n_classes: int, program: str) -> tuple[Row, list[str]]:
    """One row, and sentences about what is doubtful in it."""
    doubtful = []
    pixel_size = float(read_voxel_size(path).mean())
    stated = found.pixel_size_angstrom
    if stated and abs(stated / pixel_size - 1) > PIXEL_SIZE_TOLERANCE:
        doubtful.append(
            f"{program} states a pixel size of {stated:.4g} Å, the map's header {pixel_size:.4g} Å; the header's is "
            "used: correct it if it is wrong."
        )
    resolution = found.resolution_angstrom
    if resolution is None or (doubt := _doubt(resolution, pixel_size)):
        said = f"{program} states none" if resolution is None else f"{program} states {resolution:.4g} Å, {doubt}"
        doubtful.append(f"the resolution is left empty ({said}): it will be found from the half maps or the map.")
        resolution = None
    # The only class of a job holds all of its particles, which says nothing.
    population = found.population if n_classes > 1 else None
    return Row(found.name, path, population, resolution, pixel_size, found.half_maps), doubtful


def _doubt(resolution: float, pixel_size: float) -> str:
    """Why a stated resolution cannot be used; empty if it can."""
    low, high = RESOLUTION_LIMITS_ANGSTROM
    if not 0 < resolution < NO_RESOLUTION_ANGSTROM:
        return "which is none"
    if resolution < 2 * pixel_size * (1 - NYQUIST_TOLERANCE):
        return f"finer than its pixels of {pixel_size:.4g} Å can hold"
    return "" if low <= resolution <= high else f"outside {low:g} to {high:g} Å"


def write_sheet(sheet: Path, target: str, sequence: Path, rows: list[Row]) -> None:
    """Write a samplesheet, whole or not at all; columns that would be empty are left out."""
    table = []
    for row in rows:
        halves = row.half_maps or (None, None)
        table.append(
            {
                "target": target,
                "class": row.name,
                "map": written_path(row.map, sheet),
                "resolution": "" if row.resolution_angstrom is None else f"{row.resolution_angstrom:.4g}",
                "sequence": written_path(sequence, sheet),
                "half_map_1": written_path(halves[0], sheet) if halves[0] else "",
                "half_map_2": written_path(halves[1], sheet) if halves[1] else "",
                "population": "" if row.population is None else f"{row.population:.6g}",
                "pixel_size": f"{row.pixel_size_angstrom:.6g}",
            }
        )
    optional = ("resolution", "half_map_1", "half_map_2", "population")
    columns = [name for name in table[0] if name not in optional or any(cells[name] for cells in table)]
    partial = sheet.with_name(sheet.name + ".partial")
    with partial.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    os.replace(partial, sheet)


def written_path(path: Path, sheet: Path) -> str:
    """A path as the sheet names it.

    Relative for files below the sheet's folder or in a folder beside it, so that sheet and maps can be moved together;
    absolute for others, so that the sheet alone can be moved.
    """
    folder = sheet.absolute().parent
    relative = Path(os.path.relpath(path.absolute(), folder))
    climbs = relative.parts.count("..")
    is_near = climbs == 0 or (climbs == 1 and folder.parent != Path(folder.anchor))
    return str(relative) if is_near else os.path.normpath(path.absolute())


def summary(rows: list[Row]) -> str:
    """What was found, aligned for a terminal."""
    lines = [("class", "population", "resolution", "pixel size", "half maps", "map")]
    lines += [
        (
            row.name,
            "-" if row.population is None else _percent(row.population),
            "-" if row.resolution_angstrom is None else f"{row.resolution_angstrom:.4g} Å",
            f"{row.pixel_size_angstrom:.4g} Å",
            "yes" if row.half_maps else "no",
            row.map.name,
        )
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
