"""Every error of a samplesheet at once, by row and column, in sentences.

Nothing is repaired silently that could change a result. Every file is opened: what a later stage
would refuse after hours in a queue is refused here.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from classfold.alignment import given_alignments
from classfold.errors import InputError
from classfold.maps import SourceMap, read_map
from classfold.mmcif import read_model
from classfold.molecules import TargetSequence
from classfold.samplesheet import COLUMNS, Row
from classfold.sequence import read_sequence
from classfold.weights import sha256_of

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
MAP_COLUMNS = ("map", "half_map_1", "half_map_2", "mask")
RESERVED_CLASSES = ("comparison", "sequence", "unguided")
RESERVED_TARGETS = ("pipeline_info",)
RESOLUTION_LIMITS_ANGSTROM = (1.5, 25.0)
VOXEL_SIZE_LIMITS_ANGSTROM = (0.2, 10.0)
NYQUIST_TOLERANCE = 0.02
"""Relative: programs report a resolution at Nyquist with a pixel size rounded to two digits."""

PIXEL_SIZE_TOLERANCE = 0.01
"""Relative: the pixel size of a microscope is rarely known better."""


class FirstRow(NamedTuple):
    """What the first row of a target says, which the others have to agree with."""

    row: Row
    molecule: TargetSequence | None


@dataclass
class Check:
    """A sheet being checked: the files that were found, and the sentences so far."""

    files: dict[tuple[int, str], Path]
    """(row, column) to the file, for the cells whose file exists."""
    sought: dict[tuple[int, str], str] = field(default_factory=dict)
    """(row, column) to the place that was looked at."""
    allow_msa_server: bool = False
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    places: dict[bytes, str] = field(default_factory=dict)
    """Digest of the densities of a map to the row and column that named it first."""

    def add(self, row: Row, column: str, sentence: str) -> None:
        """Note one error."""
        self.problems.append(f"row {row.number}, column {column}: {sentence}.")

    def file_of(self, row: Row, column: str) -> Path | None:
        """The file of a cell; a cell without its file is an error."""
        cell = row.cells.get(column, "")
        if not cell:
            return None
        path = self.files.get((row.number, column))
        if path is None:
            place = self.sought.get((row.number, column), "")
            looked = f" (looked for {place})" if place and place != cell else ""
            sentence = f"the file {cell!r} was not found{looked}; paths are relative to the samplesheet"
            self.add(row, column, sentence)
        return path

    def attempt(self, row: Row, column: str, action: Callable[[], Any]) -> Any:
        """Result of ``action``, or None after noting the error that it raised."""
        try:
            return action()
        except InputError as error:
            self.add(row, column, str(error).rstrip("."))
            return None


def check_rows(rows: list[Row], check: Check) -> list[dict[str, Any]]:
    """Check all rows and open all their files; what is wrong goes to ``check.problems``.

    Returns
    -------
    list of dict
        The normalised rows: numbers as numbers, an empty ``msa`` as ``none``.
    """
    first_rows: dict[str, FirstRow] = {}
    seen: dict[tuple[str, str], int] = {}
    normalised = []
    for row in rows:
        _check_names(row, seen, check)
        resolution = _resolution(row, check)
        contour = _contour(row, check)
        population = _population(row, check)
        _check_maps(row, resolution, contour, check)
        _check_molecule(row, first_rows, check)
        model = check.file_of(row, "initial_model")
        if model is not None:
            check.attempt(row, "initial_model", partial(read_model, model))
        cells = {column: row.cells.get(column, "") for column in COLUMNS}
        normalised.append(
            {
                "row": row.number,
                **cells,
                "resolution": resolution,
                "contour": contour,
                "population": population,
                "msa": _msa(row),
                "sha256": _digests(row, check),
            }
        )
    return normalised


def _digests(row: Row, check: Check) -> dict[str, str]:
    """Column to the SHA-256 of its map file, so that PREPARE_MAP sees whether it works on what was checked."""
    paths = {column: check.files.get((row.number, column)) for column in MAP_COLUMNS}
    return {column: sha256_of(path) for column, path in paths.items() if path is not None}


def _check_names(row: Row, seen: dict[tuple[str, str], int], check: Check) -> None:
    """Names that are safe in shells, paths and HTML, and a class once per target."""
    target, name = row.cells["target"], row.cells["class"]
    for column, value, reserved in (("target", target, RESERVED_TARGETS), ("class", name, RESERVED_CLASSES)):
        if not value:
            check.add(row, column, "the name is missing; give one")
        elif not NAME.fullmatch(value):
            sentence = f"the name {value!r} is not allowed; write up to 64 of A-Z, a-z, 0-9, _ and -, "
            check.add(row, column, sentence + "beginning with a letter or digit")
        elif value in reserved:
            check.add(row, column, f"the name {value!r} is taken by a folder of the results; choose another")
    if (target, name) in seen:
        sentence = (
            f"{target} {name} is in row {seen[target, name]} already; name every class of a target once"
        )
        check.add(row, "class", sentence)
    seen.setdefault((target, name), row.number)


def _number(row: Row, column: str, check: Check) -> float | None:
    """A finite number from a cell that is not empty, or None after noting what is wrong."""
    cell = row.cells[column]
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if math.isfinite(value):
        return value
    example = cell.replace(",", ".") if re.fullmatch(r"\d+,\d+", cell) else "one such as 4.0"
    check.add(row, column, f"{cell!r} is not a number; write {example}")
    return None


def _resolution(row: Row, check: Check) -> float | None:
    """Resolution in Å, if given; PREPARE_MAP finds it otherwise."""
    value = _number(row, "resolution", check) if row.cells.get("resolution") else None
    low, high = RESOLUTION_LIMITS_ANGSTROM
    if value is not None and not low <= value <= high:
        sentence = f"{value:g} Å is outside {low:g} to {high:g} Å; give the map's resolution in Å, "
        sentence += "or leave it empty to have it found from the half maps or the map"
        check.add(row, "resolution", sentence)
        return None
    return value


def _contour(row: Row, check: Check) -> float | None:
    """The user's density level, if given."""
    return _number(row, "contour", check) if row.cells.get("contour") else None


