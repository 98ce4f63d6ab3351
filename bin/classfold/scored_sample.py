"""What was found about one sample of a class, and about the unguided model beside the samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from classfold.geometry import Geometry
from classfold.map_fit import MapFit


@dataclass(frozen=True)
class ScoredSample:
    """One sample and what was found about it."""

    sample: int
    replicate: int
    reason: str
    """Why it was rejected; empty if it was not."""
    score: float | None = None
    fit: MapFit | None = None
    geometry: Geometry | None = None
    confidence: float | None = None
    reference_rmsd: tuple[float, float] | None = None
    """(Cα, all-atom) in Å, in the frame of the map"""
    scores: Mapping[str, float | None] = field(default_factory=dict)
    """By the names of ``scores.table``, as far as they were computed."""


@dataclass(frozen=True)
class Unguided:
    """The docked, unguided model as it stands in the map."""

    cc_mask: float | None = None
    rmsd: tuple[float, float] | None = None
    """(Cα, all-atom) RMSD in Å to the reference, over the atoms that all three have."""
    scores: Mapping[str, float | None] = field(default_factory=dict)
    """The fast scores by the names of ``scores.table``; none unless it has all atoms of the target."""
