"""Model files against the PDB's dictionary, and read by four other programs; molecules from Boltz's own structures."""

import re
from collections import Counter
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import gemmi
import modelcif.qa_metric
import modelcif.reader
import numpy as np
import pytest
from biotite.structure.io import pdbx

from classfold import __version__
from classfold.mmcif import read_model, write_model
from classfold.mmcif_methods import GuidingMap
from classfold.molecules import TargetSequence
from classfold.prior import load_components
from classfold.sequence import read_sequence
from classfold.sequence_features import prepare
from classfold.structure import match_atoms
from classfold.topology import Topology

COMPONENTS = Path(__file__).resolve().parents[2] / "assets/demo/weights/ccd.pkl"
COMPLEX = """
sequences:
- protein: {id: [A, C], sequence: MGSTKXW, modifications: [{position: 3, ccd: SEP}, {position: 6, ccd: TPO}]}
- rna: {id: R, sequence: GCAU}
- dna: {id: X, sequence: GCAT}
- ligand: {id: [L, K], ccd: ATP}
- ligand: {id: M, ccd: MG}
- ligand: {id: N, ccd: ZN}
- ligand: {id: H, ccd: HEM}
- ligand: {id: G, ccd: [NAG, NAG]}
- ligand: {id: S, smiles: "CC(=O)Oc1ccccc1C(=O)O"}
"""
# Components are named by their codes; their atoms are those of the dictionary of components, as in the PDB's files.
# Ligands have no place in a sequence, but the dictionary's links of atoms to sequences do not say so.
KNOWN = re.compile(
    r"_chem_comp_atom\.atom_id|parent of _atom_site\.label_atom_id"
    r"|\+\.(\+\?)? from _atom_site\.|not in _(entity_poly_seq|pdbx_poly_seq_scheme)\."
)
# Newer than the dictionary that cctbx ships (5.288), or ModelCIF's, or our own.
BEYOND = re.compile(
    r"unknown tag (_struct\.pdbx_structure_determination_methodology|_(ma|classfold)_\w+\.\w+)$"
    r"|category not in the dictionary: (ma|classfold)_\w+$"
)


@pytest.fixture(scope="session")
def dictionary() -> gemmi.cif.Ddl:
    """The PDB's dictionary, which cctbx ships."""
    package = find_spec("iotbx")
    assert package and package.submodule_search_locations, "cctbx-base is not installed"
    ddl = gemmi.cif.Ddl(print_unknown_tags=True)
    path = Path(package.submodule_search_locations[0], "cif/dictionaries/mmcif_pdbx_v50.dic.gz")
    assert ddl.read_ddl_file(str(path)) == ""
    return ddl


@pytest.fixture(scope="session")
def boltz_topology(tmp_path_factory) -> Topology:
    """Protein with modified residues, RNA, DNA, ligands, ions, a glycan and a SMILES, as Boltz makes them."""
    path = tmp_path_factory.mktemp("complex") / "complex.yaml"
    path.write_text(COMPLEX)
    sequence: TargetSequence = read_sequence(path)
    return prepare("complex", sequence, {}, load_components(COMPONENTS), seed=1).topology


@pytest.fixture(scope="session")
def written(boltz_topology, tmp_path_factory) -> tuple[Path, np.ndarray, np.ndarray]:
    """The file, its coordinates and its confidence."""
    random = np.random.default_rng(1)
    n = boltz_topology.n_atoms
    coordinates, plddt = random.uniform(-150, 150, (n, 3)), random.uniform(0, 100, n)
    path = tmp_path_factory.mktemp("written") / "my model's #1.cif"
    write_model(
        path,
        boltz_topology,
        coordinates,
        title="complex, class 'one'",
        b_factors=random.uniform(0, 99, n),
        confidence=plddt,
        provenance={"map": "my map; #1.mrc"},
        guide=GuidingMap("my map; #1.mrc", 3.456, "half maps"),
    )
    return path, coordinates, plddt


def complaints(ddl: gemmi.cif.Ddl, document: gemmi.cif.Document, n_ligand_atoms: int = 0) -> list[str]:
    """What the dictionary has against a file, less what is told above."""
    no_sequence = f"[total {n_ligand_atoms} missing parents in this group]"
    said = (line.strip() for line in ddl.validate_cif(document).splitlines())
    told = (line for line in said if line and line != no_sequence)
    return [line for line in told if not BEYOND.search(line) and not KNOWN.search(line)]


