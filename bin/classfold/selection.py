"""Score the samples of one class and put them in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from classfold.agreement import Agreement, agreement, anchor_atoms, comparable
from classfold.class_input import ClassInput
from classfold.class_verdict import ClassVerdicts
from classfold.clusters import cluster, cluster_limit
from classfold.errors import InputError
from classfold.half_map_validation import Validation, judge_halves
from classfold.map_fit import MapFit, fit_to_map
from classfold.maps import DensityMap
from classfold.ranking import rank, score_model
from classfold.scored_sample import ScoredSample, Unguided
from classfold.scores.every_sample import Judgement, SampleJudge
from classfold.scores.finalists import N_FINALISTS, FinalistScores, judge_finalists
from classfold.structure import Topology, match_atoms, read_model
from classfold.support import supported_fraction
from classfold.verdict import Verdict

# A model of which less lies within the box of the map says nothing about the map.
LEAST_INSIDE = 0.5
# From this share of D amino acids or left-handed helices on the hand is questioned.
WRONG_HAND_LIMIT = 0.1


@dataclass(frozen=True)
class Selection:
    """What was found: every sample scored, the order of those ranked, and the unguided model beside them."""

    scored: Sequence[ScoredSample]
    order: Sequence[int]
    """Indices into ``scored``, best first."""
    finalists: Sequence[int]
    """Of these, the samples that have all scores."""
    clusters: Sequence[Sequence[int]]
    """The ranked samples by likeness, as indices; representatives first, the best sample's cluster first."""
    agreement: Agreement
    verdicts: Mapping[int, Verdict]
    """Of the representatives that are finalists, the best sample included, by index."""
    best_details: FinalistScores
    """What the slow scores say of the best sample, residue by residue."""
    unguided: Unguided
    warnings: Sequence[str]
    validation: Validation | None = None
    """What half maps say of over-fitting, if a few samples were guided by one."""

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


def _rejection(judgement: Judgement) -> str:
    """Why a sample cannot be ranked; empty if it can."""
    if judgement.fit.fraction_inside < LEAST_INSIDE:
        return f"only {judgement.fit.fraction_inside:.0%} of the atoms are within the map"
    return "" if np.isfinite(judgement.fit.cc_mask) else "the correlation with the map is undefined"


def score_samples(given: ClassInput, judge: SampleJudge) -> list[ScoredSample]:
    """Score every sample by what is fast; those that cannot be ranked carry the reason."""
    samples, scored = given.samples, []
    for index, (coordinates, record) in enumerate(zip(samples.coordinates, samples.records, strict=True)):
        number, replicate = int(record["sample"]), int(record["replicate"])
        if not np.isfinite(coordinates).all():
            broken = int((~np.isfinite(coordinates)).any(axis=1).sum())
            reason = f"coordinates of {broken} atoms are not finite"
            scored.append(ScoredSample(number, replicate, reason))
            continue
        judgement, confidence = judge.judge(coordinates), samples.confidence(index)
        fit, geometry, reason = judgement.fit, judgement.geometry, _rejection(judgement)
        score = None
        if not reason:
            score = score_model(
                fit.cc_mask,
                geometry.clashscore,
                geometry.ca_outlier_fraction,
                geometry.wrong_hand_fraction,
                confidence,
            )
        rmsd = given.reference.rmsd(coordinates) if given.reference else None
        scores = judgement.scores | samples.confidence_scores(index)
        scores["residues_supported"] = supported_fraction(given.support.judge(coordinates, fit.cc_residue))
        scored.append(ScoredSample(number, replicate, reason, score, fit, geometry, confidence, rmsd, scores))
    return scored


def choose_finalists(order: Sequence[int], clusters: Sequence[Sequence[int]]) -> list[int]:
    """The samples that get the slow scores, best first: the clusters' representatives, then whatever ranks best."""
    representatives = [members[0] for members in clusters][:N_FINALISTS]
    others = [index for index in order if index not in representatives]
    chosen = {*representatives, *others[: N_FINALISTS - len(representatives)]}
    return [index for index in order if index in chosen]


