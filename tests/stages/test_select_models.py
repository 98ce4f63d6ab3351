"""SELECT_MODELS on adenylate kinase: a noisy map of the open state, samples from perfect to broken."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import gemmi
import numpy as np
import pytest
import select_models
from click.testing import CliRunner

from classfold.errors import InputError
from classfold.maps import read_canonical, write_map
from classfold.scores.table import SCORES
from classfold.structure import write_model
from tests.stage_folders import simulated_map, write_docking, write_map_folder, write_samples, write_sequence


@pytest.fixture(scope="module")
def folders(tmp_path_factory, adk_topology, adk_closed, adk_open):
    root = tmp_path_factory.mktemp("select")
    density = simulated_map(adk_open, adk_topology, seed=1)
    write_sequence(root / "adk.sequence", adk_topology)
    write_map_folder(root / "adk.open.map", "adk", "open", density)
    docked = adk_closed - adk_closed.mean(axis=0) + adk_open.mean(axis=0)
    write_docking(root / "adk.open.docking", adk_topology, "open", docked)
    write_model(root / "open.cif", adk_topology, adk_open, title="known")
    return root


@pytest.fixture(scope="module")
def samples(adk_open, adk_closed):
    """Six samples: noise of 1 Å, perfect, mirror image, not finite, outside the map, noise of 0.3 Å."""
    noise = np.random.default_rng(2).normal(size=adk_open.shape) / np.sqrt(3)
    centre = adk_open.mean(axis=0)
    mirror = (adk_open - centre) * [1, 1, -1] + centre
    broken = adk_open.copy()
    broken[100] = np.nan
    return np.stack([adk_open + noise, adk_open, mirror, broken, adk_open + 500, adk_open + 0.3 * noise])


def run(root: Path, samples: Path, output: Path, *more: str):
    arguments = ["--sequence", root / "adk.sequence", "--map", root / "adk.open.map"]
    arguments += ["--docking", root / "adk.open.docking", "--samples", samples, "--output", output, *more]
    return CliRunner().invoke(select_models.main, [str(a) for a in arguments], catch_exceptions=True)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def result(folders, samples):
    arrays = {
        "coordinates": samples,
        "plddt": np.linspace(0.5, 0.9, 6)[:, None] * np.ones((6, 214)),
        "ptm": np.full(6, 0.7),
    }
    drawn = write_samples(folders / "adk.open.samples", "adk", "open", arrays)
    outcome = run(folders, drawn, folders / "models", "--reference", str(folders / "open.cif"))
    assert outcome.exit_code == 0, outcome.output
    return folders / "models"


def test_the_order_follows_the_fit_and_rejects_what_cannot_be_ranked(result):
    rows = rows_of(result / "scores.csv")
    assert [row["sample"] for row in rows] == ["2", "6", "1", "3", "4", "5"]
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4", "", ""]
    assert [row["status"] for row in rows[4:]] == ["rejected", "rejected"]
    assert rows[4]["reason"] == "coordinates of 1 atoms are not finite" and rows[4]["cc_mask"] == ""
    assert "within the map" in rows[5]["reason"]
    assert float(rows[3]["l_amino_acids"]) == 0
    assert [float(row["confidence"]) for row in rows[:1]] == pytest.approx([0.8 * 0.58 + 0.2 * 0.7], abs=1e-4)


def test_every_sample_has_the_fast_scores_and_finalists_the_slow_ones(result):
    rows = {row["sample"]: row for row in rows_of(result / "scores.csv")}
    names = [score.name for score in SCORES]
    assert [name for name in rows["2"] if name in names] == names
    record = json.loads((result / "models.json").read_text())
    assert record["finalists"] == [2, 6, 1, 3] and list(record["scores"]) == names
    # One chain has no interfaces, and side chains are not seen at 5 Å.
    assert {name for name, value in record["scores"].items() if value is None} == {"iptm", "emringer"}
    for name in names:
        assert (rows["2"][name] == "") == (record["scores"][name] is None)
        assert rows["4"][name] == ""
    # Sample 5 lies outside of the map: no fit, but a geometry.
    assert rows["5"]["cc_box"] == "" != rows["5"]["bond_rmsd_angstrom"]
    assert rows["5"]["q_score_06"] == "" != rows["6"]["q_score_06"]
    noise = [float(rows[sample]["angle_rmsd_degrees"]) for sample in ("2", "6", "1")]
    assert noise == sorted(noise) and float(rows["2"]["q_score_06"]) > float(rows["1"]["q_score_06"])
    assert record["scores"]["plddt"] == pytest.approx(58) and record["scores"]["ptm"] == pytest.approx(0.7)


def test_the_unguided_model_has_the_fast_scores_too(result):
    record = json.loads((result / "models.json").read_text())
    best, unguided = record["scores"], record["unguided"]["scores"]
    assert unguided["cc_mask"] == pytest.approx(record["unguided"]["cc_mask"])
    assert unguided["cc_box"] < best["cc_box"] - 0.1 and unguided["d_fsc_05_angstrom"] > best["d_fsc_05_angstrom"]
    assert unguided["q_score_06"] is None and unguided["confidence"] is None


def test_residues_carry_their_own_scores(result):
    rows = rows_of(result / "residues.csv")
    assert {row["ramachandran"] for row in rows[1:-1]} <= {"favored", "allowed", "outlier"}
    assert rows[0]["ramachandran"] == rows[-1]["ramachandran"] == ""
    assert all(-1 <= float(row["q_score_06"]) <= 1 for row in rows)
    assert [row["c_beta_angstrom"] == "" for row in rows] == [row["residue_name"] == "GLY" for row in rows]


def test_every_number_of_the_tables_is_finite_or_absent(result):
    for name in ("scores.csv", "residues.csv"):
        for row in rows_of(result / name):
            assert not {"nan", "inf", "-inf"} & {value.lower() for value in row.values()}


def test_distances_to_the_reference_are_taken_without_superposition(result, samples):
    rows = {row["sample"]: row for row in rows_of(result / "scores.csv")}
    assert float(rows["2"]["reference_ca_rmsd_angstrom"]) == pytest.approx(0, abs=2e-3)
    assert float(rows["5"]["reference_ca_rmsd_angstrom"]) == pytest.approx(500 * np.sqrt(3), rel=1e-4)
    record = json.loads((result / "models.json").read_text())
    assert record["reference"]["unguided_ca_rmsd_angstrom"] > 4
    assert record["reference"]["best_all_atom_rmsd_angstrom"] == pytest.approx(0, abs=2e-3)


def test_the_record_says_what_is_best_and_what_went_wrong(result):
    record = json.loads((result / "models.json").read_text())
    assert (record["target"], record["class"], record["best_sample"]) == ("adk", "open", 2)
    assert (record["n_samples"], record["n_finished"], record["n_rejected"]) == (6, 6, 2)
    assert record["cc_mask"] > record["unguided"]["cc_mask"] + 0.3
    assert "CC_mask" in record["ranking_rule"]
    assert any("2 of 6 finished samples were rejected" in warning for warning in record["warnings"])


def test_models_carry_fit_and_confidence_and_the_sampled_coordinates(result, samples):
    names = sorted(path.name for path in (result / "samples").iterdir())
    assert names == [f"sample_{k:03d}.cif" for k in (1, 2, 3, 5, 6)]
    assert (result / "model.cif").read_text() == (result / "samples/sample_002.cif").read_text()
    block = gemmi.cif.read(str(result / "model.cif")).sole_block()
    residues = rows_of(result / "residues.csv")
    fit = [float(row["cc_times_100"]) for row in _table(block, "_classfold_residue_fit.")]
    assert fit == pytest.approx([100 * float(row["cc"]) for row in residues], abs=0.011)
    confidence = {float(row["metric_value"]) for row in _table(block, "_ma_qa_metric_local.")}
    assert confidence == {58.0} and {row["plddt"] for row in residues} == {"58.00"}
    model = gemmi.read_structure(str(result / "model.cif"))[0]
    first = model[0][0]["CA"][0]
    assert first.pos.tolist() == pytest.approx(samples[1][1].tolist(), abs=1e-3)
    assert first.b_iso == pytest.approx(fit[0], abs=0.011)


def test_the_models_come_with_their_map_and_what_opens_both(result, folders):
    given, handed = (read_canonical(folder / "map.mrc") for folder in (folders / "adk.open.map", result))
    # The origin of this map lies between voxels.
    assert np.abs(handed.origin_angstrom - given.origin_angstrom).max() <= given.voxel_size_angstrom / 2
    assert np.allclose(handed.origin_angstrom % handed.voxel_size_angstrom, 0)
    threshold = json.loads((folders / "adk.open.map/map.json").read_text())["threshold"]
    for name in ("open_in_chimerax.cxc", "open_in_coot.py", "open_in_pymol.pml"):
        assert f"{threshold:.6g}" in (result / name).read_text()
    assert "resolution = 5\n" in (result / "phenix_real_space_refine.eff").read_text()


def _table(block, prefix):
    table = block.find_mmcif_category(prefix)
    tags = [tag.removeprefix(prefix) for tag in table.tags]
    return [dict(zip(tags, row, strict=True)) for row in table]


def test_without_a_confidence_head_the_fields_are_empty(folders, samples, tmp_path):
    drawn = write_samples(tmp_path / "samples", "adk", "open", {"coordinates": samples[:2]})
    outcome = run(folders, drawn, tmp_path / "models")
    assert outcome.exit_code == 0, outcome.output
    rows = rows_of(tmp_path / "models/scores.csv")
    assert {row["confidence"] for row in rows} == {""} and "reference_ca_rmsd_angstrom" not in rows[0]
    record = json.loads((tmp_path / "models/models.json").read_text())
    assert record["confidence"] is None and record["reference"] is None
    assert "_ma_qa_metric_local" not in (tmp_path / "models/model.cif").read_text()


def test_samples_that_were_stopped_early_count_as_drawn(folders, samples, tmp_path):
    drawn = write_samples(tmp_path / "samples", "adk", "open", {"coordinates": samples[[1, 5]]})
    record = json.loads((drawn / "samples.json").read_text())
    listed = [{**entry, "sample": number} for entry, number in zip(record["samples"], (7, 19), strict=True)]
    (drawn / "samples.json").write_text(json.dumps(record | {"n_samples": 25, "samples": listed}))
    outcome = run(folders, drawn, tmp_path / "models")
    assert outcome.exit_code == 0, outcome.output
    assert sorted(path.name for path in (tmp_path / "models/samples").iterdir()) == ["sample_007.cif", "sample_019.cif"]
    assert [row["sample"] for row in rows_of(tmp_path / "models/scores.csv")] == ["7", "19"]
    record = json.loads((tmp_path / "models/models.json").read_text())
    assert (record["best_sample"], record["n_samples"], record["n_finished"]) == (7, 25, 2)


def test_no_valid_sample_is_a_clear_failure_that_leaves_no_record(folders, samples, tmp_path):
    drawn = write_samples(tmp_path / "samples", "adk", "open", {"coordinates": samples[3:5]})
    outcome = run(folders, drawn, tmp_path / "models")
    assert isinstance(outcome.exception, InputError)
    assert "none of the 2 finished samples of adk.open can be ranked" in str(outcome.exception)
    assert not (tmp_path / "models/models.json").exists()


def test_folders_of_another_class_or_target_are_refused(folders, samples, tmp_path):
    drawn = write_samples(tmp_path / "samples", "adk", "closed", {"coordinates": samples[:1]})
    outcome = run(folders, drawn, tmp_path / "models")
    assert isinstance(outcome.exception, InputError) and "adk.closed" in str(outcome.exception)
    short = write_samples(tmp_path / "short", "adk", "open", {"coordinates": samples[:1, :10]})
    outcome = run(folders, short, tmp_path / "models")
    assert isinstance(outcome.exception, InputError) and "(1, 10, 3)" in str(outcome.exception)


def test_a_reference_of_another_molecule_is_refused(folders, samples, tmp_path, adk_topology, adk_open):
    drawn = write_samples(tmp_path / "samples", "adk", "open", {"coordinates": samples[:1]})
    alanine = replace(adk_topology, residue_name=np.full(adk_topology.n_atoms, "TRP"))
    write_model(tmp_path / "other.cif", alanine, adk_open, title="other")
    outcome = run(folders, drawn, tmp_path / "models", "--reference", str(tmp_path / "other.cif"))
    assert isinstance(outcome.exception, InputError) and "other.cif" in str(outcome.exception)


@pytest.fixture(scope="module")
def with_halves(tmp_path_factory, adk_topology, adk_closed, adk_open):
    """A class whose half maps have independent noise, and a map that is their mean."""
    root = tmp_path_factory.mktemp("halves")
    write_sequence(root / "adk.sequence", adk_topology)
    clean, *noisy = (simulated_map(adk_open, adk_topology, seed=seed) for seed in (None, 1, 2))
    # Noise of twice the standard deviation of the map.
    first, second = (replace(each, density=4 * each.density - 3 * clean.density) for each in noisy)
    mean = replace(first, density=(first.density + second.density) / 2)
    write_map_folder(root / "adk.open.map", "adk", "open", mean)
    for number, half in ((1, first), (2, second)):
        write_map(root / f"adk.open.map/half_map_{number}.mrc", half)
    write_docking(root / "adk.open.docking", adk_topology, "open", adk_open)
    return root


def climb(model: np.ndarray, density, steps: int) -> np.ndarray:
    """Atoms that follow the slope of a density, its noise too."""
    for _ in range(steps):
        ahead, behind = (
            np.stack([density.values_at(model + sign * axis, beyond=0.0) for axis in np.eye(3)], axis=1)
            for sign in (0.5, -0.5)
        )
        slope = ahead - behind
        model = model + 0.15 * slope / np.linalg.norm(slope, axis=1, keepdims=True).clip(min=1e-9)
    return model


@pytest.mark.parametrize("follows_noise", [False, True])
def test_the_gap_between_half_maps_tells_over_fitting(with_halves, tmp_path, adk_open, follows_noise):
    half = read_canonical(with_halves / "adk.open.map/half_map_1.mrc")
    good = adk_open + 0.2 * np.random.default_rng(3).standard_normal(adk_open.shape)
    guided = climb(good, half, 10) if follows_noise else good
    drawn = write_samples(tmp_path / "samples", "adk", "open", {"coordinates": np.stack([adk_open, good])})
    poor = adk_open + np.random.default_rng(4).standard_normal(adk_open.shape)
    write_samples(drawn / "half_map_1", "adk", "open", {"coordinates": np.stack([poor, guided])})
    outcome = run(with_halves, drawn, tmp_path / "models")
    assert outcome.exit_code == 0, outcome.output
    record = json.loads((tmp_path / "models/models.json").read_text())
    found, curves = record["half_map_validation"], rows_of(tmp_path / "models/half_map_validation.csv")
    assert found["overfitted"] is follows_noise and (found["gap"] > found["limit"]) is follows_noise
    assert (found["sentence"] in record["warnings"]) is follows_noise
    assert (found["cc_work"] - found["cc_free"] > 0.03) is follows_noise
    assert list(curves[0]) == ["frequency_per_angstrom", "work", "free"]
    work, free = (np.array([float(row[name]) for row in curves[1:]]) for name in ("work", "free"))
    assert bool(np.mean(work - free) > 0.02) is follows_noise
    # Half maps give the noise by which residues are judged.
    residues = rows_of(tmp_path / "models/residues.csv")
    share = np.mean([row["support"] == "supported" for row in residues])
    assert record["scores"]["residues_supported"] == pytest.approx(share) and share > 0.9


def test_without_samples_of_a_half_map_nothing_is_said_of_over_fitting(with_halves, tmp_path, adk_open):
    drawn = write_samples(tmp_path / "samples", "adk", "open", {"coordinates": adk_open[None]})
    outcome = run(with_halves, drawn, tmp_path / "models")
    assert outcome.exit_code == 0, outcome.output
    assert json.loads((tmp_path / "models/models.json").read_text())["half_map_validation"] is None
    assert not (tmp_path / "models/half_map_validation.csv").exists()
