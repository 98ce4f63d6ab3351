"""The classes of one target side by side: all pairs of their models, and every model in every map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from classfold.chain_symmetry import identical_chains
from classfold.class_models import ClassModel
from classfold.comparison import ca_rmsd, cross_fit, displacement, lddt, tm_score
from classfold.difference_verdict import Judged, Shown, Verdict
from classfold.judged_classes import judge_classes
from classfold.main_motion import MainMotion, main_motion
from classfold.moving_parts import MovingParts
from classfold.register import register_warnings
from classfold.structure import Topology

_FEWEST_ANCHORS = 3
MOST_PAIRS = 10
"""Of which morphs and distances are written whatever their order is."""
MOST_MARGIN = 1000.0
"""A larger margin, as of maps without noise, is written as this."""


@dataclass(frozen=True)
class Pair:
    """Two classes compared; distances in Å."""

    class_a: str
    class_b: str
    ca_rmsd_angstrom: float
    tm_score: float
    lddt: float
    max_displacement_angstrom: float
    judged: Judged
    parts: MovingParts
    parts_shown: tuple[Shown, ...]
    """Of each moving part."""

    def record(self) -> dict[str, Any]:
        """As comparison.json holds it."""
        evidence = self.judged.evidence
        numbers = {name: _number(value) for name, value in evidence._asdict().items()}
        return {
            "class_a": self.class_a,
            "class_b": self.class_b,
            "ca_rmsd_angstrom": self.ca_rmsd_angstrom,
            "tm_score": self.tm_score,
            "lddt": _number(self.lddt),
            "max_displacement_angstrom": self.max_displacement_angstrom,
            "verdict": str(self.judged.verdict),
            "margin": _number(min(evidence.margin, MOST_MARGIN)),
            "reason": self.judged.reason,
            "evidence": numbers | {"detectable_angstrom": _number(evidence.detectable_angstrom)},
        }


@dataclass(frozen=True)
class Comparison:
    """All classes compared; matrices are (n_classes, n_classes)."""

    names: tuple[str, ...]
    models: tuple[np.ndarray, ...]
    """(n_atoms, 3) Å, the best of each class in the frame of its map"""
    pairs: tuple[Pair, ...]
    rmsd: np.ndarray
    tm_score: np.ndarray
    cross_fit: np.ndarray
    """Row: model of the class; column: map of the class."""
    displacement: tuple[np.ndarray, ...]
    """(n_anchors,) Å for every pair"""
    anchors: np.ndarray
    """Indices of the representative atoms."""
    motion: MainMotion | None
    """None of a single class."""
    warnings: tuple[str, ...]

    @property
    def order(self) -> list[str]:
        """Classes along the main motion."""
        return [self.names[i] for i in self.motion.order] if self.motion else list(self.names)

    @property
    def leading_pairs(self) -> list[Pair]:
        """Pairs of which large files are written: all if they are few, else those that follow in the main motion."""
        if len(self.pairs) <= MOST_PAIRS:
            return list(self.pairs)
        beside = {frozenset(pair) for pair in pairwise(self.order)}
        return [pair for pair in self.pairs if {pair.class_a, pair.class_b} in beside]


def compare(topology: Topology, classes: Sequence[ClassModel]) -> Comparison:
    """Compare all pairs of classes and measure every model in every map."""
    anchors = topology.ca_indices()
    if len(anchors) < _FEWEST_ANCHORS:  # a target without polymers
        anchors = np.arange(topology.n_atoms)
    n = len(classes)
    rmsd, tm, pairs, moved = np.zeros((n, n)), np.eye(n), [], []
    for i, j in combinations(range(n), 2):
        first, second = (classes[k].coordinates[anchors] for k in (i, j))
        rmsd[i, j] = rmsd[j, i] = ca_rmsd(second, first)
        tm[i, j] = tm[j, i] = tm_score(second, first)
        moved.append(displacement(second, first))
        values = rmsd[i, j], tm[i, j], lddt(second, first), float(moved[-1].max())
        judged = judge_classes(topology, classes[i], classes[j], anchors)
        pairs.append(Pair(classes[i].name, classes[j].name, *values, *judged))
    names, models = tuple(each.name for each in classes), tuple(each.coordinates for each in classes)
    warnings = _same_conformation(pairs)
    warnings += register_warnings(names, models, anchors, identical_chains(topology))
    return Comparison(
        names=names,
        models=models,
        pairs=tuple(pairs),
        rmsd=rmsd,
        tm_score=tm,
        cross_fit=_cross_fits(topology, classes, anchors),
        displacement=tuple(moved),
        anchors=anchors,
        motion=main_motion([model[anchors] for model in models]) if n > 1 else None,
        warnings=tuple(warnings),
    )


def _cross_fits(topology: Topology, classes: Sequence[ClassModel], anchors: np.ndarray) -> np.ndarray:
    """(n_classes, n_classes) CC_mask of every model (row) in every map (column)."""
    found = np.full((len(classes), len(classes)), np.nan)
    for j, place in enumerate(classes):
        fit = partial(place.cc_mask, topology)
        for i, model in enumerate(classes):
            own = i == j
            found[i, j] = (
                fit(model.coordinates)
                if own
                else cross_fit(model.coordinates, place.coordinates, anchors, fit)
            )
    return found


def _same_conformation(pairs: Sequence[Pair]) -> list[str]:
    """Say which classes show one conformation."""
    return [
        f"classes {pair.class_a} and {pair.class_b} look like one conformation: the maps show no difference of 0.5 Å "
        "or more between their models"
        for pair in pairs
        if pair.judged.verdict is Verdict.SAME
    ]


def _number(value: float) -> float | None:
    """As JSON holds it."""
    return round(float(value), 4) if np.isfinite(value) else None
