"""CHECK_INPUT: sound input passes, and each mistake has its own sentence, exit code 2 and no output."""

import csv
import gzip
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import check_input
import numpy as np
import pytest
from click.testing import CliRunner

from classfold.errors import InputError
from tests.mrc_files import mrc_bytes

SCRIPT = Path(check_input.__file__)
SEQUENCE = "MRIILLGAPGAGKGTQAQFI"
VOXEL = (1.5, 1.5, 1.5)


def density(shape=(10, 12, 14), seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def bad_density(value: float) -> np.ndarray:
    array = density()
    array[3, 4, 5] = value
    return array


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with everything right: two classes, half maps, a mask, an alignment, a model."""
    (tmp_path / "adk.fasta").write_text(f">adenylate kinase\n{SEQUENCE}\n")
    (tmp_path / "other.fasta").write_text(f">A|protein\n{SEQUENCE[:-1]}\n")
    (tmp_path / "adk.a3m").write_text(f">query\n{SEQUENCE}\n>other\n{SEQUENCE.replace('G', 'A')}\n")
    for seed, name in enumerate(("closed", "open", "half_1", "half_2", "mask")):
        (tmp_path / f"{name}.mrc").write_bytes(mrc_bytes(density(seed=seed), VOXEL))
    weights = tmp_path / "weights"
    weights.mkdir()
    lines = []
    for name in ("boltz1_conf.ckpt", "ccd.pkl"):
        (weights / name).write_bytes(name.encode())
        lines.append(f"{hashlib.sha256(name.encode()).hexdigest()}  {name}\n")
    (weights / "SHA256SUMS").write_text("".join(lines))
    return tmp_path


CLOSED = {
    "target": "adk",
    "class": "closed",
    "map": "closed.mrc",
    "resolution": "4.0",
    "sequence": "adk.fasta",
}
OPEN = {**CLOSED, "class": "open", "map": "open.mrc"}


def write_sheet(folder: Path, *rows: dict[str, str]) -> Path:
    sheet = folder / "sheet.csv"
    with sheet.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(dict.fromkeys(name for row in rows for name in row)))
        writer.writeheader()
        writer.writerows(rows)
    return sheet


def run(folder: Path, *rows: dict[str, str], options: tuple[str, ...] = ()):
    """Result of the script, its InputError (if any) as ``result.exception``."""
    sheet = write_sheet(folder, *rows) if rows else folder / "sheet.csv"
    arguments = ["--sheet", str(sheet), "--output", str(folder / "checked.json"), *options]
    return CliRunner().invoke(check_input.main, arguments)


def refusal(folder: Path, *rows: dict[str, str], options: tuple[str, ...] = ()) -> str:
    result = run(folder, *rows, options=options)
    assert isinstance(result.exception, InputError), result.output
    assert not (folder / "checked.json").exists()
    return str(result.exception)


def test_sound_input_is_normalised(folder):
    extra = {"half_map_1": "half_1.mrc", "half_map_2": "half_2.mrc", "mask": "mask.mrc", "contour": "0.5"}
    result = run(folder, {**CLOSED, **extra}, OPEN, options=("--weights", str(folder / "weights")))
    assert result.exit_code == 0, result.exception
    checked = json.loads((folder / "checked.json").read_text())
    first, second = checked["rows"]
    assert (first["row"], first["resolution"], first["contour"], first["msa"]) == (2, 4.0, 0.5, "none")
    assert (second["row"], second["map"], second["contour"], second["mask"]) == (3, "open.mrc", None, "")
    assert checked["targets"] == [{"target": "adk", "classes": ["closed", "open"]}]


def test_the_resolution_may_be_left_empty_or_out(folder):
    without = {column: cell for column, cell in OPEN.items() if column != "resolution"}
    for rows in ([{**CLOSED, "resolution": ""}, OPEN], [{**without, "class": "closed"}, without]):
        result = run(folder, *rows)
        assert result.exit_code == 0, result.exception
        checked = json.loads((folder / "checked.json").read_text())
        assert [row["resolution"] for row in checked["rows"]] == [None, 4.0 if "resolution" in rows[1] else None]


def test_populations_and_pixel_sizes_may_be_given(folder):
    result = run(folder, {**CLOSED, "population": "0.25", "pixel_size": "1.51"}, {**OPEN, "population": ""})
    assert result.exit_code == 0, result.exception
    checked = json.loads((folder / "checked.json").read_text())
    assert [row["population"] for row in checked["rows"]] == [0.25, None]


def test_a_map_that_was_given_twice_is_warned_of_under_whatever_name(folder):
    halves = {"half_map_1": "half_1.mrc", "half_map_2": "copy.mrc.gz", "mask": "mask.mrc"}
    (folder / "copy.mrc.gz").write_bytes(gzip.compress((folder / "half_1.mrc").read_bytes()))
    (folder / "twin.mrc").write_bytes((folder / "closed.mrc").read_bytes())
    result = run(folder, CLOSED | halves, OPEN | {"map": "twin.mrc", "mask": "mask.mrc"}, OPEN | {"class": "third"})
    assert result.exit_code == 0, result.output
    warnings = json.loads((folder / "checked.json").read_text())["warnings"]
    assert [warning.split(";")[0] for warning in warnings] == [
        "row 2, column half_map_2: copy.mrc.gz holds the same densities as the map in row 2, column half_map_1",
        "row 3, column map: twin.mrc holds the same densities as the map in row 2, column map",
    ]
    assert all(f"warning: {warning}" in result.output for warning in warnings)


def test_files_staged_by_the_pipeline_are_found_where_they_were_put(folder):
    (folder / "staged").mkdir()
    (folder / "closed.mrc").rename(folder / "staged/1.mrc")
    staged = folder / "staged.csv"
    staged.write_text(
        "row,column,cell,path,staged\n"
        f"2,map,closed.mrc,/data/closed.mrc,{folder}/staged/1.mrc\n"
        f"2,sequence,adk.fasta,/data/adk.fasta,{folder}/adk.fasta\n"
    )
    assert run(folder, CLOSED, options=("--staged", str(staged))).exit_code == 0
    staged.write_text("row,column,cell,path,staged\n2,map,closed.mrc,/data/closed.mrc,\n")
    (folder / "checked.json").unlink()
    message = refusal(folder, CLOSED, options=("--staged", str(staged)))
    assert "row 2, column map: the file 'closed.mrc' was not found (looked for /data/closed.mrc)" in message


MAPS = {
    "empty": (b"", "is empty"),
    "no header": (b"x" * 500, "500 bytes"),
    "not a map": (b"\xff" * 4000, "not an MRC map"),
    "truncated": (mrc_bytes(density(), VOXEL)[:-100], "truncated"),
    "truncated gz": (gzip.compress(mrc_bytes(density(), VOXEL))[:-200], "cannot be read"),
    "NaN": (mrc_bytes(bad_density(np.nan), VOXEL), "NaN or infinite"),
    "infinite": (mrc_bytes(bad_density(np.inf), VOXEL), "NaN or infinite"),
    "constant": (mrc_bytes(np.ones((9, 9, 9)), VOXEL), "constant"),
    "zero pixel": (mrc_bytes(density(), (0, 0, 0)), "pixel size"),
    "tiny pixel": (mrc_bytes(density(), (0.15, 0.15, 0.15)), "pixel size"),
    "huge pixel": (mrc_bytes(density(), (12, 12, 12)), "pixel size"),
    "complex": (mrc_bytes(density(), VOXEL, mode=4), "complex"),
}


@pytest.mark.parametrize("name", MAPS)
def test_a_map_that_cannot_be_used_is_refused(folder, name):
    content, sentence = MAPS[name]
    (folder / "closed.mrc").write_bytes(content)
    message = refusal(folder, CLOSED, OPEN)
    assert "1 problem" in message and "row 2, column map: " in message and sentence in message


CELLS = {
    "missing map": ({"map": "none.mrc"}, "map: the file 'none.mrc' was not found"),
    "folder as map": ({"map": "weights"}, "map: the file 'weights' was not found"),
    "no map": ({"map": ""}, "map: the map is missing"),
    "resolution in words": ({"resolution": "good"}, "'good' is not a number"),
    "decimal comma": ({"resolution": "4,0"}, "write 4.0"),
    "NaN resolution": ({"resolution": "nan"}, "'nan' is not a number"),
    "zero resolution": ({"resolution": "0"}, "outside 1.5 to 25"),
    "absurd resolution": ({"resolution": "300"}, "outside 1.5 to 25"),
    "beyond Nyquist": ({"resolution": "2.5"}, "Nyquist: 3 Å"),
    "contour above the map": ({"contour": "100"}, "outside the map's densities"),
    "no sequence": ({"sequence": ""}, "sequence: the sequence is missing"),
    "missing sequence": ({"sequence": "no.fasta"}, "sequence: the file 'no.fasta' was not found"),
    "map as sequence": ({"sequence": "open.mrc"}, "row 2, column sequence: "),
    "one half map": ({"half_map_1": "half_1.mrc"}, "half_map_2: half_map_1 is given and half_map_2 is not"),
    "shell in target": ({"target": "a;rm -rf x"}, "target: the name 'a;rm -rf x' is not allowed"),
    "path in class": ({"class": "../x"}, "class: the name '../x' is not allowed"),
    "script in class": ({"class": "<script>"}, "class: the name '<script>' is not allowed"),
    "option as class": ({"class": "-x"}, "class: the name '-x' is not allowed"),
    "dot in class": ({"class": "a.b"}, "class: the name 'a.b' is not allowed"),
    "no class": ({"class": ""}, "class: the name is missing"),
    "class of a folder": ({"class": "comparison"}, "is taken by a folder of the results"),
    "missing alignment": ({"msa": "no.a3m"}, "msa: the file 'no.a3m' was not found"),
    "server unasked": ({"msa": "server"}, "out of your house"),
    "population in percent": ({"population": "35"}, "35 is no share of the particles"),
    "negative population": ({"population": "-0.1"}, "-0.1 is no share of the particles"),
    "population in words": ({"population": "most"}, "population: 'most' is not a number"),
    "another pixel size": ({"pixel_size": "1.52"}, "pixel_size: 1.52 Å, but the header of closed.mrc says 1.5 x 1.5"),
    "pixel size in words": ({"pixel_size": "small"}, "pixel_size: 'small' is not a number"),
    "sequence as model": ({"initial_model": "adk.fasta"}, "row 2, column initial_model: "),
}


@pytest.mark.parametrize("name", CELLS)
def test_a_wrong_cell_is_named_by_row_and_column(folder, name):
    cells, sentence = CELLS[name]
    message = refusal(folder, {**CLOSED, **cells})
    assert "row 2, column " in message and sentence in message


@pytest.mark.parametrize("letter", "BJOUXZ1*")
def test_letters_that_are_no_amino_acids_are_refused(folder, letter):
    (folder / "adk.fasta").write_text(f">A|protein\n{letter}{SEQUENCE}\n")
    assert f"{letter} at position 1" in refusal(folder, CLOSED)


def test_maps_of_one_class_must_agree(folder):
    (folder / "half_2.mrc").write_bytes(mrc_bytes(density((10, 12, 13)), VOXEL))
    (folder / "mask.mrc").write_bytes(mrc_bytes(density(), (1.6, 1.6, 1.6)))
    extra = {"half_map_1": "half_1.mrc", "half_map_2": "half_2.mrc", "mask": "mask.mrc"}
    message = refusal(folder, {**CLOSED, **extra})
    assert "column half_map_2: its box is 13 x 12 x 10, the map's is 14 x 12 x 10" in message
    assert "column mask: its pixel size is 1.6 Å, the map's is 1.5 Å" in message
    assert "column half_map_1:" not in message


def test_rows_of_a_target_must_agree(folder):
    message = refusal(folder, {**CLOSED, "msa": ""}, {**OPEN, "sequence": "other.fasta", "msa": "adk.a3m"})
    assert "row 3, column sequence: adk has another molecule here than in row 2" in message
    assert "row 3, column msa: adk has 'adk.a3m' here and 'none' in row 2" in message


def test_the_same_molecule_in_another_file_is_the_same(folder):
    (folder / "copy.fasta").write_text(f">A|protein\n{SEQUENCE[:9].lower()}\n{SEQUENCE[9:]}\n")
    assert run(folder, CLOSED, {**OPEN, "sequence": "copy.fasta"}).exit_code == 0


def test_an_alignment_of_another_protein_is_refused(folder):
    message = refusal(folder, {**CLOSED, "sequence": "other.fasta", "msa": "adk.a3m"})
    assert "row 2, column msa: " in message and "adk.a3m" in message


def test_a_class_occurs_once(folder):
    assert "row 3, column class: adk closed is in row 2 already" in refusal(folder, CLOSED, CLOSED)


def test_every_error_of_the_whole_sheet_comes_at_once(folder):
    bad = {**OPEN, "class": "b/c", "map": "none.mrc", "resolution": "0"}
    message = refusal(folder, {**CLOSED, "resolution": "good"}, bad, options=("--samples", "0", "--steps", "7"))
    assert message.startswith("6 problems")
    for place in (
        "--samples",
        "--steps",
        "row 2, column resolution",
        "row 3, column class",
        "row 3, column map",
    ):
        assert place in message


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--replicates", "0"), "--replicates is 0: the least allowed is 1"),
        (("--seed", "-1"), "--seed is -1: the least allowed is 0"),
        (("--schedule", "fast"), "--schedule is 'fast': allowed is experimental or synthetic"),
        (("--prior", "boltz9"), "--prior is 'boltz9'"),
        (("--weights", "nowhere"), "--weights: the weights folder nowhere does not exist"),
    ],
)
def test_a_wrong_parameter_is_refused(folder, options, sentence):
    assert sentence in refusal(folder, CLOSED, options=options)


@pytest.mark.parametrize("name", ["boltz1_conf.ckpt", "ccd.pkl"])
@pytest.mark.parametrize(
    ("damage", "sentence"), [("delete", "is missing"), ("change", "damaged"), ("empty", "empty")]
)
def test_weights_that_are_not_whole_are_refused(folder, name, damage, sentence):
    path = folder / "weights" / name
    if damage == "delete":
        path.unlink()
    else:
        path.write_bytes(b"" if damage == "empty" else b"other bytes")
    message = refusal(folder, CLOSED, options=("--weights", str(folder / "weights")))
    assert name in message and sentence in message


def test_the_script_exits_with_2_and_sentences_on_stderr(folder):
    sheet = write_sheet(folder, {**CLOSED, "target": "<script>"})
    done = subprocess.run(
        [sys.executable, SCRIPT, "--sheet", sheet, "--output", folder / "checked.json"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 2
    assert "row 2, column target: the name '<script>' is not allowed" in done.stderr
    assert "Traceback" not in done.stderr and not (folder / "checked.json").exists()


MODEL = (
    "ATOM      1  N   MET A   1      11.000  12.000  13.000  1.00 20.00           N\n"
    "ATOM      2  CA  MET A   1      12.400  12.000  13.000  1.00 20.00           C\nEND\n"
)


def with_models(folder: Path, *models: tuple[str, str, str]) -> tuple[str, ...]:
    """Options for two classes and models of others: (column, cell, file)."""
    lines = [["row", "column", "cell", "path", "staged"]]
    for row, cells in ((2, CLOSED), (3, OPEN)):
        lines += [[row, name, cells[name], folder / cells[name], folder / cells[name]] for name in ("map", "sequence")]
    lines += [[0, column, cell, f"/data/{cell}", folder / file] for column, cell, file in models]
    with (folder / "staged.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(lines)
    return "--staged", str(folder / "staged.csv")


def test_models_of_others_are_opened(folder):
    (folder / "adk.open.pdb").write_text(MODEL)
    (folder / "ranked_0.pdb").write_text("no model, and named after no class")
    options = with_models(
        folder,
        ("compare", "af=a/adk.open.pdb", "adk.open.pdb"),
        ("compare_folder", "angelo=b/adk.open.pdb", "adk.open.pdb"),
        ("compare_folder", "angelo=b/ranked_0.pdb", "ranked_0.pdb"),
    )
    result = run(folder, CLOSED, OPEN, options=options)
    assert result.exit_code == 0, result.exception


def test_models_of_others_that_cannot_be_read_are_told_with_all_the_rest(folder):
    (folder / "open.cif").write_text("nothing of the kind")
    (folder / "ranked_0.pdb").write_text(MODEL)
    options = with_models(
        folder,
        ("compare", "af=a/open.cif", "open.cif"),
        ("compare_folder", "angelo=b/open.cif", "open.cif"),
        ("compare_folder", "rocket=c/ranked_0.pdb", "ranked_0.pdb"),
    )
    said = refusal(folder, CLOSED, {**OPEN, "resolution": "400"}, options=options)
    assert "4 problems" in said and "400 Å is outside" in said
    assert "--compare af=a/open.cif: open.cif cannot be read as an mmCIF or PDB model" in said
    assert "--compare angelo=b/open.cif: open.cif cannot be read" in said
    assert "--compare rocket=c: no file in it is named after a class of the samplesheet" in said
