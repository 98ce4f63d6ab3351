"""How much memory there is, and how many samples fit in it."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import torch

from ..errors import InputError
from .footprint import Footprint

TENSOR_SHARE = {"cuda": 0.9, "cpu": 0.65}
"""Share of free memory that tensors may take. PyTorch's allocator on a GPU rounds up and leaves gaps, and cuBLAS wants
some work space. The C library's on a CPU keeps freed blocks of less than 32 MB: 1.1 to 1.9 times the tensors were
measured."""
GIGABYTE = 1e9
REMEDIES = {
    "cuda": "use a GPU with more memory, give fewer residues or chains, or run on the CPU (--device cpu)",
    "cpu": "allow the process more memory, or give fewer residues or chains",
}


def free_bytes(device: torch.device) -> int:
    """Memory that this process can still get on a device, what PyTorch holds and does not use included."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    return free_host_bytes()


def used_peak_bytes(device: torch.device) -> int:
    """The most that was in use so far: by tensors on a GPU, by the whole process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def free_host_bytes(root: Path = Path("/")) -> int:
    """Free memory of this machine, or of the control group that the process is in where that has less.

    What kills a process on a cluster or in a container is its group's limit. A group's page cache (``inactive_file``)
    counts as used but is given up when memory is wanted.

    Parameters
    ----------
    root : Path
        Where ``proc`` and ``sys`` are.
    """
    free = _fields(root / "proc/meminfo")["MemAvailable:"] * 1024
    for group, limit, usage, cache in _memory_groups(root):
        limit_bytes = _number(group / limit)
        if limit_bytes is not None:
            used = (_number(group / usage) or 0) - _fields(group / "memory.stat").get(cache, 0)
            free = min(free, limit_bytes - max(used, 0))
    return max(free, 0)


def _memory_groups(root: Path) -> Iterator[tuple[Path, str, str, str]]:
    """Folder of each control group above the process, with the names of its limit, usage and reclaimable cache."""
    table = root / "proc/self/cgroup"
    for line in table.read_text().splitlines() if table.is_file() else []:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            top, names = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            top = root / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        # In a container the path may be the host's, of which only the top can be seen.
        group = top / path.strip("/")
        while True:
            yield group, *names
            if group == top:
                break
            group = group.parent


def _number(path: Path) -> int | None:
    """The number in a file; none where there is no file, or where it says ``max``."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _fields(path: Path) -> dict[str, int]:
    """Names and numbers of a file's lines; empty where there is no file."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    return {words[0]: int(words[1]) for words in map(str.split, lines) if len(words) > 1 and words[1].isdigit()}


def largest_batch(free: int, footprint: Footprint, wanted: int, device_type: str) -> int:
    """How many samples fit at once, up to ``wanted``.

    Parameters
    ----------
    free : int
        Free memory in bytes.
    footprint : Footprint
        What the work needs beyond what is held already.
    wanted : int
        Samples that there are.
    device_type : {"cuda", "cpu"}

    Raises
    ------
    InputError
        If the tensors of a single sample do not fit: before any work is done. Where they fit with nothing to spare,
        one sample is tried.
    """
    needed = footprint.at(1)
    if needed > free:
        place = "GPU" if device_type == "cuda" else "CPU"
        raise InputError(
            f"{footprint.subject} need {needed / GIGABYTE:.1f} GB of memory on the {place}, even one sample at a time, "
            f"and {free / GIGABYTE:.1f} GB are free; {REMEDIES[device_type]}"
        )
    usable = TENSOR_SHARE[device_type] * free
    if footprint.per_sample_bytes == 0:
        return wanted
    fitting = int((usable - footprint.fixed_bytes) // footprint.per_sample_bytes)
    return max(1, min(wanted, fitting))


def check_room(footprint: Footprint, inputs_bytes: int, device: torch.device) -> None:
    """Check before anything is put on a device that there is room for the work on one sample.

    Parameters
    ----------
    footprint : Footprint
        The work.
    inputs_bytes : int
        What will be put on the device for it. On a CPU it is held already.
    device : torch.device

    Raises
    ------
    InputError
        If there is not.
    """
    needed = footprint if device.type == "cpu" else footprint.beside(inputs_bytes)
    largest_batch(free_bytes(device), needed, 1, device.type)
