"""summary.csv and summary.json: one row per class, for spreadsheets and for programs.

assets/summary_schema.json, which :mod:`classfold.report.summary_schema` makes of the columns, describes the JSON file.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from classfold import __version__
from classfold.records import write_json
from classfold.report.cost import cost_of
from classfold.report.failures import failed_classes, why_failed
from classfold.report.gather import ClassResult, Run, TargetResult
from classfold.report.multiqc import general_statistics
from classfold.scores.table import SCORES

Row = dict[str, Any]
MODELLED, FAILED = "modelled", "failed"


class Column(NamedTuple):
    """One column of the summary."""

    name: str
    meaning: str
    value: Callable[[TargetResult, ClassResult], Any]
    kind: str = "number"
    """string, integer or number, as JSON schema calls them; null in every column says that there is no value."""
    known_as: tuple[str, ...] = ()
    """The same in RELION's model.star (rln...) and in ISPyB (Table.column)."""


def _from(stage: str, *keys: str) -> Callable[[TargetResult, ClassResult], Any]:
    """Value under ``keys`` of a class's stage record; None where the stage or a key is missing."""

    def value(_: TargetResult, result: ClassResult) -> Any:
        found: Any = getattr(result, stage)
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        return found

    return value


def _mean_residue_cc(_: TargetResult, result: ClassResult) -> float | None:
    if result.residues is None:
        return None
    cc = pd.to_numeric(result.residues["cc"], errors="coerce").dropna()
    return float(cc.mean()) if len(cc) else None


def _verdict_reasons(_: TargetResult, result: ClassResult) -> str | None:
    verdict = (result.models or {}).get("verdict") or {}
    return " ".join(verdict.get("reasons", [])) or None


def n_warnings(target: TargetResult, result: ClassResult) -> int:
    """Warnings of all stages of a class, those of its whole target included."""
    return len(target.warnings) + len(result.warnings)


