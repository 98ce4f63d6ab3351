"""SELECT_MODELS with models that others made: partial, renumbered, misplaced, of another molecule, unreadable."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import select_models
from click.testing import CliRunner

from classfold.structure import write_model
from classfold.topology import ChainRecord, Topology
from tests.stage_folders import simulated_map, write_docking, write_map_folder, write_samples, write_sequence

N_PARTIAL = 56 + 130


def renamed(topology: Topology, shift: int) -> Topology:
    """With another name of the chain and other numbers."""
    sequence = str(topology.chains[0].sequence)
    return replace(
        topology,
        chains=(ChainRecord("Xy", "protein", 0, "A" * shift + sequence),),
        chain=np.full(topology.n_atoms, "Xy"),
        residue_number=topology.residue_number + shift,
    )


@pytest.fixture(scope="module")
def partial(adk_topology):
    """Atoms of 186 of the 214 residues."""
    number = adk_topology.residue_number
    return np.flatnonzero(((number > 4) & (number < 61)) | (number > 84))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, adk_topology, adk_closed, adk_open, partial):
    """The class's stages, our only sample being the truth, and the models of others beside them."""
    root = tmp_path_factory.mktemp("others")
    write_sequence(root / "adk.sequence", adk_topology)
    write_map_folder(root / "adk.open.map", "adk", "open", simulated_map(adk_open, adk_topology, seed=1))
    write_docking(root / "adk.open.docking", adk_topology, "open", adk_closed)
    write_samples(root / "adk.open.samples", "adk", "open", {"coordinates": adk_open[None]})
    part = adk_topology.part(partial)
    write_model(root / "part.cif", renamed(part, 100), adk_open[partial], title="part")
    noise = np.random.default_rng(5).normal(size=adk_open.shape)
    write_model(root / "decoy.cif", adk_topology, adk_open + noise, title="decoy")
    write_model(root / "elsewhere.cif", part, adk_open[partial] @ np.diag([-1.0, -1.0, 1.0]) + 400, title="elsewhere")
    trace = adk_topology.part(adk_topology.ca_indices())
    write_model(root / "trace.cif", trace, adk_open[adk_topology.ca_indices()], title="trace")
    names = np.roll(np.unique(adk_topology.residue_name), 7)
    other = names[np.unique(adk_topology.residue_name, return_inverse=True)[1]]
    write_model(root / "foreign.cif", replace(adk_topology, residue_name=other), adk_open, title="foreign")
    (root / "broken.cif").write_text("data_x\nloop_\n_atom_site.id\n")
    return root


def run(folder: Path, output: Path, *others: str):
    stages = {"sequence": "sequence", "map": "open.map", "docking": "open.docking", "samples": "open.samples"}
    arguments = [part for name, end in stages.items() for part in (f"--{name}", str(folder / f"adk.{end}"))]
    for name in others:
        arguments += ["--compare", f"{name}={folder / name}.cif"]
    outcome = CliRunner().invoke(select_models.main, [*arguments, "--output", str(output)])
    assert outcome.exit_code == 0, (outcome.output, outcome.exception)
    return output


@pytest.fixture(scope="module")
def result(folder):
    names = ("part", "decoy", "elsewhere", "trace", "foreign", "broken")
    return run(folder, folder / "models", *names)


@pytest.fixture(scope="module")
def record(result):
    return json.loads((result / "others.json").read_text())


@pytest.fixture(scope="module")
def models(record):
    return {model["name"]: model for model in record["models"]}


