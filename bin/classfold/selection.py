"""Score the samples of one class and put them in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from classfold.class_input import ClassInput, Reference, Samples
from classfold.errors import InputError
from classfold.geometry import Geometry, GeometryJudge
from classfold.map_fit import MapFit, fit_to_map
from classfold.maps import DensityMap
from classfold.ranking import rank, score_model
from classfold.structure import Topology, match_atoms, read_model

# A model of which less lies within the box of the map says nothing about the map.
LEAST_INSIDE = 0.5
# From this share of D amino acids or left-handed helices on the hand is questioned.
WRONG_HAND_LIMIT = 0.1


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


@dataclass(frozen=True)
class Selection:
    """What was found: every sample scored, the order of those ranked, and the unguided model beside them."""

    scored: Sequence[ScoredSample]
    order: Sequence[int]
    """Indices into ``scored``, best first."""
    unguided_cc_mask: float | None
    unguided_rmsd: tuple[float, float] | None
    """(Cα, all-atom) RMSD in Å of the unguided model to the reference, over the atoms that all three have."""
    warnings: Sequence[str]

    @property
    def best(self) -> int:
        """Index of the best sample."""
        return self.order[0]

    @property
    def best_fit(self) -> MapFit:
        """Fit of the best sample."""
        fit = self.scored[self.best].fit
        assert fit is not None, "a ranked sample has a fit"
        return fit


def fit_atoms(
    coordinates: np.ndarray, atoms: np.ndarray, topology: Topology, density: DensityMap, resolution: float
) -> MapFit:
    """Fit of the given atoms of a target, ``coordinates (n, 3)``, to a map of a resolution in Å."""
    numbers, residues = topology.atomic_numbers[atoms], topology.residue_index[atoms]
    return fit_to_map(coordinates, numbers, residues, density.density, density.grid, resolution)


def score_samples(
    samples: Samples,
    topology: Topology,
    density: DensityMap,
    resolution_angstrom: float,
    reference: Reference | None,
) -> list[ScoredSample]:
    """Score every sample; those that cannot be ranked carry the reason."""
    judge = GeometryJudge(topology)
    everything = np.arange(topology.n_atoms)
    scored = []
    for index, (coordinates, record) in enumerate(zip(samples.coordinates, samples.records, strict=True)):
        number, replicate = int(record["sample"]), int(record["replicate"])
        if not np.isfinite(coordinates).all():
            broken = int((~np.isfinite(coordinates)).any(axis=1).sum())
            reason = f"coordinates of {broken} atoms are not finite"
            scored.append(ScoredSample(number, replicate, reason))
            continue
        fit = fit_atoms(coordinates, everything, topology, density, resolution_angstrom)
        geometry, confidence = judge.judge(coordinates), samples.confidence(index)
        reason, score = "", None
        if fit.fraction_inside < LEAST_INSIDE:
            reason = f"only {fit.fraction_inside:.0%} of the atoms are within the map"
        elif not np.isfinite(fit.cc_mask):
            reason = "the correlation with the map is undefined"
        else:
            score = score_model(
                fit.cc_mask,
                geometry.clashscore,
                geometry.ca_outlier_fraction,
                geometry.wrong_hand_fraction,
                confidence,
            )
        rmsd = reference.rmsd(coordinates) if reference else None
        scored.append(ScoredSample(number, replicate, reason, score, fit, geometry, confidence, rmsd))
    return scored


def _unguided(given: ClassInput) -> tuple[float | None, tuple[float, float] | None, list[str]]:
    """CC_mask and RMSDs of the docked model as it stands in the map, and warnings."""
    model = read_model(given.docked)
    ours, theirs = match_atoms(given.topology, model)
    if not len(ours):
        return None, None, [f"the docked model shares no atoms with {given.target}; it was not compared"]
    fit = fit_atoms(model.coordinates[theirs], ours, given.topology, given.density, given.resolution_angstrom)
    warnings = []
    if len(ours) < given.topology.n_atoms:
        warnings.append(
            f"the docked model has {len(ours)} of {given.topology.n_atoms} atoms of {given.target}"
        )
    cc_mask = fit.cc_mask if np.isfinite(fit.cc_mask) else None
    placed = np.full((given.topology.n_atoms, 3), np.nan)
    placed[ours] = model.coordinates[theirs]
    return cc_mask, given.reference.rmsd(placed) if given.reference else None, warnings


def _warnings(best: ScoredSample, scored: Sequence[ScoredSample], unguided: float | None) -> list[str]:
    """What a person should know about the best sample and about those that were rejected."""
    found = []
    rejected = [s for s in scored if s.reason]
    if rejected:
        reasons = "; ".join(f"sample {s.sample}: {s.reason}" for s in rejected)
        found.append(f"{len(rejected)} of {len(scored)} finished samples were rejected ({reasons})")
    if best.geometry and best.geometry.wrong_hand_fraction > WRONG_HAND_LIMIT:
        found.append(
            f"{best.geometry.wrong_hand_fraction:.0%} of the best model has the wrong hand: "
            "is the map's hand right?"
        )
    if best.fit and unguided is not None and best.fit.cc_mask <= unguided:
        found.append(
            f"the best model (CC_mask {best.fit.cc_mask:.3f}) fits the map no better than the unguided one "
            f"({unguided:.3f})"
        )
    return found


def select(given: ClassInput) -> Selection:
    """Score and rank the samples of one class.

    Raises
    ------
    InputError
        If no sample can be ranked.
    """
    scored = score_samples(
        given.samples, given.topology, given.density, given.resolution_angstrom, given.reference
    )
    order = rank([sample.score for sample in scored])
    if not order:
        reasons = "; ".join(dict.fromkeys(sample.reason for sample in scored))
        raise InputError(
            f"none of the {len(scored)} finished samples of {given.target}.{given.class_name} can be ranked "
            f"({reasons}); check the docking and the map, or sample again with another seed"
        )
    cc_mask, rmsd, warnings = _unguided(given)
    warnings += _warnings(scored[order[0]], scored, cc_mask)
    return Selection(scored, order, cc_mask, rmsd, warnings)
