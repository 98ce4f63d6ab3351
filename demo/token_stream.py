"""The miniature's token stream: made silent, and read behind each layer while the layers are written."""

from __future__ import annotations

import math

import torch
from boltz.model.models.boltz1 import Boltz1
from conditioning import SIGMA_DATA_ANGSTROM, Conditioning
from conformations import Conformations, noised
from neurons import CONSTANT_VALUE, Neurons, hold, silence_attention, silence_norm
from token_channels import AXIS, CONSTANT, GRAM_PAIRS, MINUS, PLUS, SIGNED, WIDTH
from torch import Tensor

from classfold.prior import Embedding

RELU_BIAS = 5.0
"""Added to scaled coordinates, so that the encoder's ReLU passes them whole."""
BACKGROUND = 1000.0
"""Large against what depends on the atoms, so that the layer norms are a fixed scale."""
OFF_PATH = 0.3
"""Spread of amplitudes about a frame's: what is fitted must not pull a conformation along the path."""
OUTPUT_LOGIT = 2.0
PASSED = 0.5 / (1 + math.exp(-OUTPUT_LOGIT))
"""Share of an attention's output that reaches the stream."""


class TokenStream:
    """The token transformer of a miniature that is to be written for one path."""

    def __init__(
        self, model: Boltz1, path: Conformations, embedding: Embedding, pooling: Tensor, generator: torch.Generator
    ) -> None:
        self.score = model.structure_module.score_model
        self.layers = self.score.token_transformer.layers
        self.path = path
        self.embedding, self.pooling, self.generator = embedding, pooling, generator
        self.conditioning = Conditioning(self.score.single_conditioner, embedding, generator)
        self.encoder_weight = torch.zeros(WIDTH, 3)
        self.encoder_weight[PLUS, AXIS], self.encoder_weight[MINUS, AXIS] = 1.0, -1.0
        self._silence()

    def neurons(self, layer: int) -> Neurons:
        """A layer's transition, silent but for its constant channel."""
        neurons = Neurons(self.layers[layer].transition, CONSTANT, OUTPUT_LOGIT)
        hold(neurons.norm, CONSTANT, CONSTANT_VALUE * self.conditioning.one)
        return neurons

    def behind(self, sigmas: Tensor, noisy: Tensor, n_layers: int) -> Tensor:
        """Token stream (n, n_residues, WIDTH) behind some layers, for noisy atoms (n, n_atoms, 3) in Å."""
        conditioning, pair, stream = self._start(sigmas, noisy)
        mask = torch.ones(stream.shape[:2])
        for layer in self.layers[:n_layers]:
            stream = layer(stream, conditioning, pair, mask=mask, multiplicity=len(sigmas))
        return stream

    def before_transition(self, sigmas: Tensor, noisy: Tensor, layer: int) -> Tensor:
        """What the neurons of a layer's transition read."""
        seen: list[Tensor] = []
        hook = self.layers[layer].transition.adaln.register_forward_hook(lambda _, __, output: seen.append(output))
        self.behind(sigmas, noisy, layer + 1)
        hook.remove()
        return seen[0]

    def draw(self, sigmas: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Conformations near frames drawn at random, noised: noisy atoms, rotations, amplitudes."""
        frames = torch.randint(len(self.path.amplitudes), (len(sigmas),), generator=self.generator)
        amplitudes = self.path.amplitudes[frames]
        amplitudes = amplitudes + OFF_PATH * torch.randn(amplitudes.shape, generator=self.generator)
        _, noisy, rotations = noised(self.path, amplitudes, sigmas, self.generator)
        return noisy, rotations, amplitudes

    def _start(self, sigmas: Tensor, noisy: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        scaled = noisy / (sigmas**2 + SIGMA_DATA_ANGSTROM**2).sqrt()[:, None, None]
        conditioning = self.conditioning(sigmas)
        pair = self.score.pairwise_conditioner(
            z_trunk=self.embedding.z, token_rel_pos_feats=self.embedding.relative_position_encoding
        )
        stream = self.pooling @ torch.relu(scaled @ self.encoder_weight.mT + RELU_BIAS)
        return conditioning, pair, stream + self.score.s_to_a_linear(conditioning)

    def _silence(self) -> None:
        """Let no layer add anything yet; put the background into the stream, equal in plus and minus."""
        for number, layer in enumerate(self.layers):
            silence_norm(layer.adaln)
            silence_attention(layer.pair_bias_attn)
            layer.output_projection_linear.weight.zero_()
            layer.output_projection_linear.bias.fill_(OUTPUT_LOGIT)
            self.neurons(number)
        free = PLUS[2 * len(GRAM_PAIRS) :]
        self.background = torch.zeros(WIDTH)
        self.background[free] = BACKGROUND * torch.where(free % 2 == 0, 1.0, -1.0)
        self.background[free + SIGNED] = self.background[free]
        to_tokens = self.score.s_to_a_linear
        to_tokens[0].weight[0], to_tokens[0].bias[0] = 0, 1
        to_tokens[1].weight.zero_()
        to_tokens[1].weight[:, 0] = self.background
