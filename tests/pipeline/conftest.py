"""Real runs of the pipeline, started as a user starts them."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import gemmi
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("main.nf", "nextflow.config", "nextflow_schema.json", "classfold")
FOLDERS = ("assets", "bin", "conf", "lib", "modules", "setup", "workflows")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder drives Nextflow."""
    for item in items:
        if Path(item.fspath).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.pipeline)


@dataclass(frozen=True)
class Started:
    """A run that goes on in the background, in a session of its own."""

    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        """All that it has said on the terminal."""
        return self.log.read_text()

    def end(self, seconds: float) -> int:
        """Its exit code; a test fails that takes longer."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the run did not end within {seconds} s: {self.said()[-4000:]}")

    def kill(self) -> None:
        """Every process of it at once; nothing if it has ended."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@dataclass(frozen=True)
class Run:
    """A folder in which the pipeline is run."""

    folder: Path
    project: Path

    def command(self, *options: str) -> list[str]:
        """The command line."""
        return [str(self.project / "classfold"), "run", *options]

    def environment(self) -> dict[str, str]:
        """The tests' own Python for the tasks, so that nothing is installed again."""
        return {"CLASSFOLD_PYTHON": sys.executable, **os.environ, "NXF_ANSI_LOG": "false"}

    def start(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        return subprocess.run(
            self.command(*options), cwd=self.folder, env=self.environment(), capture_output=True, text=True
        )

    def succeed(self, *options: str) -> str:
        """Run to the end; what was said, after a check that all went well."""
        done = self.start(*options)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
        return done.stdout

    @contextmanager
    def background(self, *options: str) -> Iterator[Started]:
        """Start, and go on; what still runs at the end of the block is killed."""
        log = self.folder / "background.log"
        with log.open("w") as stream:
            process = subprocess.Popen(
                self.command(*options), cwd=self.folder, env=self.environment(), stdout=stream, stderr=stream,
                start_new_session=True,
            )  # fmt: skip
        started = Started(process, log)
        try:
            yield started
        finally:
            started.kill()

    def kill_when(self, said: str, *options: str) -> str:
        """Start, wait until the log says something, then kill every process of the run at once."""
        with self.background(*options) as started:
            while said not in started.said() and started.process.poll() is None:
                time.sleep(0.2)
        return started.said()

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace the first ``old`` in a file of the project, which must be a copy."""
        path = self.project / name
        text = path.read_text()
        assert self.project != ROOT and old in text
        path.write_text(text.replace(old, new, 1))

    def trace(self, results: str = "results") -> list[dict[str, str]]:
        """Every attempt of every task of the last run."""
        with (self.folder / results / "pipeline_info/trace.txt").open() as stream:
            return list(csv.DictReader(stream, delimiter="\t"))

    def statuses(self) -> dict[str, str]:
        """Task name to COMPLETED, CACHED or FAILED, as the last run's trace has it."""
        return {line["name"]: line["status"] for line in self.trace()}

    def model(self, target: str, name: str, results: str = "results") -> np.ndarray:
        """Coordinates (n_atoms, 3) in Å of the best model."""
        structure = gemmi.read_structure(str(self.folder / results / target / name / "model.cif"))
        return np.array([site.atom.pos.tolist() for site in structure[0].all()])


@pytest.fixture(scope="session")
def new_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """Makes a folder to run in, with the project itself or with a copy that may be edited."""

    def make(*, copy: bool = False) -> Run:
        folder = tmp_path_factory.mktemp("run")
        if not copy:
            return Run(folder, ROOT)
        project = tmp_path_factory.mktemp("project")
        for name in FOLDERS:
            shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in PARTS:
            shutil.copy2(ROOT / name, project / name)
        return Run(folder, project)

    return make


@pytest.fixture(scope="session")
def finished(new_run: Callable[..., Run]) -> Run:
    """An undisturbed run of the profile ``test``."""
    run = new_run()
    (run.folder / "said.txt").write_text(run.succeed("-profile", "test"))
    return run


@pytest.fixture(scope="session")
def nextflow() -> str:
    """The program that `./classfold test` put on PATH, and its Java beside it."""
    found = shutil.which("nextflow")
    assert found, "start the tests with ./classfold test, which finds Nextflow"
    return found
