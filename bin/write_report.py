#!/usr/bin/env python3
"""Write the report of a run: one HTML file that needs no network, and a summary for programs.

The report shows for every class its map with the best model in 3D, how the model was chosen, how well each
residue fits, and what was decided on the way; then what differs between the classes. summary.csv and
summary.json hold one row per class; their columns are explained at the end of the report and in summary.json.

A stage that left nothing is shown as such, so that a report can be had of an unfinished run.

Example:

    write_report.py --folder stages --parameters params.json --output results
"""

import os
from pathlib import Path

import click

from classfold.errors import InputError, run_stage
from classfold.records import read_json
from classfold.report.gather import gather_run
from classfold.report.page import render
from classfold.report.summary import write_summary


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
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder for report.html, summary.csv and summary.json.",
)
def main(folder: Path, parameters: Path | None, output: Path) -> None:
    try:
        shown = read_json(parameters) if parameters is not None else {}
    except ValueError as error:
        raise InputError(
            f"{parameters} is not JSON ({error}); give the run's parameters as a JSON object"
        ) from error
    run = gather_run(folder, shown)
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
