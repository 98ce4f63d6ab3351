"""`./classfold watch`: each classification of a project is run once, when it has ended, whatever happens to a pass."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from classfold.imports.finished import finished_cryosparc_jobs
from tests.relion_job import write_class3d

ROOT = Path(__file__).resolve().parents[2]
STUBS = ("--", "-profile", "test", "-stub-run")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A RELION project with a finished classification and one that still runs."""
    folder = tmp_path / "a project"
    for job in ("job012", "job020"):
        write_class3d(folder, [0.6, 0.4], [6.0, 7.0], job=f"Class3D/{job}")
    (folder / "Class3D/job012/RELION_JOB_EXIT_SUCCESS").touch()
    shutil.copy(ROOT / "assets/demo/adk.fasta", folder / "adk.fasta")
    (tmp_path / "runs").mkdir()
    return folder


def watch(project: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / "classfold"), "watch", "relion", str(project), "--sequence", str(project / "adk.fasta")]
    command += ["--outdir", str(project.parent / "runs"), *options]
    environment = {"CLASSFOLD_PYTHON": sys.executable, **os.environ}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=project.parent)


def record(project: Path, job: str) -> dict:
    return json.loads((project.parent / "runs" / job / "watch.json").read_text())


def test_a_job_is_run_once_when_it_has_ended(project: Path) -> None:
    done = watch(project, *STUBS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("job012 complete (")
    runs = project.parent / "runs"
    assert sorted(path.name for path in runs.glob("job*")) == ["job012"]
    assert all((runs / "job012/results/adk" / name / "model.cif").is_file() for name in ("class001", "class002"))
    again = watch(project, *STUBS)
    assert (again.returncode, again.stdout) == (0, "")
    (project / "Class3D/job020/RELION_JOB_EXIT_SUCCESS").touch()
    assert watch(project, *STUBS).stdout.startswith("job020 complete (")
    assert record(project, "job020")["status"] == "complete"


def test_a_pass_that_was_killed_is_continued(project: Path) -> None:
    assert watch(project, *STUBS).returncode == 0
    path = project.parent / "runs/job012/watch.json"
    path.write_text(json.dumps(record(project, "job012") | {"status": "running"}))
    done = watch(project, *STUBS)
    assert done.stdout.startswith("job012 complete (")
    assert "Cached process" in (path.parent / "run.log").read_text()


def test_what_fails_says_why_and_is_not_run_again_by_itself(project: Path) -> None:
    (project / "Class3D/job012/run_it025_class002.mrc").unlink()
    done = watch(project, *STUBS)
    assert done.returncode == 1
    assert re.search(r"job012 failed: class002: its map run_it025_class002\.mrc was not found", done.stdout)
    assert record(project, "job012")["exit_code"] == 2
    again = watch(project, *STUBS)
    assert (again.returncode, again.stdout) == (0, "")


def test_two_passes_do_not_run_at_once(project: Path) -> None:
    with (project.parent / "runs/.watch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = watch(project, *STUBS)
    assert done.returncode == 0 and "Another pass is at work" in done.stdout
    assert not (project.parent / "runs/job012").exists()


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [("runs", "does not exist; make it"), ("a project", "is no folder")],
)
def test_folders_that_are_not_there_are_named(project: Path, missing: str, sentence: str) -> None:
    sequence = project.parent / "adk.fasta"
    shutil.copy(project / "adk.fasta", sequence)
    shutil.rmtree(project.parent / missing)
    command = [sys.executable, str(ROOT / "bin/watch_project.py"), "relion", str(project)]
    done = subprocess.run(
        [*command, "--sequence", str(sequence), "--outdir", str(project.parent / "runs")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_cryosparc_jobs_are_known_by_their_document(tmp_path: Path) -> None:
    documents = {
        "J9": {"job_type": "hetero_refine", "status": "completed"},
        "J10": {"job_type": "class_3D", "status": "completed"},
        "J11": {"job_type": "class_3D", "status": "running"},
        "J12": {"job_type": "nonuniform_refine_new", "status": "completed"},
    }
    for name, document in documents.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "job.json").write_text(json.dumps(document))
    (tmp_path / "J13").mkdir()
    (tmp_path / "J13/job.json").write_text('{"job_type": "class_3D", "status"')
    assert [job.name for job in finished_cryosparc_jobs(tmp_path)] == ["J9", "J10"]


def recipe(mark: str) -> str:
    """An indented block of docs/facility.md without empty lines, named by its first line."""
    blocks = re.findall(r"(?:^    .*\n)+", (ROOT / "docs/facility.md").read_text(), re.M)
    (found,) = [block for block in blocks if mark in block.splitlines()[0]]
    return re.sub(r"^ {4}", "", found, flags=re.M)


def test_the_crontab_line_runs_what_is_due(project: Path) -> None:
    """What cron would hand to the shell, with the folders of this test."""
    line = recipe("# crontab").splitlines()[1]
    minute, hour, day, month, weekday, command = line.split(maxsplit=5)
    assert re.fullmatch(r"\*/\d+", minute) and (hour, day, month, weekday) == ("*",) * 4
    assert "%" not in command, "cron takes it for a new line"
    here = {"/software/classfold": ROOT, "/results/adk": project.parent / "runs", "/data/adk": project}
    for name, folder in here.items():
        command = command.replace(name, shlex.quote(str(folder)))
    command = command.replace("slurm,apptainer", "test -stub-run")
    environment = {"CLASSFOLD_PYTHON": sys.executable, "PATH": os.environ["PATH"], "HOME": str(project.parent),
                   "CLASSFOLD_HOME": os.environ["CLASSFOLD_HOME"]}  # fmt: skip
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, env=environment, cwd="/")
    assert done.returncode == 0, done.stdout + done.stderr
    assert record(project, "job012")["status"] == "complete"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is missing, of Debian's systemd")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    program = tmp_path / "classfold"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for name in ("classfold-adk.service", "classfold-adk.timer"):
        (tmp_path / name).write_text(recipe(f"# {name}").replace("/software/classfold/classfold", str(program)))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / "classfold-adk.timer")],
        capture_output=True, text=True, env=os.environ | {"SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )  # fmt: skip
    assert done.returncode == 0 and "classfold-adk" not in done.stderr, done.stderr
