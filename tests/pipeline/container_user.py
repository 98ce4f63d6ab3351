"""Runs the pipeline as an ordinary user whose containers a daemon starts, as Docker's does.

Where the tests are root, Podman's own service plays the daemon and an account without rights is the user; where they
are not, the user is who runs the tests, and Podman is rootless.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.pipeline.conftest import FOLDERS, PARTS, ROOT, Run

NOBODY = 65534
"""Debian's `nobody`."""
START_SECONDS = 30


@dataclass(frozen=True)
class UserRun(Run):
    """A run that an ordinary user starts, from a copy of the project that is that user's."""

    variables: dict[str, str] = field(default_factory=dict)

    @property
    def uid(self) -> int:
        """Number of the user."""
        return os.getuid() or NOBODY

    @contextmanager
    def edited(self, changes: dict[str, tuple[str, str]]) -> Iterator[None]:
        """Files of the project, by name, with a text replaced by another within the block."""
        kept = {name: (self.project / name).read_text() for name in changes}
        try:
            for name, (old, new) in changes.items():
                self.edit(name, old, new)
            yield
        finally:
            for name, text in kept.items():
                (self.project / name).write_text(text)

    def command(self, *options: str) -> list[str]:
        return [*as_user(), *super().command(*options)]

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG", "JAVA_HOME"}}
        return kept | {"NXF_ANSI_LOG": "false"} | self.variables


def as_user() -> list[str]:
    """Words before a command that drop root's rights."""
    if os.getuid() != 0:
        return []
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all", "--no-new-privs"]


def give(path: Path) -> None:
    """A file or folder, and all in it, to the user."""
    if os.getuid() == 0:
        subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", str(path)], check=True)


@contextmanager
def user_home() -> Iterator[UserRun]:
    """A user's folder, outside those of the tests, which are closed to others."""
    home = Path(tempfile.mkdtemp(prefix="classfold-user-"))
    try:
        home.chmod(0o755)
        for name in ("project", "run", "cache", "home"):
            (home / name).mkdir()
        for name in FOLDERS:
            shutil.copytree(ROOT / name, home / "project" / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in PARTS:
            shutil.copy2(ROOT / name, home / "project" / name)
        cache = Path(os.environ["CLASSFOLD_HOME"])
        for folder in cache.glob("nextflow-*/"):
            shutil.copytree(folder, home / "cache" / folder.name, symlinks=True)
        give(home)
        variables = {"HOME": str(home / "home"), "CLASSFOLD_HOME": str(home / "cache")}
        with _daemon(home) as socket:
            if socket:
                # podman and podman-docker read the first, Docker's own client the second.
                variables |= {"CONTAINER_HOST": f"unix://{socket}", "DOCKER_HOST": f"unix://{socket}"}
            yield UserRun(home / "run", home / "project", variables)
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _daemon(home: Path) -> Iterator[Path | None]:
    """The socket of Podman's service; None where Podman needs none."""
    if os.getuid() != 0:
        yield None
        return
    socket = home / "podman.socket"
    with (home / "podman.log").open("w") as log:
        command = ["podman", "system", "service", "--time=0", f"unix://{socket}"]
        service = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        until = time.monotonic() + START_SECONDS
        while not socket.is_socket():
            if service.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"podman's service did not start: {(home / 'podman.log').read_text()}")
            time.sleep(0.1)
        give(socket)
        yield socket
    finally:
        service.terminate()
        service.wait()
