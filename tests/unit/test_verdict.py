"""Verdicts, clusters, agreement and the correlation that noise leaves attainable."""

from pathlib import Path

import numpy as np
import pytest

from classfold.agreement import agreement, comparable
from classfold.class_verdict import docking_doubts
from classfold.clusters import cluster, cluster_limit
from classfold.density import Grid
from classfold.map_fit import cc_mask, lay_over, simulate
from classfold.scores.attainable import attainable_cc
from classfold.verdict import CRITERIA, STRETCH_RESIDUES, Decision, decide, worst_stretch

ROOT = Path(__file__).resolve().parents[2]
GOOD = {
    "cc_share": 0.95, "cc_mask": 0.9, "cc_attainable": 0.95, "worst_stretch": 0.8, "stretch": "A 1 to 11",
    "weak_residues": 0.01, "d_fsc_05_angstrom": 4.0, "fsc_ratio": 1.0, "gain": 0.2, "unguided_cc_mask": 0.7,
    "inside_map": 1.0, "wrong_hand": 0.0, "clashscore": 3.0, "ca_outliers": 0.0, "ramachandran_outliers": 0.0,
    "rival_lead": 3.0, "rival_rmsd_angstrom": 4.0, "rival_sample": 3, "rival_cc_mask": 0.5, "replicate_spread": 0.3,
    "replicate_rmsd_angstrom": 0.5, "n_replicates": 3, "rejected_share": 0.0,
}  # fmt: skip


def test_a_model_without_fault_is_accepted_and_one_unmeasured_number_does_not_matter():
    assert decide(GOOD).decision is Decision.ACCEPT
    assert decide(GOOD | {"ramachandran_outliers": None, "rival_lead": None}).decision is Decision.ACCEPT
    assert decide(GOOD, ("The map's pixel size looks wrong.",)).decision is Decision.INSPECT


@pytest.mark.parametrize("criterion", CRITERIA, ids=lambda criterion: criterion.name)
def test_every_criterion_alone_decides_and_says_so(criterion):
    sign = 1 if criterion.better == "higher" else -1
    missed = decide(GOOD | {criterion.name: criterion.accept - sign * 1e-3})
    assert missed.decision is Decision.INSPECT and len(missed.reasons) == 1
    assert decide(GOOD | {criterion.name: criterion.accept}).decision is Decision.ACCEPT
    if criterion.reject is not None:
        assert decide(GOOD | {criterion.name: criterion.reject - sign * 1e-3}).decision is Decision.REJECT
        assert decide(GOOD | {criterion.name: criterion.reject}).decision is Decision.INSPECT


def test_documentation_has_the_same_thresholds():
    lines = (ROOT / "docs/validation.md").read_text().splitlines()
    rows = [
        f"| `{c.name}` | {c.title} | {'≥' if c.better == 'higher' else '≤'} {c.accept:g} | "
        f"{'–' if c.reject is None else ('<' if c.better == 'higher' else '>') + f' {c.reject:g}'} | {c.why} |"
        for c in CRITERIA
    ]
    documented = [line for line in lines if line.startswith("| `") and line.count("|") == 6]
    assert documented == rows


def test_the_worst_stretch_is_where_the_fit_is_lost(adk_topology):
    values = np.full(214, 0.9)
    values[100 : 100 + STRETCH_RESIDUES] = 0.1
    assert worst_stretch(values, adk_topology) == (pytest.approx(0.1), "A 101 to 111")
    values[105] = np.nan
    assert worst_stretch(values, adk_topology)[0] == pytest.approx(0.1 * 10 / 11)


@pytest.mark.parametrize("noise", [0.5, 1.0, 2.0])
def test_a_right_model_reaches_what_noise_leaves_attainable(adk_topology, adk_open, noise):
    low = adk_open.min(axis=0) - 15
    n_x, n_y, n_z = np.ceil((adk_open.max(axis=0) + 15 - low) / 2).astype(int).tolist()
    grid = Grid((n_z, n_y, n_x), 2.0, tuple(low))
    density = simulate(adk_open, adk_topology.atomic_numbers, 6.0, grid)
    density += np.random.default_rng(1).normal(scale=noise * density.std(), size=density.shape)
    found = [
        lay_over(adk_open, adk_topology.atomic_numbers, values, grid, 6.0) for values in (density, -3 + 50 * density)
    ]
    assert attainable_cc(found[0], 6.0) == pytest.approx(cc_mask(found[0]), abs=0.02)
    assert attainable_cc(found[1], 6.0) == pytest.approx(attainable_cc(found[0], 6.0), abs=1e-6)


def test_noise_that_was_masked_away_cannot_be_told(adk_topology, adk_open):
    low = adk_open.min(axis=0) - 15
    n_x, n_y, n_z = np.ceil((adk_open.max(axis=0) + 15 - low) / 2).astype(int).tolist()
    grid = Grid((n_z, n_y, n_x), 2.0, tuple(low))
    density = simulate(adk_open, adk_topology.atomic_numbers, 6.0, grid)
    density[density < 0.1 * density.max()] = 0.0
    assert attainable_cc(lay_over(adk_open, adk_topology.atomic_numbers, density, grid, 6.0), 6.0) is None


def test_a_second_model_keeps_a_cluster_of_its_own(adk_topology, adk_open, adk_closed):
    ca = adk_topology.ca_indices()
    models = np.stack([adk_closed, adk_open, adk_closed + 0.3, adk_open + 0.2, adk_open + 40])[:, ca]
    assert cluster(models, [1, 0, 2, 3, 4], cluster_limit(4.0)) == [[1, 3], [0, 2], [4]]
    assert cluster_limit(3.0) == 1.5 and cluster_limit(9.0) == pytest.approx(3.0)


def test_spread_is_where_samples_differ(adk_topology, adk_open):
    moved = adk_open.copy()
    moved[adk_topology.residue_number == 50] += [3.0, 0.0, 4.0]
    models = comparable(np.stack([adk_open, moved, moved]), [0, 1, 2], adk_topology)
    found = agreement(models, [1, 1, 2], [0, 1, 2], adk_topology)
    assert found.residue_spread[49] == pytest.approx(5.0) and np.delete(found.residue_spread, 49).max() == 0
    assert found.n_replicates == 2 and found.replicate_rmsd_angstrom == pytest.approx(5 / np.sqrt(214))
    alone = agreement(models, [1, 1, 2], [0], adk_topology)
    assert alone.replicate_rmsd_angstrom is None and alone.median_spread_angstrom is None


def test_doubts_of_the_docking_speak_against_every_model():
    pixel = {"fitted_pixel_size_is_decisive": True, "pixel_size_angstrom": 1.1, "fitted_pixel_size_angstrom": 1.05}
    assert not docking_doubts({"found": True, "hand": "right", **pixel, "fitted_pixel_size_gain": 0.0})
    assert len(docking_doubts({"found": False, "hand": "mirrored", **pixel, "fitted_pixel_size_gain": 0.1})) == 3
    assert not docking_doubts({"hand": "mirrored", "flipped": True})
