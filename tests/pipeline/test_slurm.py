"""The pipeline through a real SLURM: what it asks for, what it does when a job is lost, and that nothing is.

One run computes (``computed``). The others run stubs (none computes): what they are about is jobs, not models.
"""

from __future__ import annotations

import json
import os
import re
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
FAILED, PARTIAL = 1, 3
DEMO = ROOT / "assets/demo"
REAL_SECONDS, STUB_SECONDS, MANY_SECONDS = 1800, 300, 900
SAME_ANGSTROM = 1e-3
STUB = '    stub:\n    """\n'
# docs/facility.md recommends them for many classes.
ARRAYS = "process { withName: 'PREPARE_MAP|DOCK_MODEL|SELECT_MODELS' { array = 20 } }\n"
# Nextflow asks less often on a real cluster, and waits longer for a lost job's exit code.
QUICK = "executor { pollInterval = '1s'; queueStatInterval = '2s'; exitReadTimeout = '10s' }\n"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as cluster, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(cluster.configuration))
        yield cluster


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


def lose(cluster: Cluster, job: Job) -> None:
    """Every process of a job at once, without a warning (scancel would send SIGTERM first, and Nextflow tidy up)."""
    for process in cluster.processes(job):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def attempts(run, stage: str) -> list[tuple[str, str]]:
    """Status and exit code of every attempt of the one task whose name holds ``stage``."""
    return [(line["status"], line["exit"]) for line in run.trace() if stage in line["name"]]


def outcome(run) -> dict:
    return json.loads((run.folder / "results/pipeline_info/failures.json").read_text())


@pytest.fixture(scope="module")
def computed(cluster: Cluster, new_run) -> tuple:
    """A real run whose sampling was cancelled once, and its jobs."""
    run, before = new_run(), {job.number for job in cluster.jobs()}
    with started(cluster, run) as background:
        job = running(cluster, "SAMPLE_GUIDED", REAL_SECONDS)
        # Before, while its files are staged, it would end with another exit code.
        wait_until(lambda: any(b"sample_guided" in command_line(pid) for pid in cluster.processes(job)), STUB_SECONDS)
        cluster.run("scancel", str(job.number))
        assert background.end(REAL_SECONDS) == 0, background.said()[-4000:]
        return run, [job for job in cluster.jobs() if job.number not in before]


def test_models_are_those_of_one_machine_although_a_job_was_cancelled(computed, finished) -> None:
    run, _ = computed
    assert attempts(run, "SAMPLE_GUIDED (") == [("FAILED", "143"), ("COMPLETED", "0")]
    for name in ("closed", "open"):
        assert np.abs(run.model("adk", name) - finished.model("adk", name)).max() <= SAME_ANGSTROM


def test_gpus_are_asked_for_by_the_stages_that_use_one(cluster: Cluster, computed) -> None:
    """Every attempt of a task is one job."""
    run, jobs = computed
    assert len(jobs) == len(run.trace()) == 13
    for job in jobs:
        uses_gpu = "EMBED_SEQUENCE" in job.name or "SAMPLE_GUIDED" in job.name
        assert job.gres == ("gres:gpu:1" if uses_gpu else None), job


@pytest.fixture(scope="module")
def struck(cluster: Cluster, new_run):
    """One run (stubs) that is struck four times: see the tests below. Two of its first attempts hang until killed."""
    run = new_run(copy=True)
    hang = "    [ ${task.attempt} -gt 1 ] || case $class_name in lost) sleep 600;; killed) sleep 601;; esac\n"
    # No shell's words: a gigabyte that is written, at every attempt.
    greedy = "    [ $class_name != greedy ] || python3 -c 'import time; held = b\"x\" * 2**30; time.sleep(600)'\n"
    run.edit("modules/prepare_map.nf", STUB, STUB + hang + greedy)
    run.edit("modules/embed_sequence.nf", STUB, STUB + "    [ ${task.attempt} -gt 1 ] || sleep 602\n")
    limits = """process {
        withName: PREPARE_MAP { memory = { 300.MB * task.attempt } }
        withName: EMBED_SEQUENCE { time = { 1.min * task.attempt } }
    }
    """
    rows = [f"adk,{name},{DEMO}/maps/open.mrc,4,{DEMO}/adk.fasta\n" for name in ("greedy", "killed", "lost")]
    (run.folder / "sheet.csv").write_text("target,class,map,resolution,sequence\n" + "".join(rows))
    with started(cluster, run, "--input", "sheet.csv", "-stub-run", config=limits) as background:
        lose(cluster, running(cluster, "PREPARE_MAP_(adk_lost"))
        job = running(cluster, "PREPARE_MAP_(adk_killed")
        wait_until(lambda: programs(cluster, job), STUB_SECONDS)
        os.kill(programs(cluster, job)[0], signal.SIGKILL)
        assert background.end(STUB_SECONDS) == PARTIAL, background.said()[-4000:]
    return run


