"""cryoSPARC's .cs files: tables of particles or volumes as numpy structured arrays, read without pickle.

Fields are called ``<result>/<quantity>``: ``map/path``, ``map/psize_A``, ``alignments3D_multi/class_posterior``.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from classfold.errors import InputError

CLASS_POSTERIOR = re.compile(r"alignments_class(?:3D)?_(\d+)/class_posterior")
"""One field per class: heterogeneous refinement and ab initio, and 3D classification, before they were one array."""
MULTI_POSTERIOR, MULTI_CLASS = "alignments3D_multi/class_posterior", "alignments3D_multi/class"
"""Since then: one row per particle, one column per class; the second says which class a column is."""
STREAM_MAGIC = b"\x94CSDAT"


def read_cs(path: Path) -> np.ndarray:
    """The table, mapped into memory: a field that nobody asks for is not read.

    Raises
    ------
    InputError
        If it is no numpy table.
    """
    try:
        with path.open("rb") as stream:
            if stream.read(len(STREAM_MAGIC)) == STREAM_MAGIC:
                raise InputError(f"{path} is in cryoSPARC's stream format; export the job to get numpy files.")
        # numpy cannot map an object field, nor a table without rows.
        table = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read as a .cs file ({error}); copy it again.") from error
    if table.dtype.names is None:
        raise InputError(f"{path} is a plain array, no table of cryoSPARC; copy it again.")
    return table


def text_of(table: np.ndarray, field: str) -> str | None:
    """A path in the first row, if the field is there; ``>`` in front marks a path that was not imported again."""
    if field not in (table.dtype.names or ()) or not len(table):
        return None
    value = table[field][0]
    text = value.decode() if isinstance(value, bytes) else str(value)
    return text.lstrip(">") or None


def count_by_class(particles: np.ndarray) -> dict[int, int] | None:
    """Particles for which each class is the likeliest; None where the table does not say.

    Parameters
    ----------
    particles : structured array, shape (n_particles,)
    """
    names = particles.dtype.names or ()
    by_class = {int(match[1]): match[0] for name in names if (match := CLASS_POSTERIOR.fullmatch(name))}
    if MULTI_POSTERIOR in names:
        posterior = np.asarray(particles[MULTI_POSTERIOR]).reshape(len(particles), -1)
        every = np.arange(posterior.shape[1])
        classes = np.broadcast_to(every, posterior.shape)
        if MULTI_CLASS in names:
            classes = np.asarray(particles[MULTI_CLASS]).reshape(posterior.shape)
    elif by_class:
        every = np.array(sorted(by_class))
        posterior = np.column_stack([particles[by_class[number]] for number in every])
        classes = np.broadcast_to(every, posterior.shape)
    else:
        return None
    likeliest = classes[np.arange(len(posterior)), posterior.argmax(axis=1)]
    return {int(number): int((likeliest == number).sum()) for number in every}
