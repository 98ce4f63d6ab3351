"""The miniature's last token layers, written down: the rotation times where each residue's atoms are on the path.

Every place, CA and the classes of atoms relative to it, is a sum of terms: its mean position, and amplitudes times its
displacements. A layer's gates multiply seven terms' functions of the residue with the rotation; what adds to one place
is put out along one direction.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from conditioning import SIGMA_DATA_ANGSTROM, SIGMAS_ANGSTROM
from conformations import N_LOCAL_MODES, N_MODES
from neurons import CONSTANT_VALUE, Neurons, hold
from places import N_PLACES
from token_channels import (
    AMPLITUDE,
    CONSTANT,
    HELD,
    MINUS,
    N_GATED,
    PLUS,
    SLOT,
    UNGATED,
    WIDTH,
    gated_component,
    pair_readout,
    scalar_directions,
    vectors,
)
from token_stream import TokenStream
from torch import Tensor

FIRST_LAYER = 4
GATE_SCALE = 8.0
"""A gate opens by one half and a quarter of its drive: largest values over this scale leave it on its straight part."""
OUTPUT_GAIN = 3000.0
LAST_BACKGROUND = 100.0
"""Times the background: what the last layer norm is held with."""
NOISE_GAIN = 30.0
"""Large against the noise in the atoms' stream, so that its spread does not depend on a single atom's noise."""
LEAST_NOISE_ANGSTROM = 0.05
"""Below this the noise is too small to be worth removing."""
LARGEST_NOISE_ANGSTROM = 128.0
LARGEST_DATA_GAIN = 8.0


class Term(NamedTuple):
    """One place's mean position, or its displacement by one mode."""

    place: int
    mode: int | None


MEANS = [Term(place, None) for place in range(N_PLACES)]
DISPLACEMENTS = [Term(0, mode) for mode in range(N_MODES)]
LOCAL_DISPLACEMENTS = [Term(place, mode) for mode in range(N_LOCAL_MODES) for place in range(1, N_PLACES)]
TERMS = [*MEANS, *DISPLACEMENTS, *LOCAL_DISPLACEMENTS]
TERMS_PER_LAYER = N_GATED // 3


def smoothly_below(values: Tensor, limit: float) -> Tensor:
    """Values that bend to a limit without a corner, which no few waves could follow."""
    return values / (1 + (values / limit) ** 4) ** 0.25


def noise_gain(sigmas: Tensor) -> Tensor:
    """Spread that the decoder is to leave in its stream, so that its last normalisation scales noise right."""
    levels = smoothly_below(sigmas, LARGEST_NOISE_ANGSTROM)
    return NOISE_GAIN / SIGMA_DATA_ANGSTROM * (levels**4 + LEAST_NOISE_ANGSTROM**4) ** 0.25


def data_gain(sigmas: Tensor) -> Tensor:
    """How much larger the true position's share in the network's output is than in its scaled input, minus one."""
    return smoothly_below((1 + (sigmas / SIGMA_DATA_ANGSTROM) ** 2).sqrt() - 1, LARGEST_DATA_GAIN)


class PlacementWiring:
    """Writes layers 4 to 8."""

    def __init__(self, stream: TokenStream) -> None:
        self.stream, self.conditioning = stream, stream.conditioning
        directions = scalar_directions(3 * N_PLACES + 2, stream.generator)
        self.place_directions = OUTPUT_GAIN * directions[:-2].unflatten(0, (3, N_PLACES))
        self.gain_directions = OUTPUT_GAIN * directions[-2:]

    def write(self) -> None:
        """Write the layers."""
        number = FIRST_LAYER
        for start in range(0, len(TERMS), TERMS_PER_LAYER):
            neurons = self._write_terms(number, TERMS[start : start + TERMS_PER_LAYER])
            number += 1
        self._write_gains(neurons)

    def _units(self, layer: int) -> tuple[float, float]:
        """What an entry of one of the rotation, and an amplitude of one, give before a transition."""
        sigmas = torch.linspace(0.1, 0.4, 16)
        noisy, rotations, amplitudes = self.stream.draw(sigmas)
        read = self.stream.before_transition(sigmas, noisy, layer).mean(dim=1)
        rotation = vectors(read)[:, UNGATED].mT
        amplitude = read @ pair_readout(int(AMPLITUDE[0]))
        return (
            float((rotation * rotations).sum() / rotations.square().sum()),
            float((amplitude * amplitudes[:, 0]).sum() / amplitudes[:, 0].square().sum()),
        )

    def _write_terms(self, layer: int, terms: list[Term]) -> Neurons:
        """Let the slots be gated by the terms' functions of the residue; multiply, and put out."""
        neurons, path = self.stream.neurons(layer), self.stream.path
        functions = [path.mean[:, place] if mode is None else path.modes[mode, :, place] for place, mode in terms]
        scales = [GATE_SCALE * function.abs().max().item() for function in functions]
        drives = torch.cat([function / scale for function, scale in zip(functions, scales, strict=True)], dim=1)
        gates = self.conditioning.of_residue(drives)
        gated = len(gates) > SLOT
        for channels in (PLUS, MINUS):
            neurons.norm.s_scale.weight[channels[gated]] = gates[SLOT[gated]]
        rotation_unit, amplitude_unit = self._units(layer)
        for number, ((place, mode), scale) in enumerate(zip(terms, scales, strict=True)):
            gain = 2 * scale / (SIGMA_DATA_ANGSTROM * rotation_unit)
            for axis in range(3):
                component = gain * gated_component(axis, 3 * number + torch.arange(3))
                output = self.place_directions[axis, place]
                if mode is None:
                    neurons.linear(component, output)
                else:
                    neurons.product(pair_readout(int(AMPLITUDE[mode])) / amplitude_unit, component, output)
        return neurons

    def _write_gains(self, neurons: Neurons) -> None:
        """The last layer: what the decoder has to know of the noise level, and a constant norm."""
        gains = (noise_gain(SIGMAS_ANGSTROM), data_gain(SIGMAS_ANGSTROM))
        for held, gain, output in zip(HELD, gains, self.gain_directions, strict=False):
            hold(neurons.norm, held, self.conditioning.of_noise(gain, 0.02))
            readout = torch.zeros(WIDTH)
            readout[held] = 1
            neurons.linear(readout, output)
        constant = torch.zeros(WIDTH)
        constant[CONSTANT] = LAST_BACKGROUND / CONSTANT_VALUE
        neurons.linear(constant, self.stream.background)
