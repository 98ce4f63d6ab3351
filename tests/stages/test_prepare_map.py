"""PREPARE_MAP on the demonstration's maps: complete, in the map's frame, whatever kind of file it was."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from prepare_map import main
from scipy.spatial import cKDTree

from classfold.errors import InputError
from classfold.maps import read_canonical, read_map
from classfold.mmcif import read_model
from classfold.point_cloud import number_of_points, read_cloud
from classfold.records import read_json, write_json
from classfold.weights import sha256_of
from tests.mrc_files import mrc_bytes

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "assets/demo"
MAPS = {"closed": DEMO / "maps/closed.mrc.gz", "open": DEMO / "maps/open.mrc"}


@pytest.fixture(scope="module")
def sequence(tmp_path_factory) -> Path:
    """What this stage reads of PREPARE_SEQUENCE."""
    folder = tmp_path_factory.mktemp("adk.sequence")
    write_json({"n_atoms": 1655, "mass_dalton": 23_600.0}, folder / "target.json")
    return folder


def prepare(sequence: Path, output: Path, map_path: Path, *options: str, resolution: str | None = "4") -> Path:
    arguments = ["--target", "adk", "--class", "open", "--map", map_path]
    arguments += ["--resolution", resolution] if resolution else []
    arguments += ["--sequence", sequence, "--seed", "1", "--output", output, *options]
    main.main([str(argument) for argument in arguments], standalone_mode=False)
    return output


@pytest.fixture(scope="module")
def prepared(sequence, tmp_path_factory) -> Path:
    """The open class with its half maps and a mask."""
    folder = tmp_path_factory.mktemp("prepared")
    source = read_map(MAPS["open"])
    mask = np.zeros(source.density.shape, np.float32)
    mask[4:-4, 4:-4, 4:-4] = 1
    mask_file = folder / "mask.mrc"
    mask_file.write_bytes(mrc_bytes(mask, (1.6, 1.6, 1.6), origin_xyz=tuple(source.origin_angstrom)))
    halves = [f"--half-map-{k}={DEMO}/maps/open_half_{k}.mrc" for k in (1, 2)]
    return prepare(sequence, folder / "adk.open.map", MAPS["open"], *halves, f"--mask={mask_file}")


def test_the_record_says_what_was_decided(prepared):
    record = read_json(prepared / "map.json")
    assert (record["target"], record["class"], record["source_map"]) == ("adk", "open", "open.mrc")
    assert record["source"] == {
        "shape_zyx": [52, 46, 58],
        "voxel_size_angstrom_xyz": [1.6, 1.6, 1.6],
        "origin_angstrom": pytest.approx([-49.6, 19.2, -14.4]),
        "axis_order": "xyz",
        "mode": 12,
    }
    assert record["voxel_size_angstrom"] == 1.6
    assert not record["resampled"]
    levels = record["threshold_by_volume"], record["threshold_by_false_discovery_rate"]
    assert record["threshold_in_blurred_map"] == max(levels)
    assert record["threshold_method"] in record["threshold_evidence"]
    assert record["false_discovery_rate"] == 0.01
    assert not record["is_masked"]
    # A contour is wider than the mass, by 3 % for every Å of resolution.
    assert record["expected_volume_angstrom3"] == pytest.approx(1.12 * 1.21 * 23_600)
    assert (record["resolution_angstrom"], record["resolution_method"]) == (4.0, "samplesheet")
    assert record["n_cloud_points"] == number_of_points(1655) == 413
    assert record["warnings"] == []
    assert (prepared / "map.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_the_map_stays_in_the_users_frame(prepared):
    source, density_map = read_map(MAPS["open"]), read_canonical(prepared / "map.mrc")
    record = read_json(prepared / "map.json")
    assert list(density_map.density.shape) == record["shape_zyx"]
    start = np.array(record["crop_start_zyx"])
    assert density_map.origin_angstrom == pytest.approx(source.origin_angstrom + 1.6 * start[::-1], abs=1e-4)
    stop = start + density_map.density.shape
    inside = tuple(slice(low, high) for low, high in zip(start, stop, strict=True))
    assert np.array_equal(density_map.density, source.density[inside])
    assert mrcfile.validate(prepared / "map.mrc")


def test_half_maps_and_mask_are_cut_like_the_map(prepared):
    names = ("map", "half_map_1", "half_map_2", "mask")
    maps = {name: read_canonical(prepared / f"{name}.mrc") for name in names}
    assert len({each.grid for each in maps.values()}) == 1
    mean = 0.5 * (maps["half_map_1"].density + maps["half_map_2"].density)
    assert np.abs(mean - maps["map"].density).max() < 0.02
    assert set(np.unique(maps["mask"].density)) == {0, 1}


@pytest.mark.parametrize("name", ["closed", "open"])
def test_the_cloud_lies_on_the_known_structure(sequence, tmp_path, name):
    folder = prepare(sequence, tmp_path / "out", MAPS[name])
    cloud = read_cloud(folder / "point_cloud.csv")
    atoms = read_model(DEMO / f"known/adk.{name}.cif").coordinates
    distance = cKDTree(atoms).query(cloud.coordinates)[0]
    assert np.median(distance) < 1.6
    assert distance.max() < 4.0
    assert cKDTree(cloud.coordinates).query(atoms)[0].max() < 8.0


def test_the_kind_of_file_changes_no_byte_of_the_result(sequence, tmp_path):
    source = read_map(MAPS["open"])
    voxel, start = (1.6, 1.6, 1.6), (-31, 12, -9)
    origin = tuple(float(value) for value in source.origin_angstrom)
    variants = {
        "plain": mrc_bytes(source.density, voxel, origin_xyz=origin),
        "nstart": mrc_bytes(source.density, voxel, start_xyz=start),
        "permuted": mrc_bytes(source.density, voxel, start_xyz=start, axis_order="zxy"),
        "compressed": gzip.compress(mrc_bytes(source.density, voxel, origin_xyz=origin, axis_order="yxz")),
        "halved": mrc_bytes(source.density, voxel, origin_xyz=origin, mode=12),
        "extended": mrc_bytes(source.density, voxel, origin_xyz=origin, extended=b"FEI1" * 64, byte_order=">"),
    }
    results = {}
    for name, content in variants.items():
        (tmp_path / name).write_bytes(content)
        folder = prepare(sequence, tmp_path / f"{name}.map", tmp_path / name)
        results[name] = read_canonical(folder / "map.mrc"), (folder / "point_cloud.csv").read_bytes()
    plain_map, plain_cloud = results.pop("plain")
    for name, (density_map, cloud) in results.items():
        assert np.array_equal(density_map.density, plain_map.density), name
        assert density_map.origin_angstrom == pytest.approx(plain_map.origin_angstrom, abs=1e-5), name
        assert cloud == plain_cloud, name


def test_sixteen_bit_integers_give_the_same_cloud_within_their_steps(sequence, tmp_path):
    source = read_map(MAPS["open"])
    origin = tuple(float(value) for value in source.origin_angstrom)
    scale = 1500.0  # within 16 bits
    stored = mrc_bytes(np.round(source.density * scale), (1.6, 1.6, 1.6), origin_xyz=origin, mode=1)
    (tmp_path / "integers.mrc").write_bytes(stored)
    folders = [
        prepare(sequence, tmp_path / f"out{index}", path)
        for index, path in enumerate((MAPS["open"], tmp_path / "integers.mrc"))
    ]
    records = [read_json(folder / "map.json") for folder in folders]
    assert records[1]["threshold"] / scale == pytest.approx(records[0]["threshold"], rel=0.01)
    clouds = [read_cloud(folder / "point_cloud.csv").coordinates for folder in folders]
    assert np.abs(clouds[0].mean(axis=0) - clouds[1].mean(axis=0)).max() < 0.5


def test_voxels_that_are_no_cubes_are_resampled_in_place(sequence, tmp_path):
    source = read_map(MAPS["open"])
    origin = tuple(float(value) for value in source.origin_angstrom)
    # Every second plane left out along z: voxels of 1.6 x 1.6 x 3.2 Å.
    (tmp_path / "thin.mrc").write_bytes(mrc_bytes(source.density[::2], (1.6, 1.6, 3.2), origin_xyz=origin))
    folder = prepare(sequence, tmp_path / "out", tmp_path / "thin.mrc", resolution="8")
    record = read_json(folder / "map.json")
    assert record["resampled"]
    assert record["voxel_size_angstrom"] == 3.2
    atoms = read_model(DEMO / "known/adk.open.cif").coordinates
    assert np.median(cKDTree(atoms).query(read_cloud(folder / "point_cloud.csv").coordinates)[0]) < 3.2


def test_a_contour_decides_and_a_wrong_one_is_warned_of(sequence, tmp_path):
    record = read_json(prepare(sequence, tmp_path / "out", MAPS["open"], "--contour=9") / "map.json")
    assert (record["threshold"], record["threshold_method"]) == (9.0, "user")
    assert record["threshold_by_volume"] is None
    assert any("times the" in warning for warning in record["warnings"])


def test_inverted_contrast_and_equal_half_maps_are_warned_of(sequence, tmp_path):
    source = read_map(MAPS["open"])
    (tmp_path / "inverted.mrc").write_bytes(mrc_bytes(-source.density, (1.6, 1.6, 1.6)))
    path = tmp_path / "inverted.mrc"
    options = ["--contour=2", f"--half-map-1={path}", f"--half-map-2={path}"]
    warnings = read_json(prepare(sequence, tmp_path / "out", path, *options) / "map.json")["warnings"]
    assert any("contrast may be inverted" in warning for warning in warnings)
    assert any("half maps are the same" in warning for warning in warnings)


@pytest.mark.parametrize("resolution", ["0", "-4", "nan", "inf", "400"])
def test_an_absurd_resolution_is_refused(sequence, tmp_path, resolution):
    with pytest.raises(InputError, match="absurd"):
        prepare(sequence, tmp_path / "out", MAPS["open"], resolution=resolution)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("change", ["shape", "voxel", "origin"])
def test_a_half_map_on_another_grid_is_refused(sequence, tmp_path, change):
    source = read_map(MAPS["open"])
    density = source.density[1:] if change == "shape" else source.density
    voxel = (1.61, 1.61, 1.61) if change == "voxel" else (1.6, 1.6, 1.6)
    origin = source.origin_angstrom + (0.8 if change == "origin" else 0.0)
    (tmp_path / "half.mrc").write_bytes(mrc_bytes(density, voxel, origin_xyz=tuple(origin)))
    with pytest.raises(InputError, match=r"is not on the grid of open\.mrc"):
        prepare(sequence, tmp_path / "out", MAPS["open"], f"--half-map-1={tmp_path}/half.mrc")


def test_a_folder_without_a_sequence_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"prepare_sequence\.py"):
        prepare(tmp_path, tmp_path / "out", MAPS["open"])


def test_a_user_gets_one_sentence_and_exit_code_two(sequence, tmp_path):
    (tmp_path / "cut.mrc").write_bytes(MAPS["open"].read_bytes()[:5000])
    command = [sys.executable, str(ROOT / "bin/prepare_map.py"), "--target=adk", "--class=open", "--seed=1"]
    command += [f"--map={tmp_path}/cut.mrc", "--resolution=4", f"--sequence={sequence}"]
    command += [f"--output={tmp_path}/out"]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert ended.returncode == 2
    assert len(ended.stderr.strip().splitlines()) == 1
    assert "cut.mrc is truncated" in ended.stderr
    assert not (tmp_path / "out/map.json").exists()


@pytest.mark.parametrize("fault", ["cut off", "changed"])
def test_a_map_that_is_not_the_one_that_was_checked_is_refused(sequence, tmp_path, fault):
    path = tmp_path / "open.mrc"
    path.write_bytes(MAPS["open"].read_bytes())
    digest = f"--sha256=map={sha256_of(path)}"
    content = bytearray(path.read_bytes())
    content[-4000:] = b"" if fault == "cut off" else content[-8000:-4000]
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"the map open\.mrc is not the file that was checked"):
        prepare(sequence, tmp_path / "adk.open.map", path, digest)
    assert not (tmp_path / "adk.open.map").exists()
