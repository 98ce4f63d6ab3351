"""Writers and stages on a disk that is full or read-only: one sentence, an exit code, nothing half in its place."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from classfold.errors import ANOTHER_FOLDER, MAKE_ROOM, STORAGE_EXIT_CODE, storage_fault
from classfold.maps import DensityMap, write_map
from classfold.mmcif import write_model
from classfold.records import write_json
from tests.small_disk import small_disk

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "assets/demo"


def model_file(path: Path, topology) -> None:
    write_model(path, topology, np.zeros((topology.n_atoms, 3)), title="model")


WRITERS = {
    "model.cif": model_file,
    "map.mrc": lambda path, _: write_map(path, DensityMap(np.zeros((40, 40, 40), np.float32), 2.0, np.zeros(3))),
    "samples.safetensors": lambda path, _: save_file({"coordinates": torch.zeros(100_000)}, path),
    "scores.json": lambda path, _: write_json({"values": list(range(20_000))}, path),
    "density.npy": lambda path, _: np.save(path, np.zeros(100_000)),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_of_file_says_that_the_disk_is_full(tmp_path, adk_topology, name) -> None:
    with small_disk(tmp_path / "disk", "32k") as disk:
        with pytest.raises(Exception) as error:
            WRITERS[name](disk.path / name, adk_topology)
        assert MAKE_ROOM in (storage_fault(error.value) or "")


@pytest.mark.parametrize("name", ["model.cif", "scores.json"])
def test_a_file_of_before_survives_a_write_that_fails(tmp_path, adk_topology, name) -> None:
    with small_disk(tmp_path / "disk", "1m") as disk:
        WRITERS[name](disk.path / name, adk_topology)
        before = (disk.path / name).read_bytes()
        (disk.path / "filler").write_bytes(bytes((1 << 20) - len(before) - (32 << 10)))
        with pytest.raises(OSError):
            WRITERS[name](disk.path / name, adk_topology)
        assert (disk.path / name).read_bytes() == before


def test_a_stage_on_a_full_and_on_a_read_only_disk(tmp_path) -> None:
    command = [sys.executable, str(ROOT / "bin/prepare_map.py"), "--target=adk", "--class=open", "--seed=1"]
    (tmp_path / "adk.sequence").mkdir()
    write_json({"n_atoms": 1655, "mass_dalton": 23_600.0}, tmp_path / "adk.sequence/target.json")
    command += [f"--map={DEMO}/maps/open.mrc", "--resolution=4", f"--sequence={tmp_path}/adk.sequence"]
    with small_disk(tmp_path / "disk", "64k") as disk:
        full = subprocess.run([*command, "--output=full"], cwd=disk.path, capture_output=True, text=True, check=False)
        left = {path.name for path in (disk.path / "full").iterdir()}
        disk.make_read_only()
        done = subprocess.run([*command, "--output=out"], cwd=disk.path, capture_output=True, text=True, check=False)
    (said,) = full.stderr.splitlines()
    assert full.returncode == STORAGE_EXIT_CODE and "map.json" not in left
    assert said == f"prepare_map: {disk.path} cannot be written (No space left on device); {MAKE_ROOM}"
    (said,) = done.stderr.splitlines()
    assert done.returncode == STORAGE_EXIT_CODE
    assert said == f"prepare_map: out cannot be written (Read-only file system); {ANOTHER_FOLDER}"
