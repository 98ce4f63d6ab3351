"""A map's amplitudes brought to those of a model: a filter that depends on the spatial frequency alone.

Whether a map was sharpened, and how far, is in its radial amplitudes; where the atoms are is in its phases, which no
such filter changes. The amplitudes of proteins of one mass are nearly the same whatever their conformation (Wilson,
Nature 150, 152, 1942), so that a docked model tells how those of its map should fall off with resolution (amplitude
scaling against an atomic model: Jakobi, Wilmanns & Sachse, eLife 6, e27131, 2017).

The gain is the ratio of the model's amplitude to the map's, smoothed. A map's amplitude is that of signal and noise
together, ``A = sqrt(S^2 + N^2)``, so that with ``w = S^2 / (S^2 + N^2)`` the gain is ``sqrt(w) M / S``: shells of noise
are damped, half as far (in logarithms) as by Wiener's filter, and none ends above the model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy import fft

from .density import Grid, gaussian_sigma
from .maps import DensityMap
from .windows import Grids, each_window

HELD_BELOW_ANGSTROM = 20.0
"""Frequencies below 1/this get the gain that 1/this has: there solvent and masks decide, not sharpness."""
STRAIGHT_FROM_ANGSTROM = 12.0
"""From here to the resolution the logarithm of the ratio is taken as straight in s², and its slope as a B factor."""
SMOOTHING_PER_ANGSTROM = 0.03
"""Width of the kernel that smooths the ratio: what domains further apart than its inverse add is levelled."""
TAPER = 1.25
"""The gain falls to zero between the resolution and this many times its frequency."""
MOST_GAIN = 50.0
"""Of any frequency over that of 1/20 Å, and its inverse the least."""
ROUNDS = 3
"""The mask's edge spreads strong low frequencies over weak high ones: less so once the map has been filtered."""
MASK_RESOLUTION_ANGSTROM = 10.0
MASK_SHARE = 0.15
"""The mask is one where the model at that resolution exceeds this share of its maximum, and soft below."""


@dataclass(frozen=True)
class Match:
    """How a map's amplitudes compare with a model's, shell by shell; all within a soft mask around the model."""

    frequency: np.ndarray
    """(n,) in 1/Å, from that of the longest edge to the end of the taper."""
    map: np.ndarray
    """(n,) root mean square amplitude of the map as it is, arbitrary unit."""
    matched: np.ndarray
    """(n,) of the map with the gain."""
    model: np.ndarray
    """(n,) of the model, on the scale of the matched map."""
    gain: np.ndarray
    """(n,) what the map is multiplied by: 1 at 1/20 Å, 0 at the end of the taper."""
    b_factor_angstrom2: float
    """Relative: the map's amplitudes are ``exp(-B s^2 / 4)`` times the model's; above 0 it is blurred."""


def frequencies(grid: Grid) -> np.ndarray:
    """Spatial frequency in 1/Å of every component of a real transform, (z, y, x // 2 + 1), float32."""
    n_z, n_y, n_x = grid.shape_zyx
    z, y = (fft.fftfreq(n, grid.voxel_size_angstrom).astype(np.float32) for n in (n_z, n_y))
    x = fft.rfftfreq(n_x, grid.voxel_size_angstrom).astype(np.float32)
    return np.sqrt(z[:, None, None] ** 2 + y[:, None] ** 2 + x**2)


