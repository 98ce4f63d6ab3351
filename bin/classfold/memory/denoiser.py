"""Memory of the denoiser (boltz 2.2.1, ``model/modules/diffusion.py``, ``encoders.py``, ``transformers.py``).

What depends on the target alone is computed once and kept (Boltz's ``model_cache``); the rest each sample needs.
"""

from __future__ import annotations

from .atoms import AtomSizes, attention_bytes, window_pairs_bytes
from .sizes import FLOAT_BYTES, Dimensions, Problem

KEPT_PER_LAYER = 21
"""Tensors as wide as its input that a transformer layer keeps for the backward pass: 8 of the attention (input,
adaptive norm, q, k, v, gate, output, output's gate) and 13 of the transition (input, adaptive norm, 4 + 2 + 2 + 2 of
the gated widening, output's gate). Weights take no gradient."""


def conditioning_bytes(dimensions: Dimensions, problem: Problem) -> int:
    """What is kept of a target: the pair bias of each token layer, and the atoms' features, pairs and keys."""
    atoms = AtomSizes.of(dimensions, problem)
    half_windows = 2 * problem.n_atoms // dimensions.window_queries
    keys_of = half_windows**2 * dimensions.window_keys // dimensions.window_queries
    bias = dimensions.token_depth * dimensions.token_heads * problem.pair_bytes
    return bias + atoms.pairs + 2 * atoms.single + keys_of * FLOAT_BYTES


def conditioning_bytes_per_sample(dimensions: Dimensions, problem: Problem) -> int:
    """What is kept for each sample of a batch: Boltz repeats the bias of each atom layer for all of them."""
    layers = dimensions.encoder_depth + dimensions.decoder_depth
    return layers * AtomSizes.of(dimensions, problem).logits


def conditioning_peak_bytes(dimensions: Dimensions, problem: Problem) -> int:
    """Widest point of the first call, before any sample is worked on.

    ``PairwiseConditioning`` widens pairs twofold, three times at once, beside its input and output: 8 ``token_z``.
    Then the encoder spreads ``atom_z`` channels of them over atoms and tokens.
    """
    pair, member = problem.pair_bytes, problem.membership_bytes
    spread = (dimensions.atom_z + 1 + dimensions.window_keys // dimensions.window_queries) * member
    spread += (dimensions.token_z + 2 * dimensions.atom_z) * pair + window_pairs_bytes(dimensions, problem)
    return max(8 * dimensions.token_z * pair, spread)


def token_bytes(dimensions: Dimensions, problem: Problem) -> int:
    """(n_tokens, 2 token_s) of one sample: what goes from token layer to token layer."""
    return problem.n_tokens * 2 * dimensions.token_s * FLOAT_BYTES


def call_bytes(dimensions: Dimensions, problem: Problem) -> int:
    """Peak of one sample in a call of the denoiser without a graph: the widest of its four parts."""
    atoms, tokens = AtomSizes.of(dimensions, problem), token_bytes(dimensions, problem)
    logits = dimensions.token_heads * problem.pair_bytes
    to_tokens = 2 * problem.n_atoms * 2 * dimensions.token_s * FLOAT_BYTES
    return max(
        attention_bytes(atoms) + 2 * tokens + problem.membership_bytes,
        4 * logits + 8 * tokens + 2 * atoms.single,
        14 * tokens + 2 * atoms.single,
        3 * problem.membership_bytes + to_tokens + 3 * atoms.single,
    )


def graph_call_bytes(dimensions: Dimensions, problem: Problem) -> tuple[int, int]:
    """One sample in a call of the denoiser whose graph is kept for the gradient.

    Returns
    -------
    kept : int
        Held from the call to the end of the backward pass.
    passing : int
        What comes on top at the widest point: the layer at work.
    """
    atoms, tokens = AtomSizes.of(dimensions, problem), token_bytes(dimensions, problem)
    logits = dimensions.token_heads * problem.pair_bytes
    atom_layers = dimensions.encoder_depth + dimensions.decoder_depth
    token_layer = KEPT_PER_LAYER * tokens + logits
    # Keys and values are as many as the windows' keys.
    atom_layer = (KEPT_PER_LAYER - 2) * atoms.single + 2 * atoms.keys + atoms.logits
    around = 2 * problem.membership_bytes + problem.n_atoms * 2 * dimensions.token_s * FLOAT_BYTES
    around += 3 * tokens + 3 * atoms.single
    if dimensions.recomputes:
        kept = around + dimensions.token_depth * tokens + atom_layers * atoms.single + 2 * atoms.pairs
        # Once the token layers are computed again, the decoder's tensors are gone.
        gone = atoms.pairs + problem.membership_bytes + (dimensions.decoder_depth + 3) * atoms.single
        token_work = max(4 * logits + 8 * tokens, 2 * logits + token_layer)
        atom_work = max(4 * atoms.logits + 4 * atoms.keys + 9 * atoms.single, 2 * atoms.logits + atom_layer)
        return kept, max(token_work - gone, atom_work)
    kept = around + dimensions.token_depth * token_layer + atom_layers * atom_layer
    # While the last token layer works, the decoder's atom layers have kept nothing yet.
    token_work = 3 * logits - dimensions.decoder_depth * atom_layer
    return kept, max(token_work, 3 * atoms.logits + 2 * atoms.keys + atoms.pairs)
