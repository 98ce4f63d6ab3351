"""Tables of the report as the template draws them: heads, cells, and what they sort by."""

from __future__ import annotations

import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from classfold import __version__
from classfold.report.gather import ClassResult, Comparison, Run
from classfold.report.summary import FAILED, Row
from classfold.report.svg import number
from classfold.scores.table import BY_NAME, SCORES

N_SHADES = 6
PACKAGES = ("boltz", "torch", "numpy", "gemmi", "geomloss", "scikit-learn")


@dataclass(frozen=True)
class Head:
    """Head of a column."""

    text: str
    numeric: bool = True
    explained: str | None = None
    """Anchor of the glossary entry."""


@dataclass(frozen=True)
class Cell:
    """One cell; ``text`` None is drawn as a dash."""

    text: str | Markup | None
    sort: float | str | None = None
    link: str | None = None


@dataclass(frozen=True)
class Table:
    """Rows of cells under their heads; ``marked`` is the index of the row to stress, -1 for none."""

    heads: list[Head]
    rows: list[list[Cell]]
    sortable: bool = True
    marked: int = -1


def numeric(value: Any, digits: int | None = None) -> Cell:
    """A number with its digits, words as they are, a dash where there is nothing."""
    if isinstance(value, str):
        return Cell(value or None, value)
    if value is None or (isinstance(value, float) and not np.isfinite(value)):
        return Cell(None, "")
    shown = f"{value:.{digits}f}" if digits is not None else number(float(value))
    return Cell(shown, float(value))


def dumbbell(unguided: float | None, best: float | None) -> Markup | None:
    """The gain of a class: a line from the unguided model (open circle) to the best one (full circle)."""
    if best is None:
        return None
    drawn = [Markup('<line x1="8" x2="152" y1="11" y2="11"/>')]
    ends = [8 + 144 * min(max(value, 0.0), 1.0) for value in (best if unguided is None else unguided, best)]
    drawn.append(Markup('<line class="gain" x1="{:.1f}" x2="{:.1f}" y1="11" y2="11"/>').format(*ends))
    if unguided is not None:
        drawn.append(Markup('<circle class="open" cx="{:.1f}" cy="11" r="5"/>').format(ends[0]))
    drawn.append(Markup('<circle cx="{:.1f}" cy="11" r="5"/>').format(ends[1]))
    said = f"CC_mask {best:.2f}" if unguided is None else f"CC_mask from {unguided:.2f} to {best:.2f}"
    template = Markup('<svg class="dumbbell" viewBox="0 0 160 22" role="img" aria-label="{}">{}</svg>')
    return template.format(said, Markup("").join(drawn))


def _samples(result: ClassResult) -> Cell:
    """How many samples were drawn, and how many of them were finished where that is fewer."""
    if result.n_samples is None or result.n_finished == result.n_samples:
        return numeric(result.n_samples, 0)
    return Cell(f"{result.n_finished} of {result.n_samples}", result.n_samples)


def _warnings(result: ClassResult | None, count: int | None) -> Cell:
    """How many warnings there are, and where; nothing of a class that left nothing."""
    if result is None or count is None:
        return Cell(None, "")
    own = f"warnings.{result.target}.{result.name}" if result.warnings else f"warnings.{result.target}"
    return Cell(f"⚠ {count}" if count else "none", count, own if count else None)


def _verdict(row: Row) -> Cell:
    """The verdict on the best model, or that there is none."""
    return numeric(row["verdict"] or (FAILED if row["status"] == FAILED else None))


def _share(share: float | None) -> Cell:
    return Cell(None, "") if share is None else Cell(f"{100 * share:.1f} %", share)


