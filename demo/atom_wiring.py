"""The miniature's atom encoder and decoder, written down: atoms to tokens, and the tokens' answer back to atoms.

The encoder passes scaled coordinates. The decoder's first layer picks, by the atom's name, where the atom stands
relative to its CA, and leaves in the stream what is noise; its second takes everything else away, leaves a spread in
proportion to the noise level, and so lets the last layer norm scale the noise as the preconditioning wants it.
"""

from __future__ import annotations

import torch
from boltz.model.models.boltz1 import Boltz1
from boltz.model.modules.transformers import ConditionedTransitionBlock
from conformations import CLASSES, Conformations, atom_class, draw_frames, noised, place_modes, places
from neurons import CONSTANT_VALUE, Neurons, hold, ridge, silence_norm
from residue_functions import SIGMA_DATA_ANGSTROM
from token_wiring import (
    NOISE_GAIN,
    RELU_BIAS,
    TokenWiring,
    data_gain,
    noise_gain,
)
from torch import Tensor

from classfold.prior import Embedding

WIDTH = 64
COORDINATE = torch.arange(3)
"""Scaled coordinates, from which the denoised position is taken away."""
CONSTANT = 3
VECTORS = 4 + torch.arange(3 * len(CLASSES))
"""Where the atoms of every class stand relative to CA."""
CA = 43 + torch.arange(3)
BACKGROUND = torch.tensor([46, 47])
"""Plus and minus: makes the layer norms independent of the coordinates."""
BY_NOISE, BY_DATA = 48, 49
BALANCE = 50
"""Makes the stream's mean zero."""
NAMES = 51 + torch.arange(len(CLASSES))
CONSTANT_INPUT = 0.2
BACKGROUND_INPUT = 8.0
NAME_INPUT = 0.01
BY_NOISE_INPUT, BY_DATA_INPUT = 0.07, 0.3
NAME_GATE = 8.0
PAD_MASK_FEATURE, FIRST_NAME_FEATURE = 4, 133
"""In the 389 features of an atom: position 3, charge 1, pad mask 1, element 128, four letters of 64."""


def letter(place: int, character: str) -> int:
    """Feature that says that an atom's name has a character at a place."""
    return FIRST_NAME_FEATURE + 64 * place + ord(character) - 32


def name_scores() -> Tensor:
    """Weights (n_classes, n_features) of scores: one half for a class's atoms, at most minus one half for others."""
    scores = torch.zeros(len(CLASSES), FIRST_NAME_FEATURE + 4 * 64)
    for score, where in zip(scores, CLASSES, strict=True):
        if where in ("N", "C", "O"):
            score[letter(0, where)] = score[letter(1, " ")] = 1
            score[PAD_MASK_FEATURE] = -1.5
        elif where.endswith("2"):
            score[letter(1, where[0])] = score[letter(2, "2")] = 1
            score[PAD_MASK_FEATURE] = -1.5
        else:
            score[letter(1, where[0])] = 1
            score[PAD_MASK_FEATURE] = -0.5
            if where.endswith("1"):
                score[letter(2, "2")] = -1
    scores[CLASSES.index("O"), letter(1, "X")] = 1
    return scores


def unit(channel: int, value: float = 1.0) -> Tensor:
    """A read-out or an output of one channel."""
    vector = torch.zeros(WIDTH)
    vector[channel] = value
    return vector


