"""A map's amplitudes brought to those of a model: a filter that depends on the spatial frequency alone.

Whether a map was sharpened, and how far, is in its radial amplitudes; where the atoms are is in its phases, which no
such filter changes. The radial amplitudes of one molecule are nearly the same in all its conformations (Wilson, Nature
150, 152, 1942), so that a docked model tells how those of its map should fall off with resolution (amplitude scaling
by an atomic model: Jakobi, Wilmanns & Sachse, eLife 6, e27131, 2017).

The gain is the ratio of the model's amplitude to the map's, smoothed. A map's amplitude is that of signal and noise
together, ``A = sqrt(S^2 + N^2)``; with ``w = S^2 / A^2`` the gain is ``sqrt(w) M / S``: shells of noise are damped,
half as far (in logarithms) as by Wiener's filter, and none ends above the model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import fft

from classfold.map_fit import simulate
from classfold.maps import DensityMap
from classfold.shells import Shells, make_shells

SHAPE_ANGSTROM = 12.0
"""Coarser than this amplitudes tell of shape, conformation and solvent, not of sharpness: the gain is one there."""
SMOOTHING_PER_ANGSTROM = 0.03
"""Width of the Gaussian that smooths the ratio: what domains some 30 Å apart add to one conformation is levelled."""
MOST_GAIN = 50.0
"""The least is its inverse. A shell that needs more holds no signal, and has no part in the match."""
LEAST_SHELLS = 4
"""Between 12 Å and the end of the match; fewer do not tell how amplitudes fall off."""
ROUNDS = 3
"""The mask's edge spreads strong low frequencies over weak high ones, less so once the map has been filtered."""
MASK_RESOLUTION_ANGSTROM = 10.0
MASK_SHARE = 0.15
"""The mask is one where the model at that resolution exceeds this share of its maximum, and soft below."""


@dataclass(frozen=True)
class Match:
    """How a map's amplitudes compare with a model's, shell by shell from zero frequency to Nyquist's."""

    shells: Shells
    map: np.ndarray
    """(n,) root mean square amplitude of the map as it is, within the mask, arbitrary unit."""
    model: np.ndarray
    """(n,) of the model, on the scale of the matched map."""
    matched: np.ndarray
    """(n,) of the map with the gain."""
    gain: np.ndarray
    """(n,) what the map is multiplied by: 1 up to 1/12 Å."""
    last: int
    """Shell at which the match ends: that of the resolution, or the last one before it that holds signal."""
    b_factor_angstrom2: float
    """Relative: the map's amplitudes are ``exp(-B s^2 / 4)`` times the model's; above 0 the map is blurred."""


@dataclass(frozen=True)
class MaskedSpectra:
    """Amplitudes within a mask."""

    shells: Shells
    mask: np.ndarray
    """(z, y, x), 0 to 1."""

    def of(self, density: np.ndarray) -> np.ndarray:
        """Amplitudes (n,) of a density (z, y, x), whose mean in the mask does not count."""
        return amplitudes((density - np.average(density, weights=self.mask)) * self.mask, self.shells)


def shells_of(density_map: DensityMap) -> Shells:
    """Shells of a canonical map."""
    return make_shells(density_map.density.shape, np.full(3, density_map.voxel_size_angstrom))


def filtered(density: np.ndarray, shells: Shells, gain: np.ndarray) -> np.ndarray:
    """A density (z, y, x) with each shell multiplied by its gain (n,); beyond Nyquist's the last one holds.

    The mean is kept.
    """
    transform = fft.rfftn(density.astype(np.float32))
    mean = transform[0, 0, 0]
    transform *= np.append(gain, gain[-1]).astype(np.float32)[shells.index]
    transform[0, 0, 0] = mean
    return fft.irfftn(transform, density.shape)


def amplitudes(density: np.ndarray, shells: Shells) -> np.ndarray:
    """Root mean square amplitude (n,) of each shell of a density (z, y, x); above zero, so that it has a logarithm."""
    power = np.square(np.abs(fft.rfftn(density.astype(np.float32))))
    mean = shells.sums(power) / _sizes(shells)
    return np.sqrt(np.maximum(mean, np.finfo(np.float32).eps ** 2 * mean.max()))


def soft_mask(coordinates: np.ndarray, weights: np.ndarray, density_map: DensityMap) -> np.ndarray:
    """Between 0 and 1 (z, y, x): where a model (n, 3) is, with an edge as soft as a map of 10 Å."""
    blurred = simulate(coordinates, weights, MASK_RESOLUTION_ANGSTROM, density_map.grid)
    share = np.clip(blurred / (MASK_SHARE * blurred.max()), 0, 1)
    return share * share * (3 - 2 * share)


