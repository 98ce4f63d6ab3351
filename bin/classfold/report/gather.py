"""Read the stage folders of a run into records, one per target and one per class.

A stage whose folder is missing leaves ``None`` and a warning: a report on half a run is still a report.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from classfold.errors import InputError
from classfold.half_map_validation import CURVES_FILE
from classfold.other_models import OTHERS_JSON
from classfold.records import read_json

NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
TEXT_COLUMNS = {"chain", "residue_name", "class_a", "class_b", "stage", "status", "reason", "ramachandran", "support"}
TEXT_COLUMNS |= {"residues", "hinges"}
# What the report draws or counts with; a column that it does not know may hold numbers or words.
NUMBER_COLUMNS = {"rank", "sample", "step", "sigma_angstrom", "guidance_strength", "loss", "cc_mask", "cc", "plddt"}
NUMBER_COLUMNS |= {"residue_number", "displacement_angstrom"}
NUMBER_COLUMNS |= {"frequency_per_angstrom", "map_amplitude", "matched_amplitude", "model_amplitude", "gain"}
NUMBER_COLUMNS |= {"work", "free"}


@dataclass(frozen=True)
class ClassResult:
    """What the stages found for one class; ``None`` where a stage left nothing."""

    target: str
    name: str
    map_folder: Path
    map: dict[str, Any]
    fsc: pd.DataFrame | None = None
    docking_folder: Path | None = None
    docking: dict[str, Any] | None = None
    spectra: pd.DataFrame | None = None
    samples: dict[str, Any] | None = None
    losses: pd.DataFrame | None = None
    models_folder: Path | None = None
    models: dict[str, Any] | None = None
    scores: pd.DataFrame | None = None
    residues: pd.DataFrame | None = None
    validation: pd.DataFrame | None = None
    """FSC of a model that half map 1 guided with both half maps."""
    others: dict[str, Any] | None = None
    """Models that others made, beside ours."""
    population: float | None = None
    """Share of the particles, 0 to 1, as the samplesheet says."""

    @property
    def anchor(self) -> str:
        """Identifier of this class in the page; names hold no dot, so it is unique."""
        return f"class.{self.target}.{self.name}"

    @property
    def n_samples(self) -> int | None:
        """Samples that were drawn."""
        record = self.samples or self.models
        return int(record["n_samples"]) if record else None

    @property
    def n_finished(self) -> int | None:
        """Of these, samples that were taken to the end: all of them where the record tells of no others."""
        if self.samples:
            return len(self.samples["samples"])
        return int(self.models.get("n_finished", self.models["n_samples"])) if self.models else None

    @property
    def samples_in_words(self) -> str:
        """25 samples, or 4 finished samples (25 drawn)."""
        samples = "sample" if self.n_finished == 1 else "samples"
        if self.n_finished == self.n_samples:
            return f"{self.n_samples} {samples}"
        return f"{self.n_finished} finished {samples} ({self.n_samples} drawn)"

    @property
    def warnings(self) -> list[str]:
        """Warnings of every stage of this class, each with the stage's name in front."""
        stages = (
            ("map", self.map),
            ("docking", self.docking),
            ("samples", self.samples),
            ("models", self.models),
        )
        found = []
        for stage, record in stages:
            if record is None:
                found.append(f"{stage}: no result: this stage did not finish for this class")
            else:
                found += [f"{stage}: {text}" for text in record.get("warnings", [])]
        return found + [f"others: {text}" for text in (self.others or {}).get("warnings", [])]


@dataclass(frozen=True)
class Comparison:
    """Square matrices over the classes of one target, and how far each residue moved between two of them."""

    record: dict[str, Any]
    rmsd: pd.DataFrame | None
    tm_score: pd.DataFrame | None
    cross_fit: pd.DataFrame | None
    displacement: pd.DataFrame | None
    moving_parts: pd.DataFrame | None = None
    folder: Path = Path()
    """Of COMPARE_CLASSES."""


@dataclass(frozen=True)
class TargetResult:
    """One sequence and its classes."""

    name: str
    record: dict[str, Any]
    embedding: dict[str, Any] | None
    classes: list[ClassResult]
    comparison: Comparison | None

    @property
    def warnings(self) -> list[str]:
        """Warnings that concern the whole target."""
        found = [f"sequence: {text}" for text in self.record.get("warnings", [])]
        if self.embedding is not None:
            found += [f"prediction: {text}" for text in self.embedding.get("warnings", [])]
        if self.comparison is not None:
            found += [f"comparison: {text}" for text in self.comparison.record.get("warnings", [])]
        return found


