"""The miniature's first token layers, written down: how the noisy molecule is turned, and where on its path it is.

0. moments: sums over the residues of the noisy positions times functions of the residue (attention over all tokens);
1. the orientation, linear in the moments, averaged over all tokens; its cofactor matrix, which leads a mirrored
   estimate back to the right hand; amplitudes, linear in the scalar products of orientation and moments;
2. the Gram matrix of the orientation; the rest of the amplitudes;
3. one Newton-Schulz step R (3 - RᵀR) / 2, so that what is put back is a rotation and no shear.

Where noise hides the orientation its estimate is shrunk, as the mean of what is possible; where it hides the path, the
amplitudes are those of the closed state.
"""

from __future__ import annotations

import torch
from boltz.model.modules.transformers import DiffusionTransformerLayer
from conditioning import SIGMA_DATA_ANGSTROM, SIGMAS_ANGSTROM
from conformations import N_MODES
from neurons import CONSTANT_VALUE, Neurons, hold, ridge
from residue_code import moment_functions
from token_channels import (
    AMPLITUDE,
    AXIS,
    CONSTANT,
    GRAM_PAIRS,
    HELD,
    MINUS,
    PLUS,
    SLOT,
    SLOTS,
    UNGATED,
    WIDTH,
    gram_output,
    gram_readout,
    pair_readout,
    relative_component,
    relative_vectors,
    vector_component,
    vector_output,
    vectors,
)
from token_stream import PASSED, TokenStream
from torch import Tensor

MOMENT_GAINS = 1000.0, 500.0
"""Of values and outputs of the first attention."""
VALUE_GAIN = 100.0
"""Of values of the second."""
ORIENTATION_GAIN = 300.0
GRAM_GAIN = 300.0
AMPLITUDE_GAIN = 30.0
ROTATION_GAIN = 30000.0
"""Large against what is left in the slots."""
CLOSED_SIGMA_ANGSTROM = 30.0
"""Below this noise the path's amplitudes are seen."""
NEARLY_CLOSED, NOT_CLOSED = 0.3, 0.6
"""Distance of the first amplitude from the closed state's up to which a conformation is pulled there, and from which it
is left as it is."""
STEP_STEEPNESS = 20.0
CLOSED_PULL = 0.2
"""Share of that distance that is taken away while noise is large: what is left lets a map's gradient through."""
SETTLED_SIGMA_ANGSTROM = 2.5
"""Below this noise all of it is taken away: a map has had its say."""
MIRROR_SIGMA_ANGSTROM = 40.0
"""Above this noise the cofactor matrix takes part."""
FREE_SIGMA_ANGSTROM = 150.0
"""Above this noise the orientation is free: its estimate is shrunk."""
RIGID_SIGMA_ANGSTROM = 100.0
"""Below this noise the Newton-Schulz step is taken."""
MODE_COLUMNS = 3 + torch.arange(3 * N_MODES)
"""Slots of the modes' moments."""
EARLY = 3 * N_MODES // 2
"""Moments whose scalar products are taken in layer 1; those of the others are taken in layer 2."""


def below(limit: float, sigmas: Tensor, steepness: float = 3.0) -> Tensor:
    """One below a noise level, zero above it, smooth in its logarithm."""
    return torch.sigmoid(steepness * (limit / sigmas).log())


def scale(sigmas: Tensor) -> Tensor:
    """By how much the network's input is smaller than positions over 16 Å."""
    return (1 + (sigmas / SIGMA_DATA_ANGSTROM) ** 2).sqrt()


def rotations(stream: Tensor) -> Tensor:
    """The rotations (n, 3, 3) in a stream behind layer 3."""
    return vectors(stream)[:, :, UNGATED].mean(dim=1).mT / ROTATION_GAIN


def amplitudes(stream: Tensor) -> Tensor:
    """The amplitudes (n, N_MODES) in a stream behind layer 3."""
    readouts = torch.stack([pair_readout(int(first)) for first in AMPLITUDE], dim=1)
    return (stream @ readouts).mean(dim=1) / AMPLITUDE_GAIN


