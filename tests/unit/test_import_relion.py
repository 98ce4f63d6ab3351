"""Samplesheets from RELION's folders: every layout of versions 3.1 to 5, and one sentence for what cannot be read."""

import gzip
import json
import shutil
from pathlib import Path

import check_input
import pytest
from click.testing import CliRunner
from import_classes import main

from classfold.errors import InputError
from classfold.imports.relion import read_relion_job
from classfold.imports.sheet import choose_rows
from classfold.samplesheet import read_rows
from tests.relion_job import PIXEL_SIZE, class_table, write_class3d, write_map, write_model, write_optimiser

DEMO = Path(__file__).resolve().parents[2] / "assets/demo"
SEQUENCE = ">A|protein\nMRIILLGAPGAGKGTQAQFI\n"
AS_RELION_WRITES = """
# version {version}

data_model_general

_rlnReferenceDimensionality                        3
_rlnDataDimensionality                             2
_rlnCurrentResolution                       4.435556
_rlnPixelSize                               1.244500
_rlnNrClasses                                      2
_rlnNrBodies                                       1
 

# version {version}

data_model_classes

loop_ 
_rlnReferenceImage #1 
_rlnClassDistribution #2 
_rlnAccuracyRotations #3 
_rlnAccuracyTranslationsAngst #4 
_rlnEstimatedResolution #5 
_rlnOverallFourierCompleteness #6 
Class3D/job012/run_it025_class001.mrc     0.625000     1.650000     0.874000     4.435556     0.953704 
Class3D/job012/run_it025_class002.mrc     0.375000   999.000000   999.000000          inf     0.000000 
 

# version {version}

data_model_class_1

loop_ 
_rlnSpectralIndex #1 
_rlnAngstromResolution #2 
           0   999.000000 
           1    99.560000 
 
"""


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    path = tmp_path / "adk.fasta"
    path.write_text(SEQUENCE)
    return path


def run(*arguments: object):
    return CliRunner().invoke(main, ["relion", *map(str, arguments)])


def refusal(*arguments: object) -> str:
    result = run(*arguments)
    assert isinstance(result.exception, InputError), result.output
    assert "\n" not in str(result.exception)
    return str(result.exception)


def sheet_cells(sheet: Path) -> list[dict[str, str]]:
    return [row.cells for row in read_rows(sheet)]


@pytest.mark.parametrize("version", ["3.1", "4", "5"])
def test_columns_are_read_by_name_whatever_their_order(tmp_path, version):
    job = write_class3d(tmp_path, [0.25, 0.75], [4.4, 6.1], version=version)
    found = read_relion_job(job)
    assert [(c.name, c.population, c.resolution_angstrom) for c in found.classes] == [
        ("class001", 0.25, 4.4),
        ("class002", 0.75, 6.1),
    ]
    assert [c.map.name for c in found.classes] == ["run_it025_class001.mrc", "run_it025_class002.mrc"]
    assert found.classes[0].pixel_size_angstrom == PIXEL_SIZE
    assert found.title == "Class3D/job012, iteration 25" and not found.notes


@pytest.mark.parametrize("version", [30001, 50001])
def test_files_as_relion_spaces_them(tmp_path, version):
    job = write_class3d(tmp_path, [0.5, 0.5], [5, 5])
    (job / "run_it025_model.star").write_text(AS_RELION_WRITES.format(version=version))
    first, second = read_relion_job(job).classes
    assert (first.population, first.resolution_angstrom) == (0.625, 4.435556)
    assert (second.population, second.resolution_angstrom) == (0.375, float("inf"))


def test_the_sheet_and_the_terminal(tmp_path, sequence):
    job = write_class3d(tmp_path, [0.6, 0.4], [4.4, float("inf")])
    sheet = tmp_path / "sheet.csv"
    result = run(job, "--sequence", sequence, "--output", sheet)
    assert result.exit_code == 0, result.exception
    assert sheet_cells(sheet) == [
        {
            "target": "adk",
            "class": f"class00{number}",
            "map": f"Class3D/job012/run_it025_class00{number}.mrc",
            "resolution": resolution,
            "sequence": "adk.fasta",
            "population": population,
            "pixel_size": "1.2445",
        }
        for number, resolution, population in ((1, "4.4", "0.6"), (2, "", "0.4"))
    ]
    for said in ("2 of 2 classes", "60 %", "4.4 Å", "1.244 Å", f"./classfold run --input {sheet}"):
        assert said in result.output
    assert "class002: the resolution is left empty (RELION states inf Å, which is none)" in result.output