@dataclass(frozen=True)
class Run:
    """Everything the report shows."""

    targets: list[TargetResult]
    parameters: dict[str, Any] = field(default_factory=dict)
    outcome: dict[str, Any] = field(default_factory=dict)
    """failures.json of the pipeline; empty where nobody kept count."""
    populations: Mapping[tuple[str, str], float | None] = field(default_factory=dict)
    """(target, class) of the samplesheet to the class's share of the particles."""

    @property
    def failures(self) -> list[str]:
        """What failed for which class, a sentence each."""
        return [failure["sentence"] for failure in self.outcome.get("failures", [])]

    @property
    def classes(self) -> list[ClassResult]:
        """All classes of all targets, in the order of the page."""
        return [result for target in self.targets for result in target.classes]

    @property
    def weights_labels(self) -> list[str]:
        """Labels of the weights that made the models, each once."""
        labels = (result.samples.get("weights_label", "") for result in self.classes if result.samples)
        return list(dict.fromkeys(label for label in labels if label))


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sort key under which class2 comes before class10."""
    parts = re.findall(r"\d+|\D+", name)
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]


def _record(folder: Path, name: str) -> dict[str, Any] | None:
    """A stage's JSON record, or None where the stage left none."""
    path = folder / name
    if not path.is_file():
        return None
    try:
        record = read_json(path)
    except ValueError as error:
        raise InputError(f"{path} is not a JSON record ({error}); run the stage that writes it again") from error
    if not isinstance(record, dict):
        raise InputError(f"{path} holds a {type(record).__name__}, not a JSON object; run its stage again")
    return record


def read_table(path: Path) -> pd.DataFrame | None:
    """A stage's CSV table; names stay text ("NA" is sodium, "1" may be a chain), empty cells of numbers become NaN."""
    if not path.is_file():
        return None
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    for column in table.columns.difference(list(TEXT_COLUMNS)):
        # A loss that is not a number is that of a sample that went astray; it is no reason to show nothing.
        values = table[column].replace(["", "nan"], np.nan)
        numbers = pd.to_numeric(values, errors="coerce")
        if numbers.notna().equals(values.notna()):
            table[column] = numbers
        elif column in NUMBER_COLUMNS:
            wrong = values[values.notna() & numbers.isna()].iloc[0]
            raise InputError(f"{path}, column {column}: {wrong!r} is no number; run the stage that writes it again")
    return table


def read_matrix(path: Path) -> pd.DataFrame | None:
    """A square matrix with the class names as header and as first column, values as float."""
    if not path.is_file():
        return None
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table = table.set_index(table.columns[0]).replace("", "nan").astype(float)
    if list(table.index) != list(table.columns):
        raise InputError(f"{path} has rows {list(table.index)} but columns {list(table.columns)}; run its stage again")
    return table


def _read_comparison(folder: Path) -> Comparison | None:
    record = _record(folder, "comparison.json")
    if record is None:
        return None
    matrices = {name: read_matrix(folder / f"{name}.csv") for name in ("rmsd", "tm_score", "cross_fit")}
    tables = {name: read_table(folder / f"{name}.csv") for name in ("displacement", "moving_parts")}
    return Comparison(record=record, folder=folder, **tables, **matrices)


def _read_class(folder: Path, target: str, name: str) -> ClassResult | None:
    """One class, or None where its map stage left no record."""
    stage = {key: folder / f"{target}.{name}.{key}" for key in ("map", "docking", "samples", "models")}
    map_record = _record(stage["map"], "map.json")
    if map_record is None:
        return None
    docking, models = _record(stage["docking"], "docking.json"), _record(stage["models"], "models.json")
    return ClassResult(
        target=target,
        name=name,
        map_folder=stage["map"],
        map=map_record,
        fsc=read_table(stage["map"] / "fsc.csv"),
        docking_folder=stage["docking"] if docking else None,
        docking=docking,
        spectra=read_table(stage["docking"] / "spectra.csv") if docking else None,
        samples=_record(stage["samples"], "samples.json"),
        losses=read_table(stage["samples"] / "losses.csv"),
        models_folder=stage["models"] if models else None,
        models=models,
        scores=read_table(stage["models"] / "scores.csv") if models else None,
        residues=read_table(stage["models"] / "residues.csv") if models else None,
        validation=read_table(stage["models"] / CURVES_FILE) if models else None,
        others=_record(stage["models"], OTHERS_JSON) if models else None,
    )


def gather_run(
    folder: Path, parameters: dict[str, Any], populations: Mapping[tuple[str, str], float | None] | None = None
) -> Run:
    """Read every stage folder under ``folder``.

    Parameters
    ----------
    folder : Path
    parameters : dict
        Of the run, to be shown.
    populations : mapping, optional
        (target, class) to the class's share of the particles.

    Raises
    ------
    InputError
        If there is no class at all, or a record or table cannot be read.
    """
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*.map")):
        match = re.fullmatch(rf"({NAME})\.({NAME})\.map", path.name)
        if match:
            found.setdefault(match[1], []).append(match[2])
    targets = []
    for target in sorted(found, key=_natural):
        record = _record(folder / f"{target}.sequence", "target.json")
        if record is None:
            raise InputError(f"{folder} has maps of {target} but no {target}.sequence/target.json; add that folder")
        names = sorted(found[target], key=_natural)
        read = (_read_class(folder, target, name) for name in names)
        shares = populations or {}
        classes = [replace(result, population=shares.get((target, result.name))) for result in read if result]
        if classes:
            comparison = _read_comparison(folder / f"{target}.comparison")
            embedding = _record(folder / f"{target}.embedding", "embedding.json")
            targets.append(TargetResult(target, record, embedding, classes, comparison))
    if not targets:
        raise InputError(f"{folder} holds no TARGET.CLASS.map folder with a map.json; give the folder of the stages")
    return Run(targets=targets, parameters=parameters, populations=populations or {})
