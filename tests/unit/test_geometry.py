"""Clashes, chain and hand: of real frames, of built cases, and under rigid motion."""

from dataclasses import replace

import gemmi
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from classfold.bonds import COMPONENTS, component_bonds, covalent_bonds, within_bonds
from classfold.geometry import Geometry, GeometryJudge
from classfold.structure import ChainRecord, Topology


@pytest.fixture(scope="module")
def judge(adk_topology) -> GeometryJudge:
    return GeometryJudge(adk_topology)


def topology_of(rows: list[tuple[str, str, int, str, str, str]]) -> Topology:
    """Atoms from rows (chain, type, residue number, residue name, atom name, element)."""
    chain, _, number, residue, atom, element = (np.array(column) for column in zip(*rows, strict=True))
    kinds = {row[0]: row[1] for row in rows}
    records = tuple(ChainRecord(name, kind, k, None) for k, (name, kind) in enumerate(kinds.items()))
    zeros = np.zeros(len(rows), dtype=np.int64)
    return Topology("made", records, chain, number.astype(np.int64), residue, atom, element, zeros, zeros)


def test_the_table_of_bonds_is_that_of_the_component_dictionary():
    from biotite.structure.info import bonds_in_residue

    for name in COMPONENTS:
        ours = {frozenset(pair) for pair in component_bonds(name)}
        atoms = {atom for pair in ours for atom in pair}
        theirs = {frozenset(pair) for pair in bonds_in_residue(name) if set(pair) <= atoms}
        heavy = {atom for pair in bonds_in_residue(name) for atom in pair if not atom.startswith("H")}
        assert ours == theirs and atoms == heavy, name


def test_bonds_of_a_real_chain_have_bond_lengths(adk_topology, adk_closed):
    bonds = covalent_bonds(adk_topology)
    length = np.linalg.norm(adk_closed[bonds[:, 0]] - adk_closed[bonds[:, 1]], axis=1)
    assert length.min() > 1.1 and length.max() < 2.0
    # A connected chain with this many rings: bonds = atoms - 1 + rings.
    count = {
        name: (adk_topology.residue_name[adk_topology.residue_starts] == name).sum()
        for name in ("PRO", "HIS", "PHE", "TYR", "TRP")
    }
    rings = sum(count.values()) + count["TRP"]
    assert len(bonds) == adk_topology.n_atoms - 1 + rings


def test_reach_counts_bonds():
    chain = np.array([[0, 1], [1, 2], [2, 3], [3, 4]])
    near = within_bonds(chain, 5, 3).toarray()
    assert near[0].tolist() == [True, True, True, True, False]
    np.testing.assert_array_equal(near, near.T)


def test_real_frames_are_sound_and_their_mirror_images_have_the_wrong_hand(judge, adk_frames):
    for frame in adk_frames[::25]:
        found = judge.judge(frame)
        assert found.clashscore < 10 and found.ca_pairs == 213
        assert found.l_fraction == 1 and found.right_helix_fraction > 0.95
        assert found.wrong_hand_fraction == 0
        mirror = judge.judge(frame * [1, 1, -1])
        assert mirror.l_fraction == 0 and mirror.wrong_hand_fraction == 1
        assert (mirror.clashes, mirror.ca_outliers) == (found.clashes, found.ca_outliers)


def test_rigid_motion_changes_nothing(judge, adk_closed):
    moved = Rotation.random(random_state=3).apply(adk_closed) + np.array([300, -20, 7])
    first, second = judge.judge(adk_closed), judge.judge(moved)
    assert (first.clashes, first.ca_outliers) == (second.clashes, second.ca_outliers)
    assert first.l_fraction == second.l_fraction and first.right_helix_fraction == second.right_helix_fraction


def test_clashing_pairs_are_those_of_all_distances(judge, adk_topology, adk_closed):
    coordinates = adk_closed + np.random.default_rng(1).normal(scale=0.3, size=adk_closed.shape)
    keep = np.flatnonzero(adk_topology.residue_number <= 60)
    radius = np.array([gemmi.Element(e).vdw_r for e in adk_topology.element[keep]])
    polar = np.isin(adk_topology.element[keep], ("N", "O"))
    limit = np.where(polar[:, None] & polar, 2.4, radius[:, None] + radius - 0.4)
    distance = np.linalg.norm(coordinates[keep][:, None] - coordinates[keep], axis=-1)
    excluded = within_bonds(covalent_bonds(adk_topology), adk_topology.n_atoms, 3)[keep][:, keep].toarray()
    first, second = np.nonzero(np.triu((distance <= limit) & ~excluded))
    expected = {(int(keep[a]), int(keep[b])) for a, b in zip(first, second, strict=True)}
    found = {tuple(sorted(pair)) for pair in judge.clashing_pairs(coordinates).tolist()}
    assert {pair for pair in found if set(pair) <= set(keep.tolist())} == expected and len(expected) > 5


