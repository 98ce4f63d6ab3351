"""Pickles read without running what they ask for: no class or function is imported but those named by the reader.

Boltz releases its weights and its dictionary of components as pickles, and a pickle may name any function to be called.
Their digests (:mod:`classfold.weights`) say that a file is the one that once arrived; this says that it can do no harm.
"""

from __future__ import annotations

import pickle
from collections.abc import Collection
from typing import IO, Any

from classfold.errors import InputError


class Inert:
    """Stands where a pickle has an object that nobody reads: takes every argument, item and state, and does nothing."""

    def __new__(cls, *arguments: Any, **named: Any) -> Inert:
        return object.__new__(cls)

    def __init__(self, *arguments: Any, **named: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, value: Any) -> None:
        """Take an item."""


def restricted_unpickler(
    allowed: Collection[tuple[str, str]], inert: Collection[str] = ()
) -> type[pickle.Unpickler]:
    """A class of unpicklers that import nothing but what is named.

    Parameters
    ----------
    allowed : collection of (module, name)
        What may be imported, and called with what the pickle says.
    inert : collection of str
        Packages whose objects are replaced by :class:`Inert` ones; their code is not run.

    Returns
    -------
    type
        Its ``load`` raises InputError for a pickle that asks for anything else.
    """

    class RestrictedUnpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            if (module, name) in allowed:
                return super().find_class(module, name)
            if module.partition(".")[0] in inert:
                return Inert
            raise InputError(
                f"the file asks for {module}.{name}, which does not belong in it and was not run; get the file again "
                "from Boltz's own release"
            )

    return RestrictedUnpickler


class RestrictedPickle:
    """What ``torch.load`` takes as ``pickle_module``.

    Parameters
    ----------
    unpickler : type
        From :func:`restricted_unpickler`.
    """

    def __init__(self, unpickler: type[pickle.Unpickler]) -> None:
        self.Unpickler = unpickler
        # PyTorch asks whether it was given dill.
        self.__name__ = type(self).__name__

    def load(self, stream: IO[bytes], **options: Any) -> Any:
        """Unpickle what is next in a stream."""
        return self.Unpickler(stream, **options).load()
