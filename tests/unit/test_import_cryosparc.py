"""Samplesheets from cryoSPARC's folders: every layout of versions 3 and 4, and one sentence for what cannot be read."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from import_classes import main

from classfold.errors import InputError
from classfold.imports.cryosparc import read_cryosparc_job
from classfold.imports.cs_files import count_by_class, read_cs
from classfold.imports.sheet import choose_rows
from classfold.samplesheet import read_rows
from tests.cryosparc_job import edit_document, posterior_table, save_cs, volume_table, write_job
from tests.relion_job import PIXEL_SIZE, write_map

COUNTS = [600, 300, 100]
RESOLUTIONS = [4.2, 5.5, 8.0]
SHARES = [0.6, 0.3, 0.1]


def shares(job: Path) -> list[float | None]:
    return [found.population for found in read_cryosparc_job(job).classes]


@pytest.mark.parametrize(
    "layout",
    [
        {"prefix": "cryosparc_P3_J42", "type_key": "type"},
        {"prefix": "J42"},
        {"prefix": "J42", "marked": True},
        {"prefix": "J42", "kind": "class_3D", "iteration": "00100"},
        {"prefix": "J42", "kind": "homo_abinit", "iteration": "final"},
    ],
    ids=["version 3", "version 4", "marked paths", "3D classification", "ab initio"],
)
def test_jobs_with_their_description(tmp_path, layout):
    found = read_cryosparc_job(write_job(tmp_path, COUNTS, RESOLUTIONS, **layout))
    assert [(c.name, c.population, c.resolution_angstrom) for c in found.classes] == list(
        zip(("class_0", "class_1", "class_2"), SHARES, RESOLUTIONS, strict=True)
    )
    assert found.classes[0].map == tmp_path / "J42" / (
        f"{layout['prefix']}_class_00_{layout.get('iteration', '00042')}_volume.mrc"
    )
    assert found.classes[0].pixel_size_angstrom == pytest.approx(PIXEL_SIZE)
    assert found.title == f"J42 ({layout.get('kind', 'hetero_refine')})" and not found.notes


def test_the_sheet_and_the_terminal(tmp_path):
    job = write_job(tmp_path / "P3", COUNTS, [4.2, None, 8.0], halves=True)
    sequence, sheet = tmp_path / "adk.fasta", tmp_path / "sheet.csv"
    sequence.write_text(">A|protein\nMRIILLGAPGAGKGTQAQFI\n")
    result = CliRunner().invoke(
        main, ["cryosparc", str(job), "--sequence", str(sequence), "--output", str(sheet), "--min-population", "0.2"]
    )
    assert result.exit_code == 0, result.exception
    first, second = (row.cells for row in read_rows(sheet))
    assert first == {
        "target": "adk",
        "class": "class_0",
        "map": "P3/J42/J42_class_00_00042_volume.mrc",
        "resolution": "4.2",
        "sequence": "adk.fasta",
        "half_map_1": "P3/J42/J42_class_00_00042_volume_half_A.mrc",
        "half_map_2": "P3/J42/J42_class_00_00042_volume_half_B.mrc",
        "population": "0.6",
        "pixel_size": "1.2445",
    }
    assert (second["class"], second["resolution"]) == ("class_1", "")
    assert "2 of 3 classes" in result.output
    assert "class_1: the resolution is left empty (cryoSPARC states none)" in result.output
    assert "class_2: left out, with 10 % of the particles" in result.output


@pytest.mark.parametrize("prefix", ["J42", "cryosparc_P3_J42"])
@pytest.mark.parametrize("layout", ["multi", "hetero", "class3D", "files", "none"])
def test_jobs_by_the_names_of_their_files(tmp_path, prefix, layout):
    job = write_job(tmp_path, COUNTS, RESOLUTIONS, prefix=prefix, halves=True)
    (job / "job.json").unlink()
    for i in range(3):
        write_map(job / f"{prefix}_class_{i:02d}_00000_volume.mrc")
        write_map(job / f"{prefix}_class_{i:02d}_00042_volume_sharp.mrc")
    write_map(job / f"{prefix}_class_00_00042_mask.mrc")
    if layout == "files":
        for i, count in enumerate(COUNTS):
            save_cs(job / f"{prefix}_class_{i:02d}_00042_particles.cs", np.zeros(count, [("uid", "<u8")]))
    elif layout != "none":
        save_cs(job / f"{prefix}_00000_particles.cs", posterior_table([1, 1, 1], layout))
        save_cs(job / f"{prefix}_00042_particles.cs", posterior_table(COUNTS, layout))
    found = read_cryosparc_job(job)
    assert [c.map.name for c in found.classes] == [f"{prefix}_class_{i:02d}_00042_volume.mrc" for i in range(3)]
    assert all(c.half_maps and c.half_maps[1].name.endswith("_volume_half_B.mrc") for c in found.classes)
    assert [c.population for c in found.classes] == ([None] * 3 if layout == "none" else SHARES)
    assert [c.resolution_angstrom for c in found.classes] == [None] * 3
    assert ["no job.json" in note for note in found.notes] == [True] + [False] * (layout == "none")
    assert "how many particles" in found.notes[-1] or layout != "none"


def test_an_empty_class_counts_none_and_is_left_out(tmp_path):
    job = write_job(tmp_path, [500, 0, 500], RESOLUTIONS)
    (job / "job.json").unlink()
    for i, count in enumerate((500, 0, 500)):
        save_cs(job / f"J42_class_{i:02d}_00042_particles.cs", np.zeros(count, [("uid", "<u8")]))
    assert shares(job) == [0.5, 0.0, 0.5]
    rows, notes = choose_rows(read_cryosparc_job(job))
    assert [row.name for row in rows] == ["class_0", "class_2"]
    assert "class_1: left out, with 0 % of the particles." in notes


def test_counts_of_a_part_of_the_classes_are_no_populations(tmp_path):
    job = write_job(tmp_path, COUNTS, RESOLUTIONS)
    groups = json.loads((job / "job.json").read_text())["output_result_groups"]
    edit_document(job, output_result_groups=[group for group in groups if group["name"] != "particles_class_1"])
    assert shares(job) == [None] * 3
    assert "how many particles" in read_cryosparc_job(job).notes[0]


def test_a_refinement_has_one_volume_and_its_half_maps(tmp_path):
    job = tmp_path / "J7"
    for name in ("", "_half_A", "_half_B", "_sharp"):
        write_map(job / f"J7_004_volume_map{name}.mrc")
    write_map(job / "J7_003_volume_map.mrc")
    maps = {"map": "J7/J7_004_volume_map.mrc", "map_sharp": "J7/J7_004_volume_map_sharp.mrc"}
    maps |= {f"map_half_{half}": f"J7/J7_004_volume_map_half_{half}.mrc" for half in "AB"}
    save_cs(job / "J7_004_volume.cs", volume_table(maps))
    document = {
        "job_type": "nonuniform_refine_new",
        "status": "completed",
        "output_result_groups": [{"name": "volume", "latest_summary_stats": {"fsc_info_best": {"radwn_final_A": 3.1}}}],
        "output_results": [{"group_name": "volume", "name": "map", "metafiles": ["J7/J7_004_volume.cs"]}],
    }
    (job / "job.json").write_text(json.dumps(document))
    for _ in range(2):
        found = read_cryosparc_job(job)
        (one,) = found.classes
        assert (one.name, one.population, one.map.name) == ("volume", None, "J7_004_volume_map.mrc")
        assert [path.name for path in one.half_maps] == [f"J7_004_volume_map_half_{half}.mrc" for half in "AB"]
        (job / "job.json").unlink(missing_ok=True)
    assert one.resolution_angstrom is None


def test_tables_that_were_not_copied_are_made_up_for_by_the_names(tmp_path):
    job = write_job(tmp_path, COUNTS, RESOLUTIONS, halves=True)
    copied = tmp_path / "other" / "folder"
    shutil.copytree(job, copied)
    for path in copied.glob("*.cs"):
        path.unlink()
    found = read_cryosparc_job(copied)
    assert [c.map for c in found.classes] == [copied / f"J42_class_0{i}_00042_volume.mrc" for i in range(3)]
    assert [c.resolution_angstrom for c in found.classes] == RESOLUTIONS and found.classes[2].half_maps
    (copied / "J42_class_01_00042_volume.mrc").unlink()
    with pytest.raises(InputError, match=r"neither J42/J42_class_01_00042_volume\.cs nor its map was found"):
        read_cryosparc_job(copied)


def test_maps_are_found_in_the_project_and_by_absolute_paths_and_missing_ones_are_named(tmp_path):
    job = write_job(tmp_path, [1, 1], [4.0, 4.0])
    write_map(tmp_path / "J9/away.mrc")
    for written in ("J9/away.mrc", str(tmp_path / "J9/away.mrc")):
        save_cs(job / "J42_class_01_00042_volume.cs", volume_table({"map": written}))
        assert read_cryosparc_job(job).classes[1].map == tmp_path / "J9/away.mrc"
    (tmp_path / "J9/away.mrc").unlink()
    with pytest.raises(InputError, match=r"class_1: its map away\.mrc was not found"):
        choose_rows(read_cryosparc_job(job))


def test_what_is_no_finished_classification_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(InputError, match="is no folder"):
        read_cryosparc_job(tmp_path / "absent")
    with pytest.raises(InputError, match=r"neither a job.json nor volumes"):
        read_cryosparc_job(tmp_path)
    job = write_job(tmp_path, COUNTS, RESOLUTIONS)
    edit_document(job, status="running")
    with pytest.raises(InputError, match=r"\(hetero_refine\) is running; wait"):
        read_cryosparc_job(job)
    other = tmp_path / "J2"
    other.mkdir()
    (other / "job.json").write_text(json.dumps({"job_type": "class_2D", "status": "completed"}))
    with pytest.raises(InputError, match=r"J2 \(class_2D\) has no volumes"):
        read_cryosparc_job(other)
    for content in ("{", "[]"):
        (other / "job.json").write_text(content)
        with pytest.raises(InputError, match=r"job\.json .*copy it again"):
            read_cryosparc_job(other)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cannot be read"),
        (b"\x94CSDAT rest", "stream format"),
        (b"text, no table at all", "cannot be read"),
    ],
)
def test_a_broken_table_is_named(tmp_path, content, said):
    path = tmp_path / "J1_particles.cs"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"J1_particles\.cs .*{said}"):
        read_cs(path)


def test_tables_are_read_without_pickle(tmp_path):
    save_cs(tmp_path / "a.cs", np.array([("J1/a.mrc",)], [("map/path", "O")]))
    with pytest.raises(InputError, match="cannot be read"):
        read_cs(tmp_path / "a.cs")
    save_cs(tmp_path / "b.cs", np.zeros(3))
    with pytest.raises(InputError, match="plain array"):
        read_cs(tmp_path / "b.cs")


def test_particles_without_classes_are_not_counted():
    assert count_by_class(np.zeros(3, [("uid", "<u8")])) is None