def test_our_best_model_leads_the_given_ones_in_their_order(result, models):
    assert list(models) == ["ClassFold", "part", "decoy", "elsewhere", "trace", "foreign", "broken"]
    with (result / "others.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["name"] for row in rows] == list(models) and list(rows[0]) == list(models["part"])
    for row in rows:
        for column, cell in row.items():
            value = models[row["name"]][column]
            assert cell == "" if value is None else cell == value or float(cell) == pytest.approx(value, abs=1e-4)
    scores = json.loads((result / "models.json").read_text())["scores"]
    for name in ("cc_mask", "q_score_06", "clashscore", "ramachandran_favored", "d_fsc_05_angstrom"):
        assert models["ClassFold"][name] == pytest.approx(scores[name])


def test_a_part_under_other_names_and_numbers_is_the_truth_on_what_it_has(models):
    part = models["part"]
    assert (part["residues_built"], part["residues_matched"], part["residues_identical"]) == (N_PARTIAL,) * 3
    assert part["residues_of_target"] == 214 and part["coverage"] == pytest.approx(N_PARTIAL / 214)
    assert part["ca_rmsd_angstrom"] == pytest.approx(0, abs=2e-3)
    assert part["superposed_ca_rmsd_angstrom"] == pytest.approx(0, abs=2e-3)
    names = [name.removeprefix("ours_") for name in part if name.startswith("ours_")]
    assert len(names) == 9
    for name in names:
        assert part[name] is not None and part[name] == pytest.approx(part[f"ours_{name}"], abs=3e-3), name
    # The rest of the molecule is missing where it touches the part.
    assert part["cc_mask"] < models["ClassFold"]["cc_mask"] and part["cc_mask"] > 0.7


def test_a_decoy_fits_worse_on_the_same_residues(record, models):
    decoy = models["decoy"]
    assert decoy["coverage"] == 1 and decoy["ca_rmsd_angstrom"] == pytest.approx(np.sqrt(3), rel=0.1)
    assert decoy["cc_mask"] < decoy["ours_cc_mask"] - 0.05 and decoy["cc_residues"] < decoy["ours_cc_residues"] - 0.05
    assert decoy["q_score_06"] < decoy["ours_q_score_06"] and decoy["clashscore"] > decoy["ours_clashscore"] + 10
    assert decoy["ramachandran_favored"] < decoy["ours_ramachandran_favored"] - 0.2
    sentences = {sentence.split()[0]: sentence for sentence in record["sentences"]}
    assert "worse than the best model of ClassFold on the 214 residues" in sentences["decoy"]
    assert "as well as the best model of ClassFold on the 186 residues" in sentences["part"]
    assert sentences["part"].endswith("it covers 87% of the target.")


def test_a_model_beside_the_map_is_told_by_its_place_and_not_by_its_shape(record, models):
    there = models["elsewhere"]
    assert there["ca_rmsd_angstrom"] > 300 and there["superposed_ca_rmsd_angstrom"] == pytest.approx(0, abs=2e-3)
    assert there["inside_map"] == 0 and there["cc_mask"] is None and there["clashscore"] is not None
    assert "elsewhere: only 0% of its atoms lie in the map; is it in the frame of the map?" in record["warnings"]


def test_a_trace_has_the_scores_that_a_trace_can_have(models):
    trace = models["trace"]
    assert trace["coverage"] == 1 and trace["cc_mask"] is not None and trace["ramachandran_favored"] is None
    assert trace["cc_mask"] == pytest.approx(trace["ours_cc_mask"], abs=1e-3)


def test_what_cannot_be_compared_leaves_a_sentence_and_no_numbers(record, models):
    for name in ("foreign", "broken"):
        assert {models[name][score] for score in ("cc_mask", "ours_cc_mask", "ca_rmsd_angstrom")} == {None}
    foreign, broken = record["warnings"][1:]
    assert foreign == (
        "foreign was not compared: none of the 214 residues in foreign.cif belong to a sequence of adk; give a model "
        "of this molecule"
    )
    assert broken.startswith("broken was not compared: ") and "broken.cif" in broken


def test_without_models_of_others_there_is_no_table(folder, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models/others.json").write_text("{}")
    output = run(folder, tmp_path / "models")
    assert not list(output.glob("others.*")) and (output / "models.json").is_file()
