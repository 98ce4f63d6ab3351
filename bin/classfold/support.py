"""Which residues of a model the map supports: those with density at their atoms, of the shape that they give it.

Two things are asked of every residue, and both are needed. *Density*: the mean density at its atoms, over the
background, in standard deviations of the map's noise. *Shape*: the correlation of the map with the model's density in
the mask of the residue (``classfold.map_fit``). Density alone is there wherever another residue is; a correlation alone
can be high in faint noise.

The noise is that of the half maps' difference where there are half maps. Without them it is what PREPARE_MAP measured
around the molecule, or else, of a map whose surroundings were masked away, the contour stands for three standard
deviations of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from classfold.half_maps import HalfMaps
from classfold.maps import DensityMap
from classfold.topology import Topology

CONTOUR_SIGMAS = 3.0
"""Of a map whose noise is not known."""


class Support(StrEnum):
    """What the map says of a residue."""

    SUPPORTED = "supported"
    WEAK = "weak"
    NO_DENSITY = "no density"


@dataclass(frozen=True)
class Least:
    """What a residue needs at least."""

    sigmas: float
    """Mean density at its atoms over the background, in standard deviations of the noise."""
    correlation: float
    """Of map and model in its mask."""


SUPPORTED = Least(sigmas=2.0, correlation=0.4)
"""Nine in ten residues of right models have both at 3 to 6 Å (docs/validation.md)."""
WEAK = Least(sigmas=1.5, correlation=0.3)
"""With less than either it has no density: nineteen in twenty residues in noise or beside their density."""


@dataclass(frozen=True)
class SupportJudge:
    """Judges the residues of models in one map."""

    topology: Topology
    density: DensityMap
    background: float
    """Density where there is nothing."""
    sigma: float
    """Standard deviation of the map's noise."""

    def density_sigmas(self, coordinates: np.ndarray) -> np.ndarray:
        """(n_residues,) mean density at each residue's atoms (n_atoms, 3), over the background, in sigma."""
        index = self.topology.residue_index
        at_atoms = self.density.values_at(coordinates, beyond=self.background)
        mean = np.bincount(index, weights=at_atoms) / np.bincount(index)
        return (mean - self.background) / self.sigma

    def judge(self, coordinates: np.ndarray, correlations: np.ndarray) -> list[Support]:
        """Support of each residue of a model.

        Parameters
        ----------
        coordinates : ndarray, shape (n_atoms, 3)
            xyz in Å in the frame of the map.
        correlations : ndarray, shape (n_residues,)
            Of map and model in each residue's mask; NaN where undefined, which is no support.
        """
        values = zip(self.density_sigmas(coordinates), np.nan_to_num(correlations, nan=-1.0), strict=True)
        return [support_of(*each) for each in values]


def support_of(sigmas: float, correlation: float) -> Support:
    """Support of a residue with this density and this correlation."""
    for support, least in ((Support.SUPPORTED, SUPPORTED), (Support.WEAK, WEAK)):
        if sigmas >= least.sigmas and correlation >= least.correlation:
            return support
    return Support.NO_DENSITY


def supported_fraction(supports: list[Support]) -> float:
    """Share of the residues that are supported."""
    return supports.count(Support.SUPPORTED) / len(supports)


def support_judge(
    topology: Topology, density: DensityMap, halves: HalfMaps | None, map_record: Mapping[str, Any]
) -> SupportJudge:
    """A judge for one class; its half maps, if any, as sharp as the map.

    Parameters
    ----------
    topology : Topology
    density : DensityMap
    halves : HalfMaps, optional
    map_record : mapping
        map.json of PREPARE_MAP.
    """
    # Most of a prepared map lies around the molecule.
    background = float(np.median(density.density))
    if halves is not None:
        return SupportJudge(topology, density, background, float(halves.noise.density.std()))
    blur, measured = map_record.get("threshold_blur_angstrom", 0.0), map_record.get("background_sigma")
    # What was measured in a blurred map is not the noise of the map as it is.
    if measured and not blur:
        return SupportJudge(topology, density, float(map_record["background_level"]), float(measured))
    height = float(map_record["threshold"]) - background
    spread = float(density.density.std())
    return SupportJudge(topology, density, background, max(height / CONTOUR_SIGMAS, 1e-3 * spread))
