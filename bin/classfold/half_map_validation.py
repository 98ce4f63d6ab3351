"""Over-fitting, told by half maps: a model that was guided by the first is judged in the first and in the second.

The noise of the two is independent. What a model gained by following the noise of the half map that guided it (the
*work* map) it does not have in the other (the *free* map), as with the free R factor of crystallography (Brünger,
Nature 355, 472, 1992; for half maps: Falkner & Schröder, PNAS 110, 8930, 2013; Brown et al., Acta Cryst. D71, 136,
2015). The measure is the average of the map-model FSC over all Fourier coefficients up to the resolution.

Two finite maps differ for a right model too, by chance. The model that was guided by the whole map favours neither half
and lies nearly in the same place: its difference, which is that chance, is taken off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import fft

from classfold.half_maps import HalfMaps
from classfold.map_fit import Overlay, cc_mask, lay_over
from classfold.scores.model_map_fsc import ModelMapFsc, masked_map, score_fsc
from classfold.shells import Shells, make_shells

CURVES_FILE = "half_map_validation.csv"
BLOCK_PER_RESOLUTION = 3.0
"""Edge of the blocks over which noise is taken for independent."""
ERRORS = 3.0
"""A gap within so many standard errors of zero may be chance."""
LEAST_GAP = 0.02
"""Guidance that is as it should be leaves up to so much (docs/validation.md)."""


@dataclass(frozen=True)
class HalfFit:
    """Fit of one model to two half maps, of which the first is called work and the second free."""

    cc_work: float
    cc_free: float
    work: ModelMapFsc
    free: ModelMapFsc
    fsc_work: float
    """Average of the curve over all Fourier coefficients up to the resolution."""
    fsc_free: float
    blocks: np.ndarray
    """(n_blocks,) what each block of the map adds to the difference."""

    @property
    def difference(self) -> float:
        """Averaged FSC in the work map over that in the free one, both with the maps' mean norm."""
        return float(self.blocks.sum())


@dataclass(frozen=True)
class Validation:
    """What two half maps say of guidance."""

    guided: HalfFit
    """Of the model that the first half map guided."""
    whole: HalfFit
    """Of the model that the whole map guided."""

    @property
    def gap(self) -> float:
        """How much of the FSC in the work map is its noise: 0 without over-fitting, but for chance."""
        return self.guided.difference - self.whole.difference

    @property
    def error(self) -> float:
        """Standard error of the gap: what blocks of the map add to it varies, and they are many."""
        parts = self.guided.blocks - self.whole.blocks
        return float(np.sqrt(np.square(parts - parts.mean()).sum()))

    @property
    def limit(self) -> float:
        """The largest gap that is no sign of over-fitting."""
        return max(LEAST_GAP, ERRORS * self.error)

    @property
    def is_overfitted(self) -> bool:
        """Whether the gap is more than chance and more than well-behaved guidance leaves."""
        return self.gap > self.limit

    @property
    def sentence(self) -> str:
        """The verdict, with its numbers."""
        found = (
            f"a model guided by half map 1 has an average FSC of {self.guided.fsc_work:.3f} with it and of "
            f"{self.guided.fsc_free:.3f} with half map 2, which it has not seen; of the difference {self.gap:.3f} "
            f"is over-fitting (limit {self.limit:.3f})"
        )
        if self.is_overfitted:
            return f"the models follow the noise of the map: {found}; trust no detail that only the fit supports"
        return f"the models do not follow the noise of the map: {found}"

    def record(self) -> dict[str, Any]:
        """As models.json holds it."""
        return {
            "cc_work": self.guided.cc_work,
            "cc_free": self.guided.cc_free,
            "fsc_work": self.guided.fsc_work,
            "fsc_free": self.guided.fsc_free,
            "d_fsc_05_work_angstrom": self.guided.work.d_05_angstrom,
            "d_fsc_05_free_angstrom": self.guided.free.d_05_angstrom,
            "gap": self.gap,
            "gap_error": self.error,
            "limit": self.limit,
            "overfitted": self.is_overfitted,
            "sentence": self.sentence,
        }

    def curves(self) -> pd.DataFrame:
        """The map-model FSC of the model in both half maps, shell by shell."""
        work, free = self.guided.work, self.guided.free
        return pd.DataFrame({"frequency_per_angstrom": work.frequency, "work": work.curve, "free": free.curve})


