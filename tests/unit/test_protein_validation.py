"""Ramachandran, omega, Cβ and EMRinger through cctbx's process: real frames, mirror images, faults, no protein."""

from dataclasses import replace

import numpy as np
import pytest

from classfold.density import Grid
from classfold.map_fit import simulate
from classfold.maps import DensityMap
from classfold.scores import protein_validation
from classfold.scores.finalists import judge_finalists
from classfold.scores.protein_validation import validate_proteins
from classfold.scores.table import SCORES, Cost
from classfold.structure import ChainRecord, Topology

RESOLUTION = 3.0


@pytest.fixture(scope="module")
def density(adk_topology, adk_open) -> DensityMap:
    low = adk_open.min(axis=0) - 6
    n = np.ceil(adk_open.max(axis=0) + 6 - low).astype(int)[::-1].tolist()
    values = simulate(adk_open, adk_topology.atomic_numbers, RESOLUTION, Grid(tuple(n), 1.0, tuple(low)))
    return DensityMap(values.astype(np.float32), 1.0, low)


@pytest.fixture(scope="module")
def faulty(adk_topology, adk_open) -> np.ndarray:
    """The open state with one Cβ moved by 1 Å."""
    model = adk_open.copy()
    names, number = adk_topology.atom_name, adk_topology.residue_number
    c_beta = np.flatnonzero((names == "CB") & (number == 50))[0]
    model[c_beta] += np.array([1.0, 0, 0])
    return model


@pytest.fixture(scope="module")
def judged(adk_topology, adk_open, faulty, density):
    centre = adk_open.mean(axis=0)
    mirror = (adk_open - centre) * [1, 1, -1] + centre
    return validate_proteins([adk_open, mirror, faulty], adk_topology, density, RESOLUTION)


def test_a_real_frame_is_mostly_favoured_and_its_mirror_image_is_not(judged):
    real, mirror, _ = judged
    assert real.ramachandran_favored > 0.85 and real.ramachandran_outliers < 0.05
    assert mirror.ramachandran_favored < 0.4 and mirror.ramachandran_outliers > 0.3
    assert real.omega_outliers <= 3


def test_residues_are_those_of_the_topology(judged, adk_topology):
    real, *_ = judged
    # The first residue has no φ and the last no ψ; glycine has no Cβ.
    assert real.ramachandran[0] == real.ramachandran[-1] == "" and (real.ramachandran[1:-1] != "").all()
    glycine = adk_topology.residue_name[adk_topology.residue_starts] == "GLY"
    np.testing.assert_array_equal(np.isnan(real.c_beta_angstrom), glycine)
    assert np.mean(real.ramachandran[1:-1] == "favored") == pytest.approx(real.ramachandran_favored)


def test_only_the_moved_c_beta_deviates_more(judged):
    real, _, faulty = judged
    change = faulty.c_beta_angstrom - real.c_beta_angstrom
    assert np.nanargmax(np.abs(change)) == 49 and abs(change[49]) > 0.5
    np.testing.assert_allclose(np.delete(change, 49)[np.isfinite(np.delete(change, 49))], 0, atol=2e-3)
    assert faulty.c_beta_outliers == (faulty.c_beta_angstrom >= 0.25).sum() > 0
    assert (faulty.ramachandran == real.ramachandran).all()


def test_side_chains_in_their_density_score_and_shifted_ones_do_not(adk_topology, adk_open, density, judged):
    shifted = adk_open + np.array([2.5, 0, 0])
    (elsewhere,) = validate_proteins([shifted], adk_topology, density, RESOLUTION)
    assert judged[0].emringer > 3 and elsewhere.emringer < judged[0].emringer - 2
    assert elsewhere.ramachandran_favored == judged[0].ramachandran_favored


def test_finalists_get_the_slow_scores_of_the_table(adk_topology, adk_open, density):
    (found,), warnings = judge_finalists([adk_open], adk_topology, density, 6.0)
    assert set(found.scores) == {score.name for score in SCORES if score.cost == Cost.FINALISTS}
    assert warnings == []
    # Beyond 4.5 Å side chains are not seen.
    assert found.scores.pop("emringer") is None
    assert all(np.isfinite(value) for value in found.scores.values())
    assert found.q_residue.shape == (214,) and np.isfinite(found.q_residue).all()


def test_a_target_without_protein_has_no_such_scores(density):
    names = ("P", "O5'", "C5'", "C4'", "C3'", "O3'", "C1'", "N9")
    zeros = np.zeros(len(names), dtype=np.int64)
    topology = Topology(
        "dna", (ChainRecord("D", "dna", 0, "A"),), np.full(8, "D"), zeros + 1, np.full(8, "DA"), np.array(names),
        np.array([name[0] for name in names]), zeros, zeros,
    )
    coordinates = np.random.default_rng(6).normal(scale=4, size=(8, 3))
    (found,) = validate_proteins([coordinates], topology, density, RESOLUTION)
    assert found.ramachandran_favored is found.ramachandran_outliers is found.omega_outliers is None
    assert found.c_beta_outliers is None and found.emringer is None


def test_chains_are_told_apart(adk_topology, adk_open, density):
    names = ("residue_number", "residue_name", "atom_name", "element", "charge", "token_index")
    twice = {name: np.tile(getattr(adk_topology, name), 2) for name in names}
    chains = (adk_topology.chains[0], ChainRecord("BB", "protein", 0, adk_topology.chains[0].sequence))
    dimer = replace(adk_topology, chains=chains, chain=np.repeat(["A", "BB"], adk_topology.n_atoms), **twice)
    mirror = adk_open * [1, 1, -1] + 100
    (found,) = validate_proteins([np.concatenate([adk_open, mirror])], dimer, density, 8.0)
    first, second = found.ramachandran[:214], found.ramachandran[214:]
    assert (first[1:-1] == "favored").mean() > 0.85 and (second[1:-1] == "favored").mean() < 0.4


def test_when_cctbx_fails_the_other_scores_stay_and_it_is_said(adk_topology, adk_open, density, monkeypatch, tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("raise SystemExit('no such library')")
    monkeypatch.setattr(protein_validation, "PROGRAM", broken)
    (found,), warnings = judge_finalists([adk_open], adk_topology, density, RESOLUTION)
    assert found.validation is None and found.scores["ramachandran_favored"] is None
    assert found.scores["q_score_06"] > 0.5
    assert len(warnings) == 1 and "no such library" in warnings[0]
