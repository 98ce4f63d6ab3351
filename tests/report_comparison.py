"""What COMPARE_CLASSES leaves for the report, written by its own code; what the maps show is made up."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import torch

from classfold.class_comparison import Comparison, Pair
from classfold.comparison import ca_rmsd, lddt, tm_score
from classfold.comparison_output import write_comparison
from classfold.difference_verdict import Shown, judge_pair
from classfold.main_motion import main_motion
from classfold.maps import DensityMap
from classfold.moving_parts import find_moving_parts
from classfold.structure import Topology
from classfold.superposition import apply_pose, superpose
from tests.report_stages import fit

SHOWN_SHARE, ERROR_ANGSTROM = 0.9, 0.12
SAME_ANGSTROM, UNDECIDED_ANGSTROM = 1.2, 1.5
"""Models that are no farther apart are told to be the same, or undecided."""


def _shown(rms: float) -> Shown:
    """What the maps show of models that lie so many Å apart."""
    if rms < SAME_ANGSTROM:
        return Shown(0.05, ERROR_ANGSTROM / 2, rms)
    if rms < UNDECIDED_ANGSTROM:
        return Shown(0.3 * rms, 3 * ERROR_ANGSTROM, rms)
    return Shown(SHOWN_SHARE * rms, ERROR_ANGSTROM, rms)


def _pair(topology: Topology, names: tuple[str, str], models: tuple[np.ndarray, np.ndarray]) -> Pair:
    """Two classes whose maps show most of what differs between their models."""
    ca = topology.ca_indices()
    first, second = (model[ca] for model in models)
    parts = find_moving_parts(first, second, topology.chain[ca])
    rms = float(np.sqrt(np.square(parts.displacement).mean()))
    seen = tuple(
        Shown(SHOWN_SHARE * parts.rms(body), ERROR_ANGSTROM, parts.rms(body)) for body in range(1, 1 + parts.n_parts)
    )
    judged = judge_pair(names, _shown(rms), [])
    values = ca_rmsd(second, first), tm_score(second, first), lddt(second, first), float(parts.displacement.max())
    return Pair(*names, *values, judged, parts, seen)


def write_comparison_stage(
    folder: Path, topology: Topology, names: tuple[str, ...], best: list[np.ndarray], maps: list[DensityMap]
) -> None:
    """Everything about these classes."""
    n, ca = len(names), topology.ca_indices()
    pairs = [_pair(topology, (names[i], names[j]), (best[i], best[j])) for i, j in combinations(range(n), 2)]
    rmsd, tm, cross = np.zeros((n, n)), np.eye(n), np.zeros((n, n))
    for (i, j), pair in zip(combinations(range(n), 2), pairs, strict=True):
        rmsd[i, j] = rmsd[j, i] = pair.ca_rmsd_angstrom
        tm[i, j] = tm[j, i] = pair.tm_score
    for i, model in enumerate(best):
        for j, class_map in enumerate(maps):
            pose = superpose(torch.from_numpy(model[ca]), torch.from_numpy(best[j][ca]))
            placed = apply_pose(*pose, torch.from_numpy(model)).numpy()
            cross[i, j] = fit(placed, topology, class_map)[0]
    moved = tuple(pair.parts.displacement for pair in pairs)
    motion = main_motion([model[ca] for model in best])
    compared = Comparison(names, tuple(best), tuple(pairs), rmsd, tm, cross, moved, ca, motion, ())
    write_comparison(folder, topology, compared)
