"""Boltz's features of a target on disk: safetensors, every tensor back with its own dtype and values.

Most of what Boltz's featuriser returns is one-hot rows of 64-bit integers. Such a tensor is written as the
index of its one (-1 for a row of zeros), other integers in one byte where they fit.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from classfold.topology import Topology

_METADATA_KEY = "encodings"
_SMALLEST_ONE_HOT = 3


def _narrowest(values: Tensor) -> Tensor:
    """Integers in the smallest of uint8, int32 and int64 that holds them."""
    low, high = (int(values.min()), int(values.max())) if values.numel() else (0, 0)
    for dtype in (torch.uint8, torch.int32):
        limits = torch.iinfo(dtype)
        if limits.min <= low and high <= limits.max:
            return values.to(dtype)
    return values


def _encode(values: Tensor) -> tuple[Tensor, dict[str, str | int]]:
    """What is written for a tensor, and how to get the tensor back."""
    how: dict[str, str | int] = {"dtype": str(values.dtype).removeprefix("torch.")}
    if values.dtype != torch.int64:
        return values.contiguous(), how
    is_wide = values.dim() > 1 and values.shape[-1] >= _SMALLEST_ONE_HOT and values.numel() > 0
    if is_wide and int(values.min()) >= 0 and int(values.sum(-1).max()) <= 1:
        how["one_hot"] = values.shape[-1]
        index = torch.where(values.any(-1), values.argmax(-1), -1)
        return index.to(torch.int32).contiguous(), how
    return _narrowest(values).contiguous(), how


def _decode(stored: Tensor, how: dict[str, str | int]) -> Tensor:
    """The tensor that :func:`_encode` was given."""
    dtype = getattr(torch, str(how["dtype"]))
    if "one_hot" not in how:
        return stored.to(dtype)
    index = stored.long()
    values = torch.zeros((*index.shape, int(how["one_hot"])), dtype=dtype)
    return values.scatter_(-1, index.clamp(min=0)[..., None], (index >= 0)[..., None].to(dtype))


def save_features(features: dict[str, Tensor], path: Path) -> None:
    """Write all tensors of a feature dictionary to a safetensors file."""
    encoded = {name: _encode(values) for name, values in features.items()}
    content = save(
        {name: stored for name, (stored, _) in encoded.items()},
        metadata={_METADATA_KEY: json.dumps({name: how for name, (_, how) in encoded.items()})},
    )
    # Not save_file: its files can be read by their owner alone, and results are shared.
    path.write_bytes(content)


def load_features(path: Path) -> dict[str, Tensor]:
    """Read what :func:`save_features` wrote: the same names, shapes, dtypes and values."""
    with safe_open(path, framework="pt") as stream:
        encodings = json.loads(stream.metadata()[_METADATA_KEY])
        return {name: _decode(stream.get_tensor(name), how) for name, how in encodings.items()}


def check_features(features: dict[str, Tensor], topology: Topology) -> None:
    """Check that features are finite and describe the atoms and tokens of this topology, one by one.

    Boltz's own data set answers a failure with the features of another target; here nothing goes on unless
    number, element, charge, name and token of every atom agree.

    Raises
    ------
    RuntimeError
        Where they do not: that is a bug, not a fault of the input.
    """
    real = features["atom_pad_mask"][0].bool()
    if int(real.sum()) != topology.n_atoms or not bool(real[: topology.n_atoms].all()):
        raise RuntimeError(f"the features hold {int(real.sum())} atoms, the target has {topology.n_atoms}")
    characters = features["ref_atom_name_chars"][0][real].argmax(-1).numpy()
    names = ["".join(chr(code + 32) for code in row if code) for row in characters]
    found = {
        "element": features["ref_element"][0][real].argmax(-1).numpy(),
        "charge": features["ref_charge"][0][real].numpy(),
        "atom_name": np.array(names),
        "token_index": features["atom_to_token"][0][real].argmax(-1).numpy(),
    }
    expected = {
        "element": topology.atomic_numbers.astype(int),
        "charge": topology.charge,
        "atom_name": topology.atom_name,
        "token_index": topology.token_index,
    }
    for column, values in found.items():
        different = np.flatnonzero(values != expected[column])
        if len(different):
            raise RuntimeError(
                f"the features belong to another target: {column} of atom {different[0]} is "
                f"{values[different[0]]}, expected {expected[column][different[0]]}"
            )
    infinite = [n for n, v in features.items() if v.is_floating_point() and not bool(v.isfinite().all())]
    if infinite:
        raise RuntimeError(f"the features are not finite: {', '.join(infinite)}")