class AtomWiring:
    """Writes the weights of a miniature's atom encoder and decoder for one path."""

    def __init__(
        self, model: Boltz1, path: Conformations, tokens: TokenWiring, features: dict[str, Tensor], embedding: Embedding
    ) -> None:
        self.module = model.structure_module
        score = self.module.score_model
        self.encoder, self.decoder = score.atom_attention_encoder, score.atom_attention_decoder
        self.token_norm = score.a_norm
        self.path, self.tokens, self.features, self.embedding = path, tokens, features, embedding

    def write(self) -> None:
        """Write encoder and decoder; the token transformer has to be written already."""
        with torch.no_grad():
            self._write_encoder()
            self._write_answer()
            self._write_decoder()

    def denoise(self, sigmas: Tensor, noisy: Tensor) -> Tensor:
        """Denoised atoms (n, n_atoms, 3) in Å."""
        padding = self.features["atom_pad_mask"].shape[1] - noisy.shape[1]
        return self.module.preconditioned_network_forward(
            torch.nn.functional.pad(noisy, (0, 0, 0, padding)),
            sigmas,
            training=True,
            network_condition_kwargs={
                "s_inputs": self.embedding.s_inputs,
                "s_trunk": self.embedding.s,
                "z_trunk": self.embedding.z,
                "relative_position_encoding": self.embedding.relative_position_encoding,
                "feats": self.features,
                "multiplicity": len(sigmas),
            },
        )[0][:, : noisy.shape[1]]

    def _write_encoder(self) -> None:
        embed = self.encoder.embed_atom_features.weight
        embed.zero_()
        embed[CONSTANT, PAD_MASK_FEATURE] = CONSTANT_INPUT
        embed[NAMES] = NAME_INPUT * name_scores()
        embed[BALANCE] = -embed.sum(dim=0)
        self.encoder.embed_atompair_ref_pos.weight.zero_()
        coordinates = self.encoder.r_to_q_trans.weight
        coordinates.zero_()
        coordinates[COORDINATE, COORDINATE] = 1
        coordinates[BALANCE] = -coordinates.sum(dim=0)
        to_tokens = self.encoder.atom_to_token_trans[0].weight
        to_tokens.zero_()
        to_tokens[:, COORDINATE] = self.tokens.encoder_weight
        to_tokens[:, CONSTANT] = RELU_BIAS / CONSTANT_INPUT
        for layer in self.encoder.atom_encoder.diffusion_transformer.layers:
            layer.transition.b_to_a.weight.zero_()
            layer.pair_bias_attn.proj_o.weight.zero_()
        torch.nn.init.normal_(self.encoder.s_to_c_trans[1].weight, std=5e-5)

    def _answers(self) -> tuple[Tensor, Tensor, Tensor]:
        """Normalised token stream, what is to be read from it, and the weight of each; a row for each residue."""
        mean, moved = places(self.path.mean, self.path.keys), place_modes(self.path)
        origin = self.path.mean + torch.einsum("fk,kad->fad", self.path.amplitudes, self.path.modes)
        tables = mean + torch.einsum("fk,knpd->fnpd", self.path.amplitudes, moved)
        tables[:, :, 0] -= origin.mean(dim=1, keepdim=True)
        streams, targets, weights = [], [], []
        for _ in range(100):
            sigmas = (torch.rand(16, generator=self.tokens.generator) * 6.2 - 1.5).exp()
            frames = draw_frames(sigmas, self.path.is_closed, self.tokens.generator)
            _, noisy, rotations = noised(self.path, frames, sigmas, self.tokens.generator)
            stream = self.token_norm(self.tokens.stream(sigmas, noisy, n_layers=len(self.tokens.layers)))
            table = tables[frames] @ rotations.mT[:, None] / SIGMA_DATA_ANGSTROM
            gains = torch.stack([torch.ones_like(sigmas), noise_gain(sigmas), data_gain(sigmas)], dim=1)
            gains = gains[:, None].expand(-1, table.shape[1], -1)
            streams.append(stream.flatten(0, 1))
            targets.append(torch.cat([table.flatten(2), gains], dim=-1).flatten(0, 1))
            weights.append((1 / (1 + sigmas / 6)).repeat_interleave(table.shape[1]))
        return torch.cat(streams).double(), torch.cat(targets).double(), torch.cat(weights).double()[:, None]

    def _write_answer(self) -> None:
        """From tokens to their atoms: positions, and functions of the noise level, by least squares."""
        streams, targets, weights = self._answers()
        readout = ridge(streams * weights, targets * weights, 1e-9)
        relative = 1 / (targets[:, -2:-1] + 0.1)
        readout[:, -2:] = ridge(streams * relative, targets[:, -2:] * relative, 1e-9)
        ca, vectors, (one, by_noise, by_data) = readout[:, :3], readout[:, 3:-3], readout[:, -3:].unbind(dim=1)
        to_atoms = self.decoder.a_to_q_trans.weight
        to_atoms.zero_()
        to_atoms[COORDINATE] = -ca.mT
        to_atoms[VECTORS] = vectors.mT
        to_atoms[CA] = ca.mT
        to_atoms[BACKGROUND[0]], to_atoms[BACKGROUND[1]] = BACKGROUND_INPUT * one, -BACKGROUND_INPUT * one
        to_atoms[BY_NOISE], to_atoms[BY_DATA] = BY_NOISE_INPUT * by_noise, BY_DATA_INPUT * by_data
        to_atoms[BALANCE] = -to_atoms.sum(dim=0)

    def _spread(self, transition: ConditionedTransitionBlock) -> tuple[float, Tensor]:
        """Standard deviation of the stream before a transition, and the atoms' normalised conditioning."""
        seen: dict[str, Tensor] = {}
        norms = transition.adaln
        hooks = [
            norms.a_norm.register_forward_pre_hook(lambda _, args: seen.update(stream=args[0])),
            norms.s_norm.register_forward_hook(lambda _, __, output: seen.update(conditioning=output)),
        ]
        sigmas = torch.tensor([0.5, 1.0, 2.0, 4.0, 8.0, 12.0, 16.0, 24.0])
        noisy, _, _ = self.tokens.draw(sigmas)
        self.denoise(sigmas, noisy)
        for hook in hooks:
            hook.remove()
        n_atoms = noisy.shape[1]
        stream = seen["stream"].reshape(len(sigmas), -1, WIDTH)[:, :n_atoms]
        conditioning = seen["conditioning"].reshape(len(sigmas), -1, WIDTH)[0, :n_atoms]
        return stream.std(dim=-1, unbiased=False).mean().item(), conditioning

    def _write_decoder(self) -> None:
        select, finish = self.decoder.atom_decoder.diffusion_transformer.layers
        neurons = []
        for layer in (select, finish):
            silence_norm(layer.adaln)
            layer.pair_bias_attn.proj_o.weight.zero_()
            neurons.append(Neurons(layer.transition, CONSTANT, output_logit=0.0))
        spread, conditioning = self._spread(select.transition)
        constant = CONSTANT_VALUE * ridge(conditioning, torch.ones(len(conditioning), 1), 1e-6)[:, 0]
        for layer_neurons in neurons:
            hold(layer_neurons.norm, CONSTANT, constant)
        self._select(neurons[0], conditioning, spread)
        spread, _ = self._spread(finish.transition)
        self._finish(neurons[1], spread)
        last = self.decoder.atom_feat_to_atom_pos_update[1].weight
        last.zero_()
        last[COORDINATE, COORDINATE] = -(((2 * NOISE_GAIN**2 + 3) / WIDTH) ** 0.5)

    def _select(self, neurons: Neurons, conditioning: Tensor, spread: float) -> None:
        """Open each class's vectors for its atoms only, and take their sum from the coordinates."""
        classes = [atom_class(name) for _, _, name in self.path.keys]
        scale = neurons.norm.s_scale
        for index, where in enumerate(CLASSES):
            score = conditioning[:, NAMES[index]]
            belongs = torch.tensor([name == where for name in classes])
            lowest, highest = score[belongs].min(), score[~belongs].max()
            slope = 2 * NAME_GATE / (lowest - highest)
            channels = VECTORS[3 * index : 3 * index + 3]
            scale.weight[channels, NAMES[index]] = slope
            scale.bias[channels] = -slope * (lowest + highest) / 2
        for axis in range(3):
            readout = torch.zeros(WIDTH)
            readout[VECTORS[axis::3]] = 1
            neurons.linear(readout, unit(int(COORDINATE[axis]), -spread) + unit(BALANCE, spread))

    def _finish(self, neurons: Neurons, spread: float) -> None:
        """Take away all but noise and a spread in proportion to it; add the true position's larger share."""
        passed = 2 * spread
        """A channel is halved and divided by the spread when it is read."""
        for channel in (*VECTORS.tolist(), *CA.tolist(), BY_NOISE, BY_DATA, BALANCE):
            neurons.linear(unit(channel), unit(channel, -passed))
        plus, minus = BACKGROUND.tolist()
        away = unit(plus, -BACKGROUND_INPUT) + unit(minus, BACKGROUND_INPUT) + unit(CONSTANT, -CONSTANT_INPUT)
        neurons.linear(unit(CONSTANT, 1 / CONSTANT_VALUE), away)
        gain = passed / BY_NOISE_INPUT
        neurons.linear(unit(BY_NOISE), unit(plus, gain) + unit(minus, -gain))
        for axis in range(3):
            output = unit(int(COORDINATE[axis]), -(passed**2) / BY_DATA_INPUT)
            neurons.product(unit(BY_DATA), unit(int(CA[axis])), output)
