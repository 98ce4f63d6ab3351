"""PREPARE_SEQUENCE with Boltz's own parser and featuriser and the demonstration's components."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from prepare_sequence import main

from classfold import prior
from classfold.features import check_features, load_features, save_features
from classfold.molecules import Molecule, TargetSequence
from classfold.sequence import read_sequence
from classfold.sequence_features import check_chains, prepare
from classfold.topology import Topology
from classfold.weights import sha256_of

ROOT = Path(__file__).resolve().parents[2]
ADK = ROOT / "assets/demo/adk.fasta"
COMPLEX = """
version: 1
sequences:
  - protein:
      id: [A, C]
      sequence: MSTK
      modifications: [{position: 1, ccd: MSE}, {position: 2, ccd: SEP}, {position: 3, ccd: TPO}]
  - protein: {id: B, sequence: GWH}
  - rna: {id: R, sequence: GCAU}
  - dna: {id: X, sequence: GCAT}
  - ligand: {id: L, ccd: ATP}
  - ligand: {id: M, ccd: MG}
  - ligand: {id: G, ccd: [NAG, NAG]}
  - ligand: {id: S, smiles: "CC(=O)Oc1ccccc1C(=O)O"}
constraints:
  - bond: {atom1: [G, 1, O4], atom2: [G, 2, C1]}
  - pocket: {binder: L, contacts: [[A, 1], [B, 2]]}