def test_the_pdb_s_dictionary_has_nothing_against_a_model(
    dictionary, written, boltz_topology, adk_topology, adk_open, tmp_path
):
    n_ligand_atoms = int((boltz_topology.chain_type == "ligand").sum())
    assert complaints(dictionary, gemmi.cif.read(str(written[0])), n_ligand_atoms) == []
    write_model(tmp_path / "plain.cif", adk_topology, adk_open, title="unguided")
    assert complaints(dictionary, gemmi.cif.read(str(tmp_path / "plain.cif"))) == []


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("_entity.type", "polymeric"),
        ("_atom_site.Cartn_x", "wide"),
        ("_exptl.method", "MAGIC"),
        ("_em_3d_reconstruction.resolution", "fine"),
        ("_struct_asym.entity_id", "99"),
        ("_entity_poly.type", "protein"),
    ],
)
def test_the_pdb_s_dictionary_notices_what_is_wrong(dictionary, written, boltz_topology, tag, value):
    n_ligand_atoms = int((boltz_topology.chain_type == "ligand").sum())
    document = gemmi.cif.read(str(written[0]))
    column = document.sole_block().find_values(tag)
    column[0] = value
    assert complaints(dictionary, document, n_ligand_atoms)


def test_biotite_gemmi_and_read_model_see_every_atom_in_its_place(boltz_topology, written):
    topology, (path, coordinates, _) = boltz_topology, written
    atoms = pdbx.get_structure(pdbx.CIFFile.read(path), model=1, extra_fields=["charge"], use_author_fields=True)
    model, upper = read_model(path), np.char.upper
    for got, wanted in (
        (atoms.chain_id, topology.chain), (model.chain, topology.chain),
        (atoms.res_id, topology.residue_number), (model.residue_number, topology.residue_number),
        (atoms.res_name, topology.residue_name), (model.residue_name, topology.residue_name),
        (atoms.atom_name, topology.atom_name), (model.atom_name, topology.atom_name),
        (atoms.element, upper(topology.element)), (upper(model.element), upper(topology.element)),
        (atoms.charge, topology.charge),
    ):
        np.testing.assert_array_equal(got, wanted)
    np.testing.assert_allclose(atoms.coord, coordinates, atol=6e-4)
    np.testing.assert_allclose(model.coordinates, coordinates, atol=6e-4)
    ours, theirs = match_atoms(topology, model)
    np.testing.assert_array_equal(ours, np.arange(topology.n_atoms))
    np.testing.assert_array_equal(theirs, ours)


def test_what_gemmi_and_biotite_write_again_is_the_same(boltz_topology, written, tmp_path):
    path, coordinates, _ = written
    gemmi.read_structure(str(path)).make_mmcif_document().write_file(str(tmp_path / "gemmi.cif"))
    file = pdbx.CIFFile()
    atoms = pdbx.get_structure(pdbx.CIFFile.read(path), model=1, extra_fields=["occupancy", "b_factor"])
    pdbx.set_structure(file, atoms)
    file.write(tmp_path / "biotite.cif")
    for name in ("gemmi.cif", "biotite.cif"):
        again = read_model(tmp_path / name)
        np.testing.assert_array_equal(again.atom_name, boltz_topology.atom_name)
        np.testing.assert_array_equal(again.residue_name, boltz_topology.residue_name)
        np.testing.assert_allclose(again.coordinates, coordinates, atol=2e-3)


def test_names_of_atoms_are_those_of_the_components(boltz_topology):
    components = load_components(COMPONENTS)
    known = {
        name: {(atom.GetProp("name"), atom.GetSymbol().upper()) for atom in components[name].GetAtoms()}
        for name in set(boltz_topology.residue_name.tolist()) - {"LIG1"}
    }
    assert {"SEP", "TPO", "HEM", "DT", "U", "MG", "ZN", "NAG", "ATP"} <= known.keys()
    columns = boltz_topology.residue_name, boltz_topology.atom_name, boltz_topology.element
    strange = [row for row in zip(*map(np.ndarray.tolist, columns), strict=True)
               if row[0] in known and (row[1], row[2].upper()) not in known[row[0]]]
    assert strange == []


def column(block: gemmi.cif.Block, tag: str) -> list[str]:
    return [gemmi.cif.as_string(value) for value in block.find_values(tag)]