def match_amplitudes(
    density_map: DensityMap, coordinates: np.ndarray, weights: np.ndarray, resolution_angstrom: float
) -> Match | None:
    """Find the gain that brings a map's amplitudes to those of a model, both within a soft mask around the model.

    Neither scale nor offset of the map matters. Each round applies the gain so far to the map and multiplies it by the
    smoothed ratio of what is left. Beyond the last shell that is matched the gain may fall but not rise.

    Parameters
    ----------
    density_map : DensityMap
    coordinates : ndarray, shape (n_atoms, 3)
        Of the model, xyz in Å in the map's frame.
    weights : ndarray, shape (n_atoms,)
        Atomic numbers.
    resolution_angstrom : float
        At which the model is simulated, and up to which the map is matched.

    Returns
    -------
    Match or None
        None if too few shells beyond 12 Å hold signal.
    """
    shells = shells_of(density_map)
    simulated = simulate(coordinates, weights, resolution_angstrom, density_map.grid)
    within = _with_signal(density_map, simulated, shells) & (shells.frequency <= 1 / resolution_angstrom)
    straight = within & (shells.frequency >= 1 / SHAPE_ANGSTROM)
    if straight.sum() < LEAST_SHELLS:
        return None
    spectra = MaskedSpectra(shells, soft_mask(coordinates, weights, density_map))
    model, smooth, last = spectra.of(simulated), _smoothing(shells, within), int(np.flatnonzero(within)[-1])
    log_gain = np.zeros(shells.n)
    for _ in range(ROUNDS):
        left = np.log(model / spectra.of(filtered(density_map.density, shells, np.exp(log_gain))))
        log_ratio = log_gain + left
        log_gain = _limited(shells.frequency, log_gain + smooth @ left, last)
    matched = spectra.of(filtered(density_map.density, shells, np.exp(log_gain)))
    scale = np.exp(np.mean(np.log(matched[straight] / model[straight])))
    return Match(
        shells=shells,
        map=spectra.of(density_map.density),
        model=scale * model,
        matched=matched,
        gain=np.exp(log_gain),
        last=last,
        b_factor_angstrom2=_b_factor(shells.frequency[straight], log_ratio[straight], _sizes(shells)[straight]),
    )


def apply_match(density_map: DensityMap, match: Match) -> DensityMap:
    """The whole map with the gain of a match."""
    density = filtered(density_map.density, match.shells, match.gain)
    return DensityMap(density, density_map.voxel_size_angstrom, density_map.origin_angstrom)


def _sizes(shells: Shells) -> np.ndarray:
    """Coefficients (n,) of each shell."""
    return shells.sums(np.ones(shells.index.shape, np.float32))


def _with_signal(density_map: DensityMap, simulated: np.ndarray, shells: Shells) -> np.ndarray:
    """Shells (n,) that the map does not lack next to a model's density (z, y, x); zero frequency is none of them.

    The whole map tells: within a mask other shells leak into an empty one.
    """
    needed = amplitudes(simulated, shells) / amplitudes(density_map.density, shells)
    of_shape = (shells.frequency > 0) & (shells.frequency <= 1 / SHAPE_ANGSTROM)
    return (shells.frequency > 0) & (needed < MOST_GAIN * np.median(needed[of_shape]))


def _smoothing(shells: Shells, within: np.ndarray) -> np.ndarray:
    """Matrix (n, n) that averages over shells with a Gaussian; those up to the last one within only over these."""
    kernel = np.exp(-0.5 * ((shells.frequency[:, None] - shells.frequency) / SMOOTHING_PER_ANGSTROM) ** 2)
    kernel *= _sizes(shells)
    kernel[: np.flatnonzero(within)[-1] + 1] *= within
    return kernel / kernel.sum(axis=1, keepdims=True)


def _limited(frequency: np.ndarray, log_gain: np.ndarray, last: int) -> np.ndarray:
    """A logarithmic gain (n,) that is zero up to 1/12 Å, does not rise beyond the last shell, and has its bounds."""
    held = np.interp(np.maximum(frequency, 1 / SHAPE_ANGSTROM), frequency, log_gain)
    held[last:] = np.minimum(held[last:], held[last])
    return np.clip(held - held[0], -math.log(MOST_GAIN), math.log(MOST_GAIN))


def _b_factor(frequency: np.ndarray, log_ratio: np.ndarray, weight: np.ndarray) -> float:
    """Relative B factor in Å² of a map with this ratio (n,) of model to map: ``ln ratio = B s^2 / 4 + constant``."""
    slope = np.polyfit(frequency**2, log_ratio, 1, w=np.sqrt(weight))[0]
    return float(4 * slope)
