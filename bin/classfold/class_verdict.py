"""The evidence for and against the models of one class, and the verdicts that follow from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from classfold.agreement import Agreement
from classfold.class_input import ClassInput
from classfold.clusters import cluster_limit, distances
from classfold.docking_verdict import Hand, standard_errors
from classfold.half_map_validation import Validation
from classfold.pixel_size import LEAST_DEVIATION, LEAST_GAIN
from classfold.scored_sample import ScoredSample, Unguided
from classfold.verdict import WEAK_SHARE, Verdict, decide, worst_stretch

Evidence = dict[str, float | str | None]


@dataclass(frozen=True)
class ClassVerdicts:
    """Judges the representatives of the clusters of one class."""

    given: ClassInput
    scored: Sequence[ScoredSample]
    """The finalists among them with their slow scores."""
    clusters: Sequence[Sequence[int]]
    anchors: np.ndarray
    """(n_samples, n_anchors, 3) Å, the representative atoms of each sample"""
    agreement: Agreement
    unguided: Unguided
    validation: Validation | None = None
    """What half maps say of over-fitting, if a few samples were guided by one."""

    @cached_property
    def representatives(self) -> list[int]:
        """Best sample of each cluster, the best of all first."""
        return [members[0] for members in self.clusters]

    def judge(self, index: int) -> Verdict:
        """Judge a representative."""
        evidence = fit_evidence(self.given, self.scored[index]) | geometry_evidence(self.scored[index])
        evidence |= self._sampling_evidence()
        doubts = docking_doubts(self.given.docking)
        best = self.representatives[0]
        if index == best:
            evidence |= self._rival_evidence()
        else:
            apart = distances(self.anchors[[index]], self.anchors[best])[0]
            doubts += (f"Sample {self.scored[best].sample} ranks higher and lies {apart:.1f} Å away.",)
        unguided = self.unguided.cc_mask
        if self.validation is not None:
            evidence |= {"overfit_gap": self.validation.gap / self.validation.limit}
        gain = None if unguided is None else self._cc_mask(index) - unguided
        return decide(evidence | {"unguided_cc_mask": unguided, "gain": gain}, doubts)

    def _cc_mask(self, index: int) -> float:
        fit = self.scored[index].fit
        assert fit is not None, "a ranked sample has a fit"
        return fit.cc_mask

    def _rival_evidence(self) -> Evidence:
        """How far the best model is ahead of the best one that is another model."""
        if len(self.representatives) < 2:
            return {"rival_lead": None}
        best, rival = self.representatives[:2]
        first, second = self._cc_mask(best), self._cc_mask(rival)
        lead = standard_errors(first, second, self.given.topology.n_atoms, self.given.resolution_angstrom)
        return {
            "rival_lead": lead,
            "rival_sample": self.scored[rival].sample,
            "rival_cc_mask": second,
            "rival_rmsd_angstrom": float(distances(self.anchors[[rival]], self.anchors[best])[0]),
        }

    def _sampling_evidence(self) -> Evidence:
        """What the samples say together."""
        rmsd = self.agreement.replicate_rmsd_angstrom
        return {
            "replicate_rmsd_angstrom": rmsd,
            "n_replicates": self.agreement.n_replicates,
            "replicate_spread": None if rmsd is None else rmsd / cluster_limit(self.given.resolution_angstrom),
            "rejected_share": sum(bool(sample.reason) for sample in self.scored) / len(self.scored),
        }


def fit_evidence(given: ClassInput, sample: ScoredSample) -> Evidence:
    """How well the map supports a sample that has a fit.

    Where the noise of the map cannot be told it is taken for none: every correlation is then attainable.
    """
    assert sample.fit is not None, "a ranked sample has a fit"
    scores, density = sample.scores, given.density
    attainable = scores["cc_attainable"]
    noiseless = attainable or 1.0
    stretch, named = worst_stretch(sample.fit.cc_residue, given.topology)
    # A curve that begins below 0.5 falls there at the size of the box, or beyond it.
    reach = scores["d_fsc_05_angstrom"] or max(density.density.shape) * density.voxel_size_angstrom
    weak = np.nan_to_num(sample.fit.cc_residue) < WEAK_SHARE * noiseless
    return {
        "cc_mask": sample.fit.cc_mask,
        "cc_attainable": attainable,
        "cc_share": sample.fit.cc_mask / noiseless,
        "worst_stretch": stretch / noiseless,
        "stretch": named,
        "weak_residues": float(weak.mean()),
        "d_fsc_05_angstrom": reach,
        "fsc_ratio": reach / given.resolution_angstrom,
        "inside_map": sample.fit.fraction_inside,
    }


def geometry_evidence(sample: ScoredSample) -> Evidence:
    """Whether a sample is a molecule that can be."""
    assert sample.geometry is not None, "a ranked sample has a geometry"
    return {
        "wrong_hand": sample.geometry.wrong_hand_fraction,
        "clashscore": sample.geometry.clashscore,
        "ca_outliers": sample.geometry.ca_outlier_fraction,
        "ramachandran_outliers": sample.scores.get("ramachandran_outliers"),
    }


def docking_doubts(docking: Mapping[str, Any]) -> tuple[str, ...]:
    """What DOCK_MODEL found that speaks against every model in this map, from docking.json."""
    doubts: list[str] = []
    if docking.get("found") is False:
        doubts.append("The docking found nothing in the map that stands out as this molecule.")
    if docking.get("hand") == Hand.MIRRORED and not docking.get("flipped"):
        doubts.append("The map has the wrong hand: every model in it is forced into a mirror image.")
    if is_doubtful(docking):
        doubts.append(
            f"The map's pixel size looks wrong: {docking['fitted_pixel_size_angstrom']:.3f} Å fits better than "
            f"{docking['pixel_size_angstrom']:.3f} Å."
        )
    return tuple(doubts)


def is_doubtful(docking: Mapping[str, Any]) -> bool:
    """Whether the docking found a better pixel size, by its own limits."""
    if not docking.get("fitted_pixel_size_is_decisive"):
        return False
    scale = docking["pixel_size_angstrom"] / docking["fitted_pixel_size_angstrom"]
    return abs(scale - 1) > LEAST_DEVIATION and docking["fitted_pixel_size_gain"] > LEAST_GAIN
