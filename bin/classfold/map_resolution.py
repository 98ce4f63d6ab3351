"""Which resolution a class is worked on at: the samplesheet's, that of its half maps, or an estimate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from classfold.errors import InputError
from classfold.half_map_fsc import FSC_THRESHOLD, HalfMapFsc, half_map_fsc
from classfold.map_set import MASK_INSIDE, MapSet
from classfold.maps import SourceMap
from classfold.regions import Coarse, find_windows
from classfold.set_voxels import SetVoxels, find_set_voxels
from classfold.single_map_resolution import estimate_resolution
from classfold.threshold import VOLUME_PER_DALTON_ANGSTROM3

LIMITS_ANGSTROM = (1.0, 30.0)
FINER_TOLERATED, COARSER_TOLERATED = 0.1, 1 / 3
"""A claim that is finer or coarser than the half maps say by more than this share is worth a warning."""
TOO_ALIKE = 0.9
"""Half maps whose corrected FSC nowhere falls below this are no independent ones."""
HARD_SHARE = 0.01
"""A mask with fewer voxels between 0 and 1, over those inside, has no soft edge."""
LEAST_LIKENESS = 0.3
"""Correlation of map and half maps, below which they are not of one class."""
SOFT_EDGE_ANGSTROM = 4.0
"""Standard deviation by which a hard mask is softened."""


@dataclass(frozen=True)
class Resolution:
    """The resolution that all later stages use, and what it rests on."""

    value_angstrom: float
    method: str
    """"samplesheet", "half maps" or "estimate"."""
    evidence: str
    claimed_angstrom: float | None
    curves: HalfMapFsc | None
    """Of the half maps, if there are two."""
    warnings: tuple[str, ...]

    @property
    def by_half_maps_angstrom(self) -> float | None:
        """What the half maps say, if they say something."""
        return self.curves.resolution_angstrom if self.curves else None


def find_resolution(
    maps: MapSet, mass_dalton: float, claimed_angstrom: float | None, set_voxels: SetVoxels | None, seed: int
) -> Resolution:
    """Resolution of a class.

    Parameters
    ----------
    maps : MapSet
    mass_dalton : float
        Of the molecule: says how much of the box it fills.
    claimed_angstrom : float, optional
        That of the samplesheet. It is used as it is, and compared with the half maps.
    set_voxels : SetVoxels, optional
        Those of the map that a program has set.
    seed : int
        Of the random phases.

    Raises
    ------
    InputError
        If the claim is absurd, or there is none and neither half maps nor solvent to find the resolution by.
    """
    if claimed_angstrom is not None:
        _check_limits(claimed_angstrom, f"Resolution {claimed_angstrom:g} Å is absurd")
    curves, warnings = _compare_halves(maps, mass_dalton, seed)
    measured = curves.resolution_angstrom if curves else None
    if claimed_angstrom is not None:
        if measured is not None:
            warnings += _compare_claim(claimed_angstrom, measured)
        evidence = "given by the user"
        return Resolution(claimed_angstrom, "samplesheet", evidence, claimed_angstrom, curves, tuple(warnings))
    if curves is not None and measured is not None:
        _check_limits(measured, f"The half maps agree to {measured:.3g} Å only")
        evidence = f"the half maps' FSC falls below {FSC_THRESHOLD} there"
        if curves.reaches_nyquist:
            evidence = f"the half maps' FSC is above {FSC_THRESHOLD} up to the limit of the voxels (Nyquist)"
        return Resolution(measured, "half maps", evidence, None, curves, tuple(warnings))
    volume, voxel = VOLUME_PER_DALTON_ANGSTROM3 * mass_dalton, maps.source.voxel_size_angstrom[::-1]
    is_set = None if set_voxels is None else set_voxels.is_set
    windows = find_windows(maps.source.density, voxel, volume, maps.inside, is_set)
    estimated, reason = estimate_resolution(maps.source, windows)
    _check_limits(estimated, f"The resolution is estimated as {estimated:.3g} Å")
    warnings.append(
        f"The resolution of {estimated:.3g} Å is an estimate from the map alone ({reason}): give the half maps, or the "
        f"resolution that refinement reported."
    )
    return Resolution(estimated, "estimate", reason, None, curves, tuple(warnings))


def _compare_claim(claimed_angstrom: float, measured_angstrom: float) -> list[str]:
    """A sentence if the samplesheet's resolution is not that of the half maps."""
    said = f"The samplesheet gives a resolution of {claimed_angstrom:.3g} Å, but the half maps agree "
    if claimed_angstrom < (1 - FINER_TOLERATED) * measured_angstrom:
        said += f"only to {measured_angstrom:.3g} Å (FSC {FSC_THRESHOLD}): models will be fitted to noise beyond; "
        return [said + "correct one of them."]
    if claimed_angstrom > (1 + COARSER_TOLERATED) * measured_angstrom:
        said += f"to {measured_angstrom:.3g} Å (FSC {FSC_THRESHOLD}): detail that the map shows will not be used; "
        return [said + "correct one of them, or leave the resolution out."]
    return []


