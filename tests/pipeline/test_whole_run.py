"""From a samplesheet to a report, as a user runs it: the files, the models, the table at the end."""

import csv
import gzip
import json
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from tests.mrc_files import mrc_bytes

ROOT = Path(__file__).resolve().parents[2]

CLASS_FILES = (
    "model.cif",
    "scores.csv",
    "residues.csv",
    "models.json",
    "map.mrc",
    "open_in_chimerax.cxc",
    "open_in_coot.py",
    "open_in_pymol.pml",
    "phenix_real_space_refine.eff",
    "losses.csv",
    "samples.json",
    "samples/sample_001.cif",
    "samples/sample_002.cif",
    "map/map.json",
    "map/fsc.csv",
    "map/map.png",
    "map/point_cloud.csv",
    "docking/docking.json",
    "docking/docked.cif",
    "docking/spectra.csv",
)
TARGET_FILES = (
    "comparison/rmsd.csv",
    "comparison/tm_score.csv",
    "comparison/cross_fit.csv",
    "comparison/displacement.csv",
    "comparison/moving_parts.csv",
    "comparison/morph_closed.open.cif",
    "comparison/distance_difference_closed.open.csv",
    "comparison/comparison.json",
    "comparison/open_in_chimerax.cxc",
    "sequence/target.json",
    "unguided/embedding.json",
    "unguided/model_001.cif",
)
RUN_FILES = (
    "report.html",
    "summary.csv",
    "summary.json",
    "classfold_mqc.json",
    "pipeline_info/trace.txt",
    "pipeline_info/execution_report.html",
    "pipeline_info/timeline.html",
    "pipeline_info/dag.mmd",
    "pipeline_info/params.json",
)


def test_every_promised_file_is_there(finished):
    wanted = [f"adk/{name}/{file}" for name in ("closed", "open") for file in CLASS_FILES]
    wanted += [f"adk/{file}" for file in TARGET_FILES] + list(RUN_FILES)
    results = finished.folder / "results"
    assert [
        file for file in wanted if not (results / file).is_file() or not (results / file).stat().st_size
    ] == []
    assert not list(results.rglob("*.safetensors"))
    assert {path.relative_to(results).as_posix() for path in results.rglob("*.mrc")} == {
        f"adk/{name}/map.mrc" for name in ("closed", "open")
    }


def test_models_are_whole_molecules(finished):
    atoms = json.loads((finished.folder / "results/adk/sequence/target.json").read_text())["n_atoms"]
    for name in ("closed", "open"):
        model = finished.model("adk", name)
        assert model.shape == (atoms, 3) and np.isfinite(model).all()


def test_the_terminal_shows_the_table_and_the_report(finished):
    said = (finished.folder / "said.txt").read_text()
    with (finished.folder / "results/summary.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["target"], row["class"]) for row in rows] == [("adk", "closed"), ("adk", "open")]
    table = [line.split() for line in said.splitlines()]
    assert all(any(line[:2] == ["adk", row["class"]] for line in table) for row in rows)
    assert f"Report: {finished.folder}/results/report.html" in said


@pytest.fixture(scope="module")
def told_differently(new_run):
    """A run with one map in four files: plain, axes permuted, offset as NSTART, compressed; the resolution left out."""
    run = new_run()
    with mrcfile.open(ROOT / "assets/demo/maps/open.mrc", permissive=True) as stream:
        density, size = np.array(stream.data, np.float32), float(stream.voxel_size.x)
        origin = np.array([stream.header.origin[axis] for axis in "xyz"])
    start = tuple(int(n) for n in np.round(origin / size))
    voxel, frame = (size,) * 3, {"origin_xyz": tuple(n * size for n in start)}
    files = {
        "plain": mrc_bytes(density, voxel, **frame),
        "permuted": mrc_bytes(density, voxel, axis_order="zxy", **frame),
        "nstart": mrc_bytes(density, voxel, start_xyz=start),
        "gz": gzip.compress(mrc_bytes(density, voxel, **frame)),
    }
    lines = ["target,class,map,sequence"]
    for name, content in files.items():
        (run.folder / f"{name}.mrc").write_bytes(content)
        lines.append(f"adk,{name},{name}.mrc,{ROOT}/assets/demo/adk.fasta")
    (run.folder / "sheet.csv").write_text("\n".join(lines) + "\n")
    run.succeed("-profile", "test", "--input", "sheet.csv", "--samples", "1", "--steps", "16")
    return run


@pytest.mark.parametrize("name", ["plain", "permuted", "nstart", "gz"])
def test_a_resolution_that_was_left_out_is_the_maps_everywhere(told_differently, name):
    results = told_differently.folder / "results"
    record = json.loads((results / f"adk/{name}/map/map.json").read_text())
    assert record["resolution_method"] == "estimate"
    with (results / "summary.csv").open() as stream:
        row = next(row for row in csv.DictReader(stream) if row["class"] == name)
    assert float(row["resolution_angstrom"]) == record["resolution_angstrom"]
    assert f"{record['resolution_angstrom']:g}" in (results / f"adk/{name}/model.cif").read_text()


@pytest.mark.parametrize("name", ["permuted", "nstart", "gz"])
def test_a_map_told_differently_gives_the_same_model(told_differently, name):
    plain, other = told_differently.model("adk", "plain"), told_differently.model("adk", name)
    assert np.abs(plain - other).max() <= 2e-3  # an mmCIF has three decimals
