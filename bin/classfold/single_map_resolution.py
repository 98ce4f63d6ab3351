"""An estimate of resolution from one map: where the molecule no longer stands out of the solvent's noise.

The noise of a map is much the same in the molecule as around it. Each shell's power in a soft window around the
molecule, over that in a window of solvent, is therefore one plus the signal-to-noise ratio of that shell, and
half maps would correlate as ``SSNR / (SSNR + 2)`` (Penczek, Methods Enzymol 482:73, 2010: ``FSC = SSNR / (SSNR
+ 1)`` of maps each of which has half the ratio). Resolution is where that falls below 0.143, as with half maps.
Filters and sharpening act on both regions alike and do not matter, up to a cut-off: a map that was cut off before
is taken to be cut off at its resolution, as post-processing does it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import fft

from classfold.errors import InputError
from classfold.half_map_fsc import FSC_THRESHOLD
from classfold.maps import SourceMap
from classfold.regions import Windows
from classfold.shells import Shells, first_crossing, make_shells

LEAST_SOLVENT = 0.5
"""Volume of the solvent's window over that of the molecule's, below which noise cannot be told."""
CUT_FACTOR = 1000.0
CUT_WIDTH = 0.1, 3
"""Power that falls by so much within a tenth of its frequency, or three shells, was cut off by a filter."""
NOISELESS = 1e4
"""Ratio of power between molecule and solvent, in the median of all shells, that no experiment reaches."""


class MapEstimate(NamedTuple):
    """What one map tells about its resolution."""

    resolution_angstrom: float
    reason: str


def estimate_resolution(source: SourceMap, windows: Windows) -> MapEstimate:
    """Resolution of one map by its own solvent.

    Raises
    ------
    InputError
        If there is too little solvent, no noise in it, or no signal.
    """
    demand = "give its resolution in the samplesheet, or its half maps"
    if windows.solvent.sum() < LEAST_SOLVENT * windows.molecule.sum():
        raise InputError(
            f"The resolution of {source.name} cannot be estimated: it is masked, or its box is tight, so that no "
            f"solvent is left to tell the noise from; {demand}."
        )
    shells = make_shells(source.density.shape, source.voxel_size_angstrom[::-1])
    level = np.average(source.density, weights=windows.solvent)
    transform = fft.rfftn(source.density - np.float32(level))
    power = shells.sums(np.abs(transform) ** 2) / np.maximum(shells.sums(np.ones_like(transform.real)), 1)
    ratio = power_ratio(transform, power, windows, shells)
    if np.median(ratio[1:]) > NOISELESS:
        raise InputError(
            f"The resolution of {source.name} cannot be estimated: there is no noise around its molecule; {demand}."
        )
    expected_fsc = np.convolve(np.pad((ratio - 1) / (ratio + 1), 1, "edge"), np.ones(3) / 3, "valid")
    if expected_fsc[1] < FSC_THRESHOLD:
        raise InputError(
            f"The resolution of {source.name} cannot be estimated: no density stands out of its noise; {demand}."
        )
    drowned = first_crossing(shells.frequency, expected_fsc, FSC_THRESHOLD)
    cut = cut_off(shells.frequency, power)
    if cut is not None and (drowned is None or cut < drowned):
        return MapEstimate(1 / cut, "the map was cut off there by a filter")
    if drowned is None:
        return MapEstimate(1 / float(shells.frequency[-1]), "its signal reaches the limit of its voxels (Nyquist)")
    return MapEstimate(1 / drowned, "its signal drowns there in the noise of its solvent")


def power_ratio(transform: np.ndarray, power: np.ndarray, windows: Windows, shells: Shells) -> np.ndarray:
    """Power per voxel in the molecule over that in the solvent, shape (n_shells,).

    The spectrum is made flat before: else the windows would smear the strong low frequencies over all others.
    """
    amplitude = np.sqrt(np.append(power, power[-1]))
    gain = np.divide(1, amplitude, out=np.zeros_like(amplitude), where=amplitude > 0)
    flat = fft.irfftn(transform * gain.astype(np.float32)[shells.index], s=windows.molecule.shape)
    sums = [shells.sums(np.abs(fft.rfftn(window * flat)) ** 2) / np.square(window).sum() for window in windows]
    return np.divide(sums[0], sums[1], out=np.ones(shells.n), where=sums[1] > 0)


def cut_off(frequency: np.ndarray, power: np.ndarray) -> float | None:
    """Frequency at which a filter has cut a spectrum off, or None: where its amplitude is half of what it was."""
    share, least = CUT_WIDTH
    for first in range(1, len(power) - 1):
        last = min(first + max(least, round(share * first)), len(power) - 1)
        if power[last] * CUT_FACTOR < power[first]:
            below = np.flatnonzero(power[first:] < power[first] / 4)
            return float(frequency[first + below[0]] - 0.5 * (frequency[1] - frequency[0]))
    return None