def test_a_job_killed_with_all_its_processes_is_noticed(struck) -> None:
    """As when a node is lost: nobody is left who could write an exit code."""
    assert attempts(struck, "PREPARE_MAP (adk lost") == [("FAILED", "-"), ("COMPLETED", "0")]


def test_a_task_whose_program_is_killed_is_tried_again(struck) -> None:
    """As when the kernel wants memory back: the job's own script lives to tell of it."""
    assert attempts(struck, "PREPARE_MAP (adk killed") == [("FAILED", "137"), ("COMPLETED", "0")]


def test_what_ran_out_of_time_gets_more(struck) -> None:
    assert attempts(struck, "EMBED_SEQUENCE (") == [("FAILED", "140"), ("COMPLETED", "0")]


def test_what_never_has_enough_memory_is_left_out_with_a_sentence(struck) -> None:
    """SLURM itself kills it, three times; the other classes go on."""
    record = outcome(struck)
    assert record["status"] == "partial"
    assert record["classes_without_model"] == [{"target": "adk", "class": "greedy"}]
    assert [failure["sentence"] for failure in record["failures"]] == [
        "adk.greedy, PREPARE_MAP (3 attempts): it was killed: it needed more memory than it was granted"
    ]


def programs(cluster: Cluster, job: Job) -> list[int]:
    """The processes of a job that hang, as ``struck`` makes them."""
    return [pid for pid in cluster.processes(job) if command_line(pid) == b"sleep\x00601\x00"]


def command_line(pid: int) -> bytes:
    """Nothing of a process that has ended meanwhile."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


NOT_STARTED = r"PREPARE_MAP \(3 attempts\): the scheduler did not start a job that asks for cpus = 1, memory = 900 GB,"
NOWHERE = r"CHECK_INPUT \(3 attempts\): the scheduler did not start a job that asks for .*queue = nowhere"


@pytest.mark.parametrize(
    ("given", "config", "sentence"),
    [
        (("--slurm_queue", "nowhere"), "", f"{NOWHERE}.*invalid partition"),
        ((), "process { withName: PREPARE_MAP { memory = 900.GB } }\n", f"{NOT_STARTED}.*is not available"),
        (("--slurm_queue", "short"), "", "SLURM took job .*CHECK_INPUT.* will never start it: PartitionTimeLimit"),
    ],
    ids=["unknown queue", "no node can hold it", "beyond the queue's limit"],
)
def test_what_the_scheduler_does_not_start_ends_the_run_with_a_sentence(
    cluster: Cluster, new_run, given: tuple[str, ...], config: str, sentence: str
) -> None:
    run = new_run()
    with started(cluster, run, *given, "-stub-run", config=config) as background:
        assert background.end(STUB_SECONDS) == FAILED
    record = outcome(run)
    assert record["status"] == "failed"
    said = record["failures"][-1]["sentence"]
    assert re.search(sentence, said)
    assert said in background.said()


def test_a_killed_head_job_is_resumed(cluster: Cluster, new_run) -> None:
    """The pipeline itself runs in a job; what it had submitted lives on and must not be mixed up with what comes."""
    run = new_run(copy=True)
    run.edit("modules/sample_guided.nf", STUB, STUB + "    [ -e $workflow.launchDir/killed ] || sleep 600\n")
    tasks = ["env", f"CLASSFOLD_PYTHON={sys.executable}", *run.command(*options(run, "-stub-run"))]
    try:
        cluster.run("sbatch", "--job-name=head", "--mem=4G", "--wrap", shlex.join(tasks), folder=run.folder)
        orphan = running(cluster, "SAMPLE_GUIDED")
        lose(cluster, running(cluster, "head"))
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
    run = new_run()
    classes = [(f"target{target}", f"class{number:02}") for target in range(1, 5) for number in range(1, 11)]
    rows = [f"{target},{name},{DEMO}/maps/open.mrc,4,{DEMO}/adk.fasta\n" for target, name in classes]
    (run.folder / "sheet.csv").write_text("target,class,map,resolution,sequence\n" + "".join(rows))
    begun = time.monotonic()
    with started(cluster, run, "--input", "sheet.csv", "-stub-run", config="trace.raw = true\n" + ARRAYS) as background:
        assert background.end(MANY_SECONDS) == 0, background.said()[-4000:]
    wall = time.monotonic() - begun
    tasks = run.trace()
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
