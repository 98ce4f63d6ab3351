"""The samples of a run on their way: their state, and which of them go on."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .course import Course
from .population import Stopped, better_half, log_likelihood, resampled, tempered_weights
from .prior import Confidence
from .sampler import State
from .schedule import Start


@dataclass
class Particle:
    """One sample of one class on its way."""

    task: int
    """Which class it belongs to."""
    sample: int
    """Its number, from 0: where its random numbers come from."""
    state: State
    """Of one row, on the CPU."""
    course: Course
    start: Start
    first_step: int
    """The first guided step that it takes."""
    fit: float = float("nan")
    """Correlation with the map when it was last judged."""
    log_likelihood: float = 0.0
    """Of the map, when it was last judged."""
    confidence: Confidence | None = None


@dataclass
class ClassHistory:
    """What happened to the samples of one class."""

    stopped: list[Stopped] = field(default_factory=list)
    resamplings: list[dict[str, Any]] = field(default_factory=list)

    def note_resampling(self, step: int, samples: list[int], continued_from: list[int]) -> None:
        """Note which sample went on from which after a step; samples of several starts come one after the other."""
        if not self.resamplings or self.resamplings[-1]["step"] != step:
            self.resamplings.append({"step": step, "samples": [], "continued_from": []})
        self.resamplings[-1]["samples"] += samples
        self.resamplings[-1]["continued_from"] += continued_from


def stop_worse_half(particles: list[Particle], step: int, history: ClassHistory) -> list[Particle]:
    """Stop the samples of one class that fit worst after a step; returns those that go on."""
    fit = np.array([particle.fit for particle in particles])
    kept = better_half(fit)
    least = finite(float(fit[kept].min()))
    history.stopped += [
        Stopped(particle.sample + 1, step, finite(particle.fit), least)
        for index, particle in enumerate(particles)
        if index not in kept
    ]
    return [particles[index] for index in kept]


def resample(
    particles: list[Particle], n_independent: float, seed: tuple[int, int, int], history: ClassHistory
) -> list[Particle]:
    """Samples of one class that go on, each in the place of one of these.

    Parameters
    ----------
    particles : list of Particle
        Judged since the last time.
    n_independent : float
        Independent observations in the class's map.
    seed : tuple of int
        Seed, class and step; the last is noted.
    history : ClassHistory
        Of the class.
    """
    now = log_likelihood(np.array([particle.fit for particle in particles]), n_independent)
    weights = tempered_weights(now - np.array([particle.log_likelihood for particle in particles]))
    ancestors = resampled(weights, seed)
    for particle, likelihood in zip(particles, now.tolist(), strict=True):
        particle.log_likelihood = likelihood
    numbers = [particle.sample + 1 for particle in particles]
    history.note_resampling(seed[-1], numbers, [numbers[ancestor] for ancestor in ancestors])
    following = [copy.deepcopy(particles[ancestor]) for ancestor in ancestors]
    for particle, place in zip(following, particles, strict=True):
        particle.sample = place.sample
    return following


def finite(value: float) -> float | None:
    """The value, or None where a sample has run away: JSON knows no other."""
    return value if math.isfinite(value) else None


def row(state: State, index: int) -> State:
    """One sample of a batch, on the CPU."""
    part = slice(index, index + 1)
    # Clones, or every row would hold on to the whole batch.
    memory = None if state.memory is None else state.memory[part].cpu().clone()
    return State(state.coordinates[part].cpu().clone(), memory, state.in_map_frame)


def stacked(states: Sequence[State], device: torch.device) -> State:
    """Samples as one batch, on a device."""
    memories: list[Tensor] = [state.memory for state in states if state.memory is not None]
    return State(
        torch.cat([state.coordinates for state in states]).to(device),
        torch.cat(memories).to(device) if memories else None,
        states[0].in_map_frame,
    )