"""


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    shutil.copy(ROOT / "assets/demo/weights/ccd.pkl", folder)
    (folder / "SHA256SUMS").write_text(f"{sha256_of(folder / 'ccd.pkl')}  ccd.pkl\n")
    return folder


@pytest.fixture(scope="module")
def components(weights):
    return prior.load_components(weights / "ccd.pkl")


def run(weights, sequence, output, *more) -> Result:
    fixed = ["--target", "t", "--weights", weights, "--seed", 3, "--sequence", sequence, "--output", output]
    return CliRunner().invoke(main, [str(word) for word in (*fixed, *more)])


def test_adenylate_kinase(weights, tmp_path):
    result = run(weights, ADK, tmp_path / "t.sequence")
    assert result.exit_code == 0, result.output
    topology = Topology.read(tmp_path / "t.sequence")
    record = json.loads((tmp_path / "t.sequence/target.json").read_text())
    assert (topology.n_atoms, record["n_tokens"], record["n_residues"]) == (1655, 214, 214)
    # Average mass of the sequence by its composition (ProtParam: 23586.0 Da); Boltz draws charged side
    # chains with the protons of the components' dictionary, at most two to a residue.
    assert record["mass_dalton"] == pytest.approx(23586.0, abs=60)
    assert record["msa"] == {"A": "none"} and "no alignment" in record["warnings"][0]
    assert len(topology.ca_indices()) == 214
    assert topology.residue_number.max() == 214


def test_features_come_back_as_boltz_made_them(components, tmp_path):
    (tmp_path / "x.yaml").write_text(COMPLEX)
    features = prior.featurise(prior.parse_target(tmp_path / "x.yaml", components), {}, seed=5)
    save_features(features, tmp_path / "features.safetensors")
    again = load_features(tmp_path / "features.safetensors")
    assert again.keys() == features.keys()
    for name, values in features.items():
        assert again[name].dtype == values.dtype and torch.equal(again[name], values), name
    n_bytes = sum(values.numel() * values.element_size() for values in features.values())
    assert (tmp_path / "features.safetensors").stat().st_size < n_bytes / 10


def test_complex_with_ligands_nucleic_acids_and_modified_residues(weights, tmp_path):
    (tmp_path / "x.yaml").write_text(COMPLEX)
    result = run(weights, tmp_path / "x.yaml", tmp_path / "t.sequence")
    assert result.exit_code == 0, result.output
    topology = Topology.read(tmp_path / "t.sequence")
    features = load_features(tmp_path / "t.sequence/features.safetensors")
    check_features(features, topology)
    types = {chain.name: (chain.type, chain.sequence) for chain in topology.chains}
    assert types == {
        "A": ("protein", "MSTK"),
        "C": ("protein", "MSTK"),
        "B": ("protein", "GWH"),
        "R": ("rna", "GCAU"),
        "X": ("dna", "GCAT"),
        "L": ("ligand", None),
        "M": ("ligand", None),
        "G": ("ligand", None),
        "S": ("ligand", None),
    }
    in_a = topology.chain == "A"
    residues = dict(zip(topology.residue_number[in_a], topology.residue_name[in_a], strict=True))
    # Boltz folds selenomethionine as methionine.
    assert residues == {1: "MET", 2: "SEP", 3: "TPO", 4: "LYS"}
    # A standard residue is one token, of a modified one and of a ligand every atom is one.
    n_tokens = {
        name: len(set(topology.token_index[in_a & (topology.residue_name == name)]))
        for name in ("MET", "SEP")
    }
    assert n_tokens == {"MET": 1, "SEP": int((in_a & (topology.residue_name == "SEP")).sum())}
    magnesium = topology.chain == "M"
    assert (topology.element[magnesium].tolist(), topology.charge[magnesium].tolist()) == (["Mg"], [2])
    # Aspirin has 9 carbon and 4 oxygen atoms.
    assert sorted(topology.element[topology.chain == "S"]) == ["C"] * 9 + ["O"] * 4
    assert set(topology.residue_number[topology.chain == "G"]) == {1, 2}
    assert {"P", "C1'"} <= set(topology.atom_name[topology.chain == "R"])
    # Neither, binder and pocket.
    assert features["pocket_feature"].argmax(-1).unique().numel() == 3
    assert features["connected_atom_index"].shape[-1] == 1


def test_alignment_reaches_the_features_of_its_chains(weights, tmp_path):
    (tmp_path / "x.fasta").write_text(">A|protein\nMKVLA\n>B|protein\nGWH\n")
    (tmp_path / "x.a3m").write_text(">q\nMKVLA\n>second\nM-VqrLA\n")
    result = run(weights, tmp_path / "x.fasta", tmp_path / "t.sequence", "--msa", tmp_path / "x.a3m")
    assert result.exit_code == 0, result.output
    record = json.loads((tmp_path / "t.sequence/target.json").read_text())
    assert record["msa"] == {"A": "a3m", "B": "none"} and "chain B has no alignment" in record["warnings"][0]
    features = load_features(tmp_path / "t.sequence/features.safetensors")
    rows = features["msa"][0].argmax(-1)
    assert rows.shape == (2, 8)
    assert torch.equal(rows[0], features["res_type"][0].argmax(-1))
    gap = 1  # the second of Boltz's tokens
    assert (rows[1] == gap).tolist() == [False, True, False, False, False, True, True, True]


def test_same_seed_same_features_other_seed_other_conformers(components):
    target = TargetSequence((Molecule("A", "protein", "MKV"), Molecule("L", "ligand", codes=("ATP",))))
    first, same, other = (prepare("t", target, {}, components, seed).features for seed in (1, 1, 2))
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.allclose(first["ref_pos"], other["ref_pos"])
    # Turned and shifted, but the same conformers: distances within a residue stay.
    for features in (first, other):
        assert torch.isfinite(features["ref_pos"]).all()
    bond = [(f["ref_pos"][0, 0] - f["ref_pos"][0, 1]).norm() for f in (first, other)]
    assert bond[0] == pytest.approx(bond[1].item(), abs=1e-4)


def test_features_of_another_target_are_found(components):
    target = TargetSequence((Molecule("A", "protein", "MKV"),))
    prepared = prepare("t", target, {}, components, seed=1)
    names = prepared.topology.atom_name.copy()
    names[5] = "XX"
    other = Topology("t", prepared.topology.chains, **(_columns(prepared.topology) | {"atom_name": names}))
    with pytest.raises(RuntimeError, match="atom_name of atom 5"):
        check_features(prepared.features, other)
    longer = prepare("t", TargetSequence((Molecule("A", "protein", "MKVV"),)), {}, components, seed=1)
    with pytest.raises(RuntimeError, match="atoms"):
        check_features(longer.features, prepared.topology)
    with pytest.raises(RuntimeError, match="other chains"):
        check_chains(target, longer.record["chains"])
    broken = prepared.features | {"ref_pos": prepared.features["ref_pos"] * float("nan")}
    with pytest.raises(RuntimeError, match="ref_pos"):
        check_features(broken, prepared.topology)


def _columns(topology: Topology) -> dict[str, np.ndarray]:
    names = ("chain", "residue_number", "residue_name", "atom_name", "element", "charge", "token_index")
    return {name: getattr(topology, name) for name in names}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sequences: [{protein: {id: A, sequence: MKZ}}]", "Z at position 3"),
        ("sequences: [{ligand: {id: A, ccd: QQQ}}]", "QQQ (chain A) are not in the dictionary"),
        (
            "sequences: [{protein: {id: A, sequence: MK}}]\n"
            "constraints: [{bond: {atom1: [A, 1, QQ], atom2: [A, 2, CA]}}]",
            "there is no atom",
        ),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_no_output(weights, tmp_path, text, message):
    (tmp_path / "x.yaml").write_text(text)
    result = run(weights, tmp_path / "x.yaml", tmp_path / "t.sequence")
    assert result.exit_code != 0
    assert message in str(result.exception)
    assert not (tmp_path / "t.sequence").exists()


def test_changed_components_are_not_unpickled(weights, tmp_path):
    shutil.copytree(weights, tmp_path / "weights")
    with (tmp_path / "weights/ccd.pkl").open("ab") as stream:
        stream.write(b"\0")
    result = run(tmp_path / "weights", ADK, tmp_path / "t.sequence")
    assert "ccd.pkl is damaged or was changed" in str(result.exception)


def test_a_server_that_cannot_be_reached_is_said_after_what_would_leave(weights, tmp_path, monkeypatch):
    monkeypatch.setattr("boltz.data.msa.mmseqs2.time.sleep", lambda seconds: None)
    more = ("--msa", "server", "--msa-server-url", "http://127.0.0.1:9")
    result = run(weights, ADK, tmp_path / "t.sequence", *more)
    assert "the sequences of chain(s) A leave this computer: sent to http://127.0.0.1:9" in result.output
    assert "the MSA server http://127.0.0.1:9 gave no alignment" in str(result.exception)


def test_prepared_chains_are_those_of_the_file(components):
    sequence = read_sequence(ADK)
    prepared = prepare("adk", sequence, {}, components, seed=1)
    assert prepared.record["sequence_sha256"] == sequence.sha256()
    assert prepared.topology.chains[0].sequence == sequence.chains[0].sequence
