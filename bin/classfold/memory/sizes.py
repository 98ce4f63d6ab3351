"""The numbers that memory depends on: a model's dimensions and the size of a problem."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor, nn

FLOAT_BYTES = 4
"""Everything is computed in float32."""


@dataclass(frozen=True)
class Dimensions:
    """A Boltz-1's dimensions, as far as memory depends on them; the defaults are those of the published weights."""

    n_weights: int = 592_009_278
    """Numbers in all weights, with the confidence head's trunk."""
    atom_s: int = 128
    atom_z: int = 16
    token_s: int = 384
    token_z: int = 128
    atom_features: int = 389
    window_queries: int = 32
    window_keys: int = 128
    atom_heads: int = 4
    embedder_depth: int = 3
    encoder_depth: int = 3
    decoder_depth: int = 3
    token_heads: int = 16
    token_depth: int = 24
    msa_s: int = 64
    msa_width: int = 128
    """Heads times width of a head of the triangle attention in the MSA module."""
    msa_heads: int = 4
    pairformer_heads: int = 16
    num_bins: int = 64
    """Of the distogram."""
    has_confidence: bool = True
    recomputes: bool = True
    """Whether the denoiser's layers are computed again in the backward pass and not kept (``activation_checkpointing``,
    as in the published training configuration)."""

    @classmethod
    def of_hyperparameters(cls, sizes: Mapping[str, Any], n_weights: int) -> Dimensions:
        """Dimensions by the hyper-parameters of a checkpoint or of a model (``model.hparams``)."""
        score, msa, embedder = sizes["score_model_args"], sizes["msa_args"], sizes["embedder_args"]
        heads = {score["atom_encoder_heads"], score["atom_decoder_heads"], embedder["atom_encoder_heads"]}
        return cls(
            n_weights=n_weights,
            atom_s=sizes["atom_s"],
            atom_z=sizes["atom_z"],
            token_s=sizes["token_s"],
            token_z=sizes["token_z"],
            atom_features=sizes["atom_feature_dim"],
            window_queries=sizes["atoms_per_window_queries"],
            window_keys=sizes["atoms_per_window_keys"],
            atom_heads=max(heads),
            embedder_depth=embedder["atom_encoder_depth"],
            encoder_depth=score["atom_encoder_depth"],
            decoder_depth=score["atom_decoder_depth"],
            token_heads=score["token_transformer_heads"],
            token_depth=score["token_transformer_depth"],
            msa_s=msa["msa_s"],
            msa_width=msa.get("pairwise_head_width", 32) * msa.get("pairwise_num_heads", 4),
            msa_heads=msa.get("pairwise_num_heads", 4),
            pairformer_heads=sizes["pairformer_args"]["num_heads"],
            num_bins=sizes["num_bins"],
            has_confidence=bool(sizes.get("confidence_prediction", False)),
            recomputes=bool(score.get("activation_checkpointing", False)),
        )

    @classmethod
    def of_model(cls, model: nn.Module) -> Dimensions:
        """Dimensions of a loaded Boltz-1."""
        sizes = cast(Mapping[str, Any], model.hparams)
        return cls.of_hyperparameters(sizes, sum(weight.numel() for weight in model.parameters()))


@dataclass(frozen=True)
class Problem:
    """What is to be sampled."""

    n_atoms: int
    """With Boltz's padding."""
    n_tokens: int
    n_msa_rows: int = 1
    feature_bytes: int = 0
    """Of Boltz's features."""
    n_maps: int = 0
    map_voxels: int = 0
    """Of the largest map."""
    n_points: int = 0
    """Of the largest point cloud."""
    n_pseudo_atoms: int = 0
    """Points that stand for the model in the global energy."""

    @classmethod
    def of_features(cls, features: Mapping[str, Tensor], **guidance: int) -> Problem:
        """The size of a target by its features; what guides it is given by name."""
        return cls(
            n_atoms=features["atom_pad_mask"].shape[1],
            n_tokens=features["token_pad_mask"].shape[1],
            n_msa_rows=features["msa"].shape[1],
            feature_bytes=sum(values.nbytes for values in features.values()),
            **guidance,
        )

    def __str__(self) -> str:
        return f"{self.n_tokens:,} tokens and {self.n_atoms:,} atoms"

    @property
    def pair_bytes(self) -> int:
        """One float for every pair of tokens."""
        return self.n_tokens**2 * FLOAT_BYTES

    @property
    def membership_bytes(self) -> int:
        """One float for every atom and token (Boltz's ``atom_to_token``)."""
        return self.n_atoms * self.n_tokens * FLOAT_BYTES
