"""Model files: what is written is what gemmi and biotite read; atoms of different files are matched."""

from dataclasses import replace

import gemmi
import numpy as np
import pytest
from biotite.structure.io import pdbx

from classfold.errors import InputError
from classfold.records import write_json
from classfold.structure import ChainRecord, Topology, match_atoms, read_model, write_model

PROTEIN = [
    ("MET", ["N", "CA", "C", "O", "CB", "CG", "SD", "CE"]),
    ("SEP", ["N", "CA", "C", "O", "CB", "OG", "P", "O1P", "O2P", "O3P"]),
    ("GLY", ["N", "CA", "C", "O"]),
]
DNA = [("DA", ["P", "OP1", "OP2", "O5'", "C5'", "C1'", "N9"]), ("DT", ["P", "OP1", "OP2", "C1'", "N1", "C7"])]
ATP = [("ATP", ["PG", "O1G", "PB", "PA", "O5'", "C1'", "N9"])]
ZINC = [("ZN", ["ZN"])]


@pytest.fixture()
def complex_topology() -> Topology:
    """Two copies of a peptide with a phosphoserine, a DNA strand, ATP and a zinc ion."""
    parts = [("A", PROTEIN), ("B", PROTEIN), ("D", DNA), ("L", ATP), ("Z", ZINC)]
    rows = [
        (chain, number, residue, atom)
        for chain, residues in parts
        for number, (residue, atoms) in enumerate(residues, start=1)
        for atom in atoms
    ]
    chain, number, residue, atom = (np.array(column) for column in zip(*rows, strict=True))
    element = np.array(["ZN" if name == "ZN" else name[0] for name in atom])
    return Topology(
        target="complex",
        chains=(
            ChainRecord("A", "protein", 0, "MSG"),
            ChainRecord("B", "protein", 0, "MSG"),
            ChainRecord("D", "dna", 1, "AT"),
            ChainRecord("L", "ligand", 2, None),
            ChainRecord("Z", "ligand", 3, None),
        ),
        chain=chain,
        residue_number=number.astype(np.int64),
        residue_name=residue,
        atom_name=atom,
        element=element,
        charge=np.where(element == "ZN", 2, 0),
        token_index=np.arange(len(rows)),
    )


@pytest.fixture()
def written(complex_topology, tmp_path):
    random = np.random.default_rng(1)
    coordinates = random.uniform(-150, 150, size=(complex_topology.n_atoms, 3))
    fit = np.round(random.uniform(-20, 99, size=complex_topology.n_atoms), 2)
    confidence = np.round(random.uniform(0, 100, size=complex_topology.n_atoms), 2)
    path = tmp_path / "complex.cif"
    write_model(
        path,
        complex_topology,
        coordinates,
        title="it's a complex",
        b_factors=fit,
        confidence=confidence,
        provenance={"map": "my map; #1.mrc", "note": "'quoted'"},
    )
    return path, coordinates, fit, confidence


def test_biotite_reads_every_atom_back(complex_topology, written):
    path, coordinates, fit, _ = written
    topology = complex_topology
    atoms = pdbx.get_structure(
        pdbx.CIFFile.read(path), model=1, extra_fields=["b_factor", "charge"], use_author_fields=False
    )
    np.testing.assert_array_equal(atoms.chain_id, topology.chain)
    np.testing.assert_array_equal(atoms.res_name, topology.residue_name)
    np.testing.assert_array_equal(atoms.atom_name, topology.atom_name)
    np.testing.assert_array_equal(atoms.element, topology.element)
    np.testing.assert_array_equal(atoms.charge, topology.charge)
    polymer = topology.chain_type != "ligand"
    np.testing.assert_array_equal(atoms.res_id[polymer], topology.residue_number[polymer])
    np.testing.assert_allclose(atoms.coord, coordinates, atol=1e-3)
    np.testing.assert_allclose(atoms.b_factor, fit, atol=0.0051)


def test_author_numbering_equals_label_numbering(complex_topology, written):
    model = read_model(written[0])
    np.testing.assert_array_equal(model.chain, complex_topology.chain)
    np.testing.assert_array_equal(model.residue_number, complex_topology.residue_number)
    np.testing.assert_allclose(model.coordinates, written[1], atol=1e-3)


