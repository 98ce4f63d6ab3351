"""Memory of the attention over windows of atoms (boltz 2.2.1, ``model/modules/{encoders,transformers}.py``)."""

from __future__ import annotations

from dataclasses import dataclass

from .sizes import FLOAT_BYTES, Dimensions, Problem


@dataclass(frozen=True)
class AtomSizes:
    """Bytes of the tensors that atoms have, for one sample."""

    single: int
    """(n_atoms, atom_s)"""
    keys: int
    """The same for the keys of all windows; an atom is a key of several."""
    logits: int
    """Attention logits of all windows, or a layer's bias."""
    pairs: int
    """(n_windows, queries, keys, atom_z)"""

    @classmethod
    def of(cls, dimensions: Dimensions, problem: Problem) -> AtomSizes:
        """Sizes for a model and a target."""
        single = problem.n_atoms * dimensions.atom_s * FLOAT_BYTES
        per_channel = problem.n_atoms * dimensions.window_keys * FLOAT_BYTES
        return cls(
            single,
            single * dimensions.window_keys // dimensions.window_queries,
            per_channel * dimensions.atom_heads,
            per_channel * dimensions.atom_z,
        )


def attention_bytes(sizes: AtomSizes) -> int:
    """Widest point of one ``AtomTransformer`` layer.

    Pairs are repeated for the batch as long as the transformer works; the attention has its bias, the logits, the
    scaled logits and the sum at once, beside queries, keys, values and what the layer goes between.
    """
    return sizes.pairs + 4 * sizes.logits + 3 * sizes.keys + 8 * sizes.single


def window_pairs_bytes(dimensions: Dimensions, problem: Problem) -> int:
    """Features of the atoms and of the pairs within windows while ``AtomAttentionEncoder`` makes them."""
    sizes = AtomSizes.of(dimensions, problem)
    return 3 * sizes.pairs + (dimensions.atom_features + 3 * dimensions.atom_s) * problem.n_atoms * FLOAT_BYTES


def embedding_atoms_bytes(dimensions: Dimensions, problem: Problem) -> int:
    """Widest point of the trunk's ``InputEmbedder``, which has an atom transformer without samples."""
    sizes = AtomSizes.of(dimensions, problem)
    return max(
        window_pairs_bytes(dimensions, problem),
        2 * sizes.pairs + 4 * sizes.logits + 3 * sizes.keys + 8 * sizes.single,
        2 * sizes.pairs + 4 * problem.membership_bytes,
    )
