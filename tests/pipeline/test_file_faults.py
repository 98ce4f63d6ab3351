"""A full disk under work folder or results: one sentence, an exit code, and the same command goes on with room."""

import re
from pathlib import Path

import pytest

from tests.small_disk import small_disk

FAILED = 1
SIZE = 150_000
"""Bytes of a model that the stubs below write."""


@pytest.fixture
def heavy(new_run):
    """Stubs that compute nothing, of which one leaves models of some size."""
    run = new_run(copy=True)
    module = run.project / "modules/select_models.nf"
    text, count = re.subn("touch model.cif ", f"head -c {SIZE} /dev/zero > model.cif; touch ", module.read_text())
    assert count == 1
    module.write_text(text)
    return run


def models(run) -> list[int]:
    return [path.stat().st_size for path in (run.folder / "results").glob("adk/*/model.cif")]


@pytest.mark.parametrize("place", ["work", "results"])
def test_a_full_disk_ends_the_run_and_room_lets_it_go_on(heavy, place: str) -> None:
    folder: Path = heavy.folder / place
    with small_disk(folder, "400k" if place == "work" else "200k") as disk:
        done = heavy.start("-profile", "test", "-stub-run")
        assert done.returncode == FAILED
        assert "No space left on device" in done.stderr
        assert set(models(heavy)) <= {SIZE}, "half a model lies where a whole one belongs"
        disk.resize("8m")
        if place == "results":
            # What publishing leaves where the disk fills up in the middle of a copy.
            (folder / "summary.csv").write_text("tar")
        heavy.succeed("-profile", "test", "-stub-run", "-resume")
        assert models(heavy) == [SIZE, SIZE]
        assert "CACHED" in heavy.statuses().values()
        assert (heavy.folder / "results/summary.csv").read_text().startswith("target,class")
        assert not list((heavy.folder / "results").rglob("*.partial"))


def test_a_work_folder_that_was_moved_is_found_through_a_link(new_run) -> None:
    run = new_run()
    run.succeed("-profile", "test", "-stub-run")
    (run.folder / "work").rename(run.folder / "moved")
    (run.folder / "work").symlink_to("moved")
    (run.folder / "results/report.html").write_text("half of a report")
    run.succeed("-profile", "test", "-stub-run", "-resume")
    assert set(run.statuses().values()) == {"CACHED"}
    assert (run.folder / "results/report.html").read_text() == "", "a stub's report is empty"


def test_folders_that_cannot_be_written_stop_the_run_before_any_task(new_run) -> None:
    run = new_run()
    with small_disk(run.folder / "disk", "64k") as disk:
        disk.make_read_only()
        for options in (("--outdir", "disk/results"), ("-work-dir", "disk/work")):
            done = run.start("-profile", "test", "-stub-run", *options)
            said = done.stdout + done.stderr
            assert done.returncode == FAILED and "Submitted process" not in said
            assert f"{disk.path}/" in said and re.search("Read-only file system|write permissions", said)
