"""A job of cryoSPARC 3 or 4 that has classes: heterogeneous refinement, 3D classification, ab initio, and refinements.

``job.json`` in the job's folder names its outputs: a group ``volume_class_0`` with the results ``map``, ``map_half_A``,
``map_half_B`` and the summary of their FSC, and a group ``particles_class_0`` with the number of its particles. Each
result is a ``.cs`` file for each iteration kept. Where ``job.json`` is missing, the names of the files tell:
``J12_class_00_00042_volume.mrc``, ``..._final_volume.mrc``, with ``cryosparc_P3_`` in front in version 3. Classes count
from 0; paths are relative to the project's folder, the one above the job's.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from classfold.errors import InputError
from classfold.imports.cs_files import count_by_class, read_cs, text_of
from classfold.imports.found import FoundClass, FoundJob, both_files, possible_places

PREFIX = r"(?:cryosparc_P\d+_)?J\d+_"
ITERATION = r"(?:(?P<iteration>\d+|final)_)?"
VOLUME_FILE = re.compile(rf"{PREFIX}(?:class_(?P<number>\d+)_)?{ITERATION}volume(?:_map)?\.mrc")
PARTICLES_FILE = re.compile(rf"{PREFIX}(?:class_(?P<number>\d+)_)?{ITERATION}particles\.cs")
VOLUME_GROUP = re.compile(r"volume(?:_class_(?P<number>\d+))?")
PARTICLES_GROUP = re.compile(r"particles_class_(?P<number>\d+)")
WANTED = "give the folder of a heterogeneous refinement or 3D classification, such as P3/J12"


class Volume(NamedTuple):
    """The maps of one class."""

    places: tuple[Path, ...]
    half_maps: tuple[Path, Path] | None
    pixel_size_angstrom: float | None = None
    resolution_angstrom: float | None = None


def read_cryosparc_job(job: Path) -> FoundJob:
    """Classes of a job as it ended.

    Raises
    ------
    InputError
        If the folder is no job, the job has not completed, or it has no volumes.
    """
    if not job.is_dir():
        raise InputError(f"{job} is no folder; {WANTED}.")
    document = _read_document(job / "job.json")
    kind = document.get("job_type") or document.get("type") or "job"
    status = document.get("status", "completed")
    if status != "completed":
        advice = "wait until it has completed, or mark it as complete in cryoSPARC"
        raise InputError(f"{job} ({kind}) is {status}; {advice}.")
    by_name = _volumes_by_name(job)
    volumes = _volumes_of_document(job, document, by_name) or by_name
    if not volumes:
        what = f"{job} ({kind}) has no volumes" if document else f"{job} holds neither a job.json nor volumes of a job"
        raise InputError(f"{what}; {WANTED}.")
    counts = _counts_of_document(document) or _counts_of_particles(job)
    has_counts = all(number in counts for number in volumes) and any(counts.values())
    notes = [] if document else [f"{job} has no job.json, so that no resolutions are known."]
    if not has_counts and len(volumes) > 1:
        notes.append(f"Neither job.json nor a particles.cs in {job} says how many particles each class has.")
    classes = [
        FoundClass(
            name="volume" if number is None else f"class_{number}",
            population=counts[number] / sum(counts.values()) if number is not None and has_counts else None,
            **volume._asdict(),
        )
        for number, volume in sorted(volumes.items(), key=lambda item: item[0] or 0)
    ]
    return FoundJob("cryoSPARC", f"{job.absolute().name} ({kind})", classes, notes)


def _read_document(path: Path) -> dict[str, Any]:
    """The job's own description, empty where there is none."""
    if not path.is_file():
        return {}
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as JSON ({error}); copy it again.") from error
    if not isinstance(document, dict):
        raise InputError(f"{path} is no description of a job; copy it again.")
    return document