class OrientationWiring:
    """Writes layers 0 to 3; each is fitted to what is measured behind the layers before it."""

    def __init__(self, stream: TokenStream) -> None:
        self.stream, self.conditioning = stream, stream.conditioning
        self.layers: list[DiffusionTransformerLayer] = stream.layers
        self.units: dict[int, float] = {}
        self.columns = [[relative_component(axis, column) for column in range(3)] for axis in range(3)]

    def write(self) -> None:
        """Write the four layers."""
        self._write_moments()
        self._write_orientation()
        self._write_cofactors()
        self._write_gram()
        self._write_amplitudes()
        self._write_rotation()
        self._write_bias()

    def _write_moments(self) -> None:
        layer = self.layers[0]
        gates = self.conditioning.of_residue(moment_functions(self.stream.path))
        gated = len(gates) > SLOT
        for channels in (PLUS, MINUS):
            layer.adaln.s_scale.weight[channels[gated]] = gates[SLOT[gated]]
        value, output = MOMENT_GAINS
        self._subtract(layer.pair_bias_attn.proj_v.weight, value)
        layer.pair_bias_attn.proj_o.weight.copy_(output * torch.eye(WIDTH))

    @staticmethod
    def _subtract(weight: Tensor, gain: float) -> None:
        """Vectors as they are, without what is equal in plus and minus."""
        for one, other in ((PLUS, MINUS), (MINUS, PLUS)):
            weight[one, one], weight[one, other] = gain / 2, -gain / 2

    def _write_orientation(self) -> None:
        """Layer 1's attention: the rotation from the mean of all tokens, by least squares; the modes' moments as is."""
        layer = self.layers[1]
        means, contents, rotations = [], [], []
        for index in range(100):
            uniform = torch.rand(16, generator=self.stream.generator)
            sigmas = uniform * 8 + 0.2 if index % 2 else (uniform * 5.1 - 1.2).exp()
            noisy, rotation, _ = self.stream.draw(sigmas)
            behind = self.stream.behind(sigmas, noisy, n_layers=1)
            means.append(vectors(layer.adaln(behind, self.conditioning(sigmas)).mean(dim=1)))
            contents.append(relative_vectors(behind.mean(dim=1))[:, :3])
            rotations.append(rotation / scale(sigmas)[:, None, None])
        inputs = torch.cat(means).mT.flatten(0, 1)
        wanted = ORIENTATION_GAIN * torch.cat(rotations) - torch.cat(contents).mT
        readout = ridge(inputs, wanted.flatten(0, 1), 1e-7) / (VALUE_GAIN * PASSED)
        self._subtract(layer.pair_bias_attn.proj_v.weight, VALUE_GAIN)
        output = layer.pair_bias_attn.proj_o.weight
        moments = torch.cat(means)[:, MODE_COLUMNS].square().mean().sqrt()
        for axis in range(3):
            block = axis * SLOTS + torch.arange(SLOTS)
            weights = torch.zeros(SLOTS, SLOTS)
            weights[:3] = readout.mT
            weights[MODE_COLUMNS, MODE_COLUMNS] = ORIENTATION_GAIN / (3 * moments * VALUE_GAIN * PASSED)
            for sign in (0, MINUS[0]):
                output[(sign + block)[:, None], (sign + block)[None]] = weights

    def _read(self, layer: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Vectors (n, SLOTS, 3) before a transition at low noise, noise levels, rotations and amplitudes."""
        read, levels, rotations, amplitudes = [], [], [], []
        for _ in range(50):
            sigmas = (torch.rand(16, generator=self.stream.generator) * 3.4 - 2.3).exp()
            noisy, rotation, amplitude = self.stream.draw(sigmas)
            before = self.stream.before_transition(sigmas, noisy, layer)
            read.append(relative_vectors(before).mean(dim=1))
            levels.append(sigmas)
            rotations.append(rotation)
            amplitudes.append(amplitude)
        return torch.cat(read), torch.cat(levels), torch.cat(rotations), torch.cat(amplitudes)

    def _orientation_unit(self, layer: int, is_scaled: bool) -> float:
        """What an entry of one of the orientation gives before a transition."""
        read, sigmas, rotations, _ = self._read(layer)
        wanted = rotations / scale(sigmas)[:, None, None] if is_scaled else rotations
        return float((read[:, :3].mT * wanted).sum() / wanted.square().sum())

    def _factor(self, neurons: Neurons, held: int, values: Tensor, smallest: float) -> dict[int, float]:
        """Hold a function of the noise level, to be multiplied with."""
        hold(neurons.norm, held, CONSTANT_VALUE * self.conditioning.of_noise(values, smallest))
        return {held: 1.0}

    def _write_cofactors(self) -> None:
        """Layer 1's transition: (R + β cof R) / (1 + β), shrunk, in place of R."""
        neurons = self.stream.neurons(1)
        unit = self.units[1] = self._orientation_unit(1, is_scaled=True)
        sigmas, size = SIGMAS_ANGSTROM, scale(SIGMAS_ANGSTROM)
        mirror, shrink = 1 - below(MIRROR_SIGMA_ANGSTROM, sigmas), below(FREE_SIGMA_ANGSTROM, sigmas, 2.0)
        linear = self._factor(neurons, HELD[0], shrink * size / (1 + mirror) - 1, 0.1)
        square = self._factor(neurons, HELD[1], shrink * mirror * size**2 / (1 + mirror), 0.1)
        for axis in range(3):
            after, last = (axis + 1) % 3, (axis + 2) % 3
            for column in range(3):
                output = vector_output(axis, column, ORIENTATION_GAIN)
                neurons.linear(self.columns[axis][column] / unit, output, linear)
                second, third = (column + 1) % 3, (column + 2) % 3
                for one, other, sign in ((after, last, 1.0), (last, after, -1.0)):
                    gate, value = self.columns[one][second] / unit, self.columns[other][third] / unit
                    neurons.product(gate, value, sign * output, square)
        self.early = neurons

    def _write_gram(self) -> None:
        """Layer 2's transition: RᵀR."""
        neurons = self.stream.neurons(2)
        unit = self.units[2] = self._orientation_unit(2, is_scaled=False)
        for pair, (row, column) in enumerate(GRAM_PAIRS):
            for axis in range(3):
                factors = self.columns[axis][row] / unit, self.columns[axis][column] / unit
                neurons.product(*factors, gram_output(pair, GRAM_GAIN))
        self.late = neurons

    def _write_amplitudes(self) -> None:
        """Both transitions: amplitudes by least squares from scalar products of orientation and moments."""
        halves = (MODE_COLUMNS[:EARLY], MODE_COLUMNS[EARLY:])
        products, state = [], self.stream.generator.get_state()
        for layer, moments in zip((1, 2), halves, strict=True):
            self.stream.generator.set_state(state)
            read, sigmas, _, amplitudes = self._read(layer)
            size = scale(sigmas)[:, None] ** (3 - layer)
            read = read / self.units[layer]
            products.append(size * torch.einsum("ncd,nmd->ncm", read[:, :3], read[:, moments]).flatten(1))
        inputs = torch.cat([*products, torch.ones(len(amplitudes), 1)], dim=1)
        closed = self.stream.path.closed_amplitudes
        units = inputs.square().mean(dim=0).sqrt()
        weights = ridge(inputs / units, amplitudes - closed, 1e-6) / units[:, None]
        seen = below(CLOSED_SIGMA_ANGSTROM, SIGMAS_ANGSTROM)
        outputs = torch.zeros(N_MODES, WIDTH)
        for mode in range(N_MODES):
            outputs[mode] = 2 * AMPLITUDE_GAIN * pair_readout(int(AMPLITUDE[mode]))
        one = torch.zeros(WIDTH)
        one[CONSTANT] = 1 / CONSTANT_VALUE
        size, number = scale(SIGMAS_ANGSTROM), 0
        for layer, neurons, moments in zip((1, 2), (self.early, self.late), halves, strict=True):
            power, unit = 3 - layer, self.units[layer]
            factor = self._factor(neurons, HELD[2], seen * size**power, 0.01)
            for column in range(3):
                for moment in moments.tolist():
                    for axis in range(3):
                        factors = self.columns[axis][column] / unit, relative_component(axis, moment) / unit
                        neurons.product(*factors, weights[number] @ outputs, factor)
                    number += 1
        believed = self._factor(self.late, HELD[0], seen, 0.01)
        self.late.linear(one, weights[-1] @ outputs, believed)
        self.late.linear(one, closed @ outputs)

    def _write_rotation(self) -> None:
        """Layer 3's transition: the rotation into all slots, in place of all they held."""
        neurons = self.stream.neurons(3)
        unit = self._orientation_unit(3, is_scaled=False)
        gram_unit = self._gram_unit()
        rigid = self._factor(neurons, HELD[0], below(RIGID_SIGMA_ANGSTROM, SIGMAS_ANGSTROM), 0.1)
        for axis in range(3):
            for column in range(3):
                copies = torch.arange(column, SLOTS, 3)
                output = vector_output(axis, copies, ROTATION_GAIN)
                neurons.linear(self.columns[axis][column] / unit, output)
                neurons.linear(self.columns[axis][column] / unit, output / 2, rigid)
                for inner in range(3):
                    gram = gram_readout(inner, column) / gram_unit
                    neurons.product(gram, self.columns[axis][inner] / unit, -output / 2, rigid)
        for axis, slot in zip(AXIS.tolist(), SLOT.tolist(), strict=True):
            held = vector_component(axis, slot)
            neurons.linear(held / unit, vector_output(axis, slot, -self._passed(unit)))

        self.last = neurons

    def _write_bias(self) -> None:
        """Layer 3's transition, too: amplitudes nearly the closed state's are pulled to them."""
        sigmas = torch.linspace(0.1, 0.4, 16)
        noisy, _, amplitudes = self.stream.draw(sigmas)
        read = self.stream.before_transition(sigmas, noisy, 3).mean(dim=1) @ pair_readout(int(AMPLITUDE[0]))
        unit = float((read * amplitudes[:, 0]).sum() / amplitudes[:, 0].square().sum())
        settled = below(SETTLED_SIGMA_ANGSTROM, SIGMAS_ANGSTROM)
        pull = {CONSTANT: CLOSED_PULL} | self._factor(self.last, HELD[1], (1 - CLOSED_PULL) * settled, 0.1)
        one = torch.zeros(WIDTH)
        one[CONSTANT] = 1 / CONSTANT_VALUE
        closed = self.stream.path.closed_amplitudes
        away = [pair_readout(int(AMPLITUDE[mode])) / unit - closed[mode] * one for mode in range(N_MODES)]
        for mode, value in enumerate(away):
            output = 2 * AMPLITUDE_GAIN * pair_readout(int(AMPLITUDE[mode]))
            self.last.linear(value, -output, pull)
            # The difference of two silu is a step from zero to one.
            step = output / (STEP_STEEPNESS * (NOT_CLOSED - NEARLY_CLOSED))
            self.last.gated(STEP_STEEPNESS * (away[0] - NEARLY_CLOSED * one), value, step, pull)
            self.last.gated(STEP_STEEPNESS * (away[0] - NOT_CLOSED * one), value, -step, pull)

    def _passed(self, unit: float) -> float:
        """What the stream holds where a transition reads ``unit``."""
        return unit * self._spread(3) / 0.5

    def _spread(self, layer: int) -> float:
        """Standard deviation of the stream before a transition."""
        sigmas = torch.tensor([0.5, 2.0, 8.0, 16.0])
        return self.stream.behind(sigmas, self.stream.draw(sigmas)[0], layer).std(dim=-1, unbiased=False).mean().item()

    def _gram_unit(self) -> float:
        """What an entry of one of the Gram matrix gives before layer 3's transition."""
        sigmas = torch.tensor([0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0])
        before = self.stream.before_transition(sigmas, self.stream.draw(sigmas)[0], 3)
        return float(torch.stack([before @ gram_readout(axis, axis) for axis in range(3)]).mean())
