"""What is wrong is said on the terminal in sentences, with an exit code, before any heavy work."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def started(said: str) -> set[str]:
    """Names of the processes that were started."""
    return set(re.findall(r"process > (?:CLASSFOLD:)?(\w+)", said))


def test_help_lists_every_parameter_with_its_default(new_run):
    said = new_run().succeed("--help")
    for part in ("--input", "--samples", "[25]", "--msa_server_url", "LEAVES THE HOUSE", "Guided sampling"):
        assert part in said
    assert started(said) == set()


def test_every_wrong_parameter_is_named(new_run):
    options = (
        "--sampels",
        "3",
        "--steps",
        "many",
        "--schedule",
        "fast",
        "--unguided-models",
        "2",
        "--seed",
        "-4",
        "--classes_per_task",
        "0",
    )
    done = new_run().start("-profile", "test", *options)
    said = done.stdout + done.stderr
    assert done.returncode != 0 and started(said) == set()
    for sentence in (
        "--sampels is not a parameter of this pipeline; did you mean --samples?",
        "--unguided-models is not a parameter of this pipeline; did you mean --unguided_models?",
        "--steps is 'many': write a whole number",
        "--schedule is 'fast': allowed is auto, experimental or synthetic",
        "--seed is -4: the least allowed is 0",
        "--classes_per_task is '0': write auto, or a whole number from 1.",
    ):
        assert sentence in said


def test_models_of_others_are_named_and_found(new_run):
    run = new_run()
    (run.folder / "empty").mkdir()
    (run.folder / "model.cif").write_text("")
    given = "model.cif,a;b=model.cif,af=gone.cif,angelo=empty/,me=model.cif,me=model.cif"
    done = run.start("-profile", "test", "--compare", given)
    said = done.stdout + done.stderr
    assert done.returncode != 0 and started(said) == set()
    for sentence in (
        "--compare: 'model.cif' has no name that is allowed: write name=model.cif or name=folder",
        "--compare: 'a;b=model.cif' has no name that is allowed",
        f"--compare: af=gone.cif: there is no such file or folder ({run.folder}/gone.cif).",
        "--compare: angelo=empty: the folder holds no model",
        "--compare: the name 'me' is there twice",
    ):
        assert sentence in said


def test_without_a_samplesheet_it_says_so(new_run):
    for options, sentence in (((), "--input is missing"), (("--input", "none.csv"), "there is no such file")):
        done = new_run().start(*options)
        assert done.returncode != 0 and sentence in done.stdout + done.stderr


def test_every_error_of_the_sheet_is_shown_before_any_heavy_work(new_run):
    run = new_run()
    (run.folder / "half.mrc").write_bytes((ROOT / "assets/demo/maps/open.mrc").read_bytes()[:5000])
    (run.folder / "with space.fasta").write_text(">A|protein\nMRIIZ\n")
    (run.folder / "sheet.csv").write_text(
        "target;class;map;resolution;sequence\r\n"
        "adk;open;half.mrc;4.0;with space.fasta\r\n"
        "a$(touch x)'b;../x;gone.mrc;400;with space.fasta\r\n"
    )
    done = run.start("--input", "sheet.csv", "--weights", "no_weights")
    said = done.stdout + done.stderr
    assert done.returncode != 0 and started(said) == {"CHECK_INPUT"}
    for sentence in (
        "row 2, column map: Map half.mrc is truncated",
        "column sequence: with space.fasta: chain A (protein) holds unknown amino acids: Z at position 5",
        'row 3, column target: the name "a$(touch x)\'b" is not allowed',
        "row 3, column class: the name '../x' is not allowed",
        f"row 3, column map: the file 'gone.mrc' was not found (looked for {run.folder}/gone.mrc)",
        "row 3, column resolution: 400 Å is outside 1.5 to 25 Å",
        "--weights is 'no_weights': there is no such folder",
    ):
        assert sentence in said
    assert not list(run.folder.rglob("x"))
