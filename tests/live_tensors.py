"""Count the bytes of the tensors that are alive, at every operation: the peak that an allocator has to serve.

It works for tensors without storage too (``device="meta"``), so that a model of any size is counted on any machine.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

QUESTIONS = ("aten._local_scalar_dense.default", "aten.is_nonzero.default")


class LiveTensors(TorchDispatchMode):
    """Bytes of what is made while this is entered.

    A tensor without storage cannot answer a question about its values. Boltz asks one, whether any chain is a ring,
    and is told no.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak_bytes = 0
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}
        self._at_most_bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if str(func) in QUESTIONS and args[0].device.type == "meta":
            return False
        given = {key for key, _ in _storages((args, kwargs))}
        result = func(*args, **(kwargs or {}))
        for key, storage in _storages(result):
            if key not in given and key not in self._alive:
                self._alive[key] = StorageWeakRef(storage), storage.nbytes()
                self._at_most_bytes += storage.nbytes()
        # To look which are gone takes time; below the peak it does not matter.
        if self._at_most_bytes > self.peak_bytes:
            self._alive = {key: entry for key, entry in self._alive.items() if not entry[0].expired()}
            self._at_most_bytes = sum(n_bytes for _, n_bytes in self._alive.values())
            self.peak_bytes = max(self.peak_bytes, self._at_most_bytes)
        return result


def _storages(tree: Any) -> list[tuple[int, torch.UntypedStorage]]:
    storages = [leaf.untyped_storage() for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]
    return [(storage._cdata, storage) for storage in storages]
