"""Bringing maps onto a canonical grid: cubic voxels that suit the resolution, a box that suits the molecule.

Resampling is trigonometric interpolation (exact for a band-limited map), done as one small matrix per axis.
Where voxels grow, what they cannot carry is filtered out first. A grid never reaches beyond the source's
outermost voxel centres, so that no density outside the data is invented.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import fft
from scipy.ndimage import fourier_shift

from classfold.maps import WHOLE_TOLERANCE_ANGSTROM, DensityMap, SourceMap, whole_voxels

FINEST_VOXEL_ANGSTROM = 1.0
VOXELS_PER_RESOLUTION = 3.0
KEPT_VOXELS_PER_RESOLUTION = (2.0, 4.0)
"""A cubic source grid with so many voxels per resolution is kept as it is: resampling could only blur it."""
TAPER = 0.85
"""Fraction of the new Nyquist frequency from which a cosine edge falls to zero, against ringing."""


class Resampling(NamedTuple):
    """The grid chosen for a map, and why."""

    voxel_size_angstrom: float
    is_kept: bool
    """Whether the source's own grid is used unchanged."""
    reason: str


def choose_voxel_size(source: SourceMap, resolution_angstrom: float) -> Resampling:
    """Choose the voxel size: the source's own if it suits, else max(resolution/3, 1 Å, source voxel).

    A voxel finer than the source's would suggest detail that was never measured; one finer than 1 Å costs
    memory and shows nothing that guidance uses.
    """
    largest = float(source.voxel_size_angstrom.max())
    fewest, most = KEPT_VOXELS_PER_RESOLUTION
    finest = max(resolution_angstrom / most, FINEST_VOXEL_ANGSTROM)
    if source.is_cubic and finest <= largest <= resolution_angstrom / fewest:
        voxel = source.mean_voxel_size_angstrom
        return Resampling(
            voxel,
            True,
            f"source grid kept: its cubic voxels of {voxel:g} Å lie between resolution/{most:g} "
            f"and resolution/{fewest:g}",
        )
    wanted = max(resolution_angstrom / VOXELS_PER_RESOLUTION, FINEST_VOXEL_ANGSTROM)
    if wanted > largest:
        voxel = round(wanted, 4)
        bound = "1 Å" if wanted == FINEST_VOXEL_ANGSTROM else f"resolution/{VOXELS_PER_RESOLUTION:g}"
        return Resampling(voxel, False, f"resampled to {voxel:g} Å ({bound})")
    if source.is_cubic:
        voxel = source.mean_voxel_size_angstrom
        return Resampling(
            voxel, True, f"source grid kept: voxels finer than its {largest:g} Å would invent data"
        )
    return Resampling(
        largest, False, f"resampled to cubes of {largest:g} Å, the longest edge of the source's voxels"
    )


def resample(source: SourceMap, resampling: Resampling) -> DensityMap:
    """Bring a map onto the chosen grid, which starts at the source's first voxel and ends inside its last."""
    if resampling.is_kept:
        return DensityMap(source.density, resampling.voxel_size_angstrom, source.origin_angstrom.copy())
    density = source.density
    for array_axis, edge in enumerate(source.voxel_size_angstrom[::-1]):
        weights = interpolation_matrix(
            density.shape[array_axis], resampling.voxel_size_angstrom / float(edge)
        )
        density = np.moveaxis(np.tensordot(weights, density, axes=(1, array_axis)), 0, array_axis)
    density = np.ascontiguousarray(density, np.float32)
    return DensityMap(density, resampling.voxel_size_angstrom, source.origin_angstrom.copy())


def interpolation_matrix(n_source: int, step: float) -> np.ndarray:
    """Weights that interpolate ``n_source`` equally spaced values at positions 0, step, 2 step, ...

    ``w[p, m] = (1 / n) sum_k h(k) cos(2 pi k (p step - m) / n)`` over the frequencies ``|k| <= n / 2``, h
    being 1 up to ``TAPER`` of the new Nyquist frequency and falling to 0 at it; all 1 where voxels do not
    grow.

    Returns
    -------
    ndarray of float32, shape (floor((n_source - 1) / step) + 1, n_source)
    """
    n_target = int(np.floor((n_source - 1) / step + 1e-6)) + 1
    frequency = np.arange(n_source // 2 + 1)
    multiplicity = np.where((frequency == 0) | (2 * frequency == n_source), 1.0, 2.0)
    relative = 2 * frequency / n_source * step
    taper = np.clip((relative - TAPER) / (1 - TAPER), 0, 1) if step > 1 else np.zeros(len(frequency))
    height = multiplicity * (0.5 + 0.5 * np.cos(np.pi * taper)) / n_source
    turn = 2 * np.pi * frequency / n_source
    target = turn[:, None] * (np.arange(n_target) * step)
    measured = turn[:, None] * np.arange(n_source)
    weights = (height[:, None] * np.cos(target)).T @ np.cos(measured)
    weights += (height[:, None] * np.sin(target)).T @ np.sin(measured)
    return weights.astype(np.float32)


def on_whole_voxels(density_map: DensityMap) -> DensityMap:
    """The map itself, or interpolated half a voxel away at most, so that its origin is a whole number of voxels.

    A shift of the phases, exact for a band-limited map; the box is taken as periodic, so what differs between two
    of its faces, solvent noise, rings within some voxels of them.
    """
    step, start = density_map.voxel_size_angstrom, whole_voxels(density_map)
    shift = density_map.origin_angstrom - start * step
    if np.abs(shift).max() <= WHOLE_TOLERANCE_ANGSTROM:
        return density_map
    moved = fourier_shift(fft.rfftn(density_map.density), shift[::-1] / step, n=density_map.density.shape[2])
    density = fft.irfftn(moved, s=density_map.density.shape).astype(np.float32)
    return DensityMap(density, step, start * step)


class CropBox(NamedTuple):
    """Part of a grid, in voxels."""

    start_zyx: tuple[int, int, int]
    stop_zyx: tuple[int, int, int]

    @property
    def slices(self) -> tuple[slice, ...]:
        """As an index of arrays."""
        return tuple(slice(first, last) for first, last in zip(self.start_zyx, self.stop_zyx, strict=True))


def crop_box(kept: np.ndarray, padding_voxels: int) -> CropBox:
    """The box around the kept voxels and a padding, cut at the data's own edges.

    Parameters
    ----------
    kept : ndarray of bool, shape (n_z, n_y, n_x)
        At least one voxel is true.
    padding_voxels : int
        Voxels added on every side.
    """
    start, stop = [], []
    for axis in range(3):
        occupied = np.flatnonzero(kept.any(axis=tuple(other for other in range(3) if other != axis)))
        start.append(max(int(occupied[0]) - padding_voxels, 0))
        stop.append(min(int(occupied[-1]) + 1 + padding_voxels, kept.shape[axis]))
    return CropBox((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def crop(density_map: DensityMap, box: CropBox) -> DensityMap:
    """Cut a box out of a map; its voxels stay where they are in space."""
    density = np.ascontiguousarray(density_map.density[box.slices])
    origin = density_map.coordinates_of(np.array(box.start_zyx))
    return DensityMap(density, density_map.voxel_size_angstrom, origin)
