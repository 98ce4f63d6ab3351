"""The pipeline through a real SLURM: what it asks for, what it does when a job is lost, and that nothing is.

Only the first test computes. The others run stubs (none computes): what they are about is jobs, not models.
"""

from __future__ import annotations

import csv
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median

import numpy as np
import pytest

from tests.slurm_cluster import Cluster, Job, missing_programs, wait_until

ROOT = Path(__file__).resolve().parents[2]
LACKING = ", ".join(missing_programs())
pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(bool(LACKING), reason=f"{LACKING} missing: `sudo apt-get install slurm-wlm munge` mends it"),
]
FAILED = 1
REAL_SECONDS, STUB_SECONDS, MANY_SECONDS = 1800, 300, 900
SAME_ANGSTROM = 1e-3
STUB = '    stub:\n    """\n'
FIRST_HANGS = "    [ ${task.attempt} -gt 1 ] || sleep 600\n"
# Nextflow asks less often on a real cluster, and waits longer for a lost job's exit code.
QUICK = "executor { pollInterval = '1s'; queueStatInterval = '2s'; exitReadTimeout = '20s' }\n"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as cluster, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(cluster.configuration))
        yield cluster


@pytest.fixture
def hanging(new_run):
    """A project whose sampling does not end at the first attempt."""
    run = new_run(copy=True)
    run.edit("modules/sample_guided.nf", STUB, STUB + FIRST_HANGS)
    return run


def options(run, *more: str, config: str = "") -> list[str]:
    (run.folder / "quick.config").write_text(QUICK + config)
    return ["-profile", "test,slurm", "-c", "quick.config", *more]


@contextmanager
def started(cluster: Cluster, run, *more: str, config: str = "") -> Iterator:
    """The pipeline in the background; no job outlives the block."""
    try:
        with run.background(*options(run, *more, config=config)) as background:
            yield background
    finally:
        cluster.cancel_all()


def running(cluster: Cluster, name: str, seconds: float = STUB_SECONDS) -> Job:
    """Waits for a job of this name."""
    found: list[Job] = []

    def is_there() -> bool:
        found[:] = [job for job in cluster.jobs(name) if job.state == "RUNNING" and cluster.processes(job)]
        return bool(found)

    wait_until(is_there, seconds, lambda: f"No job {name} runs: {cluster.jobs()}")
    return found[0]


def trace(run) -> list[dict[str, str]]:
    with (run.folder / "results/pipeline_info/trace.txt").open() as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def attempts(run, stage: str) -> list[tuple[str, str]]:
    """Status and exit code of every attempt of a stage with one task."""
    return [(line["status"], line["exit"]) for line in trace(run) if f"{stage} (" in line["name"]]


def outcome(run) -> dict:
    return json.loads((run.folder / "results/pipeline_info/failures.json").read_text())


def test_models_are_those_of_one_machine_although_a_job_was_cancelled(cluster: Cluster, new_run, finished) -> None:
    run = new_run()
    with started(cluster, run) as background:
        cluster.run("scancel", str(running(cluster, "SAMPLE_GUIDED", REAL_SECONDS).number))
        assert background.end(REAL_SECONDS) == 0, background.said()[-4000:]
    assert attempts(run, "SAMPLE_GUIDED") == [("FAILED", "143"), ("COMPLETED", "0")]
    for name in ("closed", "open"):
        assert np.abs(run.model("adk", name) - finished.model("adk", name)).max() <= SAME_ANGSTROM


def test_gpus_are_asked_for_by_the_stages_that_use_one(cluster: Cluster, new_run) -> None:
    run, before = new_run(), {job.number for job in cluster.jobs()}
    with started(cluster, run, "-stub-run") as background:
        assert background.end(STUB_SECONDS) == 0, background.said()[-4000:]
    jobs = [job for job in cluster.jobs() if job.number not in before]
    assert len(jobs) == len(trace(run)) == 12
    for job in jobs:
        uses_gpu = "EMBED_SEQUENCE" in job.name or "SAMPLE_GUIDED" in job.name
        assert job.gres == ("gres:gpu:1" if uses_gpu else None), job


def test_a_job_killed_with_all_its_processes_is_noticed(cluster: Cluster, hanging) -> None:
    """As when a node is lost: nobody is left who could write an exit code."""
    with started(cluster, hanging, "-stub-run") as background:
        for process in cluster.processes(running(cluster, "SAMPLE_GUIDED")):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        assert background.end(STUB_SECONDS) == 0, background.said()[-4000:]
    assert attempts(hanging, "SAMPLE_GUIDED") == [("FAILED", "-"), ("COMPLETED", "0")]
    assert outcome(hanging)["status"] == "complete"


def test_a_task_whose_program_is_killed_is_tried_again(cluster: Cluster, hanging) -> None:
    """As when the kernel wants memory back: the job's own script lives to tell of it."""
    with started(cluster, hanging, "-stub-run") as background:
        job = running(cluster, "SAMPLE_GUIDED")
        wait_until(lambda: programs(cluster, job), STUB_SECONDS)
        os.kill(programs(cluster, job)[0], signal.SIGKILL)
        assert background.end(STUB_SECONDS) == 0, background.said()[-4000:]
    assert attempts(hanging, "SAMPLE_GUIDED") == [("FAILED", "137"), ("COMPLETED", "0")]


