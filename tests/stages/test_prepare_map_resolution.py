"""PREPARE_MAP with and without half maps, with and without a resolution, masked and unmasked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from prepare_map import main
from trial.half_maps import tight_mask

from classfold.errors import InputError
from classfold.half_map_fsc import COLUMNS
from classfold.maps import read_canonical
from classfold.records import read_json, write_json
from tests.mrc_files import mrc_bytes
from tests.simulated_half_maps import open_atoms, open_half_maps


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Files of a class at 6 Å: what refinement and post-processing leave, masked as well; the sequence's record."""
    folder = tmp_path_factory.mktemp("class")
    halves = open_half_maps()
    mask = tight_mask(open_atoms()[0].numpy(), halves.grid)
    files = {
        "weighted": halves.weighted,
        "sharpened": halves.sharpened,
        "masked": halves.sharpened * mask,
        "half_1": halves.first,
        "half_2": halves.second,
        "mask": mask,
    }
    voxel = (halves.grid.voxel_size_angstrom,) * 3
    for name, density in files.items():
        content = mrc_bytes(density.astype(np.float32), voxel, origin_xyz=halves.grid.origin_angstrom)
        (folder / f"{name}.mrc").write_bytes(content)
    (folder / "sequence").mkdir()
    write_json({"n_atoms": 1655, "mass_dalton": 23_600.0}, folder / "sequence/target.json")
    return folder


def prepare(folder: Path, output: Path, name: str, *options: str, halves: bool = False) -> dict:
    """Record of the stage for one of the maps."""
    arguments = [f"--map={folder}/{name}.mrc", "--target=adk", "--class=open", "--seed=1", f"--output={output}"]
    arguments += [f"--half-map-{k}={folder}/half_{k}.mrc" for k in (1, 2)] if halves else []
    main.main([*arguments, f"--sequence={folder}/sequence", *options], standalone_mode=False)
    return read_json(output / "map.json")


@pytest.mark.parametrize("name", ["weighted", "sharpened", "masked"])
def test_half_maps_tell_the_resolution(folder, tmp_path, name):
    record = prepare(folder, tmp_path / "out", name, halves=True)
    truth = open_half_maps().resolution_angstrom
    assert record["resolution_method"] == "half maps"
    assert record["resolution_angstrom"] == pytest.approx(truth, rel=0.06)
    assert record["resolution_by_half_maps_angstrom"] == record["resolution_angstrom"]
    assert record["resolution_claimed_angstrom"] is None
    table = pd.read_csv(tmp_path / "out/fsc.csv")
    assert tuple(table.columns) == COLUMNS and table["corrected"].iloc[1] > 0.9
    frequency = 1 / record["resolution_angstrom"]
    assert np.interp(frequency, table["frequency_per_angstrom"], table["corrected"]) == pytest.approx(0.143, abs=0.005)
    assert record["is_masked"] == (name == "masked")
    assert [warning for warning in record["warnings"] if "resolution" in warning] == []


def test_the_claim_is_used_and_compared_with_the_half_maps(folder, tmp_path):
    for claim, sentence in (("6", None), ("4.5", "fitted to noise"), ("9", "will not be used")):
        record = prepare(folder, tmp_path / claim, "weighted", f"--resolution={claim}", halves=True)
        assert (record["resolution_method"], record["resolution_angstrom"]) == ("samplesheet", float(claim))
        assert record["resolution_claimed_angstrom"] == float(claim)
        found = [warning for warning in record["warnings"] if "samplesheet gives" in warning]
        assert [sentence in warning for warning in found] == ([True] if sentence else [])


@pytest.mark.parametrize("name", ["weighted", "sharpened"])
def test_without_half_maps_the_resolution_is_an_estimate_marked_as_such(folder, tmp_path, name):
    record = prepare(folder, tmp_path / "out", name)
    assert record["resolution_method"] == "estimate"
    assert record["resolution_angstrom"] == pytest.approx(open_half_maps().resolution_angstrom, rel=0.1)
    (warning,) = record["warnings"]
    assert "is an estimate from the map alone" in warning
    assert not (tmp_path / "out/fsc.csv").exists()


def test_without_half_maps_and_noise_there_is_no_estimate(folder, tmp_path):
    with pytest.raises(InputError, match=r"masked\.mrc cannot be estimated.*give its resolution in the samplesheet"):
        prepare(folder, tmp_path / "out", "masked")
    assert not (tmp_path / "out").exists()


def test_a_masked_map_has_a_contour_and_a_warning(folder, tmp_path):
    record = prepare(folder, tmp_path / "out", "masked", "--resolution=6")
    assert record["is_masked"] and record["threshold_method"] == "volume"
    assert record["threshold_by_false_discovery_rate"] is record["false_discovery_rate"] is None
    (warning,) = record["warnings"]
    assert "no error rate" in warning
    assert "masked" in record["threshold_evidence"]
    assert record["enclosed_volume_angstrom3"] == pytest.approx(record["expected_volume_angstrom3"], rel=0.02)


@pytest.mark.parametrize("name", ["weighted", "sharpened"])
def test_an_unmasked_map_has_an_error_rate_and_no_warning(folder, tmp_path, name):
    record = prepare(folder, tmp_path / "out", name, "--resolution=6")
    assert not record["is_masked"] and record["false_discovery_rate"] == 0.01
    assert record["warnings"] == []
    assert record["significant_volume_angstrom3"] == pytest.approx(record["expected_volume_angstrom3"], rel=0.25)


def test_the_recorded_threshold_is_in_the_density_of_the_written_map(folder, tmp_path):
    record = prepare(folder, tmp_path / "out", "weighted", "--resolution=6")
    density_map = read_canonical(tmp_path / "out/map.mrc")
    enclosed = (density_map.density > record["threshold"]).sum() * density_map.voxel_size_angstrom**3
    assert record["threshold_blur_angstrom"] > 0
    assert enclosed == pytest.approx(record["enclosed_volume_angstrom3"], rel=0.1)


def test_a_users_mask_sets_where_halves_are_compared_and_where_the_contour_may_be(folder, tmp_path):
    record = prepare(folder, tmp_path / "out", "weighted", f"--mask={folder}/mask.mrc", halves=True)
    assert record["resolution_angstrom"] == pytest.approx(open_half_maps().resolution_angstrom, rel=0.06)
    mask = read_canonical(tmp_path / "out/mask.mrc")
    cloud = pd.read_csv(tmp_path / "out/point_cloud.csv")
    index = np.rint(mask.index_of(cloud.to_numpy()[:, :3])).astype(int)
    assert (mask.density[tuple(index.T)] >= 0.5).mean() > 0.99


def test_a_rerun_leaves_no_curve_of_half_maps_that_are_gone(folder, tmp_path):
    prepare(folder, tmp_path / "out", "weighted", halves=True)
    assert (tmp_path / "out/fsc.csv").exists()
    prepare(folder, tmp_path / "out", "weighted", "--resolution=6")
    assert not (tmp_path / "out/fsc.csv").exists()
