"""Which residues of two models come closer and which move apart: the difference of their distance matrices.

It needs no superposition (Nishikawa et al., J. Phys. Soc. Jpn. 32, 1331, 1972): blocks near zero are rigid, and a block
that is not says which two parts move against each other.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.spatial.distance import cdist

STEP_ANGSTROM = 0.1
MOST_UNPACKED = 500
"""Residues; of more the file is compressed."""


def distance_differences(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Distances between representative atoms in the second model less those in the first, (n, n) in Å.

    Parameters
    ----------
    first, second : ndarray, shape (n, 3)
        Of the same residues, each in a frame of its own, in Å.
    """
    return cdist(second, second) - cdist(first, first)


def write_distance_differences(path: Path, labels: Sequence[str], differences: np.ndarray) -> None:
    """Write a matrix (n, n) in steps of 0.1 Å as CSV with residues in head and first column; ``.gz`` if it is large."""
    is_packed = len(labels) > MOST_UNPACKED
    steps = np.rint(differences / STEP_ANGSTROM).astype(np.int64)
    low = int(steps.min(initial=0))
    words = np.array([f"{STEP_ANGSTROM * step:.1f}" for step in range(low, int(steps.max(initial=0)) + 1)])
    content = io.StringIO()
    content.write(",".join(["residue", *labels]) + "\n")
    for label, row in zip(labels, steps - low, strict=True):
        content.write(label + "," + ",".join(words[row].tolist()) + "\n")
    data = content.getvalue().encode()
    if is_packed:
        # Without the time, so that equal matrices make equal files.
        data = gzip.compress(data, compresslevel=6, mtime=0)
    Path(f"{path}.gz" if is_packed else path).write_bytes(data)
