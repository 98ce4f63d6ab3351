"""Boltz-1's denoiser as the sampler calls it, and what of it may run faster and less exactly."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from boltz.model.modules.diffusion import AtomDiffusion, DiffusionModule
from torch import Tensor, nn

from ..precision import Precision
from .inputs import Features
from .trunk import Embedding

MAX_VERSIONS = 64
"""Compiled versions of a transformer layer: tokens or atoms, with or without gradients, for each batch size."""


class InBfloat16(nn.Module):
    """A module whose matrix products are done in bfloat16; what it adds up stays as it came."""

    def __init__(self, module: nn.Module, device: torch.device) -> None:
        super().__init__()
        self.module = module
        self.device_type = device.type

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        with torch.autocast(self.device_type, dtype=torch.bfloat16):
            return self.module(*args, **kwargs)


def speed_up(score_model: DiffusionModule, precision: Precision, device: torch.device) -> None:
    """Compile the score model's three transformers and put them in bfloat16, in place, as far as asked for.

    Only the transformers: what reads or writes coordinates and noise levels is little work, and would be rounded to two
    or three digits. Layer by layer: layers of a kind share one compiled version, so the warm-up does not grow
    with their number.
    """
    encoder, decoder = score_model.atom_attention_encoder, score_model.atom_attention_decoder
    if precision.compile:
        torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, MAX_VERSIONS)
        stacks = (
            score_model.token_transformer,
            encoder.atom_encoder.diffusion_transformer,
            decoder.atom_decoder.diffusion_transformer,
        )
        for layer in (layer for stack in stacks for layer in stack.layers):
            layer.compile(dynamic=False)
    if precision.matmul == "bf16":
        score_model.token_transformer = InBfloat16(score_model.token_transformer, device)
        encoder.atom_encoder = InBfloat16(encoder.atom_encoder, device)
        decoder.atom_decoder = InBfloat16(decoder.atom_decoder, device)


class BoltzDenoiser:
    """The denoiser conditioned on an embedding; a :class:`classfold.sampler.Denoise`.

    What depends on the embedding alone is computed once, and again when the batch size changes: Boltz's own cache holds
    it repeated for the batch, and it is large (several GB for 2,000 tokens), so that only one is kept. The memory is
    the accumulated token representation that the confidence head reads.

    On a CPU, where a batch gains nothing, samples are denoised one by one: rounding depends on a batch's size, and a
    sample is to be the same alone and among others.

    Parameters
    ----------
    diffusion : AtomDiffusion
        Boltz's, after :func:`speed_up`.
    embedding : Embedding
        Of the target.
    features : dict of Tensor
        Of the target.
    precision : Precision
        As the diffusion was prepared.
    """

    def __init__(
        self, diffusion: AtomDiffusion, embedding: Embedding, features: Features, precision: Precision
    ) -> None:
        self.diffusion = diffusion
        self.condition = {
            "s_inputs": embedding.s_inputs,
            "s_trunk": embedding.s,
            "z_trunk": embedding.z,
            "relative_position_encoding": embedding.relative_position_encoding,
            "feats": features,
        }
        self.precision = precision
        self.cache: dict[str, Any] = {}
        self.cached_for = 0
        """Batch size that the cache is for."""

    def __call__(self, noisy: Tensor, sigma: float, memory: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Denoised coordinates (b, n_atoms, 3) in Å of noisy ones at a noise level in Å, and the memory to carry on."""
        if noisy.device.type != "cpu":
            return self._denoise(noisy, sigma, memory)
        memories = [None] * len(noisy) if memory is None else memory.split(1)
        singles = [self._denoise(one, sigma, own) for one, own in zip(noisy.split(1), memories, strict=True)]
        parts = [own for _, own in singles if own is not None]
        return torch.cat([one for one, _ in singles]), torch.cat(parts) if parts else None

    def _denoise(self, noisy: Tensor, sigma: float, memory: Tensor | None) -> tuple[Tensor, Tensor | None]:
        if self.cached_for != len(noisy):
            self.cache, self.cached_for = {}, len(noisy)
        # What fills the cache runs once: compiling it would double the warm-up.
        fills_cache = self.precision.compile and not self.cache
        stance = torch.compiler.set_stance("force_eager") if fills_cache else contextlib.nullcontext()
        with self.precision.matmuls(), stance:
            denoised, token_activation = self.diffusion.preconditioned_network_forward(
                noisy,
                sigma,
                training=False,
                network_condition_kwargs=self.condition | {"multiplicity": len(noisy), "model_cache": self.cache},
            )
            if self.diffusion.accumulate_token_repr:
                levels = noisy.new_full((len(noisy),), sigma)
                memory = self._accumulate(token_activation, levels, memory)
        return denoised, memory

    @torch.no_grad()
    def _accumulate(self, token_activation: Tensor, levels: Tensor, memory: Tensor | None) -> Tensor:
        """The memory (b, n_tokens, 2 token_s) after a step at noise levels (b,) that left this token activation."""
        return self.diffusion.out_token_feat_update(
            times=self.diffusion.c_noise(levels),
            acc_a=torch.zeros_like(token_activation) if memory is None else memory,
            next_a=token_activation,
        )
