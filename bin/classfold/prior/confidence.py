"""Boltz-1's confidence head."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from boltz.model.models.boltz1 import Boltz1
from torch import Tensor

from .inputs import Features
from .trunk import Embedding


@dataclass(frozen=True)
class Confidence:
    """What the confidence head says of a batch of samples."""

    plddt: Tensor
    """(b, n_tokens), 0 to 1."""
    complex_plddt: Tensor
    """(b,)"""
    ptm: Tensor
    """(b,)"""
    iptm: Tensor
    """(b,) zero where there is one chain."""


def judge_samples(
    model: Boltz1, features: Features, embedding: Embedding, coordinates: Tensor, memory: Tensor | None
) -> Confidence:
    """Judge samples (b, n_atoms, 3), padding included."""
    head = model.confidence_module
    out = head(
        s_inputs=embedding.s_inputs,
        s=embedding.s,
        z=embedding.z,
        s_diffusion=memory if head.use_s_diffusion else None,
        x_pred=coordinates,
        feats=features,
        pred_distogram_logits=model.distogram_module(embedding.z),
        multiplicity=len(coordinates),
        run_sequentially=True,
        use_kernels=model.use_kernels,
    )
    zero = torch.zeros_like(out["complex_plddt"])
    return Confidence(out["plddt"], out["complex_plddt"], out.get("ptm", zero), out.get("iptm", zero))