def test_entities_sequences_and_ligands_are_named_as_the_pdb_names_them(written):
    block = gemmi.cif.read(str(written[0])).sole_block()
    assert column(block, "_entity_poly.type") == ["polypeptide(L)", "polyribonucleotide", "polydeoxyribonucleotide"]
    assert column(block, "_entity_poly.pdbx_seq_one_letter_code") == ["MG(SEP)TK(TPO)W", "GCAU", "(DG)(DC)(DA)(DT)"]
    assert column(block, "_entity_poly.pdbx_strand_id") == ["A,C", "R", "X"]
    assert column(block, "_entity_poly.nstd_monomer") == ["yes", "no", "no"]
    assert column(block, "_entity_poly_seq.mon_id")[:7] == ["MET", "GLY", "SEP", "THR", "LYS", "TPO", "TRP"]
    assert column(block, "_pdbx_entity_nonpoly.comp_id") == ["ATP", "MG", "ZN", "HEM", "NAG", "LIG1"]
    kinds = dict(zip(column(block, "_chem_comp.id"), column(block, "_chem_comp.type"), strict=True))
    expected = {"GLY": "PEPTIDE LINKING", "SEP": "L-PEPTIDE LINKING", "DT": "DNA LINKING", "U": "RNA LINKING"}
    expected |= {"HEM": "NON-POLYMER", "NAG": "SACCHARIDE", "ZN": "NON-POLYMER", "LIG1": "NON-POLYMER"}
    assert {name: kinds[name] for name in expected} == expected
    # Two sugars in one chain of the author's are two molecules of one compound.
    copies = Counter(column(block, "_struct_asym.entity_id"))
    nag = column(block, "_pdbx_entity_nonpoly.entity_id")[4]
    assert copies[nag] == 2 and {"G", "G2"} <= set(column(block, "_struct_asym.id"))
    assert column(block, "_pdbx_nonpoly_scheme.pdb_strand_id").count("G") == 2


def test_modelcif_reads_the_model_as_a_prediction_guided_by_a_map(written):
    path, _, plddt = written
    with path.open() as stream:
        (system,) = modelcif.reader.read(stream)
    assert [software.name for software in system.software] == ["ClassFold", "Boltz-1"]
    assert system.software[0].version == __version__
    (group,) = system.model_groups
    (model,) = group
    assert model.model_type == "Other" and "guided by a cryo-EM density" in model.other_details
    (protocol,) = system.protocols
    assert [step.method_type for step in protocol.steps] == ["modeling", "model selection"]
    assert "my map; #1.mrc" in [getattr(data, "name", None) for data in protocol.steps[0].input_data]
    overall = [metric for metric in model.qa_metrics if isinstance(metric, modelcif.qa_metric.Global)]
    local = [metric for metric in model.qa_metrics if isinstance(metric, modelcif.qa_metric.Local)]
    assert [metric.type for metric in overall] == ["pLDDT"]
    assert float(overall[0].value) == pytest.approx(plddt.mean(), rel=1e-3)
    assert local[0].residue.seq_id == 1 and local[0].residue.asym.id == "A"


def test_the_map_and_its_resolution_are_told(written, adk_topology, adk_open, tmp_path):
    block = gemmi.cif.read(str(written[0])).sole_block()
    assert column(block, "_em_3d_reconstruction.resolution") == ["3.46"]
    assert column(block, "_em_3d_reconstruction.resolution_method") == ["FSC 0.143 CUT-OFF"]
    assert "no temperature factors" in column(block, "_struct.pdbx_model_details")[0]
    guess = GuidingMap("a.mrc", 7.0, "estimate")
    write_model(tmp_path / "guess.cif", adk_topology, adk_open, title="x", guide=guess)
    block = gemmi.cif.read(str(tmp_path / "guess.cif")).sole_block()
    assert column(block, "_em_3d_reconstruction.resolution_method") == ["OTHER"]
    write_model(tmp_path / "unguided.cif", adk_topology, adk_open, title="x")
    assert "_em_3d_reconstruction" not in (tmp_path / "unguided.cif").read_text()


def test_a_ligand_of_several_residues_gets_names_that_no_chain_has(boltz_topology, tmp_path):
    renamed = replace(
        boltz_topology,
        chains=tuple(replace(c, name="G2" if c.name == "M" else c.name) for c in boltz_topology.chains),
        chain=np.where(boltz_topology.chain == "M", "G2", boltz_topology.chain),
    )
    write_model(tmp_path / "x.cif", renamed, np.zeros((renamed.n_atoms, 3)), title="x")
    asyms = column(gemmi.cif.read(str(tmp_path / "x.cif")).sole_block(), "_struct_asym.id")
    assert len(set(asyms)) == len(asyms) and {"G", "G2", "G3"} <= set(asyms)
