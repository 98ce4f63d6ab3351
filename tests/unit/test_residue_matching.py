"""Models of other people are matched to the target whatever they call their chains and however they count."""

from dataclasses import replace

import numpy as np
import pytest

from classfold.mmcif import Model
from classfold.residue_matching import match_residues
from classfold.topology import ChainRecord, Topology


def as_model(topology: Topology, coordinates: np.ndarray, atoms: np.ndarray | None = None) -> Model:
    """Somebody's model with some of a target's atoms."""
    kept = np.arange(topology.n_atoms) if atoms is None else atoms
    names = ("chain", "residue_number", "residue_name", "atom_name", "element")
    return Model(coordinates[kept], *(getattr(topology, name)[kept].copy() for name in names), name="other.cif")


def renumbered(model: Model) -> Model:
    """Residues counted from 1 on, without the gaps."""
    _, number = np.unique(model.residue_number, return_inverse=True)
    return replace(model, residue_number=number + 1)


@pytest.fixture(scope="module")
def partial(adk_topology):
    """Atoms of residues 5 to 60, 72 to 140 and 160 to 214."""
    number = adk_topology.residue_number
    return np.flatnonzero(((number > 4) & (number < 61)) | ((number > 71) & (number < 141)) | (number > 159))


N_PARTIAL = 56 + 69 + 55


def test_the_same_model_matches_atom_by_atom(adk_topology, adk_open):
    found = match_residues(adk_topology, adk_open, as_model(adk_topology, adk_open))
    everything = np.arange(adk_topology.n_atoms)
    assert np.array_equal(found.ours, everything) and np.array_equal(found.theirs, everything)
    assert found.coverage == 1
    assert (found.n_built, found.n_matched, found.n_identical, found.n_target) == (214,) * 4


@pytest.mark.parametrize("shift", [-4, 0, 1000])
def test_numbers_off_by_a_constant_change_nothing(adk_topology, adk_open, partial, shift):
    model = as_model(adk_topology, adk_open, partial)
    model = replace(model, residue_number=model.residue_number + shift, chain=np.full(len(partial), "Zz"))
    found = match_residues(adk_topology, adk_open, model)
    assert np.array_equal(found.ours, partial) and np.array_equal(found.theirs, np.arange(len(partial)))
    assert (found.n_built, found.n_matched, found.coverage) == (N_PARTIAL, N_PARTIAL, N_PARTIAL / 214)


def test_residues_counted_without_gaps_are_found_by_alignment(adk_topology, adk_open, partial):
    found = match_residues(adk_topology, adk_open, renumbered(as_model(adk_topology, adk_open, partial)))
    assert (found.n_built, found.n_matched, found.n_identical) == (N_PARTIAL,) * 3
    # Where a gap's ends have equal names either may be the one that is missing.
    assert np.mean(np.linalg.norm(adk_open[partial][found.theirs] - adk_open[found.ours], axis=1) < 1e-9) > 0.97


def test_fragments_with_chains_of_their_own_are_put_together(adk_topology, adk_open, partial):
    model = as_model(adk_topology, adk_open, partial)
    fragment = np.digitize(model.residue_number, [66, 150])
    model = replace(model, chain=np.array(["q", "a", "B"])[fragment])
    found = match_residues(adk_topology, adk_open, renumbered(model))
    assert np.array_equal(np.sort(found.theirs), np.arange(len(partial))) and np.array_equal(found.ours, partial)
    assert found.n_matched == N_PARTIAL


@pytest.fixture(scope="module")
def dimer(adk_topology, adk_open):
    """Two copies of one chain, 80 Å apart."""
    n = adk_topology.n_atoms
    names = ("residue_number", "residue_name", "atom_name", "element", "charge")
    doubled = {name: np.tile(getattr(adk_topology, name), 2) for name in names}
    record = adk_topology.chains[0]
    topology = Topology(
        target="dimer",
        chains=(record, ChainRecord("B", "protein", 0, record.sequence)),
        chain=np.repeat(["A", "B"], n),
        token_index=np.concatenate([adk_topology.token_index, adk_topology.token_index + 214]),
        **doubled,
    )
    return topology, np.concatenate([adk_open, adk_open + np.array([80.0, 0, 0])])


def test_copies_of_a_sequence_are_told_apart_by_where_they_lie(dimer):
    topology, place = dimer
    model = as_model(topology, place + 0.5)
    # The other way round, and the copy at the place of A in two fragments.
    names = np.where(model.chain == "A", np.where(model.residue_number > 100, "B", "C"), "A")
    found = match_residues(topology, place, replace(model, chain=names))
    assert np.array_equal(found.ours, np.arange(topology.n_atoms)) and np.array_equal(found.theirs, found.ours)
    assert found.n_matched == found.n_target == 428


def test_changed_residues_keep_what_they_share(adk_topology, adk_open):
    model = as_model(adk_topology, adk_open)
    names = np.where(model.residue_number % 4 == 0, "UNK", model.residue_name)
    found = match_residues(adk_topology, adk_open, replace(model, residue_name=names))
    assert (found.n_matched, found.n_identical) == (214, 214 - 53) and len(found.ours) == adk_topology.n_atoms


def test_another_molecule_shares_nothing(adk_topology, adk_open):
    model = as_model(adk_topology, adk_open)
    shuffled = np.random.default_rng(3).permutation(np.unique(model.residue_name))
    names = dict(zip(np.unique(model.residue_name), shuffled, strict=True))
    other = replace(model, residue_name=np.array([names[name] for name in model.residue_name]))
    found = match_residues(adk_topology, adk_open, other)
    assert found.n_built == 214 and found.n_matched == 0 and found.coverage == 0 and len(found.ours) == 0


def test_ligands_and_ions_are_no_residues_of_a_polymer(adk_topology, adk_open):
    model = as_model(adk_topology, adk_open)
    more = {
        "chain": np.append(model.chain, ["A", "A", "A"]),
        "residue_number": np.append(model.residue_number, [301, 302, 302]),
        "residue_name": np.append(model.residue_name, ["CA", "ATP", "ATP"]),
        "atom_name": np.append(model.atom_name, ["CA", "C1'", "O4'"]),
        "element": np.append(model.element, ["CA", "C", "O"]),
        "coordinates": np.concatenate([model.coordinates, np.zeros((3, 3))]),
    }
    found = match_residues(adk_topology, adk_open, replace(model, **more))
    assert found.n_built == found.n_matched == 214
