#!/usr/bin/env python3
"""Write the report of a run: one HTML file that needs no network, and a summary for programs.

The report shows for every class its map with the best model in 3D, how the model was chosen, how well each
residue fits, and what was decided on the way; then what differs between the classes. summary.csv and
summary.json hold one row per class; their columns are explained at the end of the report and in summary.json.

A stage that left nothing is shown as such, so that a report can be had of an unfinished run.

Example:

    write_report.py --folder stages --parameters params.json --samplesheet checked.json --output results
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from classfold.errors import InputError, run_stage
from classfold.records import read_json
from classfold.report.gather import gather_run
from classfold.report.page import render
from classfold.report.summary import write_summary


def read_given(path: Path | None) -> dict[str, Any]:
    """A JSON object that may be left out."""
    try:
        return read_json(path) if path is not None else {}
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}); give the run's own file, a JSON object") from error


@click.command(help=__doc__, context_settings={"show_default": True})
@click.option(
    "--folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="Folder that holds the stage folders of all classes.",
)
@click.option(
    "--parameters",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="JSON file with the parameters and versions of the run, to be shown.",
)
@click.option(
    "--samplesheet",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="JSON file of CHECK_INPUT, for what the samplesheet says of the classes: their populations.",
)
@click.option(
    "--failures",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="JSON file of the pipeline that says which classes have no model, and why.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder for report.html, summary.csv and summary.json.",
)
def main(
    folder: Path,
    parameters: Path | None,
    output: Path,
    samplesheet: Path | None = None,
    failures: Path | None = None,
) -> None:
    shown, checked = read_given(parameters), read_given(samplesheet)
    populations = {(row["target"], row["class"]): row["population"] for row in checked.get("rows", [])}
    run = replace(gather_run(folder, shown, populations), outcome=read_given(failures))
    output.mkdir(parents=True, exist_ok=True)
    rows = write_summary(run, output)
    page = output / "report.html"
    partial = page.with_name(page.name + ".partial")
    partial.write_text(render(run, rows), encoding="utf-8")
    os.replace(partial, page)
    click.echo(
        f"{page}: {len(rows)} class(es), {page.stat().st_size / 1e6:.1f} MB; summary.csv, summary.json "
        "beside it"
    )


if __name__ == "__main__":
    run_stage(main)