def test_two_chains_in_one_place_clash(adk_topology, adk_closed):
    names = ("residue_number", "residue_name", "atom_name", "element", "charge", "token_index")
    twice = {name: np.tile(getattr(adk_topology, name), 2) for name in names}
    chains = (adk_topology.chains[0], ChainRecord("B", "protein", 0, adk_topology.chains[0].sequence))
    dimer = replace(adk_topology, chains=chains, chain=np.repeat(["A", "B"], adk_topology.n_atoms), **twice)
    judge = GeometryJudge(dimer)
    apart = judge.judge(np.concatenate([adk_closed, adk_closed + 200]))
    together = judge.judge(np.concatenate([adk_closed, adk_closed + 0.5]))
    assert together.clashscore > 1000 > 20 > apart.clashscore
    assert apart.ca_pairs == 426


@pytest.mark.parametrize(("distance", "outlier"), [(3.80, False), (3.66, False), (3.60, True), (4.0, True)])
def test_neighbouring_ca_keep_their_distance(distance, outlier):
    rows = [("A", "protein", k, "GLY", "CA", "C") for k in (1, 2)]
    judge = GeometryJudge(topology_of(rows))
    assert judge.ca_outliers(np.array([[0, 0, 0], [distance, 0, 0]])).tolist() == [outlier]


@pytest.mark.parametrize(("second", "outlier"), [("PRO", False), ("ALA", True)])
def test_cis_peptides_are_for_prolines(second, outlier):
    rows = [("A", "protein", 1, "GLY", "CA", "C"), ("A", "protein", 2, second, "CA", "C")]
    judge = GeometryJudge(topology_of(rows))
    assert judge.ca_outliers(np.array([[0, 0, 0], [2.94, 0, 0]])).tolist() == [outlier]


def test_gaps_and_chain_ends_are_no_neighbours():
    rows = [("A", "protein", 1, "GLY", "CA", "C"), ("A", "protein", 3, "GLY", "CA", "C")]
    rows.append(("B", "protein", 4, "GLY", "CA", "C"))
    found = GeometryJudge(topology_of(rows)).judge(np.array([[0, 0, 0], [9, 0, 0], [9, 9, 0]]))
    assert (found.ca_pairs, found.ca_outliers, found.ca_outlier_fraction) == (0, 0, 0)


@pytest.mark.parametrize(
    ("first", "second", "distance", "clashes"),
    [
        (("ALA", "CB", "C"), ("ALA", "CB", "C"), 2.95, 1),
        (("ALA", "CB", "C"), ("ALA", "CB", "C"), 3.05, 0),
        (("SER", "OG", "O"), ("SER", "OG", "O"), 2.5, 0),
        (("SER", "OG", "O"), ("SER", "OG", "O"), 2.3, 1),
        (("CYS", "SG", "S"), ("CYS", "SG", "S"), 2.05, 0),
        (("CYS", "SG", "S"), ("CYS", "SG", "S"), 2.8, 1),
        (("HIS", "NE2", "N"), ("ZN", "ZN", "Zn"), 2.0, 0),
        (("HIS", "NE2", "N"), ("ZN", "ZN", "Zn"), 1.5, 1),
        (("DA", "C8", "C"), ("LIG", "C1", "C"), 2.5, 1),
    ],
)
def test_contacts_between_kinds_of_atoms(first, second, distance, clashes):
    kinds = {"DA": "dna", "ZN": "ligand", "LIG": "ligand"}
    rows = [
        (chain, kinds.get(name, "protein"), 1, name, atom, element)
        for chain, (name, atom, element) in zip("AB", (first, second), strict=True)
    ]
    found = GeometryJudge(topology_of(rows)).judge(np.array([[0, 0, 0], [distance, 0, 0]]))
    assert found.clashes == clashes and found.clashscore == 500 * clashes


def test_a_target_without_protein_has_no_hand():
    rows = [("D", "dna", k, "DA", "C1'", "C") for k in (1, 2)]
    found = GeometryJudge(topology_of(rows)).judge(np.array([[0, 0, 0], [5.5, 0, 0]]))
    assert found.l_fraction is None and found.right_helix_fraction is None
    assert found.wrong_hand_fraction == 0 and found.ca_outlier_fraction == 0


@pytest.mark.parametrize(
    ("l_fraction", "right_helix", "wrong"),
    [(1, 0.9, 0), (0.98, 0.9, 0.02), (1, 0.3, 0.7), (0, 0, 1), (None, 0.1, 0.9), (0.4, None, 0.6)],
)
def test_a_stray_left_handed_turn_is_no_wrong_hand(l_fraction, right_helix, wrong):
    assert Geometry(0, 0.0, 0, 9, l_fraction, right_helix).wrong_hand_fraction == pytest.approx(wrong)
