"""The random numbers of a sample, the same wherever, with whomever and in whichever process it is drawn.

Every sample has its own stream for every diffusion step, made from (seed, replicate, sample, step) alone and drawn on
the CPU. Samples of different classes with the same seed therefore meet the same noise (common random numbers), a sample
does not depend on the batch that it is in, and a stage can continue what another began.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .rotations import quaternion_to_matrix

INITIAL_STEP = 2**31 - 1
"""Stands for the step of the initial noise, beyond the number of any diffusion step."""


@dataclass(frozen=True)
class SampleSeed:
    """What a sample's random numbers are made from."""

    seed: int
    replicate: int
    index: int


class Draws(NamedTuple):
    """Random numbers of one diffusion step for a batch of samples."""

    rotation: Tensor
    """(b, 3, 3), to be multiplied from the right: x @ rotation."""
    translation: Tensor
    """(b, 1, 3) in Å, standard normal."""
    noise: Tensor
    """(b, n_atoms, 3), standard normal."""


def _generator(sample: SampleSeed, step: int) -> torch.Generator:
    state = np.random.SeedSequence((sample.seed, sample.replicate, sample.index, step)).generate_state(
        1, np.uint64
    )[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))


class SampleStreams:
    """Random numbers for a batch of samples.

    Parameters
    ----------
    samples : sequence of SampleSeed
        One for each sample of the batch.
    n_atoms : int
        Atoms of a state, padding included.
    device : torch.device
        Where the draws are wanted.
    """

    def __init__(self, samples: Sequence[SampleSeed], n_atoms: int, device: torch.device) -> None:
        self.samples = tuple(samples)
        self.n_atoms = n_atoms
        self.device = device

    def initial(self) -> Tensor:
        """Standard normal noise (b, n_atoms, 3) that sampling starts from."""
        noise = [
            torch.randn(self.n_atoms, 3, generator=_generator(sample, INITIAL_STEP))
            for sample in self.samples
        ]
        return torch.stack(noise).to(self.device)

    def step(self, step: int) -> Draws:
        """Augmentation and noise of a diffusion step."""
        quaternions, translations, noise = [], [], []
        for sample in self.samples:
            generator = _generator(sample, step)
            quaternions.append(torch.randn(4, generator=generator))
            translations.append(torch.randn(1, 3, generator=generator))
            noise.append(torch.randn(self.n_atoms, 3, generator=generator))
        return Draws(
            quaternion_to_matrix(torch.stack(quaternions)).to(self.device),
            torch.stack(translations).to(self.device),
            torch.stack(noise).to(self.device),
        )