def test_entities_hold_the_full_sequences(written):
    structure = gemmi.read_structure(str(written[0]))
    entities = {entity.name: entity for entity in structure.entities}
    assert entities["1"].full_sequence == ["MET", "SEP", "GLY"] and entities["1"].subchains == ["A", "B"]
    assert entities["2"].full_sequence == ["DA", "DT"]
    assert entities["2"].polymer_type == gemmi.PolymerType.Dna
    assert {entities[name].entity_type for name in "34"} == {gemmi.EntityType.NonPolymer}


def test_a_residue_without_atoms_stays_in_the_sequence(adk_topology, tmp_path):
    keep = adk_topology.residue_number > 3
    names = ("chain", "residue_number", "residue_name", "atom_name", "element", "charge", "token_index")
    part = replace(adk_topology, **{name: getattr(adk_topology, name)[keep] for name in names})
    write_model(tmp_path / "part.cif", part, np.zeros((part.n_atoms, 3)), title="part")
    structure = gemmi.read_structure(str(tmp_path / "part.cif"))
    assert len(structure.entities[0].full_sequence) == 214
    assert structure.entities[0].full_sequence[:3] == ["MET", "ARG", "ILE"]
    assert structure[0][0][0].label_seq == 4 and structure[0][0][0].seqid.num == 4


def test_fit_and_confidence_are_means_over_each_residue(complex_topology, written):
    path, _, fit, confidence = written
    block = gemmi.cif.read(str(path)).sole_block()
    residue = complex_topology.residue_index
    for tag, values in (
        ("_classfold_residue_fit.cc_times_100", fit),
        ("_ma_qa_metric_local.metric_value", confidence),
    ):
        expected = [values[residue == k].mean() for k in range(residue.max() + 1)]
        np.testing.assert_allclose([float(x) for x in block.find_values(tag)], expected, atol=0.0051)
    assert list(block.find_values("_ma_qa_metric_local.label_seq_id"))[-2:] == [".", "."]


def test_the_file_says_what_it_is(written):
    block = gemmi.cif.read(str(written[0])).sole_block()
    assert gemmi.cif.as_string(block.find_value("_struct.title")) == "it's a complex"
    assert block.find_value("_struct.pdbx_structure_determination_methodology") == "computational"
    assert "ClassFold" in list(block.find_values("_software.name"))
    items = [gemmi.cif.as_string(x) for x in block.find_values("_classfold_provenance.value")]
    assert items == ["my map; #1.mrc", "'quoted'"]
    assert block.find_value("_cell.length_a") is None


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_not_written(complex_topology, tmp_path, value):
    coordinates = np.zeros((complex_topology.n_atoms, 3))
    coordinates[3, 1] = value
    with pytest.raises(ValueError, match="not finite"):
        write_model(tmp_path / "bad.cif", complex_topology, coordinates, title="bad")
    with pytest.raises(ValueError, match="shape"):
        write_model(tmp_path / "bad.cif", complex_topology, coordinates[1:], title="bad")
    assert list(tmp_path.iterdir()) == []


def test_a_topology_survives_its_files(complex_topology, tmp_path):
    complex_topology.write_atoms(tmp_path / "atoms.csv")
    chains = [
        {"name": c.name, "type": c.type, "entity": c.entity, "sequence": c.sequence, "n_residues": 1}
        for c in complex_topology.chains
    ]
    write_json({"target": "complex", "chains": chains}, tmp_path / "target.json")
    again = Topology.read(tmp_path)
    assert again.chains == complex_topology.chains
    for name in ("chain", "residue_number", "residue_name", "atom_name", "element", "charge", "token_index"):
        np.testing.assert_array_equal(getattr(again, name), getattr(complex_topology, name))
    np.testing.assert_array_equal(again.atom_name[again.ca_indices()], ["CA"] * 6 + ["C1'"] * 2)
    assert again.atomic_numbers[-1] == 30


