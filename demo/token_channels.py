"""What the channels of the miniature's token stream hold, and the read-outs of its layers.

A vector is held as the difference of two channels, plus and minus, a scalar as their sum: the two do not disturb each
other, and neither has a mean that a layer norm would take from the others.
"""

from __future__ import annotations

import torch
from conformations import N_MODES
from torch import Tensor

WIDTH = 160
SLOTS = 24
"""Copies of a vector; each can be multiplied with a function of the residue of its own."""
N_GATED = 21
UNGATED = torch.arange(N_GATED, SLOTS)
"""Slots without a function: what a gate's constant half lets through is subtracted by them."""
SIGNED = 3 * SLOTS
AXIS = torch.arange(SIGNED) // SLOTS
SLOT = torch.arange(SIGNED) % SLOTS
PLUS = torch.arange(SIGNED)
MINUS = PLUS + SIGNED
AMPLITUDE = 2 * SIGNED + 2 * torch.arange(N_MODES)
"""First channel of each pair that holds one of the path's amplitudes."""
CONSTANT = 156
HELD = (157, 158, 159)
"""Hold functions of the noise level while a transition works."""
GRAM_PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
"""Entries of the Gram matrix, held as sums in the first slots of the first axis; as many slots after them hold their
negatives."""


def vectors(read: Tensor) -> Tensor:
    """Vectors (..., SLOTS, 3) held by a stream (..., WIDTH)."""
    difference = (read[..., PLUS] - read[..., MINUS]) / 2
    return difference.unflatten(-1, (3, SLOTS)).transpose(-1, -2)


def vector_component(axis: int, slots: Tensor | int) -> Tensor:
    """Read-out (WIDTH,) of one component, summed over slots."""
    readout = torch.zeros(WIDTH)
    readout[axis * SLOTS + slots], readout[SIGNED + axis * SLOTS + slots] = 0.5, -0.5
    return readout


def relative_vectors(read: Tensor) -> Tensor:
    """Vectors without what all slots share, the residue's own noisy position."""
    held = vectors(read)
    return held - held[..., UNGATED[:1], :]


def relative_component(axis: int, slot: int) -> Tensor:
    """Read-out of one component of ``relative_vectors``."""
    return vector_component(axis, slot) - vector_component(axis, UNGATED[:1])


def gated_component(axis: int, slots: Tensor) -> Tensor:
    """Read-out of three gated slots, without what their gates' constant half lets through."""
    return vector_component(axis, slots) - vector_component(axis, UNGATED)


def vector_output(axis: int, slots: Tensor | int, gain: float) -> Tensor:
    """Output (WIDTH,) that adds to one component of the vectors in slots."""
    return 2 * gain * vector_component(axis, slots)


def pair_readout(first: int) -> Tensor:
    """Read-out of a pair's difference."""
    readout = torch.zeros(WIDTH)
    readout[first], readout[first + 1] = 0.5, -0.5
    return readout


def gram_index(row: int, column: int) -> int:
    """Where an entry of the symmetric Gram matrix is held."""
    return GRAM_PAIRS.index((min(row, column), max(row, column)))


def gram_readout(row: int, column: int) -> Tensor:
    """Read-out of an entry of the Gram matrix."""
    readout = torch.zeros(WIDTH)
    pair = gram_index(row, column)
    readout[PLUS[pair]] = readout[MINUS[pair]] = 0.5
    return readout


def gram_output(pair: int, gain: float) -> Tensor:
    """Output that adds to an entry of the Gram matrix and keeps the stream's mean."""
    output = torch.zeros(WIDTH)
    balance = pair + len(GRAM_PAIRS)
    output[PLUS[pair]] = output[MINUS[pair]] = gain
    output[PLUS[balance]] = output[MINUS[balance]] = -gain
    return output


def scalar_directions(number: int, generator: torch.Generator) -> Tensor:
    """Orthonormal directions (number, WIDTH) of sums, which no vector, amplitude or Gram matrix reads."""
    free = PLUS[2 * len(GRAM_PAIRS) :]
    sums = torch.zeros(len(free) + N_MODES, WIDTH)
    rows = torch.arange(len(free))
    sums[rows, free] = sums[rows, free + SIGNED] = 0.5**0.5
    rows = len(free) + torch.arange(N_MODES)
    sums[rows, AMPLITUDE] = sums[rows, AMPLITUDE + 1] = 0.5**0.5
    random = torch.randn(len(sums), 1 + number, generator=generator)
    random[:, 0] = 1
    return (torch.linalg.qr(random).Q[:, 1:].mT @ sums).contiguous()
