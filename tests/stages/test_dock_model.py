"""DOCK_MODEL on adenylate kinase: the right model of several, moved whole, with its doubts said aloud."""

import json
from pathlib import Path

import dock_model
import gemmi
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from scipy.spatial.transform import Rotation

from classfold.class_map import ClassMap
from classfold.docking import Pose
from classfold.errors import InputError
from classfold.maps import DensityMap, read_canonical
from classfold.point_cloud import PointCloud, read_cloud, write_cloud
from classfold.structure import read_model, write_model
from tests.stage_folders import RESOLUTION, VOXEL, simulated_map, write_map_folder, write_sequence


def run(root: Path, output: str, *more: str, folder: str = "adk.open.map") -> Result:
    arguments = ["--map", str(root / folder), "--output", str(root / output), "--device", "cpu", *more]
    return CliRunner().invoke(dock_model.main, arguments)


@pytest.fixture(scope="module")
def placed(adk_open) -> np.ndarray:
    """The open structure where the map has it."""
    return Rotation.from_euler("xyz", [40, -70, 110], degrees=True).apply(adk_open) + np.array([30, -20, 10])


@pytest.fixture(scope="module")
def root(tmp_path_factory, adk_topology, adk_closed, adk_open, placed) -> Path:
    root = tmp_path_factory.mktemp("dock")
    write_sequence(root / "adk.sequence", adk_topology)
    write_map_folder(root / "adk.open.map", "adk", "open", simulated_map(placed, adk_topology, seed=4))
    (root / "adk.embedding/unguided").mkdir(parents=True)
    for number, coordinates in enumerate((adk_closed, adk_open), start=1):
        path = root / f"adk.embedding/unguided/model_{number:03}.cif"
        write_model(path, adk_topology, coordinates, title="unguided")
    return root


@pytest.fixture(scope="module")
def outcome(root) -> Result:
    more = ("--embedding", str(root / "adk.embedding"), "--sequence", str(root / "adk.sequence"))
    return run(root, "out", *more, "--seed", "7")


def test_the_model_that_fits_is_chosen_and_lies_in_the_map(root, outcome, placed, adk_topology):
    assert outcome.exit_code == 0, outcome.output
    record = json.loads((root / "out/docking.json").read_text())
    assert (record["target"], record["class"], record["seed"]) == ("adk", "open", 7)
    assert record["model"] == "model_002.cif"
    docked = read_model(root / "out/docked.cif")
    assert docked.atom_name.tolist() == adk_topology.atom_name.tolist()
    assert np.sqrt(((docked.coordinates - placed) ** 2).sum(1).mean()) < 0.3


def test_the_record_agrees_with_the_file(root, outcome, adk_open):
    record = json.loads((root / "out/docking.json").read_text())
    assert record["score"] == record["poses"][0]["score"] == record["models"][0]["score"]
    assert record["detail"] == record["poses"][0]["detail"] == max(each["detail"] for each in record["models"])
    assert record["mirror_score"] < record["score"] and record["mirror_detail"] < record["detail"]
    assert record["hand"] == "right" and record["hand_lead"] > 1
    assert record["found"] and record["n_ambiguous"] == 1 and not record["flipped"]
    assert record["explained_density"] > 0.85 and record["atoms_in_density"] > 0.95
    assert record["pixel_size_angstrom"] == VOXEL
    assert record["fitted_pixel_size_angstrom"] == pytest.approx(VOXEL, rel=0.01)
    assert 0 < record["margin"] <= 1
    best = record["poses"][0]
    pose = Pose(np.array(best["rotation"]), np.array(best["translation_angstrom"]), best["score"], best["detail"])
    # Both the unguided and the docked file round to 0.001 Å.
    np.testing.assert_allclose(read_model(root / "out/docked.cif").coordinates, pose.apply(adk_open), atol=3e-3)
    assert record["warnings"] == []
    assert "model_002.cif docked" in outcome.output


def test_a_map_as_sharp_as_the_docked_model_lies_beside_it(root, outcome):
    record = json.loads((root / "out/docking.json").read_text())["sharpness"]
    given, matched = (read_canonical(root / name) for name in ("adk.open.map/map.mrc", "out/matched.mrc"))
    assert record["matched"] and matched.density.shape == given.density.shape
    gain = pd.read_csv(root / "out/spectra.csv").set_index("frequency_per_angstrom")["gain"]
    assert gain.iloc[0] == 1 and np.isclose(gain, record["gain_at_end"], rtol=1e-6).any()
    assert 1 / record["matched_to_angstrom"] == pytest.approx(1 / RESOLUTION, abs=0.015)
    # The map was as sharp as its model all but for its noise: it is hardly changed.
    assert 0.8 < record["gain_at_end"] < 1
    assert 0.99 < np.corrcoef(matched.density.ravel(), given.density.ravel())[0, 1] < 0.99999


