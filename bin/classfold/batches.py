"""Work on many samples in batches, with smaller ones when memory runs out."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TypeVar

import click
import torch

Result = TypeVar("Result")

AUTOMATIC_BATCH = {"cuda": 32, "cpu": 8}
"""Samples that are tried at once where the user names no number."""


def choose_device(name: str) -> torch.device:
    """The device of a name; ``auto`` is the GPU where there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the GPU's or the host's memory did not suffice."""
    if isinstance(error, torch.cuda.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def in_batches(
    n_samples: int, batch_size: int, device: torch.device, work: Callable[[range], Result]
) -> list[Result]:
    """Call ``work`` with consecutive ranges of samples; halve the batch when memory runs out.

    Parameters
    ----------
    n_samples : int
        How many samples there are.
    batch_size : int
        Samples at once, or 0 to choose by the device.
    device : torch.device
        Where the work is done.
    work : callable
        Takes the range of one batch. A batch that failed for memory is begun again from its start.

    Raises
    ------
    The error itself where not even one sample fits.
    """
    size = min(batch_size or AUTOMATIC_BATCH[device.type], n_samples)
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