@pytest.mark.parametrize(
    ("resolution", "reason"),
    [(999.0, "which is none"), (0.0, "which is none"), (30.0, "outside 1.5 to 25 Å"), (2.0, "finer than its pixels")],
)
def test_a_resolution_that_cannot_be_used_is_left_empty_and_said(tmp_path, resolution, reason):
    rows, notes = choose_rows(read_relion_job(write_class3d(tmp_path, [0.5, 0.5], [4.0, resolution])))
    assert [row.resolution_angstrom for row in rows] == [4.0, None]
    assert len(notes) == 1 and notes[0].startswith("class002: ") and reason in notes[0]


def test_a_resolution_at_nyquist_is_kept(tmp_path):
    rows, notes = choose_rows(read_relion_job(write_class3d(tmp_path, [0.5, 0.5], [2.489, 2.45])))
    assert [row.resolution_angstrom for row in rows] == [2.489, 2.45] and not notes


def test_the_last_iteration_is_taken_and_another_on_demand(tmp_path):
    for iteration in (0, 9, 25):
        job = write_class3d(tmp_path, [0.1, 0.9], [iteration + 4, 5], stem=f"run_it{iteration:03d}")
    assert read_relion_job(job).classes[0].resolution_angstrom == 29
    ninth = read_relion_job(job, iteration=9)
    assert ninth.classes[0].resolution_angstrom == 13 and ninth.classes[0].map.name == "run_it009_class001.mrc"
    with pytest.raises(InputError, match="no model of iteration 7; there are 0, 9, 25"):
        read_relion_job(job, iteration=7)


def test_a_continued_run_goes_on_from_the_one_before(tmp_path):
    write_class3d(tmp_path, [0.5, 0.5], [6, 6], stem="run_it025")
    job = write_class3d(tmp_path, [0.5, 0.5], [5, 5], stem="run_ct25_it040", n_iterations=40)
    assert read_relion_job(job).classes[1].map.name == "run_ct25_it040_class002.mrc"
    # Continued at iteration 20 to the same end: the later of the two.
    job = write_class3d(tmp_path, [0.5, 0.5], [4, 4], stem="run_ct20_it025", job="Class3D/job013")
    write_class3d(tmp_path, [0.5, 0.5], [6, 6], stem="run_it025", job="Class3D/job013")
    assert read_relion_job(job).classes[0].resolution_angstrom == 4


def test_maps_are_found_beside_the_model_in_the_project_and_by_absolute_paths(tmp_path):
    project = tmp_path / "project"
    job = write_class3d(project, [0.5, 0.5], [5, 5])
    # A copy of the folder alone is read with its own maps.
    copied = tmp_path / "copy"
    shutil.copytree(job, copied)
    assert [c.map for c in read_relion_job(copied).classes] == [copied / f"run_it025_class00{n}.mrc" for n in (1, 2)]
    # The model alone, with the maps where the project has them: from the project's folder, and absolute.
    for references in (["maps/a.mrc", "maps/b.mrc"], [str(project / "maps/a.mrc"), str(project / "maps/b.mrc")]):
        write_map(project / "maps/a.mrc")
        write_map(project / "maps/b.mrc")
        other = project / f"Class3D/job{20 + len(references[0])}"
        write_model(other / "run_it025_model.star", class_table(references, [0.5, 0.5], [5, 5]))
        assert [c.map for c in read_relion_job(other).classes] == [project / "maps/a.mrc", project / "maps/b.mrc"]


def test_paths_in_the_sheet_are_relative_where_sheet_and_maps_are_near(tmp_path, sequence):
    job = write_class3d(tmp_path / "project", [0.5, 0.5], [5, 5])
    places = {
        "project/sheet.csv": "Class3D/job012/run_it025_class001.mrc",
        "project/sheets/sheet.csv": "../Class3D/job012/run_it025_class001.mrc",
        "other/deep/sheet.csv": str(job / "run_it025_class001.mrc"),
    }
    for place, written in places.items():
        sheet = tmp_path / place
        sheet.parent.mkdir(parents=True, exist_ok=True)
        assert run(job, "--sequence", sequence, "--output", sheet).exit_code == 0
        assert sheet_cells(sheet)[0]["map"] == written
        assert (sheet.parent / sheet_cells(sheet)[0]["map"]).samefile(job / "run_it025_class001.mrc")


