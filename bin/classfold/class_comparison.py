"""The classes of one target side by side: all pairs of their models, and every model in every map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
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


def compare(topology: Topology, classes: Sequence[ClassModel]) -> Comparison:
    """Compare all pairs of classes and measure every model in every map."""
    anchors = topology.ca_indices()
    if len(anchors) < _FEWEST_ANCHORS:  # a target without polymers
        anchors = np.arange(topology.n_atoms)
    n = len(classes)
    rmsd, tm, cross = np.zeros((n, n)), np.eye(n), np.full((n, n), np.nan)
    pairs, moved = [], []
    for i, j in combinations(range(n), 2):
        first, second = (classes[k].coordinates[anchors] for k in (i, j))
        rmsd[i, j] = rmsd[j, i] = ca_rmsd(second, first)
        tm[i, j] = tm[j, i] = tm_score(second, first)
        moved.append(displacement(second, first))
        values = rmsd[i, j], tm[i, j], lddt(second, first), float(moved[-1].max())
        judged = judge_classes(topology, classes[i], classes[j], anchors)
        pairs.append(Pair(classes[i].name, classes[j].name, *values, *judged))
    for j, place in enumerate(classes):
        fit = partial(place.cc_mask, topology)
        for i, model in enumerate(classes):
            own = i == j
            cross[i, j] = (
                fit(model.coordinates)
                if own
                else cross_fit(model.coordinates, place.coordinates, anchors, fit)
            )
    names = tuple(c.name for c in classes)
    warnings = _same_conformation(pairs)
    warnings += register_warnings(names, [c.coordinates for c in classes], anchors, identical_chains(topology))
    motion = main_motion([c.coordinates[anchors] for c in classes]) if n > 1 else None
    return Comparison(names, tuple(pairs), rmsd, tm, cross, tuple(moved), anchors, motion, tuple(warnings))


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
