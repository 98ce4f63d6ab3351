"""Shells of spatial frequency of a box, which need not be a cube nor have cubic voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Shells:
    """Which shell every coefficient of ``rfftn`` lies in; those beyond Nyquist share the last index, ``n``."""

    index: np.ndarray
    """int32, shape (n_z, n_y, n_x // 2 + 1)."""
    frequency: np.ndarray
    """Middle of each shell in 1/Å, shape (n,); the first is 0."""

    @property
    def n(self) -> int:
        """Number of shells up to Nyquist."""
        return len(self.frequency)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum over each shell, shape (n,), of one real value for every coefficient."""
        return np.bincount(self.index.ravel(), values.ravel(), minlength=self.n + 1)[: self.n]


def make_shells(shape_zyx: tuple[int, ...], voxel_size_zyx: np.ndarray) -> Shells:
    """Shells as wide as one over the box's edge (the geometric mean of its three), up to the coarsest axis' Nyquist.

    Parameters
    ----------
    shape_zyx : (n_z, n_y, n_x)
    voxel_size_zyx : ndarray, shape (3,)
        Å.
    """
    sizes = [float(size) for size in voxel_size_zyx]
    width = 1 / float(np.prod(np.array(shape_zyx) * sizes)) ** (1 / 3)
    nyquist = 1 / (2 * max(sizes))
    axes = [np.fft.fftfreq(n, size) for n, size in zip(shape_zyx, sizes, strict=True)]
    axes[2] = np.fft.rfftfreq(shape_zyx[2], sizes[2])
    squared = sum(axis.astype(np.float32) ** 2 for axis in np.meshgrid(*axes, indexing="ij", sparse=True))
    n = int(nyquist / width + 0.5) + 1
    index = np.minimum(np.rint(np.sqrt(squared) / width), n).astype(np.int32)
    return Shells(index, width * np.arange(n))


def first_crossing(frequency: np.ndarray, curve: np.ndarray, level: float) -> float | None:
    """Frequency at which a curve that starts above a level first falls below it, interpolated.

    None if it never does, or does not start above. The value at zero frequency, the mean, is not looked at.
    """
    below = np.flatnonzero(curve[1:] < level) + 1
    if not len(below) or below[0] == 1:
        return None
    last = below[0]
    high, low = curve[last - 1], curve[last]
    part = (high - level) / (high - low)
    return float(frequency[last - 1] + part * (frequency[last] - frequency[last - 1]))
