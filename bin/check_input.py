#!/usr/bin/env python3
"""Check a samplesheet, its files and the parameters of a run, and say everything that is wrong at once.

One row of the samplesheet is one class: target, class, map, sequence and, where there are any, resolution,
half_map_1, half_map_2, mask, contour, msa, initial_model, population, pixel_size. Every map and sequence is
opened here, so that no GPU hour is spent before a truncated map or a misspelt residue comes to light.

\b
Example:
    check_input.py --sheet samplesheet.csv --weights boltz_weights --output checked.json
"""

from __future__ import annotations

import csv
import platform
from importlib.metadata import version
from pathlib import Path

import click

from classfold.errors import InputError, run_stage
from classfold.given_models import FILE, OF_FOLDER, GivenModel, given_model_problems
from classfold.input_check import Check, check_rows
from classfold.records import write_json
from classfold.samplesheet import read_rows
from classfold.schedule import AUTOMATIC, SCHEDULES
from classfold.weights import verify_weights

PACKAGES = ("boltz", "torch", "numpy", "gemmi", "scikit-learn", "biotite")
FILE_COLUMNS = ("map", "sequence", "half_map_1", "half_map_2", "mask", "msa", "initial_model")


def read_staged(path: Path) -> tuple[Check, str, list[GivenModel]]:
    """The files that the pipeline staged, the weights folder as the user wrote it, and the models of --compare."""
    check, weights = Check(files={}), ""
    models: list[GivenModel] = []
    with path.open(newline="") as stream:
        for line in csv.DictReader(stream):
            place = (int(line["row"]), line["column"])
            if line["column"] == "weights":
                weights = line["cell"]
                continue
            if line["column"] in (FILE, OF_FOLDER):
                models.append(GivenModel(line["cell"], Path(line["staged"]), line["column"]))
                continue
            check.sought[place] = line["path"]
            if line["staged"]:
                check.files[place] = Path(line["staged"])
    return check, weights, models


def look_beside(sheet: Path) -> Check:
    """The files where the sheet says they are, when nothing was staged."""
    check = Check(files={})
    for row in read_rows(sheet):
        for column in FILE_COLUMNS:
            cell = row.cells.get(column, "")
            if cell and (path := sheet.parent / cell).is_file():
                check.files[row.number, column] = path
    return check


def parameter_problems(
    samples: int, replicates: int, steps: int, schedule: str, seed: int, prior: str
) -> list[str]:
    """Sentences about parameters outside their limits."""
    least_allowed = (
        ("samples", samples, 1),
        ("replicates", replicates, 1),
        ("steps", steps, 8),
        ("seed", seed, 0),
    )
    choices = (("schedule", schedule, tuple(SCHEDULES)), ("prior", prior, ("boltz1",)))
    problems = [
        f"--{name} is {value}: the least allowed is {least}."
        for name, value, least in least_allowed
        if value < least
    ]
    for name, given, allowed in choices:
        if given not in allowed:
            problems.append(f"--{name} is {given!r}: allowed is {' or '.join(allowed)}.")
    return problems


def weights_problems(folder: Path | None, given: str) -> list[str]:
    """Sentences about the weights folder, if one was given, under the name that the user knows it by."""
    if folder is None:
        return [f"--weights is {given!r}: there is no such folder."] if given else []
    try:
        verify_weights(folder)
    except InputError as error:
        return [f"--weights: {str(error).replace(str(folder), given or str(folder)).rstrip('.')}."]
    return []


@click.command(name="check_input", help=__doc__, context_settings={"show_default": True})
@click.option(
    "--sheet",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Samplesheet.",
)
@click.option(
    "--staged",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Table row,column,cell,path,staged of the files put here; else they are sought beside the sheet.",
)
@click.option(
    "--weights", type=click.Path(path_type=Path), help="Folder with boltz1_conf.ckpt, ccd.pkl and SHA256SUMS."
)
@click.option("--prior", default="boltz1", help="Structure predictor.")
@click.option("--samples", default=25, help="Samples per class and replicate.")
@click.option("--replicates", default=3, help="Replicates.")
@click.option("--steps", default=200, help="Diffusion steps.")
@click.option("--schedule", default=AUTOMATIC, help="Schedule of the guided stages.")
@click.option("--seed", default=1, help="Seed of every random draw.")
@click.option("--use-msa-server", is_flag=True, help="Allow msa = server: the sequence leaves the house.")
@click.option(
    "--output", required=True, type=click.Path(path_type=Path), help="Normalised samplesheet (JSON)."
)
def main(
    sheet: Path,
    staged: Path | None,
    weights: Path | None,
    prior: str,
    samples: int,
    replicates: int,
    steps: int,
    schedule: str,
    seed: int,
    use_msa_server: bool,
    output: Path,
) -> None:
    problems = parameter_problems(samples, replicates, steps, schedule, seed, prior)
    given, rows, warnings = "", [], []
    try:
        check, given, models = read_staged(staged) if staged else (look_beside(sheet), "", [])
        check.allow_msa_server = use_msa_server
        rows = check_rows(read_rows(sheet), check)
        problems, warnings = problems + check.problems + given_model_problems(models, rows), check.warnings
    except InputError as error:
        problems += str(error).splitlines()
    problems += weights_problems(weights, given)
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        headline = f"{count} in {sheet.name} and the parameters; nothing was started:"
        raise InputError("\n  ".join([headline, *problems]))
    targets = [
        {"target": name, "classes": [row["class"] for row in rows if row["target"] == name]}
        for name in dict.fromkeys(row["target"] for row in rows)
    ]
    versions = {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
    write_json({"rows": rows, "targets": targets, "warnings": warnings, "versions": versions}, output)
    click.echo(f"{len(rows)} classes of {len(targets)} targets: all files can be read.")
    for warning in warnings:
        click.echo(f"warning: {warning}")


if __name__ == "__main__":
    run_stage(main)
