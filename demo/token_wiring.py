"""The miniature's token transformer, written down: from noisy atoms to where every residue's atoms should be.

Denoising a known path is a small calculation: find how the noisy molecule is turned, find where on the path it is, and
put the known structure there. Eight layers do it, with Boltz's own operations and nothing learnt:

0. moments of the noisy positions with known functions of the residue (attention over all tokens), squared radii;
1. orientation, linear in the moments, and the path's amplitudes, linear in the squared radii; Gram matrix;
2. one Newton-Schulz step R (3 - RᵀR) / 2, so that what is put back is a rotation and no shear or mirror image;
3. orientation times mean position and backbone;
4. orientation times amplitude times mode;
5. the same for the backbone, and where the noise hides the path, the closed state;
6. 7. orientation times side chain.

Each function of the residue enters through the adaptive normalisation's gates; it is read linearly from the trunk's
single representation (``ResidueFunctions.code``). Where noise hides even the orientation, a fixed one takes over.
"""

from __future__ import annotations

import math

import torch
from boltz.model.models.boltz1 import Boltz1
from conformations import BACKBONE, CLASSES, N_MODES, Conformations, noised
from neurons import CONSTANT_VALUE, Neurons, hold, ridge, silence_attention, silence_norm
from residue_functions import (
    BACKBONE_SCALE_ANGSTROM,
    CA_SCALE_ANGSTROM,
    CLOSED_SCALE_ANGSTROM,
    MODE_SCALE,
    SIGMA_DATA_ANGSTROM,
    SLOTS,
    ResidueFunctions,
)
from torch import Tensor

from classfold.prior import Embedding

SIGNED = 3 * SLOTS
AXIS = torch.arange(SIGNED) // SLOTS
SLOT = torch.arange(SIGNED) % SLOTS
PLUS = torch.arange(SIGNED)
MINUS = PLUS + SIGNED
"""Channels hold vectors as a difference plus - minus; scalars as their sum. The two do not disturb each other."""
POSITION = 2 * SIGNED + 2 * torch.arange(3)
AMPLITUDE = POSITION[-1] + 2 + 2 * torch.arange(N_MODES)
"""First channels of pairs: the residue's own position, and the path's amplitudes."""
CONSTANT, BY_SIGMA = 126, 127
WIDTH = 128
UNGATED = torch.arange(SLOTS - 3, SLOTS)
"""Slots without a function: what the gates' one half leaves over is subtracted by them."""
GRAM_PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))

RELU_BIAS = 5.0
"""Added to scaled coordinates, so that the encoder's ReLU passes them whole."""
BACKGROUND = 4.0
"""Makes the first layer's normalisation independent of the residue's position."""
MOMENT_GAIN = 10.0
RADIUS_GAIN = 5.0
RADIUS_OUTPUT = 2.2
ORIENTATION_GAIN = 400.0
AMPLITUDE_GAIN = 100.0
GRAM_GAIN = 40.0
ROTATION_GAIN = 1000.0
OUTPUT_GAIN = 40.0
BACKGROUND_GAIN = 1000.0
OPEN_SIGMA_ANGSTROM = 10.0
"""Below this noise the path's amplitudes are believed."""
FIXED_SIGMA_ANGSTROM = 110.0
"""Above this noise the orientation is a fixed one."""
FIXED_STRENGTH = 0.4
OUTPUT_LOGIT = 1.0
SMALL_SIGMA_ANGSTROM = 8.0
NOISE_GAIN = 9.0
"""Large against the noise in the stream, so that its spread does not depend on the single atom's noise."""
SIGMAS_ANGSTROM = torch.logspace(-1.2, 3.42, 60)


def noise_gain(sigmas: Tensor) -> Tensor:
    """Spread that the decoder is to leave in its stream, so that its last normalisation scales noise right."""
    return NOISE_GAIN * sigmas.clamp(min=0.4, max=64) / SIGMA_DATA_ANGSTROM


def data_gain(sigmas: Tensor) -> Tensor:
    """How much larger the true position's share in the network's output is than in its scaled input, minus one."""
    return (1 + (sigmas / SIGMA_DATA_ANGSTROM) ** 2).sqrt().clamp(max=8) - 1