def test_every_missing_map_is_named(tmp_path, sequence):
    job = write_class3d(tmp_path, [0.5, 0.3, 0.2], [5, 5, 5])
    (job / "run_it025_class001.mrc").unlink()
    (job / "run_it025_class003.mrc").unlink()
    sheet = tmp_path / "sheet.csv"
    result = run(job, "--sequence", sequence, "--output", sheet)
    assert isinstance(result.exception, InputError)
    headline, first, third = str(result.exception).splitlines()
    assert "Class3D/job012, iteration 25" in headline
    assert "class001" in first and str(job / "run_it025_class001.mrc") in first
    assert "class003" in third and not sheet.exists()


def test_empty_and_small_classes_are_left_out(tmp_path):
    job = write_class3d(tmp_path, [0.69, 0.0, 0.3, 0.01], [5, float("inf"), 5, 5])
    (job / "run_it025_class002.mrc").unlink()
    rows, notes = choose_rows(read_relion_job(job))
    assert [row.name for row in rows] == ["class001", "class003", "class004"]
    assert notes == ["class002: left out, with 0 % of the particles."]
    rows, notes = choose_rows(read_relion_job(job), min_population=0.05)
    assert [row.name for row in rows] == ["class001", "class003"] and "class004: left out, with 1 %" in notes[1]
    with pytest.raises(InputError, match=r"no class of .* is left"):
        choose_rows(read_relion_job(job), min_population=0.9)


@pytest.mark.parametrize(("pixel_size", "is_said"), [(PIXEL_SIZE * 1.005, False), (PIXEL_SIZE * 1.02, True)])
def test_the_header_has_the_pixel_size_and_a_difference_is_said(tmp_path, pixel_size, is_said):
    job = write_class3d(tmp_path, [0.5, 0.5], [5, 5])
    for number in (1, 2):
        write_map(job / f"run_it025_class00{number}.mrc", pixel_size)
    rows, notes = choose_rows(read_relion_job(job))
    assert rows[0].pixel_size_angstrom == pytest.approx(pixel_size, rel=1e-6)
    assert len(notes) == is_said
    if is_said:
        assert "class001, class002: RELION states a pixel size of 1.244 Å, the map's header 1.269 Å" in notes[0]


def test_a_refinement_that_has_converged_has_half_maps_and_no_population(tmp_path, sequence):
    job = tmp_path / "Refine3D/job019"
    table = class_table(["Refine3D/job019/run_class001.mrc"], [1.0], [7.7])
    write_model(job / "run_it012_half1_model.star", table)
    write_model(job / "run_it012_half2_model.star", table)
    with pytest.raises(InputError, match="has not converged"):
        read_relion_job(job)
    write_model(job / "run_model.star", table, rlnCurrentResolution=3.2)
    for name in ("run_class001", "run_half1_class001_unfil", "run_half2_class001_unfil"):
        write_map(job / f"{name}.mrc")
    sheet = tmp_path / "sheet.csv"
    assert run(job, "--sequence", sequence, "--output", sheet, "--target", "adk1").exit_code == 0
    (cells,) = sheet_cells(sheet)
    assert cells == {
        "target": "adk1",
        "class": "class001",
        "map": "Refine3D/job019/run_class001.mrc",
        "resolution": "3.2",
        "sequence": "adk.fasta",
        "half_map_1": "Refine3D/job019/run_half1_class001_unfil.mrc",
        "half_map_2": "Refine3D/job019/run_half2_class001_unfil.mrc",
        "pixel_size": "1.2445",
    }


def test_without_populations_the_column_is_left_out_and_it_is_said(tmp_path, sequence):
    job = write_class3d(tmp_path, [0.5, 0.5], [5, 5])
    table = class_table(["run_it025_class001.mrc", "run_it025_class002.mrc"], [0.5, 0.5], [5, 5])
    write_model(job / "run_it026_model.star", table.drop(columns="rlnClassDistribution"))
    result = run(job, "--sequence", sequence, "--output", tmp_path / "sheet.csv")
    assert "run_it026_model.star states no populations" in result.output
    assert "population" not in sheet_cells(tmp_path / "sheet.csv")[0]


