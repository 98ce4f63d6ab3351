"""The miniature's atom encoder and decoder, written down: atoms to tokens, and the tokens' answer back to atoms.

The encoder passes scaled coordinates. The decoder's first layer picks, by the atom's name, where the atom stands
relative to its CA, and leaves in the stream what is noise; its second takes everything else away, leaves a spread in
proportion to the noise level, and so lets the last layer norm scale the noise as the preconditioning wants it.
"""

from __future__ import annotations

import torch
from boltz.model.models.boltz1 import Boltz1
from boltz.model.modules.transformers import ConditionedTransitionBlock
from conditioning import SIGMA_DATA_ANGSTROM
from neurons import CONSTANT_VALUE, Neurons, hold, ridge, silence_norm
from orientation_wiring import amplitudes, rotations
from placement_wiring import NOISE_GAIN, data_gain, noise_gain
from places import CLASSES, atom_class
from token_stream import RELU_BIAS, TokenStream
from torch import Tensor

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
BACKGROUND_INPUT = 200.0
"""Large against what depends on the single atom, so that the layer norms are a fixed scale."""
NAME_INPUT = 0.2
NOISE_INPUT = 0.05
"""The noise level's gain stays small until the last layer takes the background away."""
NAME_GATE = 9.0
READ_OUT_RIDGE = 1e-12
"""Small against what places leave in a stream that its background dominates, about 1e-8 of its power."""
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

    def __init__(self, model: Boltz1, stream: TokenStream, features: dict[str, Tensor]) -> None:
        self.module = model.structure_module
        score = self.module.score_model
        self.encoder, self.decoder = score.atom_attention_encoder, score.atom_attention_decoder
        self.token_norm = score.a_norm
        self.path, self.stream, self.features = stream.path, stream, features

    def write(self) -> None:
        """Write encoder and decoder; the token transformer has to be written already."""
        with torch.no_grad():
            self._write_encoder()
            self._write_answer()
            self._write_decoder()

    def denoise(self, sigmas: Tensor, noisy: Tensor) -> Tensor:
        """Denoised atoms (n, n_atoms, 3) in Å."""
        embedding = self.stream.embedding
        padding = self.features["atom_pad_mask"].shape[1] - noisy.shape[1]
        return self.module.preconditioned_network_forward(
            torch.nn.functional.pad(noisy, (0, 0, 0, padding)),
            sigmas,
            training=True,
            network_condition_kwargs={
                "s_inputs": embedding.s_inputs,
                "s_trunk": embedding.s,
                "z_trunk": embedding.z,
                "relative_position_encoding": embedding.relative_position_encoding,
                "feats": self.features,
                "multiplicity": len(sigmas),
            },
        )[0][:, : noisy.shape[1]]

    def _write_encoder(self) -> None:
        embed = self.encoder.embed_atom_features.weight
        embed.zero_()
        embed[BACKGROUND[0], PAD_MASK_FEATURE] = BACKGROUND_INPUT
        embed[BACKGROUND[1], PAD_MASK_FEATURE] = -BACKGROUND_INPUT
        embed[NAMES] = NAME_INPUT * name_scores()
        embed[BALANCE] = -embed.sum(dim=0)
        self.encoder.embed_atompair_ref_pos.weight.zero_()
        coordinates = self.encoder.r_to_q_trans.weight
        coordinates.zero_()
        coordinates[COORDINATE, COORDINATE] = 1
        coordinates[BALANCE] = -coordinates.sum(dim=0)
        to_tokens = self.encoder.atom_to_token_trans[0].weight
        to_tokens.zero_()
        to_tokens[:, COORDINATE] = self.stream.encoder_weight
        to_tokens[:, BACKGROUND[0]] = RELU_BIAS / BACKGROUND_INPUT
        for layer in self.encoder.atom_encoder.diffusion_transformer.layers:
            layer.transition.b_to_a.weight.zero_()
            layer.pair_bias_attn.proj_o.weight.zero_()
        self.encoder.s_to_c_trans[1].weight.zero_()

    def _answers(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Normalised token stream, the places it means, the gains it tells, and weights; a row for each residue."""
        streams, places, gains, size, weights = [], [], [], [], []
        for _ in range(60):
            sigmas = (torch.rand(16, generator=self.stream.generator) * 9 - 5).exp()
            stream = self.stream.behind(sigmas, self.stream.draw(sigmas)[0], n_layers=len(self.stream.layers))
            turned = rotations(stream)
            size.append(turned[sigmas < 1].det().abs() ** (1 / 3))
            meant = self.path.places(amplitudes(stream)) @ turned.mT[:, None]
            gain = torch.stack([noise_gain(sigmas), data_gain(sigmas)], dim=1)
            streams.append(self.token_norm(stream).flatten(0, 1))
            places.append(meant.flatten(2).flatten(0, 1) / SIGMA_DATA_ANGSTROM)
            gains.append(gain.repeat_interleave(meant.shape[1], dim=0))
            weights.append((1 / (1 + sigmas)).repeat_interleave(meant.shape[1]))
        answers = torch.cat(places) / torch.cat(size).mean()
        return (
            torch.cat(streams).double(),
            answers.double(),
            torch.cat(gains).double(),
            torch.cat(weights).double()[:, None],
        )

    def _write_answer(self) -> None:
        """From tokens to their atoms: positions, and functions of the noise level, by least squares."""
        streams, places, gains, weights = self._answers()
        readout = ridge(streams * weights, places * weights, READ_OUT_RIDGE)
        relative = 1 / (gains[:, :1] + 0.02)
        by_noise, by_data = ridge(streams * relative, gains * relative, READ_OUT_RIDGE).unbind(dim=1)
        to_atoms = self.decoder.a_to_q_trans.weight
        to_atoms.zero_()
        to_atoms[COORDINATE] = -readout[:, :3].mT
        to_atoms[CA], to_atoms[VECTORS] = readout[:, :3].mT, readout[:, 3:].mT
        to_atoms[BY_NOISE], to_atoms[BY_DATA] = NOISE_INPUT * by_noise, by_data
        to_atoms[BALANCE] = -to_atoms.sum(dim=0)

    def _spread(self, transition: ConditionedTransitionBlock) -> tuple[float, Tensor]:
        """Standard deviation of the stream before a transition, and the atoms' normalised conditioning."""
        seen: dict[str, Tensor] = {}
        norms = transition.adaln
        hooks = [
            norms.a_norm.register_forward_pre_hook(lambda _, args: seen.update(stream=args[0])),
            norms.s_norm.register_forward_hook(lambda _, __, output: seen.update(conditioning=output)),
        ]
        sigmas = torch.tensor([0.1, 0.3, 0.5, 1.0, 2.0, 3.0, 4.0, 8.0])
        noisy, _, _ = self.stream.draw(sigmas)
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
            place = torch.zeros(WIDTH)
            place[VECTORS[axis::3]] = 1
            output = unit(int(COORDINATE[axis]), -spread) + unit(BALANCE, spread)
            neurons.linear(place, output)
            # A gate lets a class's vector pass whole, all other channels by one half.
            place[CA[axis]] = 2
            neurons.product(unit(BY_DATA, 2 * spread), place, output)

    def _finish(self, neurons: Neurons, spread: float) -> None:
        """Take away all but noise, and leave a spread in proportion to it."""
        passed = 2 * spread
        """A channel is halved and divided by the spread when it is read."""
        plus, minus = BACKGROUND.tolist()
        for channel in (*VECTORS.tolist(), *CA.tolist(), *NAMES.tolist(), plus, minus, BY_NOISE, BY_DATA, BALANCE):
            neurons.linear(unit(channel), unit(channel, -passed))
        gain = passed / NOISE_INPUT
        neurons.linear(unit(BY_NOISE), unit(plus, gain) + unit(minus, -gain))