def programs(cluster: Cluster, job: Job) -> list[int]:
    """The processes of a job that run what FIRST_HANGS starts."""
    return [pid for pid in cluster.processes(job) if command_line(pid) == b"sleep\x00600\x00"]


def command_line(pid: int) -> bytes:
    """Nothing of a process that has ended meanwhile."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def test_a_job_that_no_node_can_hold_ends_the_run_with_a_sentence(cluster: Cluster, new_run) -> None:
    run, too_much = new_run(), "process { withName: PREPARE_MAP { memory = 900.GB } }\n"
    with started(cluster, run, "-stub-run", config=too_much) as background:
        assert background.end(STUB_SECONDS) == FAILED
    record = outcome(run)
    assert record["status"] == "failed"
    refusal = record["failures"][-1]
    assert (refusal["target"], refusal["stage"], refusal["attempts"]) == ("adk", "PREPARE_MAP", 3)
    asked = "PREPARE_MAP (3 attempts): the scheduler did not start a job that asks for cpus = 1, memory = 900 GB,"
    assert asked in refusal["sentence"]
    assert "Requested node configuration is not available" in refusal["sentence"]
    assert refusal["sentence"] in background.said()


def test_what_ran_out_of_time_gets_more(cluster: Cluster, hanging) -> None:
    limit = "process { withName: SAMPLE_GUIDED { time = { 1.min * task.attempt } } }\n"
    with started(cluster, hanging, "-stub-run", config=limit) as background:
        assert background.end(STUB_SECONDS) == 0, background.said()[-4000:]
    assert attempts(hanging, "SAMPLE_GUIDED") == [("FAILED", "140"), ("COMPLETED", "0")]


def test_a_killed_head_job_is_resumed(cluster: Cluster, new_run) -> None:
    """The pipeline itself runs in a job; what it had submitted lives on and must not be mixed up with what comes."""
    run = new_run(copy=True)
    run.edit("modules/sample_guided.nf", STUB, STUB + "    [ -e $workflow.launchDir/killed ] || sleep 600\n")
    tasks = ["env", f"CLASSFOLD_PYTHON={sys.executable}", *run.command(*options(run, "-stub-run"))]
    try:
        cluster.run("sbatch", "--job-name=head", "--mem=4G", "--wrap", shlex.join(tasks), folder=run.folder)
        orphan = running(cluster, "SAMPLE_GUIDED")
        cluster.run("scancel", "--signal=KILL", "--full", str(running(cluster, "head").number))
        wait_until(lambda: cluster.jobs("head")[-1].state != "RUNNING", STUB_SECONDS)
        assert not (run.folder / "results/report.html").exists()
        (run.folder / "killed").touch()
        assert running(cluster, "SAMPLE_GUIDED").number == orphan.number
        with run.background(*options(run, "-stub-run", "-resume")) as background:
            assert background.end(STUB_SECONDS) == 0, background.said()[-4000:]
    finally:
        cluster.cancel_all()
    statuses = {name.rpartition(":")[2].split()[0]: status for name, status in run.statuses().items()}
    assert {stage for stage, status in statuses.items() if status == "COMPLETED"} == {
        "SAMPLE_GUIDED", "SELECT_MODELS", "COMPARE_CLASSES", "WRITE_REPORT",
    }  # fmt: skip
    assert statuses["EMBED_SEQUENCE"] == statuses["DOCK_MODEL"] == "CACHED"
    assert outcome(run)["status"] == "complete"


def test_forty_classes_of_four_targets_lose_nothing(
    cluster: Cluster, new_run, capsys: pytest.CaptureFixture[str]
) -> None:
    run, demo = new_run(), ROOT / "assets/demo"
    classes = [(f"target{target}", f"class{number:02}") for target in range(1, 5) for number in range(1, 11)]
    rows = [f"{target},{name},{demo}/maps/open.mrc,4,{demo}/adk.fasta\n" for target, name in classes]
    (run.folder / "sheet.csv").write_text("target,class,map,resolution,sequence\n" + "".join(rows))
    begun = time.monotonic()
    with started(cluster, run, "--input", "sheet.csv", "-stub-run", config="trace.raw = true\n") as background:
        assert background.end(MANY_SECONDS) == 0, background.said()[-4000:]
    wall = time.monotonic() - begun
    tasks = trace(run)
    assert {task["status"] for task in tasks} == {"COMPLETED"}
    assert sum("EMBED_SEQUENCE" in task["name"] for task in tasks) == 4
    assert outcome(run) == {"status": "complete", "n_classes": 40, "classes_without_model": [], "failures": []}
    assert all((run.folder / "results" / target / name / "model.cif").is_file() for target, name in classes)
    # From sbatch until Nextflow notices the end, without the command's own time; in milliseconds in a raw trace.
    overhead = median(int(task["duration"]) - int(task["realtime"]) for task in tasks) / 1000
    with capsys.disabled():
        print(
            f"\n40 classes of 4 targets: {len(tasks)} tasks in {wall:.0f} s, {wall / len(tasks):.2f} s per task; "
            f"submission, queue and notice take {overhead:.1f} s of each (median)"
        )
