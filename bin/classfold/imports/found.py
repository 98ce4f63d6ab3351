"""What an import found in the folder of a 3D classification, in one form for every program."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


@dataclass(frozen=True)
class FoundClass:
    """One class as its program states it; nothing is checked yet."""

    name: str
    places: tuple[Path, ...]
    """Where its map may lie, likeliest first."""
    population: float | None
    """Share of the particles, 0 to 1; None where the program left no trace of it."""
    resolution_angstrom: float | None
    """As stated: it may be infinite. None where nothing is stated."""
    pixel_size_angstrom: float | None = None
    """As stated beside the map; what its header says is looked up later."""
    half_maps: tuple[Path, Path] | None = None

    @property
    def map(self) -> Path | None:
        """The first place that holds a file."""
        return next((place for place in self.places if place.is_file()), None)


class FoundJob(NamedTuple):
    """A classification."""

    program: str
    title: str
    """Which job, and which iteration of it, for a person."""
    classes: list[FoundClass]
    notes: list[str]
    """Sentences about what could not be found."""


def possible_places(name: str, folder: Path, roots: Iterable[Path]) -> tuple[Path, ...]:
    """Where a file may lie whose path a program wrote, likeliest first.

    A job writes its maps into its own folder, so they are sought there first: a copy of the folder is then read with
    its own maps. Otherwise the path is meant from the project's folder, or is absolute.

    Parameters
    ----------
    name : str
        The path as written.
    folder : Path
        The job's folder.
    roots : iterable of Path
        Folders that may be the project's.
    """
    written = Path(name)
    places = [folder / written.name, *([written] if written.is_absolute() else [root / written for root in roots])]
    return tuple(dict.fromkeys(places))


def both_files(first: Path, second: Path) -> tuple[Path, Path] | None:
    """Two half maps, if there are two."""
    return (first, second) if first.is_file() and second.is_file() else None
