"""A Class3D (or finished Refine3D) job of RELION 3.1 to 5.

Every iteration of a classification leaves ``run_it025_model.star`` (``run_ct20_it025_model.star`` in a run that was
continued at iteration 20) with the tables ``data_model_general`` and ``data_model_classes``, and one map per class. A
refinement that has converged leaves ``run_model.star``, its map and two unfiltered half maps. Columns are read by name:
their order, and which there are, differ between versions. The paths in the tables are relative to the project's folder.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import starfile

from classfold.errors import InputError
from classfold.imports.found import FoundClass, FoundJob, both_files, possible_places

MODEL = re.compile(r"(?P<stem>.*?(?:_ct(?P<continued>\d+))?_it(?P<iteration>\d+))_model\.star")
CONVERGED = re.compile(r"(?P<stem>.*?(?:_ct(?P<continued>\d+))?)_model\.star")
HALF_MODEL = re.compile(r".*_half[12]_model\.star")
WANTED = "give the folder of a RELION Class3D job, such as Class3D/job012"


class Model(NamedTuple):
    """One model file of a job."""

    path: Path
    stem: str
    """What the names of its maps begin with: run_it025."""
    iteration: int | None
    """None for the model of a refinement that has converged."""


def read_relion_job(job: Path, iteration: int | None = None) -> FoundJob:
    """Classes of a job, of its last iteration or a given one.

    Raises
    ------
    InputError
        If the folder is no such job, has not come to its end (and no iteration was asked for), or lacks that iteration.
    """
    model = _choose_model(job, iteration)
    blocks = _read_star(model.path, n_blocks=2)
    general, table = blocks.get("model_general"), blocks.get("model_classes")
    if not isinstance(general, dict):
        raise InputError(f"{model.path} holds no table data_model_general; {WANTED}.")
    if int(general.get("rlnReferenceDimensionality", 3)) == 2:
        raise InputError(f"{job} is a 2D classification, whose classes are images; {WANTED}.")
    if int(general.get("rlnNrBodies", 1)) > 1:
        raise InputError(f"{job} is a multi-body refinement: its bodies are parts of one map, no classes; {WANTED}.")
    if not isinstance(table, pd.DataFrame) or "rlnReferenceImage" not in table:
        raise InputError(f"{model.path} holds no table data_model_classes with rlnReferenceImage; {WANTED}.")
    if iteration is None and model.iteration is not None:
        _check_finished(job, model)
    title = f"{job.parent.name}/{job.name}"
    title += f", iteration {model.iteration}" if model.iteration is not None else ", converged"
    rows = table.to_dict("records")
    classes = [_read_class(row, number, model, general) for number, row in enumerate(rows, start=1)]
    has_populations = "rlnClassDistribution" in table
    notes = [] if has_populations else [f"{model.path.name} states no populations (rlnClassDistribution)."]
    return FoundJob("RELION", title, classes, notes)


def _choose_model(job: Path, iteration: int | None) -> Model:
    """The model file to read."""
    if not job.is_dir():
        raise InputError(f"{job} is no folder; {WANTED}.")
    names = sorted(path.name for path in job.glob("*_model.star"))
    numbered = [match for name in names if (match := MODEL.fullmatch(name))]
    converged = [
        match
        for name in names
        if (match := CONVERGED.fullmatch(name)) and not MODEL.fullmatch(name) and not HALF_MODEL.fullmatch(name)
    ]
    if iteration is not None:
        found = sorted({int(match["iteration"]) for match in numbered})
        numbered = [match for match in numbered if int(match["iteration"]) == iteration]
        if not numbered:
            there = f"there are {', '.join(map(str, found))}" if found else WANTED
            raise InputError(f"{job} has no model of iteration {iteration}; {there}.")
    elif converged:
        newest = max(converged, key=lambda match: int(match["continued"] or 0))
        return Model(job / newest.string, newest["stem"], None)
    if not numbered:
        if names:
            raise InputError(f"{job} is a Refine3D job that has not converged; wait until it has, or {WANTED}.")
        raise InputError(f"{job} holds no run_itNNN_model.star; {WANTED}.")
    last = max(numbered, key=lambda match: (int(match["iteration"]), int(match["continued"] or 0)))
    return Model(job / last.string, last["stem"], int(last["iteration"]))


def _check_finished(job: Path, model: Model) -> None:
    """The optimiser's file says how many iterations were asked for."""
    optimiser = job / f"{model.stem}_optimiser.star"
    general = _read_star(optimiser, n_blocks=1).get("optimiser_general") if optimiser.is_file() else None
    wanted = int(general.get("rlnNumberOfIterations", 0)) if isinstance(general, dict) else 0
    if model.iteration is not None and model.iteration < wanted:
        raise InputError(
            f"{job} has come to iteration {model.iteration} of {wanted}; wait until it has finished, or take what "
            f"there is by --iteration {model.iteration}."
        )


def _read_class(row: dict[Any, Any], number: int, model: Model, general: dict[str, Any]) -> FoundClass:
    """One row of data_model_classes."""
    folder = model.path.parent
    has_converged = model.iteration is None
    # The resolution of a refinement is that of its half maps, which stands in the general table.
    resolution = general.get("rlnCurrentResolution") if has_converged else row.get("rlnEstimatedResolution")
    halves = [folder / f"{model.stem}_half{half}_class{number:03d}_unfil.mrc" for half in (1, 2)]
    return FoundClass(
        name=f"class{number:03d}",
        places=possible_places(str(row["rlnReferenceImage"]), folder, folder.absolute().parents),
        population=_number(row.get("rlnClassDistribution")),
        resolution_angstrom=_number(resolution),
        pixel_size_angstrom=_number(general.get("rlnPixelSize")),
        half_maps=both_files(*halves) if has_converged else None,
    )


def _number(value: Any) -> float | None:
    """A number that a table holds, if it does."""
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


def _read_star(path: Path, n_blocks: int) -> dict[str, Any]:
    """The first tables of a STAR file by name: lists of pairs as dict, loops as DataFrame."""
    try:
        return starfile.read(path, read_n_blocks=n_blocks, always_dict=True)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as a STAR file ({error}); copy it again.") from error