def _volumes_of_document(
    job: Path, document: dict[str, Any], by_name: dict[int | None, Volume]
) -> dict[int | None, Volume]:
    """Class number (None: a refinement, which has one volume) to its maps, by the job's results."""
    tables = {
        result.get("group_name"): str(result["metafiles"][-1])
        for result in document.get("output_results", [])
        if result.get("name") == "map" and result.get("metafiles")
    }
    volumes: dict[int | None, Volume] = {}
    for group in document.get("output_result_groups", []):
        match = VOLUME_GROUP.fullmatch(str(group.get("name")))
        if not match or group["name"] not in tables:
            continue
        number = _class_number(match)
        path = _first_file(tables[group["name"]], job)
        volume = by_name.get(number) if path is None else _read_volume(path, job)
        if volume is None:
            raise InputError(f"{job}: neither {tables[group['name']]} nor its map was found; copy them there.")
        volumes[number] = volume._replace(resolution_angstrom=_resolution(group))
    return volumes


def _first_file(name: str | None, job: Path) -> Path | None:
    """A file that the job names, where it lies."""
    places = possible_places(name, job, [job.absolute().parent]) if name else ()
    return next((place for place in places if place.is_file()), None)


def _read_volume(path: Path, job: Path) -> Volume:
    """The maps that a volume's table names."""
    table = read_cs(path)
    name = text_of(table, "map/path")
    if name is None:
        raise InputError(f"{path} names no map (map/path); copy it again.")
    places = possible_places(name, job, [job.absolute().parent])
    first, second = (_first_file(text_of(table, f"map_half_{half}/path"), job) for half in "AB")
    halves = (first, second) if first and second else _halves_by_name(places[0])
    pixel_size = float(table["map/psize_A"][0]) if "map/psize_A" in (table.dtype.names or ()) else None
    return Volume(places, halves, pixel_size)


def _resolution(group: dict[str, Any]) -> float | None:
    """Resolution in Å of a volume's FSC with the best mask."""
    statistics = group.get("latest_summary_stats") or {}
    for source in (statistics.get("fsc_info_best"), statistics.get("fsc_info"), statistics):
        value = source.get("radwn_final_A") if isinstance(source, dict) else None
        if isinstance(value, (int, float)):
            return float(value)
    return None


def _volumes_by_name(job: Path) -> dict[int | None, Volume]:
    """The same by the names of the files: for every class its last iteration."""
    last = _last_files(job, VOLUME_FILE)
    if len(last) > 1:
        last.pop(None, None)  # a volume of all particles beside those of the classes
    return {number: Volume((path,), _halves_by_name(path)) for number, path in last.items()}


def _last_files(job: Path, pattern: re.Pattern[str]) -> dict[int | None, Path]:
    """Class number (None: of the whole job) to its file of the last iteration; one without a number is the last."""
    found = []
    for path in job.iterdir():
        if match := pattern.fullmatch(path.name):
            is_numbered = (match["iteration"] or "final") != "final"
            order = int(match["iteration"]) if is_numbered else float("inf")
            found.append((order, path, _class_number(match)))
    return {number: path for _, path, number in sorted(found, key=lambda entry: entry[:2])}


def _class_number(match: re.Match[str]) -> int | None:
    return None if match["number"] is None else int(match["number"])


def _halves_by_name(path: Path) -> tuple[Path, Path] | None:
    """The half maps beside a map: J12_003_volume_map_half_A.mrc, or ..._volume_half_A.mrc."""
    stem = path.name.removesuffix(".mrc").removesuffix("_map")
    for middle in ("_map_half_", "_half_"):
        if pair := both_files(path.with_name(f"{stem}{middle}A.mrc"), path.with_name(f"{stem}{middle}B.mrc")):
            return pair
    return None


def _counts_of_document(document: dict[str, Any]) -> dict[int, int]:
    """Particles of each class by the job's groups of particles."""
    counts = {}
    for group in document.get("output_result_groups", []):
        match = PARTICLES_GROUP.fullmatch(str(group.get("name")))
        count = group.get("num_items")
        if match and isinstance(count, int):
            counts[int(match["number"])] = count
    return counts


def _counts_of_particles(job: Path) -> dict[int, int]:
    """The same by the particles' tables: the posteriors of all classes, else one table for each class."""
    last = _last_files(job, PARTICLES_FILE)
    if None in last and (counts := count_by_class(read_cs(last[None]))):
        return counts
    return {number: len(read_cs(path)) for number, path in last.items() if number is not None}
