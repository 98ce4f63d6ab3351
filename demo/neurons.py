"""Neurons of Boltz's conditioned transition whose weights are written down instead of learnt.

A transition computes ``out += W_out (silu(W_gate b) * W_first b * W_value b)`` of its adaptively normalised stream b.
Two of its neurons form an exact product, since silu(x) - silu(-x) = x; a third factor, a constant or a function of the
noise level, comes in through ``W_first``.
"""

from __future__ import annotations

import math

import torch
from boltz.model.layers.attention import AttentionPairBias
from boltz.model.modules.transformers import AdaLN, ConditionedTransitionBlock
from torch import Tensor
from torch.nn import functional

CONSTANT_VALUE = 2.0
"""What a constant channel holds after normalisation."""
CLOSED_GATE = -9.0
"""Logit of a channel whose stream is shut out: only the bias from the conditioning remains."""


def silence_norm(norm: AdaLN) -> None:
    """Let every channel pass with weight one half, and add nothing."""
    for parameter in (norm.s_scale.weight, norm.s_scale.bias, norm.s_bias.weight):
        parameter.zero_()


def silence_attention(attention: AttentionPairBias) -> None:
    """Attend to all tokens alike, with weight one half, and put nothing out."""
    for parameter in (
        attention.proj_q.weight,
        attention.proj_q.bias,
        attention.proj_k.weight,
        attention.proj_z[1].weight,
        attention.proj_g.weight,
        attention.proj_v.weight,
        attention.proj_o.weight,
    ):
        parameter.zero_()


def hold(norm: AdaLN, channel: int, weights: Tensor) -> None:
    """Make a channel hold a function of the conditioning alone, given by its read-out weights (dim_condition,)."""
    norm.s_scale.weight[channel] = 0.0
    norm.s_scale.bias[channel] = CLOSED_GATE
    norm.s_bias.weight[channel] = weights


class Neurons:
    """The neurons of one transition, filled from the first on; the others put nothing out.

    ``constant`` is the channel that holds ``CONSTANT_VALUE`` for all tokens.
    """

    def __init__(self, transition: ConditionedTransitionBlock, constant: int, output_logit: float) -> None:
        self.norm = transition.adaln
        silence_norm(self.norm)
        self.first, self.gate = transition.swish_gate[0].weight.chunk(2)
        self.value, self.output = transition.a_to_b.weight, transition.b_to_a.weight
        self.output.zero_()
        transition.output_projection[0].weight.zero_()
        transition.output_projection[0].bias.fill_(output_logit)
        self.scale = 1 / (1 + math.exp(-output_logit))
        self.constant = constant
        self.used = 0

    def gated(self, gate: Tensor, value: Tensor, output: Tensor, factor: dict[int, float] | None = None) -> None:
        """Add silu(gate · b)(value · b) along ``output``, times the channels of ``factor`` over the constant."""
        self.first[self.used] = 0.0
        for channel, weight in (factor or {self.constant: 1.0}).items():
            self.first[self.used, channel] = weight / CONSTANT_VALUE
        self.gate[self.used], self.value[self.used] = gate, value
        self.output[:, self.used] = output / self.scale
        self.used += 1

    def product(self, gate: Tensor, value: Tensor, output: Tensor, factor: dict[int, float] | None = None) -> None:
        """Add (gate · b)(value · b) along ``output``, times the channels of ``factor``."""
        self.gated(gate, value, output, factor)
        self.gated(-gate, value, -output, factor)

    def linear(self, value: Tensor, output: Tensor, factor: dict[int, float] | None = None) -> None:
        """Add (value · b) along ``output``, times the channels of ``factor``."""
        gate = torch.zeros_like(value)
        gate[self.constant] = 1.0
        opened = functional.silu(torch.tensor(CONSTANT_VALUE)).item()
        self.gated(gate, value, output / opened, factor)


def ridge(inputs: Tensor, targets: Tensor, strength: float) -> Tensor:
    """Least squares with a ridge, in double precision: (n_inputs, n_targets)."""
    inputs, targets = inputs.double(), targets.double()
    identity = torch.eye(inputs.shape[1], dtype=torch.float64)
    penalty = strength * inputs.square().sum(dim=0).mean() * identity
    return torch.linalg.solve(inputs.mT @ inputs + penalty, inputs.mT @ targets).float()
