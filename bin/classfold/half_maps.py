"""The half maps of a class, made as sharp as the map that they make up: what of it is signal, and what is noise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from classfold.amplitudes import MaskedSpectra, filtered, shells_of, soft_mask
from classfold.docked_models import atomic_numbers
from classfold.maps import DensityMap, read_canonical
from classfold.structure import Model

ROLES = ("half_map_1", "half_map_2")
SAMPLES_FOLDER = "half_map_1"
"""Within ``T.C.samples``: what the first half map guided, in the same form."""
ROUNDS = 4
"""The mask's edge spreads strong low frequencies over weak high ones, less so once they have been filtered."""


@dataclass(frozen=True)
class HalfMaps:
    """Two half maps whose mean is as sharp as the class's map; their noise is independent."""

    first: DensityMap
    second: DensityMap

    @property
    def noise(self) -> DensityMap:
        """Half of their difference: noise like that of their mean, and no signal."""
        return replace(self.first, density=(self.first.density - self.second.density) / 2)


def read_half_maps(map_folder: Path, like: DensityMap, docked: Model) -> HalfMaps | None:
    """Read the half maps of a ``T.C.map`` folder as sharp as a map; None where the class has none.

    Parameters
    ----------
    map_folder : Path
    like : DensityMap
        The class's map, sharpened or not, on the half maps' grid.
    docked : Model
        Where in the map the molecule is.
    """
    paths = [map_folder / f"{role}.mrc" for role in ROLES]
    if not all(path.is_file() for path in paths):
        return None
    first, second = (read_canonical(path) for path in paths)
    return sharpened_alike(HalfMaps(first, second), like, soft_mask(docked.coordinates, atomic_numbers(docked), like))


def sharpened_alike(halves: HalfMaps, like: DensityMap, mask: np.ndarray) -> HalfMaps:
    """Both half maps with one gain for each shell, which brings their mean's amplitudes to those of a map.

    A map is usually sharpened, filtered and masked, its half maps are not. One gain for both keeps their signal equal.

    Parameters
    ----------
    halves : HalfMaps
    like : DensityMap
    mask : ndarray, shape (n_z, n_y, n_x)
        0 to 1: where amplitudes are compared.
    """
    spectra = MaskedSpectra(shells_of(like), mask)
    wanted, mean = spectra.of(like.density), (halves.first.density + halves.second.density) / 2
    gain = np.ones(spectra.shells.n)
    for _ in range(ROUNDS):
        gain *= wanted / spectra.of(filtered(mean, spectra.shells, gain))
    first, second = (
        replace(half, density=filtered(half.density, spectra.shells, gain).astype(np.float32))
        for half in (halves.first, halves.second)
    )
    return HalfMaps(first, second)
