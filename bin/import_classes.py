#!/usr/bin/env python3
"""Write a samplesheet from the folder of a RELION or cryoSPARC classification: classes, maps, populations, resolutions.

\b
Examples:
    classfold import relion Class3D/job012 --sequence adk.fasta
    classfold import cryosparc /data/CS-adk/J42 --sequence adk.fasta --output samplesheet.csv
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from classfold.errors import InputError, run_stage
from classfold.imports.cryosparc import read_cryosparc_job
from classfold.imports.found import FoundJob
from classfold.imports.relion import read_relion_job
from classfold.imports.sheet import choose_rows, summary, write_sheet
from classfold.input_check import NAME, RESERVED_TARGETS
from classfold.sequence import read_sequence


def shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that every program's import has."""
    options = (
        click.option("--sequence", required=True, type=click.Path(path_type=Path), help="FASTA or Boltz YAML."),
        click.option("--target", help="Name of the molecule; by default the name of the sequence's file."),
        click.option(
            "--output", type=click.Path(path_type=Path), default=Path("samplesheet.csv"), help="Samplesheet to write."
        ),
        click.option(
            "--min-population",
            type=click.FloatRange(0, 1),
            default=0.0,
            help="Leave out classes with a smaller share of the particles, 0 to 1.",
        ),
        click.option("--overwrite", is_flag=True, help="Replace a samplesheet that is there."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def write_import(
    job: FoundJob, sequence: Path, target: str | None, output: Path, min_population: float, overwrite: bool
) -> None:
    """Choose the classes, write the sheet, and say what was found and what to do next."""
    name = target or sequence.stem
    if not NAME.fullmatch(name) or name in RESERVED_TARGETS:
        raise InputError(f"{name!r} cannot be a target's name; give one of letters, digits, _ and - by --target.")
    if output.exists() and not overwrite:
        raise InputError(f"{output} is there already; give another --output, or --overwrite to replace it.")
    if not output.absolute().parent.is_dir():
        raise InputError(f"the folder of {output} does not exist; make it, or give another --output.")
    read_sequence(sequence)
    rows, notes = choose_rows(job, min_population)
    write_sheet(output, name, sequence, rows)
    click.echo(f"{job.program}, {job.title}: {len(rows)} of {len(job.classes)} classes\n\n{summary(rows)}\n")
    for note in notes:
        click.echo(f"Note: {note}", err=True)
    click.echo(f"Written to {output}. Next:\n\n  ./classfold run --input {output} --outdir results")


@click.group("import", help=__doc__)
def main() -> None:
    """Choose the program."""


@main.command(context_settings={"show_default": True})
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--iteration", type=click.IntRange(min=0), help="Iteration to take; by default the last.")
@shared_options
def relion(folder: Path, iteration: int | None, **options: Any) -> None:
    """Classes of a Class3D job FOLDER of RELION 3.1 to 5, or the map of a finished Refine3D job."""
    write_import(read_relion_job(folder, iteration), **options)


@main.command(context_settings={"show_default": True})
@click.argument("folder", type=click.Path(path_type=Path))
@shared_options
def cryosparc(folder: Path, **options: Any) -> None:
    """Classes of a job FOLDER of cryoSPARC 3 or 4: heterogeneous refinement, 3D classification, ab initio."""
    write_import(read_cryosparc_job(folder), **options)


if __name__ == "__main__":
    run_stage(main)
