"""Backbone lengths and angles: known deviations, ideals of the component dictionary, kinds of residues."""

from dataclasses import replace

import numpy as np
import pytest
from biotite.structure import info
from scipy.spatial.transform import Rotation

from classfold.scores.backbone import ANGLES, BONDS, BackboneJudge, angles_degrees, lengths
from classfold.structure import ChainRecord, Topology


def chain_of(*residues: str) -> Topology:
    """A protein of backbone atoms only."""
    n = len(residues)
    names, zeros = ("N", "CA", "C", "O"), np.zeros(4 * n, dtype=np.int64)
    return Topology(
        "made", (ChainRecord("A", "protein", 0, None),), np.full(4 * n, "A"), np.repeat(np.arange(1, n + 1), 4),
        np.repeat(residues, 4), np.tile(names, n), np.tile(("N", "C", "C", "O"), n), zeros, zeros,
    )


def place(before: np.ndarray, length: float, angle: float, torsion: float) -> np.ndarray:
    """The fourth atom of a chain (Parsons et al., J. Comput. Chem. 26, 1063, 2005); degrees."""
    a, b, c = before
    angle, torsion = np.radians([angle, torsion])
    axis = (c - b) / np.linalg.norm(c - b)
    normal = np.cross(b - a, axis)
    normal /= np.linalg.norm(normal)
    local = length * np.array([-np.cos(angle), np.sin(angle) * np.cos(torsion), np.sin(angle) * np.sin(torsion)])
    return c + local @ np.array([axis, np.cross(normal, axis), normal])


def dipeptide(second: str, c_n_ca: float | None = None) -> tuple[Topology, np.ndarray]:
    """Alanine and another residue, all lengths and angles ideal, or one of them not."""
    kind = {"PRO": 2, "GLY": 1}.get(second, 0)

    def ideal(table, *names, at=kind):
        return table[names][at][0]

    n = np.zeros(3)
    ca = np.array([ideal(BONDS, "N", "CA", at=0), 0, 0])
    turn = np.radians(180 - ideal(ANGLES, "N", "CA", "C", at=0))
    c = ca + ideal(BONDS, "CA", "C", at=0) * np.array([np.cos(turn), np.sin(turn), 0])
    before_proline = kind if kind == 2 else 0
    bond = ideal(BONDS, "C", "+N")
    next_n = place(np.array([n, ca, c]), bond, ideal(ANGLES, "CA", "C", "+N", at=before_proline), 130)
    at_n = ideal(ANGLES, "C", "+N", "+CA") if c_n_ca is None else c_n_ca
    next_ca = place(np.array([ca, c, next_n]), ideal(BONDS, "N", "CA"), at_n, 180)
    next_c = place(np.array([c, next_n, next_ca]), ideal(BONDS, "CA", "C"), ideal(ANGLES, "N", "CA", "C"), -70)
    first_o = place(np.array([n, ca, c]), BONDS["C", "O"][0][0], ANGLES["CA", "C", "O"][0][0], -50)
    second_o = place(
        np.array([next_n, next_ca, next_c]), ideal(BONDS, "C", "O"), ideal(ANGLES, "CA", "C", "O"), 140
    )
    return chain_of("ALA", second), np.array([n, ca, c, first_o, next_n, next_ca, next_c, second_o])


@pytest.mark.parametrize("second", ["ALA", "GLY", "PRO", "TRP"])
def test_ideal_peptides_of_every_kind_deviate_by_nothing(second):
    topology, coordinates = dipeptide(second)
    found = BackboneJudge(topology).judge(coordinates)
    assert found.bond_rmsd_angstrom == pytest.approx(0, abs=1e-9)
    assert found.outliers == 0
    # O-C-N follows from the two other angles at C; before proline the three ideals add up to 358.3°. Six angles.
    left = 360 - 120.1 - 117.1 - 121.1 if second == "PRO" else 0
    assert found.angle_rmsd_degrees == pytest.approx(left / np.sqrt(6), abs=0.1)


def test_a_stretched_bond_counts_as_much_as_it_is_stretched():
    topology, coordinates = dipeptide("ALA")
    stretched = coordinates.copy()
    stretched[3] = coordinates[2] + (coordinates[3] - coordinates[2]) * (1.229 + 0.1) / 1.229
    found = BackboneJudge(topology).judge(stretched)
    # Seven bonds: three in each residue and the peptide's.
    assert found.bond_rmsd_angstrom == pytest.approx(0.1 / np.sqrt(7), abs=1e-6)
    assert found.outliers == 1


@pytest.mark.parametrize(("second", "costs"), [("PRO", False), ("ALA", True), ("GLY", True)])
def test_a_wide_angle_at_the_nitrogen_is_that_of_a_cis_proline(second, costs):
    topology, coordinates = dipeptide(second)
    _, wide = dipeptide(second, c_n_ca=127.0)
    before, after = (BackboneJudge(topology).judge(model).angle_rmsd_degrees for model in (coordinates, wide))
    assert (after > before + 1) == costs and after >= before - 1e-9


def test_a_bent_angle_is_an_outlier():
    topology, coordinates = dipeptide("ALA", c_n_ca=140.0)
    assert BackboneJudge(topology).judge(coordinates).outliers == 1


@pytest.mark.parametrize("name", ["ALA", "GLY", "PRO", "LEU", "TRP", "SER", "VAL"])
def test_ideals_agree_with_the_component_dictionary(name):
    residue = info.residue(name)
    atom = {key: residue.coord[residue.atom_name == key][0] for key in ("N", "CA", "C", "O")}
    kind = {"GLY": 1, "PRO": 2}.get(name, 0)
    for table, measure, tolerance in ((BONDS, lengths, 0.03), (ANGLES, angles_degrees, 6.0)):
        inner = {names: ideals for names, ideals in table.items() if not any(each[0] == "+" for each in names)}
        for names, ideals in inner.items():
            value = measure(np.array([[atom[each] for each in names]]))[0]
            assert value == pytest.approx(ideals[kind][0], abs=tolerance), names


def test_rigid_motion_changes_nothing_and_gaps_are_no_bonds(adk_topology, adk_closed):
    judge = BackboneJudge(adk_topology)
    first = judge.judge(adk_closed)
    moved = judge.judge(Rotation.random(random_state=1).apply(adk_closed) + 30)
    assert moved.bond_rmsd_angstrom == pytest.approx(first.bond_rmsd_angstrom)
    assert moved.angle_rmsd_degrees == pytest.approx(first.angle_rmsd_degrees)
    assert moved.outliers == first.outliers and first.bond_rmsd_angstrom < 0.05
    two = chain_of("ALA", "ALA")
    apart = replace(two, residue_number=np.repeat([1, 3], 4))
    _, coordinates = dipeptide("ALA")
    coordinates[4:] += 20
    assert BackboneJudge(apart).judge(coordinates).outliers == 0 < BackboneJudge(two).judge(coordinates).outliers


def test_noise_shows():
    topology, coordinates = dipeptide("ALA")
    noise = np.random.default_rng(5).normal(scale=0.1, size=coordinates.shape)
    assert BackboneJudge(topology).judge(coordinates + noise).bond_rmsd_angstrom > 0.05


def test_a_target_without_protein_has_no_backbone():
    topology = replace(chain_of("DA"), chains=(ChainRecord("A", "dna", 0, None),))
    found = BackboneJudge(topology).judge(np.eye(4, 3))
    assert found.bond_rmsd_angstrom is None and found.angle_rmsd_degrees is None and found.outliers == 0
