"""The density above which a map is taken for molecule, found with a stated error rate.

1. *Noise.* At most 1 % of the voxels above the threshold are noise (``confidence_map.py``).
2. *Volume.* Proteins fill 1.21 Å³ per dalton (Harpaz, Gerstein, Chothia, Structure 2:641, 1994), and a contour
   around them 3 % more for every Ångström of resolution. Where more than that is significant, the threshold is
   the higher one that encloses it: else tails and neighbours would be taken for the molecule.
3. *Blur.* Where noise leaves less than the molecule's volume significant, or is near enough to the contour to
   shape it, the map is blurred for the contour's sake, by one, one and a half or two times the resolution,
   whichever is enough. The map itself stays as it is, and weighs the voxels within the contour.

A map that was masked closely, cut off at zero or made without noise tells nothing of its noise: the volume alone
decides, in the map blurred by one and a half times the resolution, and the evidence says so. Measured by
``benchmarks/threshold.py``, see docs/docking.md.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from classfold.confidence_map import Background, fdr_level, measure_background
from classfold.errors import InputError
from classfold.maps import DensityMap
from classfold.regions import find_background
from classfold.set_voxels import SetVoxels
from classfold.threshold import FALSE_DISCOVERY_RATE, Threshold, blurred, swelling

BLURS = (0.0, 1.0, 1.5, 2.0)
"""Times the resolution, or times 4 Å if that is finer: the outline of a molecule holds no finer detail."""
BLUR_UNIT_ANGSTROM = 4.0
FALLBACK_BLUR = 1.5
"""Where the noise is not known: what sharpening made of it must not look like molecule."""
CLEARANCE = 8.0
"""Standard deviations of the noise from its middle to the contour, from which on it does not shape the contour."""
LEAST_BACKGROUND = 1.0
"""Background is measured on at least so many times the molecule's volume."""
LEAST_NOISE = 1e-3
"""Standard deviation of the noise over the molecule's density, below which it is but the rounding and ringing that
programs leave outside a mask."""
SUBSTANTIAL = 0.3
"""Density of something else counts from this share of the molecule's mean density on; less may be blur."""
LEAST_SIGNIFICANT = 0.05
"""Share of the molecule's volume: if less than that stands out of the noise, there is no molecule to see."""


class Search(NamedTuple):
    """What a threshold is sought with."""

    volume_angstrom3: float
    """That the molecule encloses at the map's resolution."""
    resolution_angstrom: float
    inside: np.ndarray | None = None
    """bool, shape (n_z, n_y, n_x): voxels that may be molecule (the user's mask)."""
    set_voxels: SetVoxels | None = None
    """Those that a program has set."""

    @property
    def blur_unit_angstrom(self) -> float:
        """What blurs are multiples of."""
        return max(self.resolution_angstrom, BLUR_UNIT_ANGSTROM)


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
    is_background, hidden = _background_voxels(density_map, search)
    if hidden is not None:
        return _by_volume(density_map, search, hidden)
    found = _by_noise(density_map, is_background, search)
    if found is None:
        return _by_volume(density_map, search, "there is no noise around the molecule")
    if _significant(found) < LEAST_SIGNIFICANT * search.volume_angstrom3:
        raise InputError(
            "No density stands out of the noise around the molecule; check the map and its contrast, or give a contour."
        )
    return found


def _background_voxels(density_map: DensityMap, search: Search) -> tuple[np.ndarray, str | None]:
    """Voxels that show noise, bool, shape (n_z, n_y, n_x), and why they cannot be used, if so."""
    is_set = None if search.set_voxels is None else search.set_voxels.is_set
    voxel = np.full(3, density_map.voxel_size_angstrom)
    voxels = find_background(density_map.density, voxel, search.volume_angstrom3, search.inside, is_set)
    too_few = voxels.sum() * density_map.voxel_size_angstrom**3 < LEAST_BACKGROUND * search.volume_angstrom3
    if search.set_voxels is None:
        return voxels, "the box leaves too little around the molecule to tell its noise from" if too_few else None
    share = f"{search.set_voxels.is_set.mean():.0%} of the map's voxels have one and the same density"
    if search.set_voxels.is_lowest:
        return voxels, f"{share}, its lowest: it was cut off there or masked, so that its noise cannot be told"
    masked = f"{share}: it was masked, so closely that its noise cannot be told"
    return voxels, masked if too_few else None


