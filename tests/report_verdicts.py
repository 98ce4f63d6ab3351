"""Verdicts, clusters and half-map validation as SELECT_MODELS leaves them for the report, decided by its own rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from classfold.half_map_validation import Validation, judge_halves
from classfold.half_maps import HalfMaps
from classfold.maps import DensityMap
from classfold.structure import Topology
from classfold.support import Support
from classfold.verdict import WEAK_SHARE, decide, worst_stretch

ATTAINABLE = 0.99
RIVAL = {"rival_lead": 0.4, "rival_sample": 2, "rival_cc_mask": 0.97, "rival_rmsd_angstrom": 2.6}
WRONG = {"clashscore": 130.0, "ramachandran_outliers": 0.31, "ca_outliers": 0.14}
MADE_UP: dict[str, dict[str, float]] = {"closed": RIVAL, "class2": RIVAL, "class3": WRONG, "class7": WRONG}
"""What is worse than measured in these classes, so that every verdict is seen."""


def verdict_record(name: str, cc_mask: float, unguided: float, cc: np.ndarray, topology: Topology) -> dict[str, Any]:
    """Of a class with these correlations of the best model and of each of its residues (n_residues,)."""
    worst, stretch = worst_stretch(cc, topology)
    evidence = {
        "cc_mask": cc_mask,
        "cc_attainable": ATTAINABLE,
        "cc_share": cc_mask / ATTAINABLE,
        "worst_stretch": worst / ATTAINABLE,
        "stretch": stretch,
        "weak_residues": float((np.nan_to_num(cc) < WEAK_SHARE * ATTAINABLE).mean()),
        "d_fsc_05_angstrom": 5.2,
        "fsc_ratio": 1.04,
        "unguided_cc_mask": unguided,
        "gain": cc_mask - unguided,
        "inside_map": 1.0,
        "wrong_hand": 0.0,
        "clashscore": 4.0,
        "ca_outliers": 0.004,
        "ramachandran_outliers": 0.02,
        "replicate_spread": 0.6,
        "replicate_rmsd_angstrom": 1.0,
        "n_replicates": 3,
        "rejected_share": 0.0,
    }
    return decide(evidence | MADE_UP.get(name, {})).record()


def cluster_records(rows: list[dict[str, Any]], verdict: dict[str, Any]) -> list[dict[str, Any]]:
    """The ranked samples in two clusters, the second of the last sample alone; a single sample is one cluster."""
    groups = [rows[:-1], rows[-1:]] if len(rows) > 1 else [rows]
    verdicts = [verdict, {"verdict": "inspect", "reasons": [f"Sample {rows[0]['sample']} ranks higher."]}]
    return [
        {
            "representative": members[0]["sample"],
            "samples": [row["sample"] for row in members],
            "score": members[0]["score"],
            "cc_mask": members[0]["cc_mask"],
            "file": "model.cif" if index == 0 else "model_2.cif",
            "verdict": judged["verdict"],
            "reasons": judged["reasons"],
        }
        for index, (members, judged) in enumerate(zip(groups, verdicts, strict=False))
    ]


def support_column(cc: np.ndarray) -> np.ndarray:
    """(n_residues,) of residues with these correlations; the last three count as without density."""
    found = np.where(cc >= 0.6, Support.SUPPORTED, Support.WEAK).astype(object)
    found[-3:] = Support.NO_DENSITY
    return found


def validate(
    model: np.ndarray, topology: Topology, class_map: DensityMap, resolution_angstrom: float
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Record and curves for a model (n_atoms, 3) in halves of its map, each with noise of its own."""
    noise = np.random.default_rng(5).normal(0, class_map.density.std(), (2, *class_map.density.shape))
    first, second = (replace(class_map, density=(class_map.density + each).astype(np.float32)) for each in noise)
    fitted = judge_halves(model, topology.atomic_numbers, HalfMaps(first, second), resolution_angstrom)
    found = Validation(guided=fitted, whole=fitted)
    return found.record(), found.curves()
