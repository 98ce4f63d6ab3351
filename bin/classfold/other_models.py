"""Somebody else's models of a class beside ours, by the same scores, ours on the residues that they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from classfold.class_input import ClassInput
from classfold.comparison import ca_rmsd
from classfold.errors import InputError
from classfold.mmcif import read_model
from classfold.model_output import write_rows
from classfold.records import write_json
from classfold.residue_matching import Matching, match_residues
from classfold.scores.every_sample import SampleJudge
from classfold.scores.finalists import judge_finalists
from classfold.selection import LEAST_INSIDE, Selection
from classfold.topology import POLYMERS, Topology

OTHERS_CSV, OTHERS_JSON = "others.csv", "others.json"
OURS = "ClassFold"
SCORE_NAMES = (
    *("cc_mask", "cc_residues", "d_fsc_05_angstrom", "q_score_06", "atom_inclusion", "inside_map"),
    *("clashscore", "ramachandran_favored", "ramachandran_outliers"),
)
MARGIN = 0.01
"""CC_mask that two models have to differ by to be told apart."""
_FEWEST_ANCHORS = 3
Scores = dict[str, float | None]


@dataclass(frozen=True)
class OtherModel:
    """One model of somebody else's in the map of a class."""

    name: str
    file: str
    matching: Matching | None
    """None if the file could not be read."""
    scores: Scores
    """By the names above; empty if it shares nothing with the target."""
    ours: Scores
    """Of our best model on the atoms that both have."""
    ca_rmsd_angstrom: float | None
    """To our best model as both stand in the map."""
    superposed_ca_rmsd_angstrom: float | None
    warning: str = ""

    @property
    def sentence(self) -> str:
        """Which of the two fits better, where both are."""
        theirs, ours = self.scores.get("cc_mask"), self.ours.get("cc_mask")
        if self.matching is None or theirs is None or ours is None:
            return ""
        better = "better than" if theirs > ours + MARGIN else "worse than" if theirs < ours - MARGIN else "as well as"
        return (
            f"{self.name} fits the map {better} the best model of {OURS} on the {self.matching.n_matched} residues "
            f"that both have (CC_mask {theirs:.3f}, {OURS} {ours:.3f}); it covers {self.matching.coverage:.0%} of the "
            "target."
        )


def _finite(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def _mean(values: np.ndarray) -> float | None:
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if len(defined) else None


def score_models(given: ClassInput, part: Topology, models: Sequence[np.ndarray]) -> list[Scores]:
    """Scores of some models ``(n_atoms, 3)`` of the same part of the target."""
    judge = SampleJudge(part, given.density, given.resolution_angstrom, given.threshold)
    slow, _ = judge_finalists(models, part, given.density, given.resolution_angstrom)
    found = []
    for model, finalist in zip(models, slow, strict=True):
        judgement = judge.judge(model)
        scores = judgement.scores | finalist.scores | {"cc_residues": _mean(judgement.fit.cc_residue)}
        found.append({name: _finite(scores.get(name)) for name in SCORE_NAMES})
    return found


def compare_model(given: ClassInput, best: np.ndarray, name: str, path: Path) -> OtherModel:
    """Score a model on what it shares with the target, and our best one, ``(n_atoms, 3)`` in Å, on the same atoms.

    A file that cannot be read, or holds another molecule, leaves a warning and no scores: ours are worth more.
    """
    try:
        model = read_model(path)
    except InputError as error:
        return OtherModel(name, path.name, None, {}, {}, None, None, f"{name} was not compared: {error}")
    matching = match_residues(given.topology, best, model)
    if not matching.n_matched:
        warning = (
            f"{name} was not compared: none of the {matching.n_built} residues in {path.name} belong to a sequence of "
            f"{given.target}; give a model of this molecule"
        )
        return OtherModel(name, path.name, matching, {}, {}, None, None, warning)
    theirs, ours = model.coordinates[matching.theirs], best[matching.ours]
    part = given.topology.part(matching.ours)
    scores, on_the_same = score_models(given, part, [theirs, ours])
    anchors = part.ca_indices()
    in_place = float(np.sqrt(np.square(theirs[anchors] - ours[anchors]).sum(1).mean())) if len(anchors) else None
    superposed = ca_rmsd(theirs[anchors], ours[anchors]) if len(anchors) >= _FEWEST_ANCHORS else None
    inside = scores["inside_map"] or 0.0
    warning = ""
    if inside < LEAST_INSIDE:
        warning = f"{name}: only {inside:.0%} of its atoms lie in the map; is it in the frame of the map?"
    return OtherModel(name, path.name, matching, scores, on_the_same, in_place, superposed, warning)


def our_scores(selection: Selection) -> Scores:
    """Of the best model with all its residues."""
    scores = dict(selection.scored[selection.best].scores)
    scores["cc_residues"] = _mean(selection.best_fit.cc_residue)
    return {name: _finite(scores.get(name)) for name in SCORE_NAMES}


def _row(comparison: OtherModel) -> dict[str, Any]:
    """What both files hold of one model."""
    matching = comparison.matching
    return {
        "name": comparison.name,
        "file": comparison.file,
        "residues_built": matching.n_built if matching else None,
        "residues_matched": matching.n_matched if matching else None,
        "residues_identical": matching.n_identical if matching else None,
        "residues_of_target": matching.n_target if matching else None,
        "coverage": matching.coverage if matching else None,
        "ca_rmsd_angstrom": comparison.ca_rmsd_angstrom,
        "superposed_ca_rmsd_angstrom": comparison.superposed_ca_rmsd_angstrom,
        **{name: comparison.scores.get(name) for name in SCORE_NAMES},
        **{f"ours_{name}": comparison.ours.get(name) for name in SCORE_NAMES},
    }


def _field(value: Any) -> Any:
    return "" if value is None else f"{value:.4f}" if isinstance(value, float) else value


def write_others(folder: Path, given: ClassInput, selection: Selection, files: Sequence[tuple[str, Path]]) -> None:
    """Write ``others.csv`` and ``others.json``: our best model first, then the given ones in their order."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (OTHERS_CSV, OTHERS_JSON):
        (folder / name).unlink(missing_ok=True)
    if not files:
        return
    best = given.samples.coordinates[selection.best]
    compared = [compare_model(given, best, name, path) for name, path in files]
    n = given.topology.part(np.flatnonzero(np.isin(given.topology.chain_type, POLYMERS))).residue_starts.size
    whole = Matching(np.arange(0), np.arange(0), n, n, n, n)
    scores = our_scores(selection)
    rows = [_row(each) for each in (OtherModel(OURS, "model.cif", whole, scores, scores, 0.0, 0.0), *compared)]
    write_rows(folder / OTHERS_CSV, list(rows[0]), [[_field(value) for value in row.values()] for row in rows])
    record = {
        "target": given.target,
        "class": given.class_name,
        "models": rows,
        "sentences": [each.sentence for each in compared if each.sentence],
        "warnings": [each.warning for each in compared if each.warning],
    }
    write_json(record, folder / OTHERS_JSON)
