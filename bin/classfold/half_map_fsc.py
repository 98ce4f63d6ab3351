"""Fourier shell correlation of two half maps, corrected for the mask by phase randomisation.

FSC: Harauz & van Heel, Optik 73:146, 1986; its threshold of 0.143: Rosenthal & Henderson, J Mol Biol 333:721,
2003; the correction: Chen et al., Ultramicroscopy 135:24, 2013. A mask makes two maps alike where it cuts them.
How much is seen when their phases are made random beyond the frequency at which they agree well: what
correlation is left there under the mask (``n``) is the mask's, and of the correlation under the mask (``t``)
``(t - n) / (1 - n)`` is the maps'. Where ``n`` is below 0, by chance, nothing is corrected.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import fft

from classfold.maps import SourceMap
from classfold.shells import Shells, first_crossing, make_shells

FSC_THRESHOLD = 0.143
RANDOMISE_BELOW = 0.8
SHELLS_LEFT = 2
"""Shells above the first random one that are not corrected: the mask smears their neighbours into them."""
LEAST_DIVISOR = 1e-6
FIRST_SHELLS = 3
"""Half maps of anything agree there without a mask; noise does under a mask that was put where it is strong in both."""
COLUMNS = ("frequency_per_angstrom", "unmasked", "masked", "randomised", "corrected")


@dataclass(frozen=True)
class HalfMapFsc:
    """The four curves, all of shape (n_shells,), and what they say."""

    frequency: np.ndarray
    """Middle of each shell in 1/Å."""
    unmasked: np.ndarray
    masked: np.ndarray
    randomised: np.ndarray
    """Under the mask, phases beyond ``randomised_from_angstrom`` being random; 1 below."""
    corrected: np.ndarray
    randomised_from_angstrom: float | None
    """None if the maps agree well to the end, so that nothing was made random."""
    resolution_angstrom: float | None
    """Where the corrected curve falls below 0.143, or Nyquist if it never does; None if it begins below, or if the
    maps without the mask do."""
    reaches_nyquist: bool
    """Whether the voxels, not the data, limit the resolution."""

    @property
    def nyquist_angstrom(self) -> float:
        """Middle of the last shell."""
        return 1 / float(self.frequency[-1])


def correlate(first: np.ndarray, second: np.ndarray, shells: Shells) -> np.ndarray:
    """FSC, shape (n_shells,), of two transforms as ``rfftn`` gives them; 0 in shells without power.

    ``FSC(k) = sum Re(F1 F2*) / sqrt(sum |F1|^2 sum |F2|^2)``, sums over the coefficients of shell k. Those that
    ``rfftn`` leaves out are conjugates of others in the same shell.
    """
    cross = shells.sums(first.real * second.real + first.imag * second.imag)
    power = shells.sums(np.abs(first) ** 2) * shells.sums(np.abs(second) ** 2)
    return np.divide(cross, np.sqrt(power), out=np.zeros(shells.n), where=power > 0)


def half_map_fsc(first: SourceMap, second: SourceMap, mask: np.ndarray, seed: int) -> HalfMapFsc:
    """Correlate two half maps on one grid.

    Parameters
    ----------
    first, second : SourceMap
    mask : ndarray, shape (n_z, n_y, n_x)
        Between 0 and 1, with a soft edge.
    seed : int
        Of the random phases.
    """
    shells = make_shells(first.density.shape, first.voxel_size_angstrom[::-1])
    densities = [half.density - half.density.mean() for half in (first, second)]
    first_transform, second_transform = (fft.rfftn(density) for density in densities)
    unmasked = correlate(first_transform, second_transform, shells)
    masked = correlate(fft.rfftn(mask * densities[0]), fft.rfftn(mask * densities[1]), shells)
    low = np.flatnonzero(unmasked[1:] < RANDOMISE_BELOW) + 1
    randomised, corrected = np.ones(shells.n), masked.copy()
    if len(low):
        rng = np.random.default_rng(seed)
        mixed = [_randomised(each, shells, low[0], rng, mask.shape) for each in (first_transform, second_transform)]
        randomised = correlate(fft.rfftn(mask * mixed[0]), fft.rfftn(mask * mixed[1]), shells)
        rest = slice(low[0] + SHELLS_LEFT, None)
        by_mask = randomised[rest].clip(0, 1 - LEAST_DIVISOR)
        corrected[rest] = (masked[rest] - by_mask) / (1 - by_mask)
    resolution, reaches = _resolution(shells.frequency, unmasked, corrected)
    return HalfMapFsc(
        frequency=shells.frequency,
        unmasked=unmasked,
        masked=masked,
        randomised=randomised,
        corrected=corrected,
        randomised_from_angstrom=1 / float(shells.frequency[low[0]]) if len(low) else None,
        resolution_angstrom=resolution,
        reaches_nyquist=reaches,
    )


def _resolution(frequency: np.ndarray, unmasked: np.ndarray, corrected: np.ndarray) -> tuple[float | None, bool]:
    """Resolution in Å, if there is one, and whether it is Nyquist's."""
    if unmasked[1 : 1 + FIRST_SHELLS].mean() < FSC_THRESHOLD or corrected[1] < FSC_THRESHOLD:
        return None, False
    crossing = first_crossing(frequency, corrected, FSC_THRESHOLD)
    return 1 / (crossing or float(frequency[-1])), crossing is None


def _randomised(
    transform: np.ndarray, shells: Shells, first_shell: int, rng: np.random.Generator, shape: tuple[int, ...]
) -> np.ndarray:
    """Density, shape (n_z, n_y, n_x), whose phases from a shell on are those of white noise, so that it stays real."""
    white = fft.rfftn(rng.standard_normal(shape, np.float32))
    white *= np.abs(transform) / np.maximum(np.abs(white), np.finfo(np.float32).tiny)
    return fft.irfftn(np.where(shells.index >= first_shell, white, transform), s=shape)


def write_fsc(curves: HalfMapFsc, path: Path) -> None:
    """Write the curves as CSV, one row per shell."""
    values = (curves.frequency, curves.unmasked, curves.masked, curves.randomised, curves.corrected)
    pd.DataFrame(dict(zip(COLUMNS, values, strict=True))).round(6).to_csv(path, index=False)
