"""Boltz-1's weights, from a checkpoint to a model that is ready for inference."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch
from boltz.main import BoltzDiffusionParams, BoltzSteeringParams, MSAModuleArgs, PairformerArgs
from boltz.model.models.boltz1 import Boltz1

STEP_SCALE = 1.638
"""Boltz-1's default, which ``boltz predict`` sets in its own body."""


def load_model(checkpoint: Path) -> Boltz1:
    """Load a Boltz-1 checkpoint as ``boltz predict`` does, on the CPU and ready for inference.

    The sampler's parameters are Boltz's inference defaults, not the checkpoint's. The sizes of the trunk are the
    checkpoint's own, which for the published weights are Boltz's defaults. Verify the file's digest before: it is
    unpickled.
    """
    sizes = torch.load(checkpoint, map_location="cpu", mmap=True, weights_only=False)["hyper_parameters"]
    pairformer_args = asdict(PairformerArgs())
    pairformer_args |= {key: sizes["pairformer_args"][key] for key in ("num_blocks", "num_heads")}
    msa_args = asdict(MSAModuleArgs(use_paired_feature=False))
    msa_sizes = ("msa_s", "msa_blocks", "pairwise_head_width", "pairwise_num_heads")
    msa_args |= {key: sizes["msa_args"][key] for key in msa_sizes if key in sizes["msa_args"]}
    model = Boltz1.load_from_checkpoint(
        checkpoint,
        strict=True,
        map_location="cpu",
        predict_args={},
        diffusion_process_args=asdict(BoltzDiffusionParams(step_scale=STEP_SCALE)),
        ema=False,
        use_kernels=False,
        pairformer_args=pairformer_args,
        msa_args=msa_args,
        steering_args=asdict(BoltzSteeringParams()),
    )
    return model.eval().requires_grad_(False)
