"""The scores that only the best ranked samples get, because they take seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from classfold.maps import DensityMap
from classfold.scores.protein_validation import ProteinValidation, validate_proteins
from classfold.scores.q_score import SIGMAS_ANGSTROM, q_scores
from classfold.topology import Topology

N_FINALISTS = 5
"""Samples that are judged so, best ranked first."""


@dataclass(frozen=True)
class FinalistScores:
    """What was found about one model."""

    scores: dict[str, float | None]
    """By the names of ``scores.table``; None or NaN where a score is not defined."""
    q_residue: np.ndarray
    """(n_residues,) mean Q-score of the residue's atoms at the paper's sigma of 0.6 Å; NaN where undefined"""
    validation: ProteinValidation | None
    """None where cctbx could not judge."""


def judge_finalists(
    coordinates: Sequence[np.ndarray], topology: Topology, density: DensityMap, resolution_angstrom: float
) -> tuple[list[FinalistScores], list[str]]:
    """Judge some models of finite coordinates (n_atoms, 3), xyz in Å, and say what a person should know."""
    warnings: list[str] = []
    validations: Sequence[ProteinValidation | None]
    try:
        validations = validate_proteins(coordinates, topology, density, resolution_angstrom)
    except RuntimeError as error:
        # The models are worth more than these scores.
        validations = [None] * len(coordinates)
        warnings.append(f"there are no Ramachandran, ω, Cβ and EMRinger scores, for {error}")
    found = []
    for model, validation in zip(coordinates, validations, strict=True):
        by_atom = q_scores(model, density)
        scores = dict(zip(_Q_NAMES, map(_mean, by_atom), strict=True)) | _protein_scores(validation)
        found.append(FinalistScores(scores, _by_residue(by_atom[0], topology), validation))
    return found, warnings


_Q_NAMES = [f"q_score_{sigma:.1f}".replace(".", "") for sigma in SIGMAS_ANGSTROM]


def _protein_scores(validation: ProteinValidation | None) -> dict[str, float | None]:
    names = ("ramachandran_favored", "ramachandran_outliers", "omega_outliers", "c_beta_outliers", "emringer")
    return {name: None if validation is None else getattr(validation, name) for name in names}


def _mean(values: np.ndarray) -> float | None:
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if len(defined) else None


def _by_residue(values: np.ndarray, topology: Topology) -> np.ndarray:
    """(n_residues,) mean of the values (n_atoms,) that are defined."""
    defined = np.isfinite(values)
    index, n = topology.residue_index, len(topology.residue_starts)
    total = np.bincount(index, weights=np.where(defined, values, 0.0), minlength=n)
    count = np.bincount(index, weights=defined, minlength=n)
    return np.divide(total, count, out=np.full(n, np.nan), where=count > 0)
