"""A real file system that is full after some bytes, or read-only: a tmpfs, which only root can mount."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


def _mount(*arguments: str) -> str:
    """What ``mount`` had to complain of; empty when it went well."""
    try:
        done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False, timeout=30)
    except OSError as error:
        return str(error)
    return "" if done.returncode == 0 else done.stderr.strip() or f"mount ended with {done.returncode}"


class SmallDisk:
    """A mounted tmpfs."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def resize(self, size: str) -> None:
        """Give it another size: ``64k``, ``4m``."""
        assert _mount("-o", f"remount,size={size}", str(self.path)) == ""

    def make_read_only(self) -> None:
        """From now on nothing can be written, not even by root."""
        assert _mount("-o", "remount,ro", str(self.path)) == ""


@contextlib.contextmanager
def small_disk(path: Path, size: str) -> Iterator[SmallDisk]:
    """Mount a disk of ``size`` (``64k``, ``4m``) at a new folder; skips the test where that is not allowed."""
    path.mkdir()
    complaint = _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path))
    if complaint:
        pytest.skip(f"a small disk has to be mounted, and that is not allowed here: {complaint}")
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True, timeout=30)