# Head of each column of the overview, whether it goes where it is empty, and its cell.
OVERVIEW: tuple[tuple[Head, bool, Callable[[Row, ClassResult | None], Cell]], ...] = (
    (
        Head("Target", numeric=False),
        False,
        lambda row, result: Cell(row["target"], row["target"], f"target.{row['target']}" if result else None),
    ),
    (
        Head("Class", numeric=False),
        False,
        lambda row, result: Cell(row["class"], row["class"], result.anchor if result else None),
    ),
    (Head("Verdict", numeric=False, explained="verdict"), True, lambda row, _: _verdict(row)),
    (
        Head("Fit to the map", numeric=False, explained="cc-mask"),
        False,
        lambda row, _: Cell(dumbbell(row["unguided_cc_mask"], row["cc_mask"]), numeric(row["cc_mask"]).sort),
    ),
    (Head("Warnings"), False, lambda row, result: _warnings(result, row["n_warnings"])),
    (Head("CC_mask", explained="cc-mask"), False, lambda row, _: numeric(row["cc_mask"], 3)),
    (Head("CC_mask unguided", explained="unguided"), False, lambda row, _: numeric(row["unguided_cc_mask"], 3)),
    (Head("Samples"), False, lambda _, result: _samples(result) if result else Cell(None, "")),
    (Head("Clashes", explained="clashes"), False, lambda row, _: numeric(row["clashes"], 0)),
    (Head("Confidence", explained="confidence"), True, lambda row, _: numeric(row["confidence"], 2)),
    (Head("RMSD to known, Å", explained="rmsd"), True, lambda row, _: numeric(row["best_ca_rmsd_angstrom"], 2)),
    (Head("RMSD unguided, Å", explained="rmsd"), True, lambda row, _: numeric(row["unguided_ca_rmsd_angstrom"], 2)),
    (Head("Particles", explained="population"), True, lambda row, _: _share(row["population"])),
)


def overview_table(run: Run, rows: list[Row]) -> Table:
    """One row per class, failed ones included; columns that not every run has are left out where they are empty."""
    results = {(result.target, result.name): result for result in run.classes}
    heads, columns = [], []
    for head, is_optional, draw in OVERVIEW:
        cells = [draw(row, results.get((row["target"], row["class"]))) for row in rows]
        if not is_optional or any(cell.text is not None for cell in cells):
            heads.append(head)
            columns.append(cells)
    return Table(heads, [list(cells) for cells in zip(*columns, strict=True)], sortable=len(rows) > 1)


def _score_heads(*names: str) -> dict[str, tuple[Head, int | None]]:
    scores = (BY_NAME[name] for name in names)
    return {score.name: (Head(score.title, explained=score.explained), score.digits) for score in scores}


# What decides the order, and what makes a sample suspicious; all other scores are in scores.csv.
RANKING_HEADS = {
    "rank": (Head("Rank", explained="score"), 0),
    "sample": (Head("Sample"), 0),
    "replicate": (Head("Replicate"), 0),
    "score": (Head("Score", explained="score"), 3),
    **_score_heads("cc_mask", "clashes", "clashscore", "ca_outliers", "confidence"),
    **_score_heads("l_amino_acids", "right_handed_helix", "inside_map"),
    "status": (Head("Status", numeric=False), None),
    "reason": (Head("Reason", numeric=False), None),
    "reference_ca_rmsd_angstrom": (Head("Cα RMSD to known, Å", explained="rmsd"), 2),
}


def ranking_table(scores: pd.DataFrame, best: int) -> Table:
    """All samples of a class; empty columns and further scores are left out, unknown columns keep their own name."""
    wanted = [name for name in scores.columns if name in RANKING_HEADS or name not in BY_NAME]
    shown = [name for name in wanted if scores[name].replace("", np.nan).notna().any()]
    known = {name: RANKING_HEADS.get(name, (Head(name), None)) for name in shown}
    rows = [[numeric(row[name], known[name][1]) for name in shown] for row in scores.to_dict(orient="records")]
    marked = np.flatnonzero(scores["sample"].to_numpy() == best)
    heads = [head for head, _ in known.values()]
    return Table(heads, rows, sortable=len(rows) > 1, marked=int(marked[0]) if len(marked) else -1)


def score_table(models: dict[str, Any] | None) -> Table | None:
    """Every score of the best model that is defined, beside the unguided one's; None where a record holds none."""
    values = (models or {}).get("scores", {})
    unguided = ((models or {}).get("unguided") or {}).get("scores", {})
    rows = [
        [
            Cell(score.title, score.title),
            numeric(values[score.name], score.digits),
            numeric(unguided.get(score.name), score.digits),
            Cell(score.unit or None, ""),
            Cell(score.better or None, ""),
            Cell(score.meaning, ""),
            Cell(score.source, ""),
        ]
        for score in SCORES
        if values.get(score.name) is not None
    ]
    heads = ("Score", "Best model", "Unguided", "Unit or range", "Better", "What it is", "Source")
    drawn = [Head(text, numeric=text in ("Best model", "Unguided")) for text in heads]
    return Table(drawn, rows, sortable=False) if rows else None


