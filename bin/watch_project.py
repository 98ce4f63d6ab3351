#!/usr/bin/env python3
"""Run the pipeline on every classification of a PROJECT that has ended and was not run yet. One pass, for cron.

Each job gets a folder of its own name in OUTDIR: samplesheet.csv, run.log, results/, work/, and watch.json, which says
how it ended. A pass that was killed is continued by the next one. What failed is not run again until its watch.json is
deleted. Two passes on one OUTDIR never run at once. What comes after -- goes to ./classfold run.

\b
Examples:
    classfold watch relion /data/adk --sequence /data/adk/adk.fasta --outdir /results/adk -- -profile slurm,apptainer
    classfold watch cryosparc /data/CS-adk --sequence adk.fasta --outdir /results/adk --min-population 0.05
"""

from __future__ import annotations

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from classfold.errors import InputError, run_stage
from classfold.imports.finished import PROGRAMS, finished_jobs
from classfold.records import read_json, write_json
from classfold.sequence import read_sequence

PROJECT_ROOT = Path(__file__).resolve().parents[1]
OUTCOMES = {0: "complete", 3: "partial"}
"""Of the exit codes of ./classfold run; every other one is a failure."""


@contextmanager
def only_pass(outdir: Path) -> Iterator[bool]:
    """Whether this pass is the only one on its folder of results; the lock goes with the process, however that ends."""
    with (outdir / ".watch.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def is_due(folder: Path) -> bool:
    """Whether a job was never run, or the pass that ran it was killed."""
    record = folder / "watch.json"
    return not record.is_file() or read_json(record)["status"] == "running"


def run_job(program: str, job: Path, folder: Path, sequence: Path, min_population: float, options: list[str]) -> str:
    """Import one job and run the pipeline on it; how that ended."""
    folder.mkdir(exist_ok=True)
    record = {"program": program, "job": str(job), "status": "running", "exit_code": None}
    write_json(record, folder / "watch.json")
    sheet = [str(PROJECT_ROOT / "bin/import_classes.py"), program, str(job), "--sequence", str(sequence)]
    sheet += ["--output", "samplesheet.csv", "--overwrite", "--min-population", str(min_population)]
    run = [str(PROJECT_ROOT / "classfold"), "run", "--input", "samplesheet.csv", "--outdir", "results", "-resume"]
    with (folder / "run.log").open("a") as log:
        code = subprocess.run([sys.executable, *sheet], cwd=folder, stdout=log, stderr=log, check=False).returncode
        if code == 0:
            code = subprocess.run([*run, *options], cwd=folder, stdout=log, stderr=log, check=False).returncode
    status = OUTCOMES.get(code, "failed")
    write_json(record | {"status": status, "exit_code": code}, folder / "watch.json")
    return status


def last_line(log: Path) -> str:
    """What was said last."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


@click.command(help=__doc__, context_settings={"show_default": True})
@click.argument("program", type=click.Choice(sorted(PROGRAMS)))
@click.argument("project", type=click.Path(path_type=Path))
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.option("--sequence", required=True, type=click.Path(path_type=Path), help="FASTA or Boltz YAML, of all jobs.")
@click.option("--outdir", required=True, type=click.Path(path_type=Path), help="Folder for all results; it must exist.")
@click.option(
    "--min-population",
    type=click.FloatRange(0, 1),
    default=0.0,
    help="Leave out classes with a smaller share of the particles, 0 to 1.",
)
def main(
    program: str, project: Path, options: tuple[str, ...], sequence: Path, outdir: Path, min_population: float
) -> None:
    """Look, run what is due, say how it ended; exit code 1 if anything failed."""
    if not outdir.is_dir():
        raise InputError(f"the folder {outdir} does not exist; make it, or give another --outdir.")
    read_sequence(sequence)
    failed = 0
    with only_pass(outdir) as is_only:
        if not is_only:
            click.echo(f"Another pass is at work on {outdir}.")
            return
        for job in finished_jobs(program, project):
            folder = outdir.absolute() / job.name
            if not is_due(folder):
                continue
            status = run_job(program, job.absolute(), folder, sequence.absolute(), min_population, list(options))
            failed += status == "failed"
            told = f": {last_line(folder / 'run.log')}" if status == "failed" else ""
            click.echo(f"{job.name} {status}{told} ({folder / 'run.log'})")
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    run_stage(main)
