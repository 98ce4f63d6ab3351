"""The density above which a map is taken for molecule: the user's contour, or one with a stated error rate.

1. *Noise.* At most 1 % of the voxels above the threshold are noise (``confidence_map.py``).
2. *Volume.* Proteins fill 1.21 Å³ per dalton (Harpaz, Gerstein, Chothia, Structure 2:641, 1994), and a contour
   around them 3 % more for every Ångström of resolution. Where more than that is significant, the threshold is
   the higher one that encloses it: else tails and neighbours would be taken for the molecule.
3. *Blur.* Where noise leaves less than the molecule's volume significant, the map is blurred for the contour's
   sake, by one, one and a half or two times the resolution, whichever is enough. The map itself stays as it is,
   and weighs the voxels within the contour.

A map that was masked closely, cut off at zero or made without noise tells nothing of its noise: the volume alone
decides, and the evidence says so. Measured by ``benchmarks/threshold.py``, see docs/docking.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter

from classfold.confidence_map import Background, fdr_level, measure_background
from classfold.density import gaussian_sigma
from classfold.errors import InputError
from classfold.maps import DensityMap
from classfold.point_cloud import MIN_COMPONENT_VOXELS
from classfold.regions import SetVoxels, find_background

VOLUME_PER_DALTON_ANGSTROM3 = 1.21
FALSE_DISCOVERY_RATE = 0.01
SWELLING_PER_ANGSTROM = 0.03
BLURS_PER_RESOLUTION = (0.0, 1.0, 1.5, 2.0)
LEAST_BACKGROUND = 1.0
"""Background is measured on at least so many times the molecule's volume."""
LEAST_NOISE = 1e-4
"""Standard deviation of the noise over the molecule's density, below which there is none to speak of."""
SUBSTANTIAL = 0.3
"""Density of something else counts from this share of the molecule's mean density on; less may be blur."""
VOLUME_FOLD_TOLERATED = 2.0


class Molecule(NamedTuple):
    """What a map has to hold."""

    n_atoms: int
    mass_dalton: float

    def volume_angstrom3(self, resolution_angstrom: float) -> float:
        """Volume that a contour around the molecule encloses in a map of that resolution."""
        swelling = 1 + SWELLING_PER_ANGSTROM * resolution_angstrom
        return VOLUME_PER_DALTON_ANGSTROM3 * self.mass_dalton * swelling


class Search(NamedTuple):
    """What a threshold is sought with."""

    volume_angstrom3: float
    """That the molecule encloses at the map's resolution."""
    resolution_angstrom: float
    inside: np.ndarray | None = None
    """bool, shape (n_z, n_y, n_x): voxels that may be molecule (the user's mask)."""
    set_voxels: SetVoxels | None = None
    """Those that a program has set."""


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
    """Volume of substantial density that is no noise, wherever the threshold lies."""
    hidden: str | None = None
    """Why the background could not be measured, if so."""

    def weight_map(self, density_map: DensityMap) -> DensityMap:
        """Density above background of the map as it is, which weighs the voxels within the contour."""
        if self.background is None:
            return density_map
        return replace(density_map, density=(density_map.density - np.float32(self.background.level)).clip(min=0))

    @property
    def min_voxels(self) -> int:
        """Components of fewer voxels above the threshold are dust: five, or the cube of the blur's resolution."""
        return max(MIN_COMPONENT_VOXELS, round((self.blur_angstrom / self.contour_map.voxel_size_angstrom) ** 3))


def blurred(density_map: DensityMap, blur_angstrom: float) -> DensityMap:
    """The map blurred by the Gaussian of an atom at a resolution in Å; 0 leaves it as it is."""
    if not blur_angstrom:
        return density_map
    sigma = gaussian_sigma(blur_angstrom) / density_map.voxel_size_angstrom
    return replace(density_map, density=gaussian_filter(density_map.density, sigma, mode="nearest"))


def user_threshold(density_map: DensityMap, contour: float) -> Threshold:
    """The user's contour, checked against the map."""
    low, high = float(density_map.density.min()), float(density_map.density.max())
    if not low < contour < high:
        raise InputError(
            f"Contour {contour:g} is outside the map's densities ({low:g} to {high:g}); "
            f"give a level between them or leave it out."
        )
    return Threshold(contour, "user", f"contour {contour:g} given by the user", density_map)