def test_what_the_model_file_says_besides_positions_is_kept(root, outcome):
    before = gemmi.cif.read(str(root / "adk.embedding/unguided/model_002.cif")).sole_block()
    after = gemmi.cif.read(str(root / "out/docked.cif")).sole_block()
    assert list(after.find_values("_entity_poly_seq.mon_id")) == list(before.find_values("_entity_poly_seq.mon_id"))
    assert list(after.find_values("_atom_site.label_seq_id")) == list(before.find_values("_atom_site.label_seq_id"))
    assert gemmi.cif.as_string(after.find_value("_classfold_docking.model")) == "model_002.cif"


def test_a_model_of_ones_own_keeps_its_atoms(root, adk_topology, adk_open, tmp_path):
    kept = adk_topology.residue_number <= 100
    structure, chain = gemmi.Structure(), gemmi.Chain("A")
    for number in range(1, 101):
        residue = gemmi.Residue()
        residue.seqid = gemmi.SeqId(str(number))
        for i in np.flatnonzero(adk_topology.residue_number == number):
            residue.name = str(adk_topology.residue_name[i])
            atom = gemmi.Atom()
            atom.name, atom.element = str(adk_topology.atom_name[i]), gemmi.Element(str(adk_topology.element[i]))
            atom.pos = gemmi.Position(*adk_open[i])
            residue.add_atom(atom)
        hydrogen = gemmi.Atom()
        hydrogen.name, hydrogen.element, hydrogen.pos = "H", gemmi.Element("H"), residue[0].pos
        residue.add_atom(hydrogen)
        chain.add_residue(residue)
    for name in ("1", "2"):
        model = gemmi.Model(name)
        model.add_chain(chain)
        structure.add_model(model)
    structure.cell = gemmi.UnitCell(50, 60, 70, 90, 90, 90)
    structure.spacegroup_hm = "P 21 21 21"
    structure.write_pdb(str(tmp_path / "mine.pdb"))
    more = ("--initial-model", str(tmp_path / "mine.pdb"), "--sequence", str(root / "adk.sequence"))
    outcome = run(root, "own", *more)
    assert outcome.exit_code == 0, outcome.output
    docked = gemmi.read_structure(str(root / "own/docked.cif"))
    assert len(docked) == 1 and docked.cell.is_crystal() is False
    assert docked[0].count_atom_sites() == kept.sum() + 100
    record = json.loads((root / "own/docking.json").read_text())
    assert any(f"has {kept.sum()} of the 1655 atoms" in warning for warning in record["warnings"])
    assert all(f"warning: {warning}" in outcome.output for warning in record["warnings"])


def test_a_map_of_noise_gives_a_warning_not_an_error(root, adk_topology, adk_closed, tmp_path):
    noise = np.random.default_rng(1).normal(size=(36, 40, 38)).astype(np.float32)
    write_map_folder(tmp_path / "adk.open.map", "adk", "open", DensityMap(noise, 2.0, np.zeros(3)))
    write_model(tmp_path / "closed.cif", adk_topology, adk_closed, title="closed")
    outcome = run(tmp_path, "out", "--initial-model", str(tmp_path / "closed.cif"))
    assert outcome.exit_code == 0, outcome.output
    record = json.loads((tmp_path / "out/docking.json").read_text())
    assert not record["found"] and len(record["warnings"]) == 1
    assert "warning: nothing in the map stands out as this molecule" in outcome.output


@pytest.fixture(scope="module")
def mirrored_root(tmp_path_factory, adk_topology, adk_open, placed) -> Path:
    """A class whose map is the mirror image of the molecule, with its point cloud."""
    root = tmp_path_factory.mktemp("mirrored")
    folder = write_map_folder(
        root / "adk.open.map", "adk", "open", simulated_map(placed * [-1, 1, 1], adk_topology, seed=4)
    )
    points = placed[::40] * [-1, 1, 1]
    write_cloud(PointCloud(points, np.full(len(points), 1 / len(points))), folder / "point_cloud.csv")
    write_model(root / "open.cif", adk_topology, adk_open, title="open")
    return root


def test_a_mirrored_map_is_told_and_left_as_it_is(mirrored_root):
    outcome = run(mirrored_root, "out", "--initial-model", str(mirrored_root / "open.cif"))
    assert outcome.exit_code == 0, outcome.output
    record = json.loads((mirrored_root / "out/docking.json").read_text())
    assert record["hand"] == "mirrored" and record["hand_lead"] < -1 and not record["flipped"]
    assert len(record["warnings"]) == 1
    assert "the map has the wrong hand" in record["warnings"][0] and "--fix_hand on" in record["warnings"][0]
    # What the map holds is judged in the other hand, where the model fits.
    assert record["explained_density"] > 0.85 and record["atoms_in_density"] > 0.95


