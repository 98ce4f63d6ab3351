"""Which samples go on, judged by their fit to the map before they are finished.

Two ways, alone or together. *Successive halving* (Jamieson and Talwalkar, AISTATS 2016) stops the half that fits worst,
so that hopeless samples cost little. *Particle steering* (Feynman-Kac; Singhal et al., arXiv 2501.06848) draws the next
population from this one, samples of high likelihood several times; what follows makes the copies differ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .schedule import Schedule

CHECKPOINTS = (0.25, 0.5, 1.0)
"""Shares of the schedule's global stage after which samples are judged."""
LEAST_SAMPLES = 3
"""Samples of a class that are finished in any case."""
LEAST_EFFECTIVE = 0.5
"""Share of the particles that resampling leaves in effect; the likelihood is tempered as far as that takes."""


class Stopped(NamedTuple):
    """One sample that was not finished."""

    sample: int
    """Its number, from 1."""
    step: int
    """Last step that it took."""
    fit: float | None
    """Its correlation with the map, where it has one."""
    least_kept: float | None
    """The lowest correlation of those that went on."""


@dataclass(frozen=True)
class Selection:
    """What is done at the checkpoints."""

    early_stop: bool
    steering: bool

    def checkpoints(self, schedule: Schedule) -> list[int]:
        """Steps after which samples are judged."""
        if not (self.early_stop or self.steering):
            return []
        return sorted({schedule.warm_up + math.ceil(share * schedule.global_) - 1 for share in CHECKPOINTS})


def better_half(fit: np.ndarray) -> np.ndarray:
    """Indices of the better half (n // 2 rounded up, at least three) of samples with these fits (n,), in their order.

    A fit that is not a number is the worst.
    """
    n_kept = max(math.ceil(len(fit) / 2), min(LEAST_SAMPLES, len(fit)))
    order = np.argsort(-np.nan_to_num(fit, nan=-np.inf), kind="stable")
    return np.sort(order[:n_kept])


def log_likelihood(fit: np.ndarray, n_independent: float) -> np.ndarray:
    """Log likelihood (n,) of a map, given models that correlate with it by ``fit`` (n,), up to a constant.

    White noise of unknown variance, and a scale and an offset that fit best: ``-n/2 log(1 - CC²)`` for ``n``
    independent observations (Cossio and Hummer, J. Struct. Biol. 184, 427, 2013, for images).
    """
    square = np.clip(np.nan_to_num(fit, nan=0.0), 0.0, 1 - 1e-9) ** 2
    return -0.5 * n_independent * np.log1p(-square)


def tempered_weights(log_weights: np.ndarray) -> np.ndarray:
    """Weights (n,) proportional to ``exp(t log_weights)``, with the largest t up to 1 that leaves half in effect.

    Their sum is 1; the effective number is ``1 / Σ w²`` (for the tempering: Del Moral, Doucet and Jasra, J. R. Stat.
    Soc. B 68, 411, 2006).
    """

    def at(temper: float) -> np.ndarray:
        weights = np.exp(temper * (log_weights - log_weights.max()))
        return weights / weights.sum()

    def is_enough(temper: float) -> bool:
        return 1 / np.square(at(temper)).sum() >= LEAST_EFFECTIVE * len(log_weights)

    if is_enough(1.0):
        return at(1.0)
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if is_enough(middle) else (low, middle)
    return at(low)


def resampled(weights: np.ndarray, seed: tuple[int, ...]) -> np.ndarray:
    """Ancestor (n,) of each particle of the next population, by systematic resampling.

    A particle that is drawn at all keeps its own place; only places of the lost ones are taken by copies.
    """
    n = len(weights)
    comb = (np.random.default_rng(seed).random() + np.arange(n)) / n
    copies = np.bincount(np.searchsorted(np.cumsum(weights), comb, side="right").clip(max=n - 1), minlength=n)
    ancestors = np.arange(n)
    spare = np.repeat(np.arange(n), np.maximum(copies - 1, 0))
    ancestors[copies == 0] = spare
    return ancestors