def automatic_threshold(density_map: DensityMap, search: Search) -> Threshold:
    """Choose a threshold (see the module's docstring).

    Parameters
    ----------
    density_map : DensityMap
        The whole canonical map, not cropped: the background has to be seen.
    search : Search

    Raises
    ------
    InputError
        If the molecule does not fit into the box (or mask), or nothing stands out of the noise.
    """
    voxel_volume = density_map.voxel_size_angstrom**3
    held = (density_map.density.size if search.inside is None else int(search.inside.sum())) * voxel_volume
    if search.volume_angstrom3 >= held:
        raise InputError(
            f"The map holds {held:,.0f} Å³, but the sequence fills {search.volume_angstrom3:,.0f} Å³; check the pixel "
            f"size and the number of copies in the sequence, or give a contour."
        )
    background, hidden = _background_voxels(density_map, search)
    found: list[Threshold] = []
    for blur in BLURS_PER_RESOLUTION if hidden is None else ():
        one = _by_noise(density_map, blur * search.resolution_angstrom, background, search)
        if one is None:
            hidden = "there is no noise around the molecule"
            break
        found.append(one)
        if (one.significant_angstrom3 or 0) >= search.volume_angstrom3:
            break
    if hidden is not None:
        return _by_volume(density_map, search, hidden)
    best = max(found, key=lambda one: one.significant_angstrom3 or 0)
    if not best.significant_angstrom3:
        raise InputError(
            "No density stands out of the noise around the molecule; check the map and its contrast, or give a contour."
        )
    return best


def _background_voxels(density_map: DensityMap, search: Search) -> tuple[np.ndarray, str | None]:
    """Voxels that show noise, bool, shape (n_z, n_y, n_x), and why they cannot be used, if so."""
    is_set = None if search.set_voxels is None else search.set_voxels.is_set
    voxel = np.full(3, density_map.voxel_size_angstrom)
    voxels = find_background(density_map.density, voxel, search.volume_angstrom3, search.inside, is_set)
    too_few = voxels.sum() * density_map.voxel_size_angstrom**3 < LEAST_BACKGROUND * search.volume_angstrom3
    if search.set_voxels is None:
        return voxels, "the box leaves too little around the molecule to tell its noise from" if too_few else None
    share = f"{search.set_voxels.is_set.mean():.0%} of the map's voxels have the same density"
    if search.set_voxels.is_lowest:
        return voxels, f"{share}, its lowest: it was cut off there or masked, so that its noise cannot be told"
    masked = f"{share}: it was masked, so closely that its noise cannot be told"
    return voxels, masked if too_few else None


def _by_volume(density_map: DensityMap, search: Search, hidden: str) -> Threshold:
    """The fallback where there is no background."""
    level, text = _volume_level(density_map, search)
    evidence = f"{hidden}; {text}, which alone decided"
    return Threshold(level, "volume", evidence, density_map, volume_level=level, hidden=hidden)


def _volume_level(density_map: DensityMap, search: Search) -> tuple[float, str]:
    """Density above which a map encloses the molecule's volume, and that in words."""
    values = density_map.density.ravel() if search.inside is None else density_map.density[search.inside]
    rank = values.size - max(1, round(search.volume_angstrom3 / density_map.voxel_size_angstrom**3))
    level = float(np.partition(values, rank)[rank])
    return level, f"the map encloses the {search.volume_angstrom3:,.0f} Å³ of the sequence at {level:.4g}"


def _by_noise(
    density_map: DensityMap, blur_angstrom: float, is_background: np.ndarray, search: Search
) -> Threshold | None:
    """Threshold of the map under one blur; None if it has no noise."""
    contour_map = blurred(density_map, blur_angstrom)
    density = contour_map.density
    background = measure_background(density[is_background])
    by_volume, volume_text = _volume_level(contour_map, search)
    tested = density.ravel() if search.inside is None else density[search.inside]
    molecule = float(tested[tested >= by_volume].mean()) - background.level
    if background.sigma <= LEAST_NOISE * molecule:
        return None
    level = fdr_level(tested, background, FALSE_DISCOVERY_RATE)
    substantial = max(level or np.inf, background.level + SUBSTANTIAL * molecule)
    decided = "volume" if level is None or by_volume > level else "false discovery rate"
    noise = f"noise {background.level:.4g} ± {background.sigma:.4g}"
    found = "nothing is significant"
    if level is not None:
        found = f"above {level:.4g} at most {FALSE_DISCOVERY_RATE:.0%} is noise"
    evidence = f"{noise}: {found}; {volume_text}; the {decided} decided, being higher"
    if blur_angstrom:
        evidence = f"in the map blurred to {blur_angstrom:.3g} Å, because of its noise: {evidence}"
    return Threshold(
        value=by_volume if level is None else max(level, by_volume),
        method=decided,
        evidence=evidence,
        contour_map=contour_map,
        blur_angstrom=blur_angstrom,
        fdr_level=level,
        volume_level=by_volume,
        background=background,
        significant_angstrom3=float((tested > substantial).sum()) * density_map.voxel_size_angstrom**3,
    )


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
