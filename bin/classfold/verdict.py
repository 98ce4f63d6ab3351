"""Accept, inspect or reject: what a person should do with a model, and why, in sentences.

All thresholds are in :data:`CRITERIA`. A model is rejected if it misses one by so much that neither noise nor a
flexible loop explains it, accepted if it misses none, and to be inspected otherwise. What could not be measured speaks
neither for a model nor against it. How the thresholds were found, and what they let through, is in docs/validation.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from classfold.docking_verdict import LEAST_LEAD
from classfold.topology import Topology

STRETCH_RESIDUES = 11
"""Three turns of a helix: one residue's correlation is noise, that of so many in a row is not."""
WEAK_SHARE = 0.5
"""A residue whose correlation is below this share of what is attainable is weakly supported."""


class Decision(StrEnum):
    """What to do with a model."""

    ACCEPT = "accept"
    INSPECT = "inspect"
    REJECT = "reject"


class Criterion(NamedTuple):
    """One number that a model is judged by."""

    name: str
    """Key of the evidence in models.json."""
    title: str
    better: str
    """higher or lower"""
    accept: float
    """A model that is at least as good passes."""
    reject: float | None
    """A model that is worse is rejected; None where this number alone rejects none."""
    sentence: str
    """With ``{value}``, and other evidence by its name."""
    why: str

    def judge(self, value: float | None) -> Decision:
        """Judge a value; one that was not measured passes."""
        if value is None:
            return Decision.ACCEPT
        sign = 1.0 if self.better == "higher" else -1.0
        if self.reject is not None and sign * value < sign * self.reject:
            return Decision.REJECT
        return Decision.ACCEPT if sign * value >= sign * self.accept else Decision.INSPECT


