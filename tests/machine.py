"""A machine that lacks everything, and stand-ins for the programs that the wrapper looks for."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ["basename", "bash", "cat", "chmod", "cp", "cut", "date", "dirname", "env", "flock", "grep", "mkdir"]
TOOLS += ["mv", "readlink", "rm", "sed", "sha256sum", "tail", "tee", "touch", "uname"]
Run = Callable[..., subprocess.CompletedProcess[str]]


def write_program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def write_python(path: Path, version: tuple[int, int]) -> Path:
    """This interpreter under another version number: it answers the wrapper's own question."""
    return write_program(
        path, f"#!{sys.executable}\nimport sys\nsys.version_info = {(*version, 0)}\nexec(sys.argv[2])\n"
    )


def write_java(path: Path, version: str) -> Path:
    settings = f"    java.home = /opt/java\n    java.specification.version = {version}"
    return write_program(path, f"#!/bin/sh\necho '{settings}' >&2\n")


def write_nextflow(path: Path, version: str) -> Path:
    """Answers -v as Nextflow does; anything else shows what it was started with."""
    return write_program(
        path,
        f"#!/bin/sh\nif [ \"$1\" = -v ]; then echo 'nextflow version {version}.5928'; exit; fi\n"
        'echo "arguments: $*"\necho "folder: $PWD"\nenv\n',
    )