def _check_limits(resolution_angstrom: float, sentence: str) -> None:
    low, high = LIMITS_ANGSTROM
    if not (math.isfinite(resolution_angstrom) and low <= resolution_angstrom <= high):
        raise InputError(f"{sentence}; give a number from {low:g} to {high:g} Å, if the map has such a resolution.")


def _compare_halves(maps: MapSet, mass_dalton: float, seed: int) -> tuple[HalfMapFsc | None, list[str]]:
    """FSC of the half maps, if there are two different ones, and what is suspicious about them."""
    if maps.halves is None:
        return None, []
    first, second = maps.halves
    if np.array_equal(first.density, second.density):
        return None, ["The two half maps are the same file: nothing independent can be told from them."]
    mean, voxel = 0.5 * (first.density + second.density), maps.source.voxel_size_angstrom[::-1]
    mask = _soft_mask(maps.companions["mask"]) if "mask" in maps.companions else None
    if mask is None:
        mask = find_windows(mean, voxel, VOLUME_PER_DALTON_ANGSTROM3 * mass_dalton).molecule
    curves = half_map_fsc(first, second, mask, seed)
    warnings = []
    if curves.resolution_angstrom is None:
        warnings.append(
            f"The half maps do not agree at any resolution (FSC below {FSC_THRESHOLD} at low frequency): they do not "
            f"belong together, and their FSC is not used."
        )
    elif (least := curves.corrected[1:].min()) > TOO_ALIKE:
        warnings.append(
            f"The half maps are too alike (FSC at least {least:.2f} up to {curves.nyquist_angstrom:.3g} Å): they are "
            f"not independent, or share a filter; the resolution that they show is too good."
        )
    likeness = _likeness(mean, maps.source.density, mask, voxel)
    if likeness < LEAST_LIKENESS:
        warnings.append(
            f"The half maps do not look like the map (correlation {likeness:.2f} within the mask): they may belong to "
            f"another class, or lie otherwise."
        )
    if find_set_voxels(first.density) is not None:
        warnings.append(
            "The half maps are masked: their FSC shows the mask's likeness too, which cannot be taken off; give the "
            "unmasked ones."
        )
    return curves, warnings


def _soft_mask(mask: SourceMap) -> np.ndarray:
    """The user's mask, blurred if it has no soft edge: shape (n_z, n_y, n_x), 0 to 1."""
    soft = mask.density.clip(0, 1)
    between = ((soft > 0.01) & (soft < 0.99)).sum()
    if between >= HARD_SHARE * (soft >= 0.99).sum():
        return soft
    return gaussian_filter(soft, SOFT_EDGE_ANGSTROM / mask.voxel_size_angstrom[::-1])


def _likeness(first: np.ndarray, second: np.ndarray, mask: np.ndarray, voxel_size_zyx: np.ndarray) -> float:
    """Correlation of two maps within a mask, both averaged over blocks of 4 Å: sharpening matters little there."""
    coarse = Coarse(mask.shape, voxel_size_zyx)
    inside = coarse.mean(mask) > MASK_INSIDE
    if inside.sum() < 2:
        return 1.0
    return float(np.corrcoef(coarse.mean(first)[inside], coarse.mean(second)[inside])[0, 1])