CRITERIA = (
    Criterion(
        "cc_share", "CC_mask over the attainable", "higher", 0.70, 0.50,
        "The model reaches {cc_share:.0%} of the correlation that the map's noise allows (CC_mask {cc_mask:.2f} of "
        "{cc_attainable:.2f}).",
        "an error of the whole model",
    ),
    Criterion(
        "worst_stretch", "The same of the worst 11 residues in a row", "higher", 0.55, None,
        "Residues {stretch} fit the map badly: on average they reach {worst_stretch:.0%} of the attainable "
        "correlation.",
        "a part that is wrong, shifted or not there; a flexible loop is worth a look as well",
    ),
    Criterion(
        "weak_residues", "Share of residues below half of the attainable", "lower", 0.15, 0.40,
        "{weak_residues:.0%} of the residues are weakly supported by the map.",
        "many small errors, or another conformation",
    ),
    Criterion(
        "fsc_ratio", "FSC 0.5 over the map's resolution", "lower", 1.20, 2.00,
        "Map and model agree only to {d_fsc_05_angstrom:.1f} Å (FSC 0.5), {fsc_ratio:.1f} times the map's resolution.",
        "an error of the size of the detail that the map shows, however sharp the map is",
    ),
    Criterion(
        "gain", "CC_mask minus that of the unguided model", "higher", -0.02, None,
        "The docked model without guidance fits better (CC_mask {unguided_cc_mask:.2f}) than this one ({cc_mask:.2f}).",
        "guidance that went astray",
    ),
    Criterion(
        "overfit_gap", "Gap between work and free half map over its limit", "lower", 1.0, None,
        "Samples guided by one half map follow its noise: the gap to the other is {overfit_gap:.1f} times what is "
        "allowed.",
        "guidance that is too strong for the map (only with `--half_map_validation on`)",
    ),
    Criterion(
        "inside_map", "Share of the atoms within the map's box", "higher", 0.95, None,
        "Only {inside_map:.0%} of the atoms lie within the map's box.",
        "a box too small, or a wrong placement",
    ),
    Criterion(
        "wrong_hand", "Share of D amino acids or, if most are, left-handed turns", "lower", 0.02, 0.10,
        "{wrong_hand:.0%} of the model has the wrong hand.",
        "a mirror image, or residues that were forced into density",
    ),
    Criterion(
        "clashscore", "Clashes per 1000 heavy atoms", "lower", 30.0, 100.0,
        "{clashscore:.0f} clashes per 1000 atoms: atoms overlap.",
        "what was forced into density, or laid over itself",
    ),
    Criterion(
        "ca_outliers", "Share of Cα pairs at no peptide's distance", "lower", 0.10, 0.30,
        "{ca_outliers:.0%} of the neighbouring Cα atoms are at a distance that no peptide has.",
        "a chain that is torn or squeezed",
    ),
    Criterion(
        "ramachandran_outliers", "Share of Ramachandran outliers", "lower", 0.10, 0.25,
        "{ramachandran_outliers:.0%} of the backbone torsions are hardly ever seen in real proteins.",
        "a backbone that was forced into density",
    ),
    Criterion(
        "rival_lead", "Lead over the best model of the next cluster, standard errors", "higher", LEAST_LEAD, None,
        "A model that lies {rival_rmsd_angstrom:.1f} Å away fits almost as well (sample {rival_sample}, CC_mask "
        "{rival_cc_mask:.2f} to {cc_mask:.2f}): the map does not decide between them.",
        "a map that does not tell two models apart",
    ),
    Criterion(
        "replicate_spread", "RMSD of the replicates' best models over the limit of a cluster", "lower", 1.0, None,
        "The best models of {n_replicates} independent replicates lie up to {replicate_rmsd_angstrom:.1f} Å apart.",
        "a result that another draw would not repeat",
    ),
    Criterion(
        "rejected_share", "Share of the finished samples that were rejected", "lower", 0.50, None,
        "{rejected_share:.0%} of the finished samples could not be ranked.",
        "sampling that mostly failed",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """On one model."""

    decision: Decision
    reasons: tuple[str, ...]
    """Sentences; those that reject come first."""
    evidence: Mapping[str, float | str | None]
    """The numbers behind, by the names of the criteria and of what their sentences quote."""

    def record(self) -> dict[str, object]:
        """As models.json holds it."""
        return {"verdict": str(self.decision), "reasons": list(self.reasons), "evidence": dict(self.evidence)}


def decide(evidence: Mapping[str, float | str | None], doubts: tuple[str, ...] = ()) -> Verdict:
    """Judge by all criteria.

    Parameters
    ----------
    evidence : mapping
        Numbers by name; one that is None or absent was not measured. An infinite one is as bad as can be.
    doubts : tuple of str
        Sentences on what no number of the table says; with any of them a model is not accepted.
    """
    found: dict[Decision, list[str]] = {decision: [] for decision in Decision}
    for criterion in CRITERIA:
        value = evidence.get(criterion.name)
        assert not isinstance(value, str), "criteria are numbers"
        decision = criterion.judge(value)
        if decision is not Decision.ACCEPT:
            found[decision].append(_say(criterion, evidence))
    found[Decision.INSPECT] += doubts
    reasons = (*found[Decision.REJECT], *found[Decision.INSPECT])
    if found[Decision.REJECT]:
        return Verdict(Decision.REJECT, reasons, evidence)
    if reasons:
        return Verdict(Decision.INSPECT, reasons, evidence)
    return Verdict(Decision.ACCEPT, (_praise(evidence),), evidence)


def _say(criterion: Criterion, evidence: Mapping[str, float | str | None]) -> str:
    return criterion.sentence.format(**evidence)


def _praise(evidence: Mapping[str, float | str | None]) -> str:
    """Why a model is accepted."""
    share, worst = evidence.get("cc_share"), evidence.get("worst_stretch")
    said = "It passes every criterion"
    if share is not None and worst is not None:
        said += f": it reaches {share:.0%} of the correlation that the map's noise allows, its worst stretch "
        said += f"{worst:.0%}"
    return f"{said}."


def worst_stretch(cc_residue: np.ndarray, topology: Topology) -> tuple[float, str]:
    """Lowest mean correlation of 11 residues in a row of one chain, and which they are.

    Parameters
    ----------
    cc_residue : ndarray, shape (n_residues,)
        One that is undefined counts as 0. Of shorter chains all residues count; of ligands each.
    topology : Topology
    """
    starts = topology.residue_starts
    values = np.nan_to_num(cc_residue)
    worst, named = math.inf, ""
    for name in dict.fromkeys(topology.chain[starts].tolist()):
        rows = np.flatnonzero(topology.chain[starts] == name)
        n = min(STRETCH_RESIDUES, len(rows))
        means = np.convolve(values[rows], np.full(n, 1 / n), "valid")
        first = int(means.argmin())
        if means[first] < worst:
            worst = float(means[first])
            numbers = topology.residue_number[starts][rows[[first, first + n - 1]]]
            named = f"{name} {numbers[0]} to {numbers[1]}"
    return worst, named