def vector_component(axis: int, slots: Tensor) -> Tensor:
    """Read-out (WIDTH,) of the sum of one component over slots."""
    readout = torch.zeros(WIDTH)
    readout[axis * SLOTS + slots] = 0.5
    readout[SIGNED + axis * SLOTS + slots] = -0.5
    return readout


def gated_component(axis: int, slots: Tensor) -> Tensor:
    """Read-out of gated slots, without what the ungated half leaves over."""
    return vector_component(axis, slots) - vector_component(axis, UNGATED)


def amplitude_readout(mode: int) -> Tensor:
    """Read-out of one amplitude."""
    readout = torch.zeros(WIDTH)
    readout[AMPLITUDE[mode]], readout[AMPLITUDE[mode] + 1] = 0.5, -0.5
    return readout


def gram_readout(row: int, column: int) -> Tensor:
    """Read-out of one entry of the Gram matrix."""
    pair = GRAM_PAIRS.index((min(row, column), max(row, column)))
    readout = torch.zeros(WIDTH)
    readout[PLUS[pair]] = readout[MINUS[pair]] = 0.5
    return readout


class TokenWiring:
    """Writes the weights of a miniature's token transformer for one path."""

    def __init__(
        self,
        model: Boltz1,
        path: Conformations,
        functions: ResidueFunctions,
        embedding: Embedding,
        pooling: Tensor,
        generator: torch.Generator,
    ) -> None:
        self.score = model.structure_module.score_model
        self.layers = self.score.token_transformer.layers
        self.path, self.functions, self.embedding = path, functions, embedding
        self.pooling, self.generator = pooling, generator
        self.directions = torch.Generator().manual_seed(5)
        self.encoder_weight = torch.zeros(WIDTH, 3)
        self.encoder_weight[PLUS, AXIS], self.encoder_weight[MINUS, AXIS] = 1.0, -1.0
        axes = torch.arange(3)
        self.encoder_weight[POSITION, axes], self.encoder_weight[POSITION + 1, axes] = 1.0, -1.0

    def write(self) -> None:
        """Write all layers, each with what was measured behind the layers before it."""
        with torch.no_grad():
            self._write_conditioning()
            self._write_moments()
            self._write_orientation_and_amplitudes()
            self._write_newton_schulz()
            self._write_mean()
            self._write_modes()
            self._write_backbone_and_closed()
            self._write_side_chains()

    def stream(self, sigmas: Tensor, noisy: Tensor, n_layers: int, and_attention: bool = False) -> Tensor:
        """Token stream (n, n_residues, WIDTH) behind some layers, for noisy atoms (n, n_atoms, 3) in Å."""
        stream, conditioning, pair = self._start(sigmas, noisy)
        mask = torch.ones(stream.shape[:2])
        for layer in self.layers[:n_layers]:
            stream = layer(stream, conditioning, pair, mask=mask, multiplicity=len(sigmas))
        if and_attention:
            layer = self.layers[n_layers]
            attended = layer.pair_bias_attn(
                s=layer.adaln(stream, conditioning), z=pair, mask=mask, multiplicity=len(sigmas)
            )
            stream = stream + layer.output_projection(conditioning) * attended
        return stream

    def conditioning(self, sigmas: Tensor) -> Tensor:
        """Single conditioning (n, n_residues, WIDTH)."""
        return self.score.single_conditioner(
            times=(sigmas / SIGMA_DATA_ANGSTROM).log() / 4,
            s_trunk=self.embedding.s.repeat_interleave(len(sigmas), 0),
            s_inputs=self.embedding.s_inputs.repeat_interleave(len(sigmas), 0),
        )[0]

    def draw(self, sigmas: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Frames drawn at random, noised: noisy atoms, rotations, amplitudes."""
        frames = torch.randint(len(self.path.amplitudes), (len(sigmas),), generator=self.generator)
        _, noisy, rotations = noised(self.path, frames, sigmas, self.generator)
        return noisy, rotations, self.path.amplitudes[frames]

    def _start(self, sigmas: Tensor, noisy: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        scaled = noisy / (sigmas**2 + SIGMA_DATA_ANGSTROM**2).sqrt()[:, None, None]
        conditioning = self.conditioning(sigmas)
        stream = self.pooling @ torch.relu(scaled @ self.encoder_weight.mT + RELU_BIAS)
        pair = self.score.pairwise_conditioner(
            z_trunk=self.embedding.z, token_rel_pos_feats=self.embedding.relative_position_encoding
        )
        return stream + self.score.s_to_a_linear(conditioning), conditioning, pair

    def _direction(self) -> Tensor:
        """A random direction of scalars, which vectors do not read."""
        direction = torch.randn(WIDTH, generator=self.directions)
        direction[MINUS] = direction[PLUS]
        direction[POSITION + 1], direction[AMPLITUDE + 1] = direction[POSITION], direction[AMPLITUDE]
        return self._balanced(direction * OUTPUT_GAIN)

    @staticmethod
    def _balanced(direction: Tensor) -> Tensor:
        """Without mean, which the last layer norm would take from all channels; the last two stay free."""
        direction[CONSTANT:] = 0
        direction[:CONSTANT] -= direction[:CONSTANT].mean()
        return direction

    def _gates(self, functions: Tensor) -> Tensor:
        """Read-outs (n_functions, WIDTH) of functions of the residue, at every noise level."""
        return ridge(self._normalised, functions.repeat(len(SIGMAS_ANGSTROM), 1), 1e-9).mT

    def _by_sigma(self, values: Tensor, relative: bool = False) -> Tensor:
        """Read-out (WIDTH,) of a function of the noise level; exact relative to its values if so wished."""
        targets = values.repeat_interleave(self.path.n_residues)[:, None].double()
        if not relative:
            return ridge(self._normalised, targets, 1e-6)[:, 0]
        weights = 1 / (targets + 0.02)
        return ridge(self._normalised * weights, targets * weights, 1e-9)[:, 0]

    def _neurons(self, layer: int) -> Neurons:
        """The layer's transition, silent but for its constant channel."""
        neurons = Neurons(self.layers[layer].transition, CONSTANT, OUTPUT_LOGIT)
        hold(neurons.norm, CONSTANT, CONSTANT_VALUE * self._one)
        return neurons

    def _gate_slots(self, neurons: Neurons, functions: Tensor) -> None:
        """Let the slots of all three components be gated by functions of the residue, in order."""
        gates = self._gates(functions)
        for axis in range(3):
            for sign in (0, SIGNED):
                start = sign + axis * SLOTS
                neurons.norm.s_scale.weight[start : start + len(gates)] = gates

    def _write_conditioning(self) -> None:
        """Functions of the residue into the first channels of the conditioning, the noise level into the others."""
        conditioner = self.score.single_conditioner
        inputs = torch.cat([self.embedding.s, self.embedding.s_inputs], dim=-1)
        normalised = conditioner.norm_single(inputs)[0]
        normalised = torch.cat([normalised, torch.ones(len(normalised), 1)], dim=1)
        functions = self.functions.spanning()
        solution, n_functions = ridge(normalised, functions, 1e-8), functions.shape[1]
        conditioner.fourier_to_single.weight[:n_functions] = 0
        conditioner.single_embed.weight.zero_()
        conditioner.single_embed.bias.zero_()
        conditioner.single_embed.weight[:n_functions] = solution[:-1].mT
        conditioner.single_embed.bias[:n_functions] = solution[-1]
        norm = self.layers[0].adaln.s_norm
        self._normalised = norm(self.conditioning(SIGMAS_ANGSTROM)).reshape(-1, WIDTH).double()
        self._one = self._gates(torch.ones(self.path.n_residues, 1))[0]
        for layer in self.layers:
            silence_norm(layer.adaln)
            silence_attention(layer.pair_bias_attn)
            layer.output_projection_linear.weight.zero_()
            layer.output_projection_linear.bias.fill_(2.0)
        background = BACKGROUND * torch.randn(WIDTH, generator=self.directions).sign()
        background[MINUS] = background[PLUS]
        scalars = torch.cat([PLUS[: len(GRAM_PAIRS)], MINUS[: len(GRAM_PAIRS)], torch.arange(2 * SIGNED, WIDTH)])
        background[scalars] = 0
        background[: 2 * SIGNED] -= background[: 2 * SIGNED].mean()
        background[scalars] = 0
        to_tokens = self.score.s_to_a_linear
        to_tokens[0].weight[0], to_tokens[0].bias[0] = 0, 1
        to_tokens[1].weight[:, 0] = background

    def _write_moments(self) -> None:
        """Layer 0: sums of position times function over the residues; each residue's squared radius."""
        layer, neurons = self.layers[0], self._neurons(0)
        gates = self._gates(self.functions.moments)
        layer.adaln.s_scale.weight[PLUS] = gates[SLOT]
        layer.adaln.s_scale.weight[MINUS] = gates[SLOT]
        self.antisymmetric = torch.zeros(WIDTH, WIDTH)
        for one, other in ((PLUS, MINUS), (MINUS, PLUS)):
            self.antisymmetric[one, one], self.antisymmetric[one, other] = 0.5, -0.5
        layer.pair_bias_attn.proj_v.weight.copy_(MOMENT_GAIN * self.antisymmetric)
        layer.pair_bias_attn.proj_o.weight.copy_(torch.eye(WIDTH))
        output = torch.zeros(WIDTH)
        output[AMPLITUDE] = output[AMPLITUDE + 1] = RADIUS_OUTPUT
        for axis in range(3):
            position = torch.zeros(WIDTH)
            position[POSITION[axis]], position[POSITION[axis] + 1] = RADIUS_GAIN, -RADIUS_GAIN
            neurons.product(position, position, output)

    def _measure_moments(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Normalised stream's mean over the residues, scaled rotations, amplitudes, and which draws are low noise."""
        means, rotations, amplitudes, is_low = [], [], [], []
        for index in range(160):
            uniform = torch.rand(16, generator=self.generator)
            sigmas = uniform * 8 + 0.2 if index % 2 else (uniform * 5.1 - 1.2).exp()
            noisy, rotation, amplitude = self.draw(sigmas)
            stream = self.stream(sigmas, noisy, n_layers=1)
            means.append(self.layers[1].adaln(stream, self.conditioning(sigmas)).mean(dim=1))
            scale = (1 + (sigmas / SIGMA_DATA_ANGSTROM) ** 2).sqrt()
            rotations.append(rotation.flatten(1) / scale[:, None])
            amplitudes.append(amplitude)
            is_low.append(torch.full((16,), bool(index % 2)))
        return torch.cat(means), torch.cat(rotations), torch.cat(amplitudes), torch.cat(is_low)

    def _write_orientation_and_amplitudes(self) -> None:
        """Layer 1's attention: rotation and amplitudes, read from the moments by least squares, for all residues."""
        layer = self.layers[1]
        norm, attention = layer.adaln, layer.pair_bias_attn
        radii = self._gates(self.functions.radii)
        norm.s_scale.weight[AMPLITUDE], norm.s_scale.weight[AMPLITUDE + 1] = radii, -radii
        means, rotations, amplitudes, is_low = self._measure_moments()
        rotation_readout = ridge(means @ self.antisymmetric.mT, rotations, 1e-4)
        differences = (means[:, AMPLITUDE] - means[:, AMPLITUDE + 1])[is_low]
        with_one = torch.cat([differences, torch.ones(len(differences), 1)], dim=1)
        solution = ridge(with_one, amplitudes[is_low], 1e-8)
        amplitude_weights, offset = solution[:-1], solution[-1]
        passed = 2 / (1 / (1 + math.exp(-2.0)))
        value, output = attention.proj_v.weight, attention.proj_o.weight
        value.copy_(self.antisymmetric)
        for mode in range(N_MODES):
            value[AMPLITUDE[mode]] = 0
            value[AMPLITUDE[mode], AMPLITUDE] = AMPLITUDE_GAIN * passed * amplitude_weights[:, mode]
            value[AMPLITUDE[mode], AMPLITUDE + 1] = -AMPLITUDE_GAIN * passed * amplitude_weights[:, mode]
            value[AMPLITUDE[mode] + 1] = -value[AMPLITUDE[mode]]
        both = torch.cat([AMPLITUDE, AMPLITUDE + 1])
        output[both, both] = 1
        for channel in range(SIGNED):
            entry = AXIS[channel] * 3 + SLOT[channel] % 3
            readout = ORIENTATION_GAIN * passed * rotation_readout[: 2 * SIGNED, entry]
            output[PLUS[channel], : 2 * SIGNED] = readout
            output[MINUS[channel], : 2 * SIGNED] = -readout
        shift = torch.linalg.solve(amplitude_weights.mT, offset)
        norm.s_bias.weight[AMPLITUDE] = shift[:, None] / 2 * self._one
        norm.s_bias.weight[AMPLITUDE + 1] = -shift[:, None] / 2 * self._one
        fixed = FIXED_STRENGTH * torch.eye(3).flatten()[:, None]
        moments = torch.linalg.lstsq(rotation_readout[PLUS].mT, fixed).solution[:, 0]
        hidden = self._by_sigma((6 * (SIGMAS_ANGSTROM / FIXED_SIGMA_ANGSTROM).log()).sigmoid())
        norm.s_bias.weight[PLUS] += 0.5 * moments[:, None] * hidden
        norm.s_bias.weight[MINUS] -= 0.5 * moments[:, None] * hidden

    def _write_newton_schulz(self) -> None:
        """Layer 1's transition: RᵀR. Layer 2's: R (3 - RᵀR) / 2 over the old orientation, at a scale of its own."""
        neurons = self._neurons(1)
        spreads = []
        for sigma in SIGMAS_ANGSTROM:
            sigmas = sigma.repeat(4)
            _, noisy, _ = noised(self.path, torch.zeros(4, dtype=torch.long), sigmas, self.generator)
            spreads.append(self.stream(sigmas, noisy, n_layers=1, and_attention=True).std(dim=-1).mean())
        spread = torch.stack(spreads)
        hold(neurons.norm, BY_SIGMA, CONSTANT_VALUE * self._by_sigma(spread / spread[10], relative=True))
        sigmas = torch.tensor([0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0])
        noisy, _, _ = self.draw(sigmas)
        conditioning = self.conditioning(sigmas)
        entry = [[vector_component(axis, torch.tensor([slot])) for slot in range(3)] for axis in range(3)]
        readouts = torch.stack([readout for row in entry for readout in row], dim=1)
        before = neurons.norm(self.stream(sigmas, noisy, n_layers=1, and_attention=True), conditioning)
        unit = (before @ readouts).square().mean().sqrt() * math.sqrt(3)
        for pair, (row, column) in enumerate(GRAM_PAIRS):
            output = torch.zeros(WIDTH)
            output[PLUS[pair]] = output[MINUS[pair]] = GRAM_GAIN
            balance = pair + len(GRAM_PAIRS)
            output[PLUS[balance]] = output[MINUS[balance]] = -GRAM_GAIN
            for axis in range(3):
                neurons.product(entry[axis][row] / unit, entry[axis][column] / unit, output, {BY_SIGMA: 1.0})
        neurons = self._neurons(2)
        behind = neurons.norm(self.stream(sigmas, noisy, n_layers=2), conditioning)
        gram_unit = torch.stack([behind @ gram_readout(axis, axis) for axis in range(3)]).mean()
        for axis in range(3):
            for column in range(3):
                copies = (axis == AXIS) & (column == SLOT % 3)
                output = torch.zeros(WIDTH)
                output[PLUS[copies]], output[MINUS[copies]] = ROTATION_GAIN, -ROTATION_GAIN
                neurons.linear(entry[axis][column] / unit, 1.5 * output)
                for inner in range(3):
                    gram = gram_readout(inner, column) / gram_unit
                    neurons.product(gram, entry[axis][inner] / unit, -0.5 * output)

    def _write_mean(self) -> None:
        """Layer 3: where CA and the backbone are in the mean structure."""
        neurons = self._neurons(3)
        self._gate_slots(neurons, torch.cat([self.functions.backbone, self.functions.ca], dim=1))
        self.place_directions = [[self._direction() for _ in range(BACKBONE + 1)] for _ in range(3)]
        """Of the three components of N, C, O, CB and CA; all that adds to a place is put along its direction."""
        for axis in range(3):
            for place, direction in enumerate(self.place_directions[axis]):
                neurons.linear(2 * gated_component(axis, 3 * place + torch.arange(3)), direction)

    def _amplitude_unit(self, neurons: Neurons, layer: int) -> float:
        """What the read-out of an amplitude of one gives before a transition."""
        sigmas = torch.full((16,), 1.0)
        noisy, _, amplitudes = self.draw(sigmas)
        before = neurons.norm(self.stream(sigmas, noisy, n_layers=layer), self.conditioning(sigmas))
        read = (before @ amplitude_readout(0)).mean(dim=1)
        return ((read * amplitudes[:, 0]).sum() / amplitudes[:, 0].square().sum()).item()

    def _write_modes(self) -> None:
        """Layer 4: how the amplitudes move CA, where the noise does not hide the path."""
        neurons = self._neurons(4)
        hold(neurons.norm, BY_SIGMA, CONSTANT_VALUE * self._by_sigma(self._seen))
        n_modes = (SLOTS - 3) // 3
        self._gate_slots(neurons, self.functions.modes[:, : 3 * n_modes])
        unit = self._amplitude_unit(neurons, layer=4)
        for axis in range(3):
            for mode in range(n_modes):
                scale = MODE_SCALE * self.functions.mode_spreads[mode] / CA_SCALE_ANGSTROM
                component = 2 * scale * gated_component(axis, 3 * mode + torch.arange(3))
                neurons.product(
                    amplitude_readout(mode) / unit, component, self.place_directions[axis][BACKBONE], {BY_SIGMA: 1.0}
                )

    @property
    def _seen(self) -> Tensor:
        """One where the noise shows where on the path a molecule is, zero where it hides it."""
        return (3 * (OPEN_SIGMA_ANGSTROM / SIGMAS_ANGSTROM).log()).sigmoid()

    def _write_backbone_and_closed(self) -> None:
        """Layer 5: how the first amplitude moves the backbone; the closed state where the noise hides the path."""
        neurons = self._neurons(5)
        hold(neurons.norm, BY_SIGMA, CONSTANT_VALUE * self._by_sigma(1 - self._seen))
        functions = torch.cat([self.functions.backbone_mode, self.functions.closed], dim=1)
        self._gate_slots(neurons, functions)
        unit = self._amplitude_unit(neurons, layer=5)
        backbone = MODE_SCALE * self.functions.backbone_mode_spread / BACKBONE_SCALE_ANGSTROM
        for axis in range(3):
            directions = self.place_directions[axis]
            for place in range(BACKBONE):
                component = 2 * backbone * gated_component(axis, 3 * place + torch.arange(3))
                seen = {CONSTANT: 1.0, BY_SIGMA: -1.0}
                neurons.product(amplitude_readout(0) / unit, component, directions[place], seen)
            closed = gated_component(axis, 3 * BACKBONE + torch.arange(3))
            scale = CLOSED_SCALE_ANGSTROM / CA_SCALE_ANGSTROM
            neurons.linear(2 * scale * closed, directions[BACKBONE], {BY_SIGMA: 1.0})

    def _write_side_chains(self) -> None:
        """Layers 6 and 7: where the side chains are; what the decoder has to know of the noise level."""
        n_first = (SLOTS - 3) // 3
        n_places = len(CLASSES) - BACKBONE
        for number, chosen in ((6, range(n_first)), (7, range(n_first, n_places))):
            neurons = self._neurons(number)
            self._gate_slots(neurons, self.functions.side_chains[:, 3 * chosen.start : 3 * chosen.stop])
            for axis in range(3):
                for place in range(len(chosen)):
                    component = gated_component(axis, 3 * place + torch.arange(3))
                    neurons.linear(2 * component, self._direction())
        constant = torch.zeros(WIDTH)
        constant[CONSTANT] = 1 / CONSTANT_VALUE
        neurons.linear(constant, self._balanced(self._direction().sign() * BACKGROUND_GAIN))
        small = noise_gain(SIGMAS_ANGSTROM.clamp(max=SMALL_SIGMA_ANGSTROM))
        gains = (small, data_gain(SIGMAS_ANGSTROM), noise_gain(SIGMAS_ANGSTROM) - small)
        outputs = (torch.zeros(WIDTH), torch.zeros(WIDTH), 0.3 * self._direction())
        outputs[0][CONSTANT], outputs[1][BY_SIGMA] = OUTPUT_GAIN, OUTPUT_GAIN
        for offset, (gain, output) in enumerate(zip(gains, outputs, strict=True)):
            held = int(AMPLITUDE[0]) + offset
            hold(neurons.norm, held, self._by_sigma(gain, relative=True))
            readout = torch.zeros(WIDTH)
            readout[held] = 1
            neurons.linear(readout, output)
