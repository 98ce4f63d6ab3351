"""The density above which a map is taken for molecule: the user's contour, or the higher of two estimates.

1. *Volume.* Proteins fill 1.21 Å³ per dalton (Harpaz, Gerstein, Chothia, Structure 2:641, 1994): the level
   at which the map encloses that volume. In maps of adenylate kinase simulated at 4, 6 and 8 Å without
   noise this level includes 100, 100 and 99 % of the atoms, so that no factor for the blur is needed.
2. *Background.* Its mode plus three times its half-width below the mode. With noise of up to half of the
   signal's standard deviation this level includes at least 95 % of the atoms of the same maps, and at most
   1 % of its volume lies more than 8 Å from any atom; at two and a half half-widths up to 7 % does.

The higher of the two decides: below the first the molecule swells, below the second it drowns in noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from classfold.errors import InputError
from classfold.maps import DensityMap

VOLUME_PER_DALTON_ANGSTROM3 = 1.21
BACKGROUND_HALF_WIDTHS = 3.0
VOLUME_FOLD_TOLERATED = 2.0
ZEROED_SHARE = 0.2
ZEROED_CONTRAST = 5.0
ZEROED_MIN_VOLUME = 3.0
"""A masked map tells its background only if what is left is this many times the molecule's volume."""
MODE_SHARE = 0.25
MEDIAN_TO_SIGMA = 0.6745
MAX_SAMPLE = 1_000_000


@dataclass(frozen=True)
class Background:
    """What lies around the molecule."""

    level: float | None
    """Most frequent density; None where it cannot be told."""
    half_width: float | None
    """Standard deviation of the noise, from the densities below the level."""
    is_masked: bool
    """Whether the map was set to one value outside a mask."""


@dataclass(frozen=True)
class Threshold:
    """A threshold with the reasons for it."""

    value: float
    method: str
    """"user", "volume" or "background": what decided."""
    evidence: str
    volume_level: float | None
    background_level: float | None
    background: Background | None


def expected_volume(mass_dalton: float) -> float:
    """Volume in Å³ that a mass fills."""
    return VOLUME_PER_DALTON_ANGSTROM3 * mass_dalton


def estimate_background(density_map: DensityMap, molecule_volume_angstrom3: float) -> Background:
    """Mode and half-width of the density around the molecule, without voxels that a mask has set.

    The mode is the middle of the shortest interval that holds a quarter of the values; the half-width is
    the median distance of the values below it, over 0.6745. Neither sees the molecule, which lies above.
    """
    values = density_map.density.ravel()
    values = values[:: max(1, values.size // MAX_SAMPLE)]
    outside = _masked_out(values)
    is_masked = bool(outside.any())
    if is_masked:
        values = values[~outside]
        left = values.size / outside.size * density_map.density.size * density_map.voxel_size_angstrom**3
        if left < ZEROED_MIN_VOLUME * molecule_volume_angstrom3:
            return Background(None, None, True)
    ordered = np.sort(values.astype(float))
    n_quarter = max(2, math.ceil(MODE_SHARE * ordered.size))
    first = int(np.argmin(ordered[n_quarter - 1 :] - ordered[: ordered.size - n_quarter + 1]))
    level = float(np.median(ordered[first : first + n_quarter]))
    below = level - ordered[ordered < level]
    half_width = float(np.median(below)) / MEDIAN_TO_SIGMA if below.size else 0.0
    return Background(level, half_width, is_masked)


def _masked_out(values: np.ndarray) -> np.ndarray:
    """Which values are the one that a mask has set; none if no value stands out.

    Values are compared in steps of a ten-thousandth of the range, because resampling blurs equal values a
    little. The commonest must also stand out from the second, or a map stored in few integers would look
    masked.
    """
    low, high = float(values.min()), float(values.max())
    steps = np.round((values - low) * (1e4 / (high - low))).astype(np.int64)
    counts = np.bincount(steps)
    commonest = int(np.argmax(counts))
    share = counts[commonest] / values.size
    second = np.partition(counts, -2)[-2] / values.size
    if share < ZEROED_SHARE or share < ZEROED_CONTRAST * second:
        return np.zeros(values.size, bool)
    return steps == commonest


def user_threshold(density_map: DensityMap, contour: float) -> Threshold:
    """The user's contour, checked against the map."""
    low, high = float(density_map.density.min()), float(density_map.density.max())
    if not low < contour < high:
        raise InputError(
            f"Contour {contour:g} is outside the map's densities ({low:g} to {high:g}); "
            f"give a level between them or leave it out."
        )
    return Threshold(contour, "user", f"contour {contour:g} given by the user", None, None, None)


def automatic_threshold(
    density_map: DensityMap, mass_dalton: float, inside: np.ndarray | None = None
) -> Threshold:
    """Choose a threshold by volume and background (see the module's docstring).

    Parameters
    ----------
    density_map : DensityMap
        The whole canonical map, not cropped: the background has to be seen.
    mass_dalton : float
        Mass of the molecule.
    inside : ndarray of bool, shape (n_z, n_y, n_x), optional
        Voxels that may be molecule (the user's mask).

    Raises
    ------
    InputError
        If the molecule does not fit into the box (or mask), or the background drowns everything.
    """
    volume = expected_volume(mass_dalton)
    values = density_map.density.ravel() if inside is None else density_map.density[inside]
    n_voxels = max(1, round(volume / density_map.voxel_size_angstrom**3))
    if n_voxels >= values.size:
        held = values.size * density_map.voxel_size_angstrom**3
        raise InputError(
            f"The map holds {held:,.0f} Å³, but the sequence's {mass_dalton:,.0f} Da fill {volume:,.0f} Å³; "
            f"check the pixel size and the number of copies in the sequence, or give a contour."
        )
    volume_level = float(np.partition(values, values.size - n_voxels)[values.size - n_voxels])
    background = estimate_background(density_map, volume)
    volume_text = f"the map encloses the {volume:,.0f} Å³ of {mass_dalton:,.0f} Da at {volume_level:.4g}"
    if background.level is None or background.half_width is None:
        text = f"{volume_text}; the map is masked tightly, its background cannot be told; the volume decided"
        return Threshold(volume_level, "volume", text, volume_level, None, background)
    floor = background.level + BACKGROUND_HALF_WIDTHS * background.half_width
    if floor >= float(values.max()):
        raise InputError(
            f"No density stands out of the background ({background.level:.4g} + {BACKGROUND_HALF_WIDTHS:g} x "
            f"{background.half_width:.4g}, highest {float(values.max()):.4g}); check the map, or give a "
            f"contour."
        )
    method = "volume" if volume_level >= floor else "background"
    masked_text = " (of what a mask has left)" if background.is_masked else ""
    text = (
        f"{volume_text}; background {background.level:.4g} + {BACKGROUND_HALF_WIDTHS:g} x "
        f"{background.half_width:.4g} = {floor:.4g}{masked_text}; the {method} decided, being higher"
    )
    return Threshold(max(volume_level, floor), method, text, volume_level, floor, background)


def volume_warning(enclosed_angstrom3: float, expected_angstrom3: float) -> str | None:
    """A sentence if the enclosed volume is not what the sequence fills, within two-fold."""
    ratio = enclosed_angstrom3 / expected_angstrom3
    if 1 / VOLUME_FOLD_TOLERATED <= ratio <= VOLUME_FOLD_TOLERATED:
        return None
    return (
        f"The threshold encloses {enclosed_angstrom3:,.0f} Å³, {ratio:.2g} times the "
        f"{expected_angstrom3:,.0f} Å³ that the sequence fills: check the contour, the pixel size and "
        f"whether the sequence is complete."
    )
