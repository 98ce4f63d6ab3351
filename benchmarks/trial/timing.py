"""How long a call takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch


def median_seconds(work: Callable[[], object], repeats: int) -> float:
    """Median time of a call, after one that does not count; a GPU's work is waited for."""
    times = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])
