"""What the stages need, put together from their parts.

Everything counts tensors in float32; what an allocator needs beyond is in :mod:`.limits`. Compared with what
PyTorch allocates in ``./classfold bench memory``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .denoiser import (
    call_bytes,
    conditioning_bytes,
    conditioning_bytes_per_sample,
    conditioning_peak_bytes,
    graph_call_bytes,
    token_bytes,
)
from .energies import global_bytes, local_bytes, maps_bytes, published_global_bytes
from .sizes import FLOAT_BYTES, Dimensions, Problem
from .trunk import confidence_peak_bytes, embedding_bytes, trunk_peak_bytes

STATE_VECTORS = 12
"""Vectors of each atom that a step of the sampler has at once: states, noise, directions, gradients."""


@dataclass(frozen=True)
class Footprint:
    """Memory of work on a batch of samples."""

    fixed_bytes: int
    """Whatever the number of samples."""
    per_sample_bytes: int
    once_bytes: int = 0
    """Peak of a part of the work that does not depend on the number of samples."""
    subject: str = "this target"
    """What the work is on, for messages."""

    def at(self, n_samples: int) -> int:
        """Peak in bytes with so many samples at once."""
        return max(self.once_bytes, self.fixed_bytes + n_samples * self.per_sample_bytes)

    def beside(self, held_bytes: int) -> Footprint:
        """The same where so much more is held all the while."""
        return replace(self, fixed_bytes=self.fixed_bytes + held_bytes, once_bytes=self.once_bytes + held_bytes)


@dataclass(frozen=True)
class GuidanceKind:
    """What of guidance memory depends on."""

    through_network: bool
    """Whether any step takes its gradient through the denoiser."""
    published: bool
    """Whether the global energy is the paper's, between all atoms."""


def weights_bytes(dimensions: Dimensions) -> int:
    """All weights, with those of the confidence head."""
    return dimensions.n_weights * FLOAT_BYTES


def inputs_bytes(dimensions: Dimensions, problem: Problem) -> int:
    """What is on the device before anything is computed: weights and features."""
    return weights_bytes(dimensions) + problem.feature_bytes


def sampling_inputs_bytes(dimensions: Dimensions, problem: Problem) -> int:
    """What is on the device before samples are drawn: weights, features and the trunk's embedding."""
    return inputs_bytes(dimensions, problem) + embedding_bytes(dimensions, problem)


def trunk_footprint(dimensions: Dimensions, problem: Problem) -> Footprint:
    """The trunk, beside :func:`inputs_bytes`."""
    return Footprint(trunk_peak_bytes(dimensions, problem), 0, 0, str(problem))


def unguided_footprint(dimensions: Dimensions, problem: Problem, one_by_one: bool) -> Footprint:
    """Sampling without a map, beside :func:`sampling_inputs_bytes`.

    Parameters
    ----------
    dimensions : Dimensions
    problem : Problem
    one_by_one : bool
        Whether the denoiser works on the samples of a batch one after the other, as it does on a CPU.
    """
    return _sampling_footprint(dimensions, problem, one_by_one, (0, call_bytes(dimensions, problem)), (0, 0))


def guided_footprint(
    dimensions: Dimensions, problem: Problem, kind: GuidanceKind, one_by_one: bool
) -> Footprint:
    """Guided sampling and the judging of its samples, beside :func:`sampling_inputs_bytes`.

    Parameters as in :func:`unguided_footprint`.
    """
    call = 0, call_bytes(dimensions, problem)
    if kind.through_network:
        call = graph_call_bytes(dimensions, problem)
    far = published_global_bytes(problem) if kind.published else global_bytes(problem)
    near = local_bytes(problem)
    energy = max(far[0], near[0]), max(far[1], near[1])
    footprint = _sampling_footprint(dimensions, problem, one_by_one, call, energy)
    if dimensions.has_confidence:
        held = conditioning_bytes(dimensions, problem) + conditioning_bytes_per_sample(dimensions, problem)
        once = max(footprint.once_bytes, held + confidence_peak_bytes(dimensions, problem))
        footprint = replace(footprint, once_bytes=once)
    return footprint.beside(maps_bytes(problem))


def _sampling_footprint(
    dimensions: Dimensions, problem: Problem, one_by_one: bool, call: tuple[int, int], energy: tuple[int, int]
) -> Footprint:
    """A denoiser whose call keeps and passes so much of each sample, and an energy of so much fixed and per sample."""
    kept, passing = call
    # The pairs that the conditioning is made of live as long as the first call.
    fixed = conditioning_bytes(dimensions, problem) + dimensions.token_z * problem.pair_bytes
    repeated = conditioning_bytes_per_sample(dimensions, problem)
    state = token_bytes(dimensions, problem) + STATE_VECTORS * 3 * problem.n_atoms * FLOAT_BYTES
    once = conditioning_peak_bytes(dimensions, problem)
    if one_by_one:
        fixed += repeated + max(passing, energy[0])
        return Footprint(fixed, kept + state + energy[1], once, str(problem))
    return Footprint(fixed + energy[0], repeated + kept + state + max(passing, energy[1]), once, str(problem))
