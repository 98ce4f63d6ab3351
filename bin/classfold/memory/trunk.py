"""Memory of the trunk and of the confidence head, which is a second one.

Every term is the set of tensors that live at once at the widest point of one of Boltz's modules (boltz 2.2.1,
``model/modules/trunk.py`` and ``model/layers``), and the peak is the widest of them. ``pair`` is one float for every
pair of tokens, so that a pair representation takes ``token_z * pair``.
"""

from __future__ import annotations

from .atoms import embedding_atoms_bytes
from .sizes import FLOAT_BYTES, Dimensions, Problem

CHUNKED_ABOVE = 384
"""Tokens above which Boltz works in chunks (``const.chunk_size_threshold``)."""
TRIANGLE_ROWS = {False: 512, True: 128}
"""Rows that triangle attention works on at once, below and above that."""
OUTER_CHANNELS = 32
"""Hidden channels of the outer product mean (``MSALayer``)."""
AVERAGING_WIDTH = 8 * 32
"""Heads times width of the pair weighted averaging (``MSALayer``)."""
TRUNK_HEADS, TRUNK_WIDTH = 4, 128
"""Heads of the Pairformer's triangle attention, and heads times width (``PairformerModule``'s defaults)."""
HELD_PAIRS = 5
"""Relative positions, initial pairs, those that entered the stack, those that entered the layer, the current ones."""
RELATIVE_POSITION_BYTES = 2252
"""Of each pair in ``RelativePositionEncoder``: one-hot rows of 66 + 66 + 6 int64, their floats, and those joined."""


def triangle_attention_bytes(problem: Problem, token_z: int, heads: int, width: int) -> int:
    """``TriangleAttention``: logits and softmax of the rows of one chunk, their q, k, v, and the normalised input."""
    n, pair = problem.n_tokens, problem.pair_bytes
    rows = min(n, TRIANGLE_ROWS[n > CHUNKED_ABOVE])
    whole = token_z if rows == n else 2 * token_z + width * rows // n
    return 2 * rows * heads * pair + 3 * rows * n * width * FLOAT_BYTES + (whole + heads) * pair


def pair_stack_bytes(dimensions: Dimensions, problem: Problem) -> int:
    """Widest point of the pair updates of a Pairformer layer, beyond the representations that it goes between.

    ``Transition`` widens pairs fourfold, three times at once, beside its normalised input: 13 ``token_z``. The triangle
    multiplication has 7 and is never the widest.
    """
    pair, token_z = problem.pair_bytes, dimensions.token_z
    return max(
        13 * token_z * pair,
        triangle_attention_bytes(problem, token_z, TRUNK_HEADS, TRUNK_WIDTH),
        4 * dimensions.pairformer_heads * pair,
    )


def msa_stack_bytes(dimensions: Dimensions, problem: Problem) -> int:
    """Widest point of ``MSALayer``, beyond the pair representations."""
    n, pair, token_z, msa_s = problem.n_tokens, problem.pair_bytes, dimensions.token_z, dimensions.msa_s
    rows = problem.n_msa_rows * n * FLOAT_BYTES
    held = 2 * msa_s * rows
    if n > CHUNKED_ABOVE:
        outer = (2 * 4 * OUTER_CHANNELS + 3 * token_z) * pair
        alignment = max(4 * msa_s + 32, msa_s + 6 * 32) * rows
        transition = 4 * token_z * pair
    else:
        outer = (2 * OUTER_CHANNELS**2 + problem.n_msa_rows) * pair
        alignment = max(4 * AVERAGING_WIDTH + msa_s, 13 * msa_s) * rows
        transition = 13 * token_z * pair
    outer += (msa_s + 4 * OUTER_CHANNELS) * rows
    attention = triangle_attention_bytes(problem, token_z, dimensions.msa_heads, dimensions.msa_width)
    return held + max(outer, alignment, transition, attention)


def trunk_peak_bytes(dimensions: Dimensions, problem: Problem) -> int:
    """Peak of the trunk's tensors, without weights and features."""
    pair = problem.pair_bytes
    stacks = max(pair_stack_bytes(dimensions, problem), msa_stack_bytes(dimensions, problem))
    return max(
        HELD_PAIRS * dimensions.token_z * pair + stacks,
        (RELATIVE_POSITION_BYTES // FLOAT_BYTES) * pair,
        embedding_atoms_bytes(dimensions, problem),
    )


def embedding_bytes(dimensions: Dimensions, problem: Problem) -> int:
    """What the trunk leaves: pairs, relative positions, and the tokens' representations."""
    return 2 * dimensions.token_z * problem.pair_bytes + 3 * problem.n_tokens * dimensions.token_s * FLOAT_BYTES


def confidence_peak_bytes(dimensions: Dimensions, problem: Problem) -> int:
    """Peak of the confidence head, which Boltz runs for one sample after the other; zero without one.

    ``ConfidenceModule`` builds pairs anew like the trunk and keeps the distogram's logits of the trunk.
    """
    if not dimensions.has_confidence:
        return 0
    return trunk_peak_bytes(dimensions, problem) + (dimensions.num_bins + dimensions.token_z) * problem.pair_bytes