def _by_volume(density_map: DensityMap, search: Search, hidden: str) -> Threshold:
    """The fallback where there is no background."""
    blur = FALLBACK_BLUR * search.blur_unit_angstrom
    contour_map = blurred(density_map, blur)
    level, text = _volume_level(contour_map, search)
    return Threshold(
        value=level,
        method="volume",
        evidence=f"{hidden}; blurred to {blur:.3g} Å, {text}, which alone decided",
        contour_map=contour_map,
        blur_angstrom=blur,
        volume_level=level,
        hidden=hidden,
        outside_level=None if search.set_voxels is None else search.set_voxels.value,
    )


def _volume_level(density_map: DensityMap, search: Search) -> tuple[float, str]:
    """Density above which a map encloses the molecule's volume, and that in words."""
    values = density_map.density.ravel() if search.inside is None else density_map.density[search.inside]
    rank = values.size - max(1, round(search.volume_angstrom3 / density_map.voxel_size_angstrom**3))
    level = float(np.partition(values, rank)[rank])
    return level, f"the map encloses the {search.volume_angstrom3:,.0f} Å³ of the sequence at {level:.4g}"


def _by_noise(density_map: DensityMap, is_background: np.ndarray, search: Search) -> Threshold | None:
    """Threshold under the least blur that is enough, else under that which shows most; None if there is no noise."""
    found = []
    for blur in BLURS:
        contour_map = blurred(density_map, blur * search.blur_unit_angstrom)
        background = measure_background(contour_map.density[is_background])
        one = _under_blur(contour_map, blur * search.blur_unit_angstrom, background, search)
        if one is None:
            return None
        found.append(one)
        is_clear = one.value >= background.level + CLEARANCE * background.sigma
        if is_clear and _significant(one) >= search.volume_angstrom3:
            return one
    return max(found, key=_significant)


def _significant(threshold: Threshold) -> float:
    return threshold.significant_angstrom3 or 0.0


def _under_blur(
    contour_map: DensityMap, blur_angstrom: float, background: Background, search: Search
) -> Threshold | None:
    """Threshold of a map that was blurred; None if it has no noise."""
    tested = contour_map.density.ravel() if search.inside is None else contour_map.density[search.inside]
    by_volume, volume_text = _volume_level(contour_map, search)
    molecule = float(tested[tested >= by_volume].mean()) - background.level
    if background.sigma <= LEAST_NOISE * molecule:
        return None
    level = fdr_level(tested, background, FALSE_DISCOVERY_RATE)
    substantial = max(np.inf if level is None else level, background.level + SUBSTANTIAL * molecule)
    decided = "volume" if level is None or by_volume > level else "false discovery rate"
    noise = f"noise {background.level:.4g} ± {background.sigma:.4g}"
    found = "nothing is significant"
    if level is not None:
        found = f"above {level:.4g} at most {FALSE_DISCOVERY_RATE:.0%} is noise"
    evidence = f"{noise}: {found}; {volume_text}; the {decided} decided, being higher"
    if blur_angstrom:
        evidence = f"in the map blurred to {blur_angstrom:.3g} Å, because of its noise: {evidence}"
    blurred_resolution = math.hypot(search.resolution_angstrom, blur_angstrom)
    by_blur = swelling(blurred_resolution) / swelling(search.resolution_angstrom)
    return Threshold(
        value=by_volume if level is None else max(level, by_volume),
        method=decided,
        evidence=evidence,
        contour_map=contour_map,
        blur_angstrom=blur_angstrom,
        fdr_level=level,
        volume_level=by_volume,
        background=background,
        outside_level=background.level,
        significant_angstrom3=float((tested > substantial).sum()) * contour_map.voxel_size_angstrom**3 / by_blur,
    )