def filtered(density: np.ndarray, grid: Grid, frequency: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """A density ``(z, y, x)`` with its components multiplied by a gain ``(n,)`` given at frequencies ``(n,)`` in 1/Å.

    Between these it is interpolated; beyond the last it stays. The mean is kept.
    """
    transform = fft.rfftn(density.astype(np.float32))
    mean = transform[0, 0, 0]
    transform *= np.interp(frequencies(grid), frequency, gain).astype(np.float32)
    transform[0, 0, 0] = mean
    return fft.irfftn(transform, grid.shape_zyx)


def radial_amplitudes(density: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Root mean square amplitude of each shell of spatial frequency, one for each period of the box's longest edge.

    Returns
    -------
    frequency, amplitude, count : ndarray, shape (n,)
        Of the shells from the second on (the first is the mean); in 1/Å, and the number of components.
    """
    width = 1 / (max(grid.shape_zyx) * grid.voxel_size_angstrom)
    shell = np.rint(frequencies(grid) / width).astype(np.int32)
    # A real transform leaves out the mirror images of what lies between its first and last plane.
    twice = np.full(shell.shape[2], 2.0, np.float32)
    twice[0] = 1
    if grid.shape_zyx[2] % 2 == 0:
        twice[-1] = 1
    power = np.square(np.abs(fft.rfftn(density.astype(np.float32)))) * twice
    count = np.bincount(shell.ravel(), np.broadcast_to(twice, shell.shape).ravel())
    amplitude = np.sqrt(np.bincount(shell.ravel(), power.ravel()) / np.maximum(count, 1))
    return np.arange(1, len(count)) * width, amplitude[1:], count[1:]


def model_density(coordinates: np.ndarray, weights: np.ndarray, resolution_angstrom: float, grid: Grid) -> np.ndarray:
    """Density ``(z, y, x)`` of a model as the local stage simulates it: O(atoms), Gaussians cut off at 4 σ.

    Parameters
    ----------
    coordinates : ndarray, shape (n_atoms, 3)
        xyz in Å.
    weights : ndarray, shape (n_atoms,)
        Atomic numbers.
    """
    atoms = torch.from_numpy(np.asarray(coordinates, np.float32))[None]
    peak = torch.from_numpy(np.asarray(weights, np.float32))
    box = Grids.of([grid], atoms)
    density = torch.zeros(math.prod(grid.shape_zyx))
    sigma = torch.full(atoms.shape[:2], gaussian_sigma(resolution_angstrom))
    for part, window in each_window(atoms, sigma, box):
        density.index_add_(0, window.places(box).flatten(), window.density(peak[part]).flatten())
    return density.view(grid.shape_zyx).numpy()


def soft_mask(model: np.ndarray, grid: Grid) -> np.ndarray:
    """Between 0 and 1 ``(z, y, x)``: where the density of a model is, with an edge as soft as a map of 10 Å."""
    sigma = gaussian_sigma(MASK_RESOLUTION_ANGSTROM)
    frequency = np.linspace(0, 1 / grid.voxel_size_angstrom, 1000)
    blurred = filtered(model, grid, frequency, np.exp(-2 * (np.pi * sigma * frequency) ** 2))
    share = np.clip(blurred / (MASK_SHARE * blurred.max()), 0, 1)
    return share * share * (3 - 2 * share)


def match_amplitudes(density_map: DensityMap, model: np.ndarray, resolution_angstrom: float) -> Match:
    """Find the gain that brings a map's amplitudes to those of a model's density ``(z, y, x)`` on the same grid.

    Neither the scale nor the offset of the map matters. In each round the gain so far is applied to the map and
    multiplied by the smoothed ratio of the amplitudes that are left, both maps in the same mask.
    """
    grid, resolution = density_map.grid, 1 / resolution_angstrom
    mask = soft_mask(model, grid)
    frequency, of_model, count = radial_amplitudes(_within(model, mask), grid)
    end = int(np.searchsorted(frequency, TAPER * resolution)) + 1
    frequency, of_model, count = frequency[:end], of_model[:end], count[:end]
    kernel = np.exp(-0.5 * ((frequency[:, None] - frequency) / SMOOTHING_PER_ANGSTROM) ** 2)
    kernel *= count * (frequency <= resolution)
    kernel /= kernel.sum(axis=1, keepdims=True)
    held = np.maximum(frequency, min(1 / HELD_BELOW_ANGSTROM, resolution / 2))
    log_gain, spectra = np.zeros(end), []
    for _ in range(ROUNDS):
        spectra.append(_amplitudes(density_map, mask, frequency, np.exp(log_gain)))
        log_gain = log_gain + kernel @ np.log(of_model / spectra[-1])
        log_gain = np.interp(held, frequency, log_gain)
        log_gain = np.clip(log_gain - log_gain[0], -math.log(MOST_GAIN), math.log(MOST_GAIN))
    fall = 0.5 + 0.5 * np.cos(np.pi * np.clip((frequency / resolution - 1) / (TAPER - 1), 0, 1))
    gain = np.exp(log_gain) * fall
    matched = _amplitudes(density_map, mask, frequency, gain)
    inside = frequency <= resolution
    scale = np.exp(np.average(np.log(matched[inside] / of_model[inside]), weights=count[inside]))
    b_factor = _b_factor(frequency, np.exp(log_gain), count, resolution_angstrom)
    return Match(frequency, spectra[0], matched, scale * of_model, gain, b_factor)


def apply_match(density_map: DensityMap, match: Match) -> DensityMap:
    """The whole map with the gain of a match."""
    density = filtered(density_map.density, density_map.grid, match.frequency, match.gain)
    return DensityMap(density, density_map.voxel_size_angstrom, density_map.origin_angstrom)


def _within(density: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A density within a mask, its mean there at zero, so that its offset does not show as the mask's shape."""
    return (density - np.average(density, weights=mask)) * mask


def _amplitudes(density_map: DensityMap, mask: np.ndarray, frequency: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Amplitudes (n,) of a map with a gain (n,), within a mask; above zero, so that they have logarithms."""
    changed = filtered(density_map.density, density_map.grid, frequency, gain)
    amplitude = radial_amplitudes(_within(changed, mask), density_map.grid)[1][: len(frequency)]
    return np.maximum(amplitude, 1e-6 * amplitude.max())


def _b_factor(frequency: np.ndarray, gain: np.ndarray, count: np.ndarray, resolution_angstrom: float) -> float:
    """Relative B factor in Å² of a map that needs this gain: ``ln gain = B s^2 / 4 + constant``."""
    first = 1 / max(STRAIGHT_FROM_ANGSTROM, 1.5 * resolution_angstrom)
    straight = (frequency >= first) & (frequency <= 1 / resolution_angstrom)
    slope = np.polyfit(frequency[straight] ** 2, np.log(gain[straight]), 1, w=np.sqrt(count[straight]))[0]
    return float(4 * slope)
