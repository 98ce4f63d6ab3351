"""One bad class does not sink the run: the others go on; terminal, report, failures.json and exit code say so."""

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "assets/demo"
PARTIAL, FAILED = 3, 1
QUICK = ("--samples", "1", "--steps", "16")
SPECKS = "14.9"
"""A contour so near the map's highest density, 14.94, that only dust lies above it."""
STUB = '    stub:\n    """\n'
HEADER = "target,class,map,resolution,sequence,contour\n"


def row(name: str, contour: str = "", density_map: str = "closed.mrc.gz") -> str:
    return f"adk,{name},{DEMO}/maps/{density_map},4,{DEMO}/adk.fasta,{contour}\n"


def outcome(run) -> dict:
    return json.loads((run.folder / "results/pipeline_info/failures.json").read_text())


@pytest.fixture(scope="module")
def partial(new_run) -> tuple:
    """Three classes: a contour that leaves nothing stops PREPARE_MAP, another class cannot be read by SAMPLE_GUIDED."""
    run = new_run(copy=True)
    key = '    key = record["target"], record["class"]\n'
    fault = '    if key[1] == "sick":\n        raise InputError("the docked model is <of> another molecule")\n'
    run.edit("bin/classfold/class_task.py", key, key + fault)
    rows = row("closed") + row("sick", density_map="open.mrc") + row("unlit", SPECKS)
    (run.folder / "sheet.csv").write_text(HEADER + rows)
    return run, run.start("-profile", "test", "--input", "sheet.csv", *QUICK)


def test_the_other_classes_go_on(partial) -> None:
    run, done = partial
    assert done.returncode == PARTIAL, done.stdout[-4000:] + done.stderr[-2000:]
    assert len(run.model("adk", "closed"))
    assert (run.folder / "results/adk/comparison/comparison.json").is_file()
    assert not (run.folder / "results/adk/sick/model.cif").exists()


def test_failures_are_told_to_programs(partial) -> None:
    run, _ = partial
    record = outcome(run)
    assert record["status"] == "partial" and record["n_classes"] == 3
    assert record["classes_without_model"] == [{"target": "adk", "class": name} for name in ("sick", "unlit")]
    sick, unlit = record["failures"]
    assert (sick["stage"], sick["exit_code"]) == ("SAMPLE_GUIDED", 2)
    assert sick["error"] == "the docked model is <of> another molecule"
    assert (unlit["stage"], unlit["exit_code"], unlit["attempts"]) == ("PREPARE_MAP", 2, 1)
    assert unlit["error"].startswith("Above the threshold the map holds nothing but")
    assert Path(unlit["work_folder"], ".command.log").is_file()


def test_failures_are_told_to_people(partial) -> None:
    run, done = partial
    assert "Partial: 2 of 3 classes have no model." in done.stderr
    assert "adk.sick, SAMPLE_GUIDED: the docked model is <of> another molecule" in done.stderr
    assert "adk.unlit, PREPARE_MAP: Above the threshold the map holds nothing but" in done.stderr
    assert f"Report: {run.folder}/results/report.html" in done.stdout
    page = (run.folder / "results/report.html").read_text()
    assert "This run is partial: 2 of 3 classes without a model" in page
    assert "adk.sick, SAMPLE_GUIDED: the docked model is &lt;of&gt; another molecule" in page
    assert "adk.unlit, PREPARE_MAP: Above the threshold the map holds nothing but" in page


def test_a_run_without_any_model_has_failed(new_run) -> None:
    """Stubs: none computes, and PREPARE_MAP refuses every map."""
    run = new_run(copy=True)
    refusal = "    echo 'prepare_map: the map is empty; give another.' >&2; exit 2\n"
    run.edit("modules/prepare_map.nf", STUB, STUB + refusal)
    done = run.start("-profile", "test", "-stub-run")
    assert done.returncode == FAILED
    assert "Failed: 2 of 2 classes have no model." in done.stderr
    assert "adk.open, PREPARE_MAP: the map is empty; give another." in done.stderr
    assert outcome(run)["status"] == "failed"
    assert {(told["class"], told["attempts"]) for told in outcome(run)["failures"]} == {("closed", 1), ("open", 1)}
    assert not (run.folder / "results/report.html").exists()


@pytest.fixture
def struck(new_run):
    """A project whose stages (stubs: none computes) die as on a cluster."""
    run = new_run(copy=True)
    # Killed for memory twice; then it gets through.
    batch, memory = "${Failures.batchSize(task, params.batch_size)}", "${task.memory.toGiga()}"
    tries = f"    echo batch {batch} memory {memory} >> $workflow.launchDir/tries\n"
    run.edit("modules/sample_guided.nf", STUB, STUB + tries + "    [ ${task.attempt} = 3 ] || exit 137\n")
    run.edit("modules/prepare_map.nf", STUB, STUB + "    [ $class_name = closed ] || exit 140\n")
    return run


def test_what_a_limit_killed_is_tried_again_with_more_memory_and_smaller_batches(struck) -> None:
    limits = struck.folder / "limits.config"
    limits.write_text(
        "process {\n  resourceLimits = [cpus: 2, memory: 5.GB]\n"
        "  withLabel: gpu { memory = { 2.GB * task.attempt } }\n}\n"
    )
    done = struck.start("-profile", "test", "-stub-run", "-c", "limits.config")
    assert done.returncode == PARTIAL, done.stdout[-4000:] + done.stderr[-2000:]
    tries = (struck.folder / "tries").read_text().splitlines()
    assert tries == ["batch 0 memory 2", "batch 8 memory 4", "batch 1 memory 5"]
    (failure,) = outcome(struck)["failures"]
    assert (failure["class"], failure["exit_code"], failure["attempts"]) == ("open", 140, 3)
    assert failure["error"] == "it ran out of the time that it was granted"


def test_what_was_stopped_before_its_program_began_is_tried_again(new_run) -> None:
    """Its job has then the exit code of a fault, and no .command.err."""
    run = new_run(copy=True)
    run.edit("modules/dock_model.nf", STUB, STUB + "    [ ${task.attempt} = 3 ] || { rm .command.err; exit 1; }\n")
    done = run.start("-profile", "test", "-stub-run")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert outcome(run)["status"] == "complete"


def test_a_refusing_scheduler_ends_the_run_with_its_own_words(new_run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It must not hang, as a task does that was refused and is ignored."""
    run = new_run()
    programs = run.folder / "programs"
    programs.mkdir()
    refusal = "echo 'sbatch: error: invalid partition: gpu' >&2; exit 1"
    for name, does in {"sbatch": refusal, "squeue": "", "scancel": ""}.items():
        (programs / name).write_text(f"#!/bin/sh\n{does}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}", prepend=":")
    quick = run.folder / "quick.config"
    quick.write_text(
        "executor { pollInterval = '1s'; queueStatInterval = '2s' }\n"
        "process { withName: 'CHECK_INPUT|PREPARE_SEQUENCE' { executor = 'local' } }\n"
    )
    command = run.command("-profile", "test,slurm", "-stub-run", "-c", "quick.config")
    done = subprocess.run(
        command, cwd=run.folder, env=run.environment(), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == FAILED
    assert "sbatch: error: invalid partition: gpu" in done.stderr
    record = outcome(run)
    assert record["status"] == "failed" and "invalid partition" in record["failures"][-1]["error"]
    assert len(re.findall("Execution is retried", done.stdout)) >= 2