def test_a_chain_called_na_is_a_chain(complex_topology, tmp_path):
    record = ChainRecord("NA", "ligand", 0, None)
    ion = Topology("ion", (record,), *(np.array([x]) for x in ("NA", 1, "NA", "NA", "NA", 1, 0)))
    ion.write_atoms(tmp_path / "atoms.csv")
    write_json({"target": "ion", "chains": [vars(record)]}, tmp_path / "target.json")
    assert Topology.read(tmp_path).residue_name.tolist() == ["NA"]


def test_folders_without_their_files_are_refused(complex_topology, tmp_path):
    with pytest.raises(InputError, match=r"target\.json"):
        Topology.read(tmp_path)
    write_json({"target": "complex", "chains": []}, tmp_path / "target.json")
    complex_topology.write_atoms(tmp_path / "atoms.csv")
    with pytest.raises(InputError, match="unknown to"):
        Topology.read(tmp_path)


def test_renamed_renumbered_and_shuffled_chains_are_matched(complex_topology, written, tmp_path):
    structure = gemmi.read_structure(str(written[0]))
    model = structure[0]
    for chain, name in zip(model, "PQRST", strict=True):
        chain.name = name
        for residue in chain:
            residue.seqid.num += 40
    structure.write_pdb(str(tmp_path / "other.pdb"))
    other = read_model(tmp_path / "other.pdb")
    ours, theirs = match_atoms(complex_topology, other)
    np.testing.assert_array_equal(ours, np.arange(complex_topology.n_atoms))
    np.testing.assert_allclose(other.coordinates[theirs], written[1], atol=1e-3)


def test_a_construct_with_a_tag_and_a_gap_is_matched_by_its_sequence(adk_topology, adk_closed, tmp_path):
    keep = (adk_topology.residue_number < 60) | (adk_topology.residue_number > 70)
    names = ("chain", "residue_name", "atom_name", "element", "charge", "token_index")
    construct = replace(
        adk_topology,
        residue_number=adk_topology.residue_number[keep] + 20,
        chains=(ChainRecord("A", "protein", 0, "H" * 20 + adk_topology.chains[0].sequence),),
        **{name: getattr(adk_topology, name)[keep] for name in names},
    )
    write_model(tmp_path / "construct.cif", construct, adk_closed[keep], title="construct")
    model = read_model(tmp_path / "construct.cif")
    ours, theirs = match_atoms(adk_topology, model)
    np.testing.assert_array_equal(ours, np.flatnonzero(keep))
    np.testing.assert_allclose(model.coordinates[theirs], adk_closed[keep], atol=1e-3)


def test_another_molecule_shares_no_atoms(adk_topology, written):
    ours, theirs = match_atoms(adk_topology, read_model(written[0]))
    assert len(ours) == len(theirs) == 0


def test_hydrogens_waters_and_alternatives_are_left_out(tmp_path):
    lines = [
        "ATOM      1  N   ALA A  10      11.000  12.000  13.000  1.00 10.00           N",
        "ATOM      2  CA AALA A  10      12.000  12.000  13.000  0.60 10.00           C",
        "ATOM      3  CA BALA A  10      12.500  12.000  13.000  0.40 10.00           C",
        "ATOM      4  HA  ALA A  10      12.000  13.000  13.000  1.00 10.00           H",
        "ATOM      5  N   GLY A  10A     14.000  12.000  13.000  1.00 10.00           N",
        "HETATM    6  O   HOH A 101       1.000   2.000   3.000  1.00 10.00           O",
    ]
    (tmp_path / "small.pdb").write_text("\n".join([*lines, "END", ""]))
    model = read_model(tmp_path / "small.pdb")
    assert model.atom_name.tolist() == ["N", "CA", "N"]
    assert model.residue_number.tolist() == [1, 1, 2]  # insertion codes: numbered anew
    assert model.coordinates[1].tolist() == [12, 12, 13]


@pytest.mark.parametrize("content", ["", "data_x\nloop_\n_atom_site.id\n", "no model at all", "\x00\x01\x02"])
def test_files_without_a_model_are_refused(tmp_path, content):
    for name in ("bad.cif", "bad.pdb"):
        (tmp_path / name).write_text(content)
        with pytest.raises(InputError, match=name):
            read_model(tmp_path / name)
    with pytest.raises(InputError, match="does not exist"):
        read_model(tmp_path / "absent.cif")