def test_what_is_no_classification_is_refused_in_one_sentence(tmp_path, sequence):
    output = ("--sequence", sequence, "--output", tmp_path / "sheet.csv")
    empty = tmp_path / "Extract/job001"
    empty.mkdir(parents=True)
    assert "holds no run_itNNN_model.star" in refusal(empty, *output)
    assert "is no folder" in refusal(tmp_path / "absent", *output)
    table = class_table(["1@run_it025_classes.mrcs"], [1.0], [5.0])
    for number, (general, said) in enumerate(
        (({"rlnReferenceDimensionality": 2}, "2D classification"), ({"rlnNrBodies": 2}, "multi-body"))
    ):
        job = tmp_path / f"Other/job00{number}"
        write_model(job / "run_it025_model.star", table, **general)
        assert said in refusal(job, *output)
    unfinished = write_class3d(tmp_path, [0.5, 0.5], [5, 5], stem="run_it017")
    assert "iteration 17 of 25" in refusal(unfinished, *output)
    assert run(unfinished, *output, "--iteration", 17).exit_code == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no table data_model_general"),
        (b"\xff\xfe\x80 no text", "no table data_model_general"),
        (b"data_model_general\n\n_rlnPixelSize 1.0\n\ndata_other\n\n_a 1\n", "no table data_model_classes"),
        (b"data_model_general\nloop_\n_a #1\n_b #2\n1\n", "cannot be read as a STAR file"),
    ],
    ids=["empty", "binary", "other table", "short row"],
)
def test_a_broken_model_file_is_refused(tmp_path, content, said):
    (tmp_path / "run_it025_model.star").write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_relion_job(tmp_path)


def test_a_broken_map_is_named(tmp_path):
    job = write_class3d(tmp_path, [0.5, 0.5], [5, 5])
    (job / "run_it025_class002.mrc").write_bytes(b"x" * 100)
    with pytest.raises(InputError, match=r"run_it025_class002\.mrc has 100 bytes"):
        choose_rows(read_relion_job(job))


def test_a_sheet_is_replaced_only_on_demand(tmp_path, sequence):
    job = write_class3d(tmp_path, [0.5, 0.5], [5, 5])
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("mine\n")
    options = ("--sequence", sequence, "--output", sheet)
    assert "--overwrite" in refusal(job, *options) and sheet.read_text() == "mine\n"
    assert run(job, *options, "--overwrite").exit_code == 0
    assert len(sheet_cells(sheet)) == 2 and not sheet.with_name("sheet.csv.partial").exists()


def test_names_and_sequences_that_the_pipeline_would_refuse_are_refused(tmp_path, sequence):
    job = write_class3d(tmp_path, [0.5, 0.5], [5, 5])
    output = ("--output", tmp_path / "sheet.csv")
    spaced = tmp_path / "my protein.fasta"
    spaced.write_text(SEQUENCE)
    assert "'my protein' cannot be a target's name" in refusal(job, "--sequence", spaced, *output)
    assert "cannot be read" in refusal(job, "--sequence", tmp_path / "absent.fasta", *output)
    assert "does not exist" in refusal(job, "--sequence", sequence, "--output", tmp_path / "no/sheet.csv")


def test_an_optimiser_that_says_nothing_is_no_obstacle(tmp_path):
    job = write_class3d(tmp_path, [0.5, 0.5], [5, 5], stem="run_it003")
    (job / "run_it003_optimiser.star").unlink()
    assert len(read_relion_job(job).classes) == 2
    write_optimiser(job / "run_it003_optimiser.star", 3)
    assert len(read_relion_job(job).classes) == 2


def test_the_sheet_of_a_job_with_real_maps_passes_the_pipelines_check(tmp_path):
    job = write_class3d(tmp_path, [0.7, 0.3], [4.0, 4.0])
    (job / "run_it025_class001.mrc").write_bytes(gzip.decompress((DEMO / "maps/closed.mrc.gz").read_bytes()))
    shutil.copy(DEMO / "maps/open.mrc", job / "run_it025_class002.mrc")
    sheet, checked = tmp_path / "samplesheet.csv", tmp_path / "checked.json"
    result = run(job, "--sequence", DEMO / "adk.fasta", "--output", sheet)
    assert result.exit_code == 0, result.exception
    assert "RELION states a pixel size of 1.244 Å, the map's header 1.6 Å" in result.output
    done = CliRunner().invoke(check_input.main, ["--sheet", str(sheet), "--output", str(checked)])
    assert done.exit_code == 0, done.exception
    rows = json.loads(checked.read_text())["rows"]
    assert [(row["class"], row["population"], row["resolution"]) for row in rows] == [
        ("class001", 0.7, 4.0),
        ("class002", 0.3, 4.0),
    ]
