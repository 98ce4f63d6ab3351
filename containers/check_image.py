"""Is an image fit for the tasks? Runs inside it (`./classfold image test`): a line for each fault, exit code 1.

Takes the lock file on the standard input and, as arguments, the names of the project's files: none may be in the image.
"""

from __future__ import annotations

import errno
import importlib
import importlib.metadata
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

# cctbx brings a C++ library of its own: imported after torch it ends the process. What the scores use; the rest
# has a graphical interface in it.
CCTBX = ("cctbx.uctbx", "iotbx.pdb", "iotbx.pdb.hybrid_36", "mmtbx.ringer.em_scoring", "mmtbx.validation.ramalyze")
# starfile names pyarrow and imports it nowhere; its releases of today want NumPy 2, Boltz wants NumPy 1.
NEVER_IMPORTED = {"pyarrow"}


def locked_versions(lock: str) -> dict[str, str]:
    """Package name to version, of a lock file in pip's format."""
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock, flags=re.MULTILINE))


def wrong_versions(locked: dict[str, str]) -> Iterator[str]:
    """One sentence for each package that is missing or not of the locked version."""
    for name, version in locked.items():
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield f"{name} is not installed; the lock file has {version}."
            continue
        if found != version:
            yield f"{name} is {found}; the lock file has {version}."


def modules_of(packages: Iterable[str]) -> list[str]:
    """The modules that packages bring at their top level, without private ones."""
    files = [file for name in packages for file in importlib.metadata.distribution(name).files or ()]
    folders = {file.parts[0] for file in files if len(file.parts) == 2 and file.name == "__init__.py"}
    single = {file.stem for file in files if len(file.parts) == 1 and file.suffix == ".py"}
    return sorted(name for name in folders | single if name.isidentifier() and not name.startswith("_"))


def failing_imports(packages: Iterable[str]) -> Iterator[str]:
    """One sentence for each module of these packages that cannot be imported."""
    for module in modules_of(packages):
        try:
            importlib.import_module(module)
        except Exception as error:
            yield f"import {module} fails: {type(error).__name__}: {error}"


def failing_imports_elsewhere(modules: Sequence[str]) -> Iterator[str]:
    """The same in a new process, for what ends this one."""
    program = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"
    done = subprocess.run([sys.executable, "-c", program, *modules], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        yield f"{', '.join(modules)} cannot be imported together (exit code {done.returncode}): {done.stderr[-300:]}"


def loose_confinement() -> Iterator[str]:
    """What the task could do that it must not: be root, write outside /tmp, reach a network."""
    if os.getuid() == 0:
        yield "the task is root."
    for folder in ("/", "/opt", "/usr/lib", os.path.dirname(importlib.__file__)):
        if not os.statvfs(folder).f_flag & os.ST_RDONLY:
            yield f"{folder} is not on a read-only file system."
    outside = [name for _, name in socket.if_nameindex() if name != "lo"]
    if outside:
        yield f"there is a network: {', '.join(outside)}."


def missing_tools() -> Iterator[str]:
    """What Nextflow and the stages take for granted."""
    # Nextflow's trace asks for these columns.
    done = subprocess.run(["ps", "-o", "pid=,ppid=,pcpu=,rss="], capture_output=True, text=True, check=False) \
        if shutil.which("ps") else None  # fmt: skip
    if done is None or not done.stdout.split():
        yield "ps does not answer: without procps Nextflow measures nothing."
    if not shutil.which("bash"):
        yield "there is no bash."
    for folder in ("/tmp", os.environ.get("HOME", "/"), os.environ.get("MPLCONFIGDIR", "/")):
        try:
            os.makedirs(folder, exist_ok=True)
            (probe := Path(folder, ".classfold")).touch()
            probe.unlink()
        except OSError as error:
            yield f"{folder} cannot be written to: {errno.errorcode.get(error.errno or 0)}."


def project_files(names: Sequence[str]) -> Iterator[str]:
    """The project's own files that lie somewhere in the image."""
    wanted = set(names)
    for folder, folders, files in os.walk("/", onerror=None):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in {"/proc", "/sys", "/dev"}]
        for name in sorted(wanted.intersection(files)):
            yield f"{os.path.join(folder, name)} is the project's code."


def poor_torch() -> Iterator[str]:
    """One image serves CPU and GPU: PyTorch must be built for CUDA and compute without one."""
    # PyTorch would compile in processes of its own, which a program given on the command line cannot start.
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
    import torch

    if torch.version.cuda is None:
        yield f"PyTorch {torch.__version__} is built without CUDA."
    if (torch.ones(8, 8) @ torch.ones(8, 8)).sum().item() != 512:
        yield "PyTorch multiplies wrongly on the CPU."
    compiled = torch.compile(lambda values: (values + 1).sum())
    try:
        if compiled(torch.zeros(8)).item() != 8:
            yield "a compiled function gives a wrong sum."
    except Exception as error:
        yield f"torch.compile fails (--compile needs it): {type(error).__name__}: {str(error)[:300]}"


def main(lock: str, project: Sequence[str]) -> int:
    """Print every fault; 1 if there was one."""
    locked = locked_versions(lock)
    checks = {
        "confined": loose_confinement(),
        "tools": missing_tools(),
        "no project code": project_files(project),
        f"{len(locked)} versions": wrong_versions(locked),
        "imports of cctbx": failing_imports_elsewhere(CCTBX),
        "imports": failing_imports(locked.keys() - {"cctbx-base", *NEVER_IMPORTED}),
        "PyTorch": poor_torch(),
    }
    faulty = False
    # Each check is a generator: it begins when its turn comes.
    for name, faults in checks.items():
        found = list(faults)
        faulty = faulty or bool(found)
        print("\n".join(f"FAULT {name}: {fault}" for fault in found) or f"ok    {name}", flush=True)
    return int(faulty)


if __name__ == "__main__":
    sys.exit(main(sys.stdin.read(), sys.argv[1:]))