def stopped_table(samples: dict[str, Any] | None) -> Table | None:
    """Samples that were not finished, in the order in which they were stopped; None where there were none."""
    stopped = sorted((samples or {}).get("stopped", []), key=lambda entry: (entry["step"], entry["sample"]))
    heads = [
        Head("Sample"),
        Head("Stopped after step"),
        Head("Fit when stopped", explained="samples"),
        Head("Least fit that went on", explained="samples"),
    ]
    rows = [
        [
            numeric(entry["sample"], 0),
            numeric(entry["step"], 0),
            numeric(entry["fit"], 3),
            numeric(entry["least_kept"], 3),
        ]
        for entry in stopped
    ]
    return Table(heads, rows, sortable=len(rows) > 1) if rows else None


def versions() -> dict[str, str]:
    """Versions of this program and of what it rests on, as far as they are installed here."""
    found = {"ClassFold": __version__, "Python": platform.python_version()}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def parameter_table(run: Run) -> Table:
    """Parameters, versions, seeds and labels of the run, one per row; what is nested gets dotted names."""
    rows: list[list[Cell]] = []

    def add(name: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                add(f"{name}.{key}" if name else str(key), inner)
        elif isinstance(value, list):
            rows.append([Cell(name), Cell(", ".join(map(str, value)) or None)])
        else:
            rows.append([Cell(name), Cell(None if value in (None, "") else str(value))])

    # The pipeline's own parameters come first and need no prefix; versions and the like keep theirs.
    add("", run.parameters.get("parameters", {}))
    add("", {name: value for name, value in run.parameters.items() if name != "parameters"})
    for name, version in versions().items():
        add(f"version of {name}", version)
    for target in run.targets:
        add(
            f"{target.name}: sequence",
            f"{target.record.get('n_residues')} residues, SHA-256 {target.record.get('sequence_sha256')}",
        )
        add(f"{target.name}: alignment (MSA)", target.record.get("msa"))
        for result in target.classes:
            samples = result.samples or {}
            wanted = (
                "n_samples",
                "steps",
                "schedule",
                "guidance",
                "early_stop",
                "steering",
                "physical_guidance",
                "evaluations",
                "shared_evaluations",
                "classes_together",
                "prior",
                "weights_label",
                "precision",
                "memory",
                "device",
                "seconds",
            )
            for key in wanted:
                if key in samples:
                    add(f"{target.name} / {result.name}: {key}", samples[key])
            seeds = list(dict.fromkeys(sample.get("seed") for sample in samples.get("samples", [])))
            if seeds:
                add(f"{target.name} / {result.name}: seeds of the samples", seeds)
    return Table([Head("Name", numeric=False), Head("Value", numeric=False)], rows, sortable=False)


@dataclass(frozen=True)
class Matrix:
    """A heat table; each cell has its text and its shade, 0 (pale) to 5 (dark) or "none"."""

    caption: str
    note: str
    names: list[str]
    rows: list[tuple[str, list[tuple[str, int | str]]]]


MATRICES = (
    ("rmsd", "Cα RMSD after superposition, Å", "Darker is farther apart. 0 on the diagonal.", 1),
    ("tm_score", "TM-score", "Darker is more alike. Above 0.5 the fold is the same.", 2),
    (
        "cross_fit",
        "Cross-fit, CC_mask",
        "Row: model, column: map; darker fits better. Where a row's model fits another class's map as "
        "well as that class's own model does, "
        "the two classes show the same conformation.",
        2,
    ),
)


def heat_tables(comparison: Comparison) -> list[Matrix]:
    """The matrices that the comparison left, shaded between their smallest and largest value."""
    drawn = []
    for name, caption, note, digits in MATRICES:
        values = getattr(comparison, name)
        if values is None:
            continue
        low, high = float(np.nanmin(values.to_numpy())), float(np.nanmax(values.to_numpy()))
        rows = []
        for index, row in values.iterrows():
            cells: list[tuple[str, int | str]] = []
            for value in row:
                if not np.isfinite(value):
                    cells.append(("–", "none"))
                    continue
                part = (value - low) / (high - low) if high > low else 0.0
                cells.append((f"{value:.{digits}f}", min(int(part * N_SHADES), N_SHADES - 1)))
            rows.append((str(index), cells))
        drawn.append(Matrix(caption, note, [str(column) for column in values.columns], rows))
    return drawn
