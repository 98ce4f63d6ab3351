"""COMPARE_CLASSES on adenylate kinase, closed against open, each in its own frame."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import compare_classes
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy import ndimage
from scipy.spatial.transform import Rotation

from classfold.class_models import ClassModel
from classfold.errors import InputError
from classfold.maps import write_map
from classfold.morph import FRAMES
from classfold.records import write_json
from classfold.report.morphs import read_trace
from classfold.structure import write_model
from tests.stage_folders import simulated_map, write_map_folder, write_sequence


def write_class(root: Path, topology, name: str, coordinates: np.ndarray) -> None:
    write_map_folder(root / f"adk.{name}.map", "adk", name, simulated_map(coordinates, topology))
    folder = root / f"adk.{name}.models"
    folder.mkdir()
    write_model(folder / "model.cif", topology, coordinates, title=name)
    write_json({"target": "adk", "class": name}, folder / "models.json")


@pytest.fixture(scope="module")
def folders(tmp_path_factory, adk_topology, adk_closed, adk_open):
    root = tmp_path_factory.mktemp("compare")
    write_sequence(root / "adk.sequence", adk_topology)
    turned = Rotation.from_euler("xyz", [40, -70, 110], degrees=True).apply(adk_open) + np.array([30, -20, 10])
    write_class(root, adk_topology, "closed", adk_closed)
    write_class(root, adk_topology, "open", turned)
    write_class(root, adk_topology, "again", adk_closed + 12.3)
    return root


def run(root: Path, output: Path, maps: list[str], models: list[str]):
    arguments = ["--sequence", str(root / "adk.sequence"), "--output", str(output)]
    for name in maps:
        arguments += ["--map", str(root / f"adk.{name}.map")]
    for name in models:
        arguments += ["--models", str(root / f"adk.{name}.models")]
    return CliRunner().invoke(compare_classes.main, arguments)


def matrix(path: Path) -> tuple[list[str], np.ndarray]:
    with path.open() as stream:
        header, *rows = list(csv.reader(stream))
    assert [row[0] for row in rows] == header[1:]
    return header[1:], np.array([[float(value) for value in row[1:]] for row in rows])


@pytest.fixture(scope="module")
def result(folders):
    outcome = run(folders, folders / "out", ["open", "again", "closed"], ["closed", "open", "again"])
    assert outcome.exit_code == 0, outcome.output
    return folders / "out"


def test_matrices_are_symmetric_and_see_what_is_the_same(result):
    names, rmsd = matrix(result / "rmsd.csv")
    _, tm = matrix(result / "tm_score.csv")
    assert names == ["closed", "open", "again"]
    np.testing.assert_array_equal(rmsd, rmsd.T)
    np.testing.assert_array_equal(tm, tm.T)
    assert rmsd[0, 2] < 2e-3 and tm[0, 2] > 0.9999
    assert rmsd[0, 1] > 5 and 0.3 < tm[0, 1] < 0.9


def test_every_model_is_measured_in_every_map(result):
    _, cross = matrix(result / "cross_fit.csv")
    assert (np.diag(cross) > 0.999).all()
    assert cross[0, 2] > 0.999 and cross[2, 0] > 0.999
    assert cross[0, 1] < 0.85 and cross[1, 0] < 0.85


def test_equal_classes_are_named_and_different_ones_are_not(result):
    record = json.loads((result / "comparison.json").read_text())
    assert record["target"] == "adk" and record["classes"] == ["closed", "open", "again"]
    assert [(pair["class_a"], pair["class_b"]) for pair in record["pairs"]] == [
        ("closed", "open"),
        ("closed", "again"),
        ("open", "again"),
    ]
    same, apart = record["warnings"]
    assert "closed and again" in same and "classes closed, open, again are not in register" in apart


def test_every_pair_has_its_verdict_with_numbers_and_alike_measures(result):
    pairs = json.loads((result / "comparison.json").read_text())["pairs"]
    assert [pair["verdict"] for pair in pairs] == ["different", "same conformation", "different"]
    assert pairs[1]["lddt"] == pytest.approx(1) and pairs[0]["lddt"] == pytest.approx(pairs[2]["lddt"], abs=0.01)
    assert 0.6 < pairs[0]["lddt"] < 0.85


def test_the_moving_parts_of_adenylate_kinase_are_told(result):
    with (result / "moving_parts.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if (row["class_a"], row["class_b"]) == ("closed", "open")]
    assert [row["part"] for row in rows] == ["1", "2"]
    assert rows[1]["residues"].startswith("A1") and 35 < float(rows[1]["turn_degrees"]) < 60
    # Maps without noise show nearly all of what the models moved.
    assert all(float(row["shown_angstrom"]) > 0.8 * float(row["moved_angstrom"]) for row in rows)


def test_morphs_lead_from_model_to_model_in_the_frame_of_the_first(result, adk_topology, adk_closed):
    residues, trace = read_trace(result / "morph_closed.open.cif")
    ca = adk_topology.ca_indices()
    assert len(residues) == len(ca) and trace.shape == (FRAMES, len(ca), 3)
    np.testing.assert_allclose(trace[0], adk_closed[ca], atol=1e-3)
    moved = np.linalg.norm(trace[-1] - trace[0], axis=1)
    assert np.median(moved) < 2 and moved[125:155].mean() > 8
    assert sorted(path.name for path in result.glob("morph_*")) == [
        f"morph_{pair}.cif" for pair in ("closed.again", "closed.open", "open.again")
    ]


def test_distance_differences_are_those_of_the_models(result, adk_topology, adk_closed, adk_open):
    table = pd.read_csv(result / "distance_difference_closed.open.csv", index_col=0)
    assert list(table.columns) == list(table.index) and table.columns[29] == "A:30"
    ca = adk_topology.ca_indices()
    closed, opened = (np.linalg.norm(model[ca[40]] - model[ca[140]]) for model in (adk_closed, adk_open))
    expected = opened - closed
    assert abs(expected) > 5 and table.iloc[40, 140] == pytest.approx(expected, abs=0.06)


def test_the_lid_moves_and_the_core_stays(result):
    with (result / "displacement.csv").open() as stream:
        rows = [
            row for row in csv.DictReader(stream) if (row["class_a"], row["class_b"]) == ("closed", "open")
        ]
    moved = {int(row["residue_number"]): float(row["displacement_angstrom"]) for row in rows}
    assert len(moved) == 214 and {row["chain"] for row in rows} == {"A"}
    # The LID domain of adenylate kinase is residues 118-167 (Müller & Schulz 1992); the β core starts
    # the chain.
    assert np.mean([moved[k] for k in range(125, 155)]) > 8
    assert np.mean([moved[k] for k in (*range(1, 8), *range(80, 86), *range(104, 110))]) < 2


def test_one_class_alone_gives_matrices_of_one(folders, tmp_path):
    outcome = run(folders, tmp_path / "out", ["open"], ["open"])
    assert outcome.exit_code == 0, outcome.output
    assert matrix(tmp_path / "out/rmsd.csv")[1].tolist() == [[0]]
    assert (tmp_path / "out/displacement.csv").read_text().count("\n") == 1
    assert json.loads((tmp_path / "out/comparison.json").read_text())["pairs"] == []


def test_finalists_and_the_noise_between_half_maps_are_read(folders, tmp_path, adk_topology, adk_closed):
    write_class(tmp_path, adk_topology, "halves", adk_closed)
    whole = simulated_map(adk_closed, adk_topology)
    noise = ndimage.gaussian_filter(np.random.default_rng(4).normal(size=whole.density.shape), 1).astype(np.float32)
    noise *= 0.3 * whole.density.std() / noise.std()
    map_folder, models = tmp_path / "adk.halves.map", tmp_path / "adk.halves.models"
    for number, sign in ((1, 1), (2, -1)):
        write_map(map_folder / f"half_map_{number}.mrc", replace(whole, density=0.5 * whole.density + sign * noise))
    (models / "samples").mkdir()
    for number in (2, 5):
        path = models / f"samples/sample_{number:03d}.cif"
        write_model(path, adk_topology, adk_closed + 0.1 * number, title="sample")
    write_json({"target": "adk", "class": "halves", "finalists": [5, 2, 7]}, models / "models.json")
    (found,) = ClassModel.read_all(adk_topology, [map_folder], [models])
    shifts = [float((each - adk_closed).mean()) for each in found.finalists]
    assert shifts == pytest.approx([0.5, 0.2], abs=1e-3)
    # The half maps are half as strong as the map; so is their noise, until both are made as sharp as the map.
    assert found.noise is not None
    wanted = 2 * noise
    assert np.corrcoef(found.noise.ravel(), wanted.ravel())[0, 1] > 0.95
    assert found.noise.std() == pytest.approx(wanted.std(), rel=0.1)
    (alone,) = ClassModel.read_all(adk_topology, [folders / "adk.open.map"], [folders / "adk.open.models"])
    assert alone.noise is None and len(alone.finalists) == 1


@pytest.mark.parametrize(
    ("maps", "models", "message"),
    [
        (["open"], ["open", "closed"], "closed lack a map or a model"),
        (["open", "open"], ["open"], "class open is given twice"),
    ],
)
def test_folders_that_do_not_pair_are_refused(folders, tmp_path, maps, models, message):
    outcome = run(folders, tmp_path / "out", maps, models)
    assert isinstance(outcome.exception, InputError) and message in str(outcome.exception)
    assert not (tmp_path / "out").exists()
