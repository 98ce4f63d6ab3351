"""Memory before it is asked for: what a target needs on a device, what there is, and how many samples fit at once.

The terms follow Boltz 2.2.1's own modules; each is the set of tensors that live at once at a module's widest point.
"""

from __future__ import annotations

from .denoiser import (
    call_bytes,
    conditioning_bytes,
    conditioning_bytes_per_sample,
    conditioning_peak_bytes,
    graph_call_bytes,
)
from .energies import global_bytes, local_bytes, maps_bytes, published_global_bytes
from .footprint import (
    Footprint,
    GuidanceKind,
    guided_footprint,
    inputs_bytes,
    sampling_inputs_bytes,
    trunk_footprint,
    unguided_footprint,
    weights_bytes,
)
from .limits import TENSOR_SHARE, check_room, free_bytes, free_host_bytes, largest_batch, used_peak_bytes
from .sizes import Dimensions, Problem
from .trunk import confidence_peak_bytes, embedding_bytes, trunk_peak_bytes

__all__ = [
    "TENSOR_SHARE",
    "Dimensions",
    "Footprint",
    "GuidanceKind",
    "Problem",
    "call_bytes",
    "check_room",
    "conditioning_bytes",
    "conditioning_bytes_per_sample",
    "conditioning_peak_bytes",
    "confidence_peak_bytes",
    "embedding_bytes",
    "free_bytes",
    "free_host_bytes",
    "global_bytes",
    "graph_call_bytes",
    "guided_footprint",
    "inputs_bytes",
    "largest_batch",
    "local_bytes",
    "maps_bytes",
    "published_global_bytes",
    "sampling_inputs_bytes",
    "trunk_footprint",
    "trunk_peak_bytes",
    "unguided_footprint",
    "used_peak_bytes",
    "weights_bytes",
]