def test_a_mirrored_map_is_flipped_on_demand_and_the_model_lies_in_it(mirrored_root, adk_open):
    more = ("--initial-model", str(mirrored_root / "open.cif"), "--fix-hand", "on")
    outcome = run(mirrored_root, "fixed", *more, "--flipped-map", str(mirrored_root / "flipped"))
    assert outcome.exit_code == 0, outcome.output
    record = json.loads((mirrored_root / "fixed/docking.json").read_text())
    assert record["hand"] == "mirrored" and record["flipped"] and record["detail"] > record["mirror_detail"]
    assert "it was flipped along z" in record["warnings"][0]
    flipped_map = ClassMap.read(mirrored_root / "flipped")
    assert record["warnings"][0] in flipped_map.record["warnings"]
    docked = read_model(mirrored_root / "fixed/docked.cif").coordinates
    # Every 40th atom is a point of the cloud, which was flipped with the map.
    cloud = read_cloud(mirrored_root / "flipped/point_cloud.csv")
    np.testing.assert_allclose(cloud.coordinates, docked[::40], atol=0.5)
    again = run(mirrored_root, "again", "--initial-model", str(mirrored_root / "open.cif"), folder="flipped")
    assert json.loads((mirrored_root / "again/docking.json").read_text())["hand"] == "right", again.output


def test_fixing_the_hand_of_a_right_map_changes_nothing(root, outcome):
    more = ("--embedding", str(root / "adk.embedding"), "--seed", "7", "--sequence", str(root / "adk.sequence"))
    again = run(root, "right", *more, "--fix-hand", "on", "--flipped-map", str(root / "no.map"))
    assert again.exit_code == 0, again.output
    assert (root / "right/docking.json").read_text() == (root / "out/docking.json").read_text()
    assert not (root / "no.map").exists()


def test_fixing_the_hand_needs_a_place_for_the_map(root):
    outcome = run(root, "no", "--embedding", str(root / "adk.embedding"), "--fix-hand", "on")
    assert "needs --flipped-map" in str(outcome.exception)


def test_a_map_smaller_than_the_model_is_refused_and_nothing_is_written(root, tmp_path, adk_topology, adk_closed):
    small = DensityMap(np.arange(512, dtype=np.float32).reshape(8, 8, 8), 2.0, np.zeros(3))
    write_map_folder(tmp_path / "adk.open.map", "adk", "open", small)
    outcome = run(tmp_path, "out", "--embedding", str(root / "adk.embedding"))
    assert isinstance(outcome.exception, InputError) and "8 x 8 x 8 voxels" in str(outcome.exception)
    assert not (tmp_path / "out").exists()


def test_bad_choices_of_models_are_refused(root, tmp_path):
    both = run(root, "no", "--initial-model", "x.cif", "--embedding", str(root / "adk.embedding"))
    assert "one of the two" in str(both.exception)
    assert "one of the two" in str(run(root, "no").exception)
    (tmp_path / "empty").mkdir()
    assert "no model_*.cif" in str(run(root, "no", "--embedding", str(tmp_path / "empty")).exception)
    (tmp_path / "broken.cif").write_text("not a model")
    broken = run(root, "no", "--initial-model", str(tmp_path / "broken.cif"))
    assert isinstance(broken.exception, InputError)
    assert not (root / "no").exists()


@pytest.fixture(scope="module")
def closed_only(root, adk_topology, adk_closed) -> Path:
    """An embedding whose only unguided model is of the other conformation than the map."""
    (root / "closed.embedding/unguided").mkdir(parents=True)
    write_model(root / "closed.embedding/unguided/model_001.cif", adk_topology, adk_closed, title="unguided")
    return root / "closed.embedding"


def test_a_model_that_does_not_fit_as_a_whole_is_put_together_from_its_parts(root, closed_only, placed):
    outcome = run(root, "parts", "--embedding", str(closed_only))
    assert outcome.exit_code == 0, outcome.output
    record = json.loads((root / "parts/docking.json").read_text())
    whole, parts = (read_model(root / f"parts/{name}.cif").coordinates for name in ("docked", "assembled"))
    assert np.sqrt(((whole - placed) ** 2).sum(1).mean()) > 5
    assert np.sqrt(((parts - placed) ** 2).sum(1).mean()) < 2.5
    assert record["assembly"]["score"] > record["score"] + 0.1
    (said,) = record["warnings"]
    assert "as a whole the model fits badly" in said and f"warning: {said}" in outcome.output
    again = run(root, "parts", "--embedding", str(closed_only), "--assembled-start", "off")
    assert again.exit_code == 0, again.output
    # What an earlier run left would be taken for this one's.
    assert not (root / "parts/assembled.cif").exists()
    assert json.loads((root / "parts/docking.json").read_text())["assembly"] is None


def test_only_what_fits_badly_is_taken_apart(root, outcome):
    assert json.loads((root / "out/docking.json").read_text())["assembly"] is None
    assert not (root / "out/assembled.cif").exists()
