"""The trunk of Boltz-1: what is computed once per target."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from boltz.model.models.boltz1 import Boltz1
from torch import Tensor

from .inputs import Features


@dataclass(frozen=True)
class Embedding:
    """What the trunk computes once per target; the denoiser is conditioned on it."""

    s_inputs: Tensor
    """(1, n_tokens, d_inputs) embedded inputs."""
    s: Tensor
    """(1, n_tokens, token_s) single representation."""
    z: Tensor
    """(1, n_tokens, n_tokens, token_z) pair representation."""
    relative_position_encoding: Tensor
    """(1, n_tokens, n_tokens, token_z)"""


def run_trunk(model: Boltz1, features: Features, recycling_steps: int) -> Embedding:
    """The trunk of ``Boltz1.forward``, apart from its diffusion (Algorithm 1 of AlphaFold 3, lines 1-14)."""
    s_inputs = model.input_embedder(features)
    s_init = model.s_init(s_inputs)
    relative_position_encoding = model.rel_pos(features)
    z_init = (
        model.z_init_1(s_inputs)[:, :, None]
        + model.z_init_2(s_inputs)[:, None, :]
        + relative_position_encoding
        + model.token_bonds(features["token_bonds"].float())
    )
    mask = features["token_pad_mask"].float()
    pair_mask = mask[:, :, None] * mask[:, None, :]
    s, z = torch.zeros_like(s_init), torch.zeros_like(z_init)
    for _ in range(recycling_steps + 1):
        s = s_init + model.s_recycle(model.s_norm(s))
        z = z_init + model.z_recycle(model.z_norm(z))
        if not model.no_msa:
            z = z + model.msa_module(z, s_inputs, features, use_kernels=model.use_kernels)
        s, z = model.pairformer_module(s, z, mask=mask, pair_mask=pair_mask, use_kernels=model.use_kernels)
    return Embedding(s_inputs, s, z, relative_position_encoding)
