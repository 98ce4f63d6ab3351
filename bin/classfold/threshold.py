"""The density above which a map is taken for molecule, what it rests on, and what is worth a warning about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from classfold.confidence_map import Background
from classfold.density import gaussian_sigma
from classfold.errors import InputError
from classfold.maps import DensityMap
from classfold.point_cloud import MIN_COMPONENT_VOXELS

VOLUME_PER_DALTON_ANGSTROM3 = 1.21
"""What proteins fill: Harpaz, Gerstein, Chothia, Structure 2:641, 1994."""
SWELLING_PER_ANGSTROM = 0.03
FALSE_DISCOVERY_RATE = 0.01
VOLUME_FOLD_TOLERATED = 2.0


class Molecule(NamedTuple):
    """What a map has to hold."""

    n_atoms: int
    mass_dalton: float

    def volume_angstrom3(self, resolution_angstrom: float) -> float:
        """Volume that a contour around the molecule encloses in a map of that resolution."""
        return VOLUME_PER_DALTON_ANGSTROM3 * self.mass_dalton * swelling(resolution_angstrom)


def swelling(resolution_angstrom: float) -> float:
    """Volume within a molecule's contour at a resolution, over that of its mass."""
    return 1 + SWELLING_PER_ANGSTROM * resolution_angstrom


@dataclass(frozen=True)
class Threshold:
    """A threshold with the reasons for it."""

    value: float
    """In the density of the contour map."""
    method: str
    """"user", "false discovery rate" or "volume": what decided."""
    evidence: str
    contour_map: DensityMap
    """The map to which the threshold belongs: the given one, or that map blurred."""
    blur_angstrom: float = 0.0
    """Resolution of the Gaussian that blurred the contour map."""
    fdr_level: float | None = None
    volume_level: float | None = None
    background: Background | None = None
    significant_angstrom3: float | None = None
    """Volume of substantial density that is no noise, wherever the threshold lies, less what the blur added to it."""
    hidden: str | None = None
    """Why the background could not be measured, if so."""
    outside_level: float | None = None
    """Density of what is no molecule: of the background, or what a program has set there."""

    def weight_map(self, density_map: DensityMap) -> DensityMap:
        """Density above that outside, of the map as it is, which weighs the voxels within the contour."""
        if self.outside_level is None:
            return density_map
        return replace(density_map, density=(density_map.density - np.float32(self.outside_level)).clip(min=0))

    def level_in(self, density_map: DensityMap, kept: np.ndarray) -> float:
        """The threshold in the density of the map as it is, which need not be the contour map.

        Where that was blurred it is the level above which the map holds as many voxels as the contour encloses
        (``kept``, shape (n_z, n_y, n_x)), of those no further from the contour than the blur's resolution.
        """
        if not self.blur_angstrom:
            return self.value
        distance = distance_transform_edt(~kept, density_map.voxel_size_angstrom)
        near = density_map.density[distance <= self.blur_angstrom]
        return float(np.partition(near, near.size - kept.sum())[near.size - kept.sum()])

    @property
    def min_voxels(self) -> int:
        """Components of fewer voxels above the threshold are dust: five, or the cube of the blur's resolution."""
        return max(MIN_COMPONENT_VOXELS, round((self.blur_angstrom / self.contour_map.voxel_size_angstrom) ** 3))


def blurred(density_map: DensityMap, blur_angstrom: float) -> DensityMap:
    """The map blurred by the Gaussian of an atom at a resolution in Å; 0 leaves it as it is."""
    if not blur_angstrom:
        return density_map
    sigma = gaussian_sigma(blur_angstrom) / density_map.voxel_size_angstrom
    # Around the box's faces: values repeated there would average out less, and noise would look significant.
    return replace(density_map, density=gaussian_filter(density_map.density, sigma, mode="wrap"))


def user_threshold(density_map: DensityMap, contour: float) -> Threshold:
    """The user's contour, checked against the map."""
    low, high = float(density_map.density.min()), float(density_map.density.max())
    if not low < contour < high:
        raise InputError(
            f"Contour {contour:g} is outside the map's densities ({low:g} to {high:g}); "
            f"give a level between them or leave it out."
        )
    return Threshold(contour, "user", f"contour {contour:g} given by the user", density_map)


def threshold_warnings(threshold: Threshold, enclosed_angstrom3: float, expected_angstrom3: float) -> list[str]:
    """Sentences if noise and volume disagree two-fold, or one of them could not be asked."""
    if threshold.hidden is not None:
        return [
            f"The threshold has no error rate: {threshold.hidden}. It is the level that encloses the sequence's "
            f"volume; look at the contour, and give the unmasked map if there is one."
        ]
    volume, what = enclosed_angstrom3, "The contour encloses"
    if threshold.significant_angstrom3 is not None:
        volume = threshold.significant_angstrom3
        what = f"Density that is no noise (false discovery rate {FALSE_DISCOVERY_RATE:.0%}) fills"
    ratio = volume / expected_angstrom3
    if 1 / VOLUME_FOLD_TOLERATED <= ratio <= VOLUME_FOLD_TOLERATED:
        return []
    reason = "something else may be in the map" if ratio > 1 else "a part of the molecule may be missing"
    return [
        f"{what} {volume:,.0f} Å³, {ratio:.2g} times the {expected_angstrom3:,.0f} Å³ of the sequence: {reason}; check "
        f"the contour, the pixel size and whether the sequence is complete."
    ]