def _population(row: Row, check: Check) -> float | None:
    """The class's share of the particles, if given."""
    value = _number(row, "population", check) if row.cells.get("population") else None
    if value is not None and not 0 <= value <= 1:
        sentence = f"{value:g} is no share of the particles, which lies between 0 and 1"
        check.add(row, "population", f"{sentence}; write 0.25 for a quarter of them")
        return None
    return value


def _check_pixel_size(row: Row, source: SourceMap, check: Check) -> None:
    """A pixel size in the sheet is what the user believes; the map's header is what is used."""
    value = _number(row, "pixel_size", check) if row.cells.get("pixel_size") else None
    if value is not None and not np.allclose(source.voxel_size_angstrom, value, rtol=PIXEL_SIZE_TOLERANCE):
        shown = " x ".join(f"{size:g}" for size in source.voxel_size_angstrom)
        sentence = f"{value:g} Å, but the header of {source.name} says {shown} Å, which is what is used"
        check.add(row, "pixel_size", f"{sentence}; correct the one that is wrong, or leave the cell empty")


def _read_map(row: Row, column: str, check: Check) -> SourceMap | None:
    """The map of a cell; each file is read once however many rows name it."""
    path = check.file_of(row, column)
    if path is None:
        return None
    source = check.attempt(row, column, partial(read_map, path))
    if source is None:
        return None
    low, high = VOXEL_SIZE_LIMITS_ANGSTROM
    if not np.all((source.voxel_size_angstrom >= low) & (source.voxel_size_angstrom <= high)):
        shown = " x ".join(f"{size:g}" for size in source.voxel_size_angstrom)
        sentence = (
            f"the pixel size in the header of {path.name} is {shown} Å; {low:g} to {high:g} Å are allowed"
        )
        check.add(row, column, f"{sentence}: set it right")
        return None
    return source


def _notice_twins(row: Row, column: str, source: SourceMap, check: Check) -> None:
    """Warn of a map or half map whose densities were given before, under whatever name."""
    digest = hashlib.sha256(np.ascontiguousarray(source.density).data).digest()
    place = f"row {row.number}, column {column}"
    first = check.places.setdefault(digest, place)
    if first != place:
        check.warnings.append(
            f"{place}: {source.name} holds the same densities as the map in {first}; two classes, or two half maps, "
            f"of one map say nothing about each other: look whether one of the paths is wrong."
        )


