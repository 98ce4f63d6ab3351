"""-resume: all is kept after success, nothing after an edit of the package, the models after a kill."""

import numpy as np


def test_a_resumed_run_computes_nothing_again(finished):
    before = finished.statuses()
    finished.succeed("-profile", "test", "-resume")
    after = finished.statuses()
    assert set(after) == set(before) and len(after) >= 10
    assert {name: status for name, status in after.items() if status != "CACHED"} == {}


def test_an_edit_in_the_package_reaches_every_task(new_run):
    run = new_run(copy=True)
    run.succeed("-profile", "test", "-stub-run")
    run.succeed("-profile", "test", "-stub-run", "-resume")
    assert set(run.statuses().values()) == {"CACHED"}
    with (run.project / "bin/classfold/density.py").open("a") as stream:
        stream.write("\n# edited\n")
    run.succeed("-profile", "test", "-stub-run", "-resume")
    assert set(run.statuses().values()) == {"COMPLETED"}


def test_a_killed_run_resumes_to_the_same_models(finished, new_run):
    run = new_run()
    said = run.kill_when("SAMPLE_GUIDED", "-profile", "test")
    assert "SELECT_MODELS" not in said and not (run.folder / "results/report.html").exists()
    run.succeed("-profile", "test", "-resume")
    assert "CACHED" in run.statuses().values()
    for name in ("closed", "open"):
        assert np.array_equal(run.model("adk", name), finished.model("adk", name))