def judge_halves(coordinates: np.ndarray, weights: np.ndarray, halves: HalfMaps, resolution_angstrom: float) -> HalfFit:
    """Fit of a model to both half maps.

    Parameters
    ----------
    coordinates : ndarray, shape (n_atoms, 3)
        xyz in Å in the frame of the maps.
    weights : ndarray, shape (n_atoms,)
        Atomic numbers.
    halves : HalfMaps
    resolution_angstrom : float
        Of the whole map.
    """
    work, free = (
        lay_over(coordinates, weights, half.density, half.grid, resolution_angstrom)
        for half in (halves.first, halves.second)
    )
    curves = score_fsc(work), score_fsc(free)
    shells = make_shells(work.experimental[work.box].shape, np.full(3, work.grid.voxel_size_angstrom))
    share = shares(shells, resolution_angstrom)
    return HalfFit(
        cc_work=cc_mask(work),
        cc_free=cc_mask(free),
        work=curves[0],
        free=curves[1],
        fsc_work=float(share @ curves[0].curve),
        fsc_free=float(share @ curves[1].curve),
        blocks=block_sums(_difference(work, free, shells, share), work.grid.voxel_size_angstrom, resolution_angstrom),
    )


def shares(shells: Shells, resolution_angstrom: float) -> np.ndarray:
    """Share (n_shells,) that each shell has of the Fourier coefficients up to the resolution, without the first."""
    n = shells.sums(np.ones(shells.index.shape, np.float32))
    n[(shells.frequency == 0) | (shells.frequency > 1 / resolution_angstrom)] = 0
    return n / n.sum()


def _difference(work: Overlay, free: Overlay, shells: Shells, share: np.ndarray) -> np.ndarray:
    """(z, y, x) whose sum is the difference of the averaged FSCs, voxel by voxel, both with the maps' mean norm.

    With the shells' norms ``|E|`` of the maps and ``|S|`` of the model the average is ``sum e(x) g(x)``, where the
    transform of g is that of the model times ``share / (|E| |S|)``. With each map's own norm the difference would hold
    that of their noise's power as well.
    """
    first, second = masked_map(work), masked_map(free)
    model = fft.rfftn(work.simulated[work.box])
    powers = [shells.sums(np.abs(each) ** 2) for each in (fft.rfftn(first), fft.rfftn(second), model)]
    norm = np.sqrt(0.5 * (powers[0] + powers[1]) * powers[2])
    factor = np.divide(share, norm, out=np.zeros(shells.n), where=norm > 0)
    # A sum over voxels counts a coefficient that rfftn leaves out, as an FSC does not.
    twice = np.full(model.shape[2], 0.5)
    twice[0] = 1.0
    twice[first.shape[2] // 2 + 1 - (first.shape[2] + 1) % 2 :] = 1.0
    probe = fft.irfftn(model * np.append(factor, 0)[shells.index] * twice, s=first.shape) * first.size
    return (first - second) * probe


def block_sums(field: np.ndarray, voxel_size_angstrom: float, resolution_angstrom: float) -> np.ndarray:
    """Sums (n_blocks,) of a field (z, y, x) over cubes as wide as three times the resolution."""
    edge = max(1, round(BLOCK_PER_RESOLUTION * resolution_angstrom / voxel_size_angstrom))
    for axis, n in enumerate(field.shape):
        field = np.add.reduceat(field, np.arange(0, n, edge), axis=axis)
    return field.ravel()