_RUN_COLUMNS = (
    Column("target", "name of the target", lambda target, _: target.name, "string"),
    Column("class", "name of the class", lambda _, result: result.name, "string"),
    Column(
        "population",
        "share of the particles in this class, 0 to 1, as the samplesheet says",
        lambda _, result: result.population,
        known_as=("rlnClassDistribution", "ParticleClassification.classDistribution"),
    ),
    Column(
        "status",
        "modelled, or failed where the class has no model",
        lambda _, result: MODELLED if result.models is not None else FAILED,
        "string",
    ),
    Column("reason", "why a class has no model; empty where it has one", lambda _, result: None, "string"),
    Column("verdict", "accept, inspect or reject the best model", _from("models", "verdict", "verdict"), "string"),
    Column("verdict_reasons", "what the verdict rests on, sentences", _verdict_reasons, "string"),
    Column("best_sample", "number of the best sample, from 1", _from("models", "best_sample"), "integer"),
    Column("n_samples", "samples drawn for this class", lambda _, result: result.n_samples, "integer"),
    Column(
        "n_finished",
        "of these, samples taken to the end; the others were stopped early, for they fitted the map worse",
        lambda _, result: result.n_finished,
        "integer",
    ),
    Column("cc_mask", "map correlation of the best model around its atoms, -1 to 1", _from("models", "cc_mask")),
    Column(
        "unguided_cc_mask",
        "the same for the unguided model, docked as a rigid body",
        _from("models", "unguided", "cc_mask"),
    ),
    Column("mean_residue_cc", "mean over residues of the best model's map correlation", _mean_residue_cc),
    Column("score", "value by which the samples are ranked, higher is better", _from("models", "score")),
    Column("clashes", "pairs of atoms of the best model that are too close", _from("models", "clashes"), "integer"),
    Column(
        "confidence",
        "the network's confidence in the best model; empty without a confidence head",
        _from("models", "confidence"),
    ),
    Column(
        "best_ca_rmsd_angstrom",
        "C-alpha RMSD of the best model to the given known structure, not superposed",
        _from("models", "reference", "best_ca_rmsd_angstrom"),
    ),
    Column(
        "best_all_atom_rmsd_angstrom",
        "the same over all atoms",
        _from("models", "reference", "best_all_atom_rmsd_angstrom"),
    ),
    Column(
        "unguided_ca_rmsd_angstrom",
        "C-alpha RMSD of the docked unguided model to the known structure, not superposed",
        _from("models", "reference", "unguided_ca_rmsd_angstrom"),
    ),
    Column(
        "resolution_angstrom",
        "resolution on which the map was worked",
        _from("map", "resolution_angstrom"),
        known_as=("rlnEstimatedResolution", "ParticleClassification.estimatedResolution"),
    ),
    Column(
        "resolution_method",
        "where it comes from: samplesheet, half maps, or an estimate from the map alone",
        _from("map", "resolution_method"),
        "string",
    ),
    Column(
        "voxel_size_angstrom",
        "voxel size of the prepared map",
        _from("map", "voxel_size_angstrom"),
        known_as=("rlnPixelSize",),
    ),
    Column("threshold", "contour of the molecule, in the map's own units", _from("map", "threshold")),
    Column("threshold_method", "how the contour was found", _from("map", "threshold_method"), "string"),
    Column("enclosed_volume_angstrom3", "volume inside the contour", _from("map", "enclosed_volume_angstrom3")),
    Column(
        "expected_volume_angstrom3",
        "volume within a contour around the sequence's mass, 1.21 cubic angstrom per dalton and 3 % for every angstrom",
        _from("map", "expected_volume_angstrom3"),
    ),
    Column("docking_score", "score of the best rigid-body pose", _from("docking", "score")),
    Column("docking_margin", "its lead over the next distinct pose, relative", _from("docking", "margin")),
    Column("docking_mirror_score", "best score in the mirrored map", _from("docking", "mirror_score")),
    Column(
        "map_hand",
        "hand of the map as it was given: right, mirrored or undecided",
        _from("docking", "hand"),
        "string",
    ),
    Column(
        "explained_density",
        "share of the density above the contour that the docked model explains",
        _from("docking", "explained_density"),
    ),
    Column(
        "atoms_in_density",
        "share of its atoms that lie in density above the contour",
        _from("docking", "atoms_in_density"),
    ),
    Column("n_residues", "residues of the target", lambda target, _: target.record.get("n_residues"), "integer"),
    Column("n_atoms", "heavy atoms of the target", lambda target, _: target.record.get("n_atoms"), "integer"),
    Column("weights_label", "which weights made the models", _from("samples", "weights_label"), "string"),
    Column("seed", "seed of the samples' map stage", _from("map", "seed"), "integer"),
    Column(
        "gpu_minutes",
        "share of this class in its target's prediction and its sampling task, which classes divide equally; empty "
        "where neither ran on a GPU",
        lambda target, result: cost_of(target, result).gpu_minutes,
    ),
    Column(
        "compute_minutes",
        "the same where they ran on processors",
        lambda target, result: cost_of(target, result).compute_minutes,
    ),
    Column("n_warnings", "warnings of all stages, see the report", n_warnings, "integer"),
)
# All scores of the best model, but those that have a column above.
COLUMNS = _RUN_COLUMNS + tuple(
    Column(score.name, f"best model: {score.meaning}", _from("models", "scores", score.name))
    for score in SCORES
    if score.name not in {column.name for column in _RUN_COLUMNS}
)


def summarise(run: Run) -> list[Row]:
    """One row per class with every column, None where there is no value; classes that left nothing come last."""
    rows = [
        {column.name: column.value(target, result) for column in COLUMNS}
        for target in run.targets
        for result in target.classes
    ]
    for row in rows:
        if row["status"] == FAILED:
            row["reason"] = " ".join(why_failed(run, row["target"], row["class"]))
    empty: Row = dict.fromkeys(column.name for column in COLUMNS)
    for failed in failed_classes(run):
        known = {"target": failed.target, "class": failed.name, "population": failed.population}
        rows.append(empty | known | {"status": FAILED, "reason": " ".join(failed.reasons)})
    return rows


def write_summary(run: Run, folder: Path) -> list[Row]:
    """Write summary.csv, summary.json and classfold_mqc.json into ``folder`` and return their rows."""
    rows = summarise(run)
    path = folder / "summary.csv"
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, [column.name for column in COLUMNS])
        writer.writeheader()
        writer.writerows(rows)
    os.replace(partial, path)
    columns = {column.name: column.meaning for column in COLUMNS}
    known_as = {column.name: list(column.known_as) for column in COLUMNS if column.known_as}
    record = {"version": __version__, "columns": columns, "known_as": known_as, "classes": rows}
    write_json(record | {"parameters": run.parameters}, folder / "summary.json")
    write_json(general_statistics(rows), folder / "classfold_mqc.json")
    return rows
