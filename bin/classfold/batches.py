"""Work on many samples in batches: as large as memory is free, and smaller ones where it runs out all the same."""

from __future__ import annotations

import gc
import math
import os
from collections.abc import Callable
from typing import TypeVar

import click
import torch

from .errors import is_out_of_memory
from .memory import Footprint, free_bytes, largest_batch

Result = TypeVar("Result")

AUTOMATIC_BATCH = {"cuda": 32, "cpu": 8}
"""Most samples that are worked on at once where the user names no number."""


def choose_device(name: str) -> torch.device:
    """The device of a name; ``auto`` is the GPU where there is one."""
    device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)
    if device.type == "cuda":
        # Sums on a GPU are else added up in whatever order threads come: the same seed is to give the same models.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
    return device


def first_batch(n_samples: int, batch_size: int, device: torch.device, footprint: Footprint | None) -> int:
    """Samples to begin with: the user's number, or as many as fit, shared out evenly over the batches.

    Raises
    ------
    InputError
        If by the footprint not even one sample fits, whatever the user's number.
    """
    fitting = AUTOMATIC_BATCH[device.type]
    if footprint is not None:
        fitting = largest_batch(free_bytes(device), footprint, min(fitting, n_samples), device.type)
    if batch_size:
        return min(batch_size, n_samples)
    return math.ceil(n_samples / math.ceil(n_samples / fitting))


def in_batches(
    n_samples: int,
    batch_size: int,
    device: torch.device,
    work: Callable[[range], Result],
    footprint: Footprint | None = None,
) -> list[Result]:
    """Call ``work`` with consecutive ranges of samples; halve the batch when memory runs out.

    Parameters
    ----------
    n_samples : int
        How many samples there are, at least one.
    batch_size : int
        Samples at once, or 0 to choose by the device and its free memory.
    device : torch.device
        Where the work is done.
    work : callable
        Takes the range of one batch. A batch that failed for memory is begun again from its start.
    footprint : Footprint, optional
        Memory that the work is expected to take beyond what is held already; without it, only the device counts.

    Raises
    ------
    InputError
        Before any work, where by the footprint not even one sample fits.
    The error itself where one sample turns out not to fit.
    """
    size = first_batch(n_samples, batch_size, device, footprint)
    results: list[Result] = []
    done = 0
    while done < n_samples:
        batch = range(done, min(done + size, n_samples))
        try:
            results.append(work(batch))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) or len(batch) == 1:
                raise
            size = len(batch) // 2
            click.echo(f"out of memory with {len(batch)} samples at once; going on with {size}")
        else:
            done = batch.stop
            continue
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return results
