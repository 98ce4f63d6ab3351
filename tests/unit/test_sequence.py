"""Sequence files: what is read, what it is turned into, and what is refused with which sentence."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import yaml

from classfold.errors import InputError
from classfold.molecules import check_components
from classfold.sequence import chain_letters, guess_type, read_sequence, write_boltz_yaml

ADK = Path(__file__).resolve().parents[2] / "assets/demo/adk.fasta"
COMPLEX = """
version: 1
sequences:
  - protein: {id: [A, B], sequence: MKXV, modifications: [{position: 3, ccd: SEP}], cyclic: true}
  - rna: {id: R, sequence: gcau}
  - ligand: {id: 1, ccd: [NAG, NAG]}
  - ligand: {id: S, smiles: "CC(=O)O"}
constraints:
  - bond: {atom1: [A, 3, OG], atom2: [R, 1, P]}
  - pocket: {binder: S, contacts: [[A, 1], [B, 2]]}
"""


def read(tmp_path, text, name="x.fasta"):
    path = tmp_path / name
    path.write_text(text)
    return read_sequence(path)


def test_plain_fasta_gets_letters_and_types(tmp_path):
    target = read(
        tmp_path, ">sp|P69441|KAD_ECOLI kinase\nmrii LLGA\nPGAG*\n>second\nGATTACA\n>x\nGAUUACA\n\n", "x.fa"
    )
    assert [(c.name, c.type, c.sequence) for c in target.chains] == [
        ("A", "protein", "MRIILLGAPGAG"),
        ("B", "dna", "GATTACA"),
        ("C", "rna", "GAUUACA"),
    ]
    assert [w.split()[1] for w in target.warnings] == ["B", "C"]
    assert target.n_residues == 26


def test_boltz_form_with_ligands(tmp_path):
    target = read(tmp_path, ">L1|protein|a.a3m\nMKV\n>X|dna\nGGA\n>Y|ccd\nATP\n>Z|smiles\nC1CCCCC1\n")
    assert [(c.name, c.type) for c in target.chains] == [
        ("L1", "protein"),
        ("X", "dna"),
        ("Y", "ligand"),
        ("Z", "ligand"),
    ]
    assert target.chains[0].alignment == tmp_path.resolve() / "a.a3m"
    assert (target.chains[2].codes, target.chains[3].smiles) == (("ATP",), "C1CCCCC1")


def test_alignment_named_in_a_linked_file_is_beside_the_original(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there/x.fasta").write_text(">A|protein|a.a3m\nMKV\n")
    (tmp_path / "x.fasta").symlink_to(tmp_path / "there/x.fasta")
    assert read_sequence(tmp_path / "x.fasta").chains[0].alignment == tmp_path.resolve() / "there/a.a3m"


def test_yaml_is_read_and_written_back(tmp_path):
    target = read(tmp_path, COMPLEX, "x.yaml")
    assert [c.name for c in target.chains] == ["A", "B", "R", "1", "S"]
    assert target.chains[1].modifications == ((3, "SEP"),) and target.chains[1].cyclic
    assert target.chains[3].codes == ("NAG", "NAG") and target.chains[3].n_residues == 2
    write_boltz_yaml(target, tmp_path / "again.yaml")
    again = read_sequence(tmp_path / "again.yaml")
    assert again == target and again.sha256() == target.sha256()
    assert len(yaml.safe_load((tmp_path / "again.yaml").read_text())["sequences"]) == 5


def test_digest_depends_on_the_molecule_and_not_on_the_file(tmp_path):
    plain = read(tmp_path, ">anything\nMKV\n")
    boltz = read(tmp_path, ">A|protein\nmk\nv\n", "b.fasta")
    as_yaml = read(tmp_path, "sequences: [{protein: {id: A, sequence: MKV, msa: empty}}]", "c.yml")
    other = read(tmp_path, ">A|protein\nMKL\n", "d.fasta")
    assert plain.sha256() == boltz.sha256() == as_yaml.sha256() != other.sha256()


def test_header_of_several_chains_is_pointed_out(tmp_path):
    target = read(tmp_path, ">1AKE_1|Chains A, B|ADENYLATE KINASE|Escherichia coli (562)\nMRIILLGAPGAG\n")
    assert len(target.chains) == 1
    assert "A, B" in target.warnings[0]


def test_chain_letters_go_on_after_z():
    letters = list(itertools.islice(chain_letters(), 28))
    assert letters[0] == "A" and letters[25:] == ["Z", "AA", "AB"]


@pytest.mark.parametrize("sequence", ["GGAGA", "AAAA", "GATUC"])
def test_letters_that_fit_several_types_are_asked_about(sequence):
    with pytest.raises(InputError, match="could be protein, DNA or RNA"):
        guess_type(sequence)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no sequence"),
        (">A|protein\n", "chain A has an empty sequence"),
        ("MKV\n", "begins with >"),
        (">x\nMKB1V\n", "B at position 3, 1 at position 4; allowed are the letters ACDEFGHIKLMNPQRSTVWY"),
        (">x\nMKU\n", "selenocysteine"),
        (">x\nMK--V\n", "row of an alignment"),
        (">x\nMK*V\n", r"\* at position 3"),
        (">x\nXXXXXXX\n", "X at position 5 and 2 more"),
        (">A|rna\nGCT\n", "in RNA write U"),
        (">A|dna\nGCN\n", "N at position 3"),
        (">A|protein\nMKV\n>plain\nMKV\n", "write >CHAIN.TYPE in all"),
        (">A|protein\nMKV\n>A|protein\nMKL\n", "chain A occurs 2 times"),
        (">A;rm|protein\nMKV\n", "one to five letters and digits"),
        (">TOOLONG|protein\nMKV\n", "one to five letters and digits"),
        (">A|rna|x.a3m\nGCA\n", "too long"),
        (">A|ccd\n../x\n", "no code of the Chemical Component Dictionary"),
        (">A|smiles\nC1CC(\n", "not a valid SMILES"),
        (">A|smiles\n\n", "not a valid SMILES"),
    ],
)
def test_bad_fasta_is_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as error:
        read(tmp_path, text)
    assert str(error.value).startswith("x.fasta: ")


PROTEIN = "protein: {id: A, sequence: MKV%s}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "not valid YAML in line 1"),
        ("MKV", "no list `sequences`"),
        ("sequences: []", "no sequence"),
        ("sequences: [{peptide: {id: A}}]", "allowed are protein, dna, rna, ligand"),
        ("sequences: [{protein: {id: NO, sequence: MKV}}]", "in quotes"),
        ("sequences: [{protein: {id: [], sequence: MKV}}]", "in quotes"),
        ("sequences: [{%s}]" % (PROTEIN % ", msas: x"), "no field msas"),
        ("sequences: [{%s}]" % (PROTEIN % ", msa: [x]"), "not the name of a file"),
        ("sequences: [{%s}]" % (PROTEIN % ", modifications: [{position: 4, ccd: SEP}]"), "out of range"),
        ("sequences: [{%s}]" % (PROTEIN % ", modifications: [{position: 1, ccd: sep!}]"), "no code"),
        ("sequences: [{%s}]" % (PROTEIN % ", modifications: [3]"), "write a list of"),
        ("sequences: [{ligand: {id: A, ccd: ATP, smiles: C}}]", "not both"),
        ("sequences: [{ligand: {id: A}}]", "needs either"),
        ("version: 2\nsequences: [{%s}]" % (PROTEIN % ""), "version is 2"),
        ("templates: [{cif: x}]\nsequences: [{%s}]" % (PROTEIN % ""), "does not know templates"),
        ("constraints: [{contact: {}}]\nsequences: [{%s}]" % (PROTEIN % ""), "not one that Boltz-1 knows"),
        (
            "constraints: [{bond: {atom1: [A, 1, CA], atom2: [A, 4, N]}}]\nsequences: [{%s}]"
            % (PROTEIN % ""),
            "residue 4 of chain A",
        ),
        (
            "constraints: [{bond: {atom1: [A, 1, CA], atom2: [B, 1, N]}}]\nsequences: [{%s}]"
            % (PROTEIN % ""),
            "does not name a chain",
        ),
        (
            "constraints: [{pocket: {binder: Q, contacts: []}}]\nsequences: [{%s}]" % (PROTEIN % ""),
            "binder must be a chain",
        ),
    ],
)
def test_bad_yaml_is_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, text, "x.yaml")


def test_copies_that_boltz_would_make_equal_are_refused(tmp_path):
    modified = "{protein: {id: B, sequence: MSV, modifications: [{position: 2, ccd: SEP}]}}"
    with pytest.raises(InputError, match="chains A and B have the same sequence but differ in modifications"):
        read(tmp_path, "sequences: [{protein: {id: A, sequence: MSV}}, " + modified + "]", "x.yaml")
    with pytest.raises(InputError, match="different alignments"):
        read(tmp_path, ">A|protein|a.a3m\nMKV\n>B|protein|b.a3m\nMKV\n")


def test_unknown_components_are_named_with_their_chains(tmp_path):
    target = read(tmp_path, COMPLEX, "x.yaml")
    check_components(target, {"SEP", "NAG"})
    with pytest.raises(InputError, match=r"SEP \(chain A\), SEP \(chain B\) are not in"):
        check_components(target, {"NAG"})


def test_unreadable_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_sequence(tmp_path / "missing.fasta")
    (tmp_path / "map.fasta").write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match="not a text file"):
        read_sequence(tmp_path / "map.fasta")


def test_the_demonstration_is_adenylate_kinase():
    (chain,) = read_sequence(ADK).chains
    assert (chain.name, chain.type, chain.n_residues) == ("A", "protein", 214)