def score_finalists(
    given: ClassInput, scored: list[ScoredSample], finalists: Sequence[int]
) -> tuple[FinalistScores, list[str]]:
    """Add the slow scores to the finalists, in place; those of the first, and warnings, are returned."""
    coordinates = [given.samples.coordinates[index] for index in finalists]
    found, warnings = judge_finalists(coordinates, given.topology, given.density, given.resolution_angstrom)
    for index, more in zip(finalists, found, strict=True):
        scored[index] = replace(scored[index], scores={**scored[index].scores, **more.scores})
    return found[0], warnings


def judge_unguided(given: ClassInput, judge: SampleJudge) -> tuple[Unguided, list[str]]:
    """Judge the docked model as it stands in the map; warnings beside it."""
    model = read_model(given.docked)
    ours, theirs = match_atoms(given.topology, model)
    if not len(ours):
        return Unguided(), [f"the docked model shares no atoms with {given.target}; it was not compared"]
    fit = fit_atoms(model.coordinates[theirs], ours, given.topology, given.density, given.resolution_angstrom)
    warnings = []
    if len(ours) < given.topology.n_atoms:
        warnings.append(
            f"the docked model has {len(ours)} of {given.topology.n_atoms} atoms of {given.target}"
        )
    cc_mask = fit.cc_mask if np.isfinite(fit.cc_mask) else None
    placed = np.full((given.topology.n_atoms, 3), np.nan)
    placed[ours] = model.coordinates[theirs]
    rmsd = given.reference.rmsd(placed) if given.reference else None
    scores: dict[str, float | None] = {}
    if np.isfinite(placed).all():
        scores = judge.judge(placed).scores
        scores["residues_supported"] = supported_fraction(given.support.judge(placed, fit.cc_residue))
    return Unguided(cc_mask, rmsd, scores), warnings


def validate(given: ClassInput, best: int) -> Validation | None:
    """Compare the selected sample with the best, by the same rule, of those that the first half map guided.

    None if there are none that can be ranked.
    """
    halves, samples = given.half_maps, given.guided_by_half_map
    if halves is None or samples is None:
        return None
    in_half = replace(given, density=halves.first, samples=samples, reference=None)
    judge = SampleJudge(given.topology, halves.first, given.resolution_angstrom, given.threshold)
    order = rank([sample.score for sample in score_samples(in_half, judge)])
    if not order:
        return None
    guided, whole = (
        judge_halves(coordinates, given.topology.atomic_numbers, halves, given.resolution_angstrom)
        for coordinates in (samples.coordinates[order[0]], given.samples.coordinates[best])
    )
    return Validation(guided, whole)


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
    judge = SampleJudge(given.topology, given.density, given.resolution_angstrom, given.threshold)
    scored = score_samples(given, judge)
    order = rank([sample.score for sample in scored])
    if not order:
        reasons = "; ".join(dict.fromkeys(sample.reason for sample in scored))
        raise InputError(
            f"none of the {len(scored)} finished samples of {given.target}.{given.class_name} can be ranked "
            f"({reasons}); check the docking and the map, or sample again with another seed"
        )
    unguided, warnings = judge_unguided(given, judge)
    warnings += _warnings(scored[order[0]], scored, unguided.cc_mask)
    validation = validate(given, order[0])
    models = comparable(given.samples.coordinates, order, given.topology)
    anchors = models[:, anchor_atoms(given.topology)]
    clusters = cluster(anchors, order, cluster_limit(given.resolution_angstrom))
    finalists = choose_finalists(order, clusters)
    details, more_warnings = score_finalists(given, scored, finalists)
    if validation is not None and validation.is_overfitted:
        more_warnings = [*more_warnings, validation.sentence]
    agreed = agreement(models, [sample.replicate for sample in scored], order, given.topology)
    verdicts = ClassVerdicts(given, scored, clusters, anchors, agreed, unguided, validation)
    found = {index: verdicts.judge(index) for index in finalists if index in verdicts.representatives}
    return Selection(
        scored, order, finalists, clusters, agreed, found, details, unguided, warnings + more_warnings, validation
    )