def _check_maps(row: Row, resolution: float | None, contour: float | None, check: Check) -> None:
    """The map by itself, then what has to agree with it."""
    if not row.cells["map"]:
        check.add(row, "map", "the map is missing; give an MRC file")
    source = _read_map(row, "map", check)
    if source is not None:
        _check_pixel_size(row, source, check)
        _notice_twins(row, "map", source, check)
        nyquist = 2 * float(source.voxel_size_angstrom.max())
        if resolution is not None and resolution < nyquist * (1 - NYQUIST_TOLERANCE):
            sentence = f"{resolution:g} Å is finer than a pixel size of {nyquist / 2:g} Å can hold (Nyquist: "
            sentence += f"{nyquist:g} Å); correct the resolution or the map's pixel size"
            check.add(row, "resolution", sentence)
        low, high = float(source.density.min()), float(source.density.max())
        if contour is not None and not low < contour < high:
            sentence = f"{contour:g} is outside the map's densities ({low:.4g} to {high:.4g}); "
            check.add(row, "contour", sentence + "give a level between them, or leave it empty")
    for column, other in (("half_map_1", "half_map_2"), ("half_map_2", "half_map_1")):
        if row.cells.get(column) and not row.cells.get(other):
            check.add(row, other, f"{column} is given and {other} is not; give both half maps or none")
    shape = None if source is None else source.density.shape
    size = None if source is None else source.voxel_size_angstrom
    del source  # one map in memory at a time
    for column in ("half_map_1", "half_map_2", "mask"):
        if not row.cells.get(column):
            continue
        part = _read_map(row, column, check)
        if part is None or shape is None or size is None:
            continue
        # One mask may serve all classes.
        if column != "mask":
            _notice_twins(row, column, part, check)
        if part.density.shape != shape:
            sentence = f"its box is {_box(part.density.shape)}, the map's is {_box(shape)}"
            check.add(row, column, f"{sentence}; give one of the same box")
        if not np.allclose(part.voxel_size_angstrom, size, rtol=1e-3):
            sentence = f"its pixel size is {part.voxel_size_angstrom[0]:g} Å, the map's is {size[0]:g} Å"
            check.add(row, column, f"{sentence}; give one of the same pixel size")


def _box(shape_zyx: tuple[int, ...]) -> str:
    """A shape as people write it: x x y x z."""
    return " x ".join(str(n) for n in reversed(shape_zyx))


def _check_molecule(row: Row, first_rows: dict[str, FirstRow], check: Check) -> None:
    """The sequence and its alignments; one target has one molecule and one alignment."""
    target, cell, msa = row.cells["target"], row.cells["sequence"], _msa(row)
    if not cell:
        check.add(row, "sequence", "the sequence is missing; give a FASTA or a Boltz YAML")
    path = check.file_of(row, "sequence")
    molecule = None if path is None else check.attempt(row, "sequence", partial(read_sequence, path))
    first = first_rows.setdefault(target, FirstRow(row, molecule))
    if molecule is not None and first.molecule is not None and molecule != first.molecule:
        sentence = (
            f"{target} has another molecule here than in row {first.row.number}; give the rows of one target "
        )
        check.add(row, "sequence", sentence + "one sequence, or name the targets differently")
    if msa != _msa(first.row):
        sentence = f"{target} has {msa!r} here and {_msa(first.row)!r} in row {first.row.number}"
        check.add(row, "msa", f"{sentence}; give the rows of one target one alignment")
    elif msa == "server" and not check.allow_msa_server:
        sentence = (
            "'server' sends the sequence out of your house to a server on the internet; allow that with "
        )
        check.add(row, "msa", sentence + "--use_msa_server, or give an alignment, or write none")
    elif msa != "server" and (first.row is row or row.cells["sequence"] != first.row.cells["sequence"]):
        alignment = None if msa == "none" else check.file_of(row, "msa")
        if molecule is not None and (alignment is not None or msa == "none"):
            check.attempt(row, "msa", partial(given_alignments, molecule.chains, alignment))


def _msa(row: Row) -> str:
    """The cell of the alignment; empty is none."""
    return row.cells.get("msa") or "none"
