"""What moved, in a sentence per class: from the comparison's pairs and the displacement of every residue."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from classfold.report.gather import Comparison

STILL_ANGSTROM = 2.0
"""A residue that moves less is not told to move."""
MOST_STRETCHES = 2
LARGEST_GAP = 3
"""Stretches that are no farther apart are one."""
SAME, UNDECIDED = "same conformation", "undecided"


def moving_stretches(moved: pd.DataFrame) -> list[str]:
    """The stretches that move most, as ``A 122–159``: residues that move at least half as far as the farthest.

    Parameters
    ----------
    moved : DataFrame
        Rows of displacement.csv of one pair of classes.
    """
    least = max(STILL_ANGSTROM, 0.5 * float(moved["displacement_angstrom"].max()))
    found = []
    for chain, rows in moved[moved["displacement_angstrom"] >= least].groupby("chain", sort=False):
        numbers = np.sort(rows["residue_number"].to_numpy(int))
        for part in np.split(numbers, np.flatnonzero(np.diff(numbers) > LARGEST_GAP) + 1):
            name = f"{chain} {part[0]}–{part[-1]}" if len(part) > 1 else f"{chain} {part[0]}"
            found.append((len(part), name))
    longest = sorted(found, key=lambda entry: -entry[0])[:MOST_STRETCHES]
    return [name for _, name in longest]


def _other(pair: dict[str, Any], name: str) -> str:
    return str(pair["class_b"] if pair["class_a"] == name else pair["class_a"])


def _rows(comparison: Comparison, pair: dict[str, Any]) -> pd.DataFrame | None:
    table = comparison.displacement
    if table is None:
        return None
    rows = table[(table["class_a"] == pair["class_a"]) & (table["class_b"] == pair["class_b"])]
    return rows if rows["displacement_angstrom"].notna().any() else None


def _far(comparison: Comparison, pair: dict[str, Any], name: str) -> str:
    """How a class differs from the one that is farthest from it."""
    farthest = float(pair["max_displacement_angstrom"])
    said = f"Against {_other(pair, name)}: "
    rows = _rows(comparison, pair)
    stretches = moving_stretches(rows) if rows is not None and farthest >= STILL_ANGSTROM else []
    if stretches:
        verb = "move" if len(stretches) > 1 or "–" in stretches[0] else "moves"
        said += f"{' and '.join(stretches)} {verb} by up to {farthest:.1f} Å"
    else:
        said += f"no residue moves by more than {farthest:.1f} Å"
    said += f" (Cα RMSD {float(pair['ca_rmsd_angstrom']):.1f} Å)"
    return said + (", which the maps neither confirm nor rule out." if pair.get("verdict") == UNDECIDED else ".")


def what_moved(comparison: Comparison | None, name: str) -> str | None:
    """One sentence or two on a class beside the other classes of its target; None where there is no other."""
    pairs = [] if comparison is None else comparison.record.get("pairs", [])
    own = [pair for pair in pairs if name in (pair["class_a"], pair["class_b"])]
    if comparison is None or not own:
        return None
    same = [_other(pair, name) for pair in own if pair.get("verdict") == SAME]
    said = [f"Same conformation as {', '.join(same)}."] if same else []
    different = [pair for pair in own if pair.get("verdict") != SAME]
    if different:
        said.append(_far(comparison, max(different, key=lambda pair: float(pair["ca_rmsd_angstrom"])), name))
    return " ".join(said)
