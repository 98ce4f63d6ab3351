"""Whose model fits best: ours and those that others made, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from classfold.report.tables import Cell, Head, Table
from classfold.scores.table import BY_NAME

SHOWN = ("cc_mask", "d_fsc_05_angstrom", "q_score_06", "clashscore", "ramachandran_favored", "ramachandran_outliers")
RESIDUE_CC = ("cc_residues", "CC per residue", 3)


@dataclass(frozen=True)
class Others:
    """What the class's section shows."""

    sentences: list[str]
    table: Table


def _cell(value: float | None, digits: int, ours: float | None = None) -> Cell:
    """A number; in brackets that of our best model on the same residues."""
    if value is None:
        return Cell(None, "")
    beside = "" if ours is None else f" ({ours:.{digits}f})"
    return Cell(f"{value:.{digits}f}{beside}", value)


def _built(model: dict[str, Any]) -> Cell:
    if model["coverage"] is None:
        return Cell(None, "")
    found, target = model["residues_matched"], model["residues_of_target"]
    return Cell(f"{found} of {target} ({model['coverage']:.0%})", model["coverage"])


def others(record: dict[str, Any] | None) -> Others | None:
    """From others.json of SELECT_MODELS; None without one."""
    if not record:
        return None
    scores = [(name, BY_NAME[name].title, BY_NAME[name].digits) for name in SHOWN]
    scores.insert(1, RESIDUE_CC)
    heads = [Head("Model", numeric=False), Head("Residues built")]
    heads += [Head(title, explained="cc-mask" if name == "cc_mask" else None) for name, title, _ in scores]
    heads += [Head("Cα RMSD, Å"), Head("superposed, Å")]
    rows = []
    for k, model in enumerate(record["models"]):
        cells = [Cell(model["name"], model["name"]), _built(model)]
        cells += [_cell(model[name], digits, model[f"ours_{name}"] if k else None) for name, _, digits in scores]
        cells += [_cell(model[name], 2) for name in ("ca_rmsd_angstrom", "superposed_ca_rmsd_angstrom")]
        rows.append(cells)
    return Others(list(record["sentences"]), Table(heads, rows, marked=0))
