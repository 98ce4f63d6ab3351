"""What differs between the classes of a target: verdicts in sentences, the classes in order, the parts that move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from classfold.difference_verdict import Verdict
from classfold.report.gather import TargetResult
from classfold.report.tables import Cell, Head, Table, numeric

PART_HEADS = {
    "residues": "Residues that move",
    "hinges": "Hinges",
    "moved_angstrom": "Moved in the models, Å",
    "shown_angstrom": "Shown by the maps, Å",
    "turn_degrees": "Turned, degrees",
    "along_axis_angstrom": "Along the axis, Å",
}
WORDS = ("residues", "hinges")
PAIR_HEADS = (
    Head("Classes", numeric=False),
    Head("Verdict", numeric=False),
    Head("Margin, standard errors"),
    Head("Cα RMSD, Å"),
    Head("TM-score", explained="tm-score"),
    Head("lDDT (Cα)", explained="lddt"),
    Head("Largest displacement, Å", explained="displacement"),
)
MOST_SENTENCES = 6
"""More pairs than these are counted, and their sentences are closed."""
COUNTED = {Verdict.DIFFERENT: "differ", Verdict.SAME: "show one conformation", Verdict.UNDECIDED: "are undecided"}


@dataclass(frozen=True)
class Differences:
    """What the page says of the classes' differences; empty where an older record tells of none."""

    summary: str | None
    """How many pairs have which verdict, where they are many."""
    sentences: list[str]
    pairs: Table | None
    order: Table | None
    parts: Table | None


def differences(target: TargetResult) -> Differences:
    """Of the comparison of one target."""
    comparison = target.comparison
    if comparison is None:
        return Differences(None, [], None, None, None)
    pairs = [pair for pair in comparison.record.get("pairs", []) if "reason" in pair]
    return Differences(
        summary=_summary(pairs) if len(pairs) > MOST_SENTENCES else None,
        sentences=[_sentence(pair["reason"]) for pair in pairs],
        pairs=_pair_table(pairs),
        order=_order_table(target, comparison.record),
        parts=_parts_table(comparison.moving_parts),
    )


def _summary(pairs: list[dict[str, Any]]) -> str:
    """The pairs counted by their verdicts; those that are no different are named."""
    said = []
    for verdict, words in COUNTED.items():
        found = [f"{pair['class_a']} and {pair['class_b']}" for pair in pairs if pair["verdict"] == verdict]
        if found:
            said.append(f"{len(found)} {words}" + ("" if verdict == Verdict.DIFFERENT else f" ({'; '.join(found)})"))
    return f"Of {len(pairs)} pairs of classes {', '.join(said)}."


def _sentence(reason: str) -> str:
    """A reason may begin with a word; a class keeps its name as it is written."""
    return "W" + reason[1:] if reason.startswith("whether ") else reason


def _pair_table(pairs: list[dict[str, Any]]) -> Table | None:
    """Every pair with its verdict and how much alike its models are."""
    rows = []
    for pair in pairs:
        name = f"{pair['class_a']} to {pair['class_b']}"
        numbers = ("margin", 0), ("ca_rmsd_angstrom", 2), ("tm_score", 3), ("lddt", 3), ("max_displacement_angstrom", 1)
        rows.append([Cell(name, name), Cell(pair["verdict"], pair["verdict"])])
        rows[-1] += [numeric(pair.get(key), digits) for key, digits in numbers]
    return Table(list(PAIR_HEADS), rows, sortable=len(rows) > 1) if rows else None


def _order_table(target: TargetResult, record: dict[str, Any]) -> Table | None:
    """The classes in order, with their place and, where they are known, their populations."""
    motion = record.get("main_motion")
    if not motion:
        return None
    shares = {result.name: result.population for result in target.classes}
    rows = []
    for name in record["order"]:
        place, share = motion["position_angstrom"][name], shares.get(name)
        particles = Cell(None, "") if share is None else Cell(f"{100 * share:.1f} %", share)
        rows.append([Cell(name, name), Cell(f"{place:.2f}", place), particles])
    said = f"Place along it, Å rms ({100 * motion['share_of_variance']:.0f} % of the variance)"
    heads = [Head("Class", numeric=False), Head(said), Head("Particles")]
    known = any(share is not None for share in shares.values())
    return Table(heads if known else heads[:2], rows if known else [row[:2] for row in rows], sortable=False)


def _parts_table(parts: pd.DataFrame | None) -> Table | None:
    """Every moving part of every pair."""
    if parts is None or not len(parts):
        return None
    rows = []
    for row in parts.to_dict(orient="records"):
        cells = [Cell(f"{row['class_a']} to {row['class_b']}")]
        for name in PART_HEADS:
            value = row[name]
            if name == "shown_angstrom" and pd.notna(value):
                cells.append(Cell(f"{float(value):.1f} ± {float(row['error_angstrom']):.1f}", float(value)))
            elif name in WORDS:
                cells.append(Cell(str(value) or None, str(value)))
            else:
                cells.append(Cell(f"{float(value):.1f}" if pd.notna(value) else None, float(value)))
        rows.append(cells)
    heads = [Head(text, numeric=name not in WORDS) for name, text in PART_HEADS.items()]
    return Table([Head("Classes", numeric=False), *heads], rows, sortable=False)
