"""One class as it is given: a map and what belongs to it, all on one grid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from classfold.errors import InputError
from classfold.maps import SourceMap, read_map

FRAME_TOLERANCE_ANGSTROM = 0.01
MASK_INSIDE = 0.5


@dataclass(frozen=True)
class MapSet:
    """One class as given: the map and what belongs to it, all on one grid."""

    source: SourceMap
    companions: dict[str, SourceMap]
    """Those given of "half_map_1", "half_map_2" and "mask"."""

    @property
    def halves(self) -> tuple[SourceMap, SourceMap] | None:
        """Both half maps, or None."""
        first, second = self.companions.get("half_map_1"), self.companions.get("half_map_2")
        return None if first is None or second is None else (first, second)

    @property
    def inside(self) -> np.ndarray | None:
        """bool, shape (n_z, n_y, n_x): the user's mask, or None."""
        mask = self.companions.get("mask")
        return None if mask is None else mask.density >= MASK_INSIDE


def read_map_set(map_path: Path, companion_paths: dict[str, Path | None]) -> MapSet:
    """Read a map and those of its half maps and mask that are given.

    Raises
    ------
    InputError
        If one of them cannot be used, or does not lie on the map's grid.
    """
    source = read_map(map_path)
    companions = {}
    for role, path in companion_paths.items():
        if path is None:
            continue
        companion = companions[role] = read_map(path)
        same_grid = (
            companion.density.shape == source.density.shape
            and np.allclose(companion.voxel_size_angstrom, source.voxel_size_angstrom, rtol=1e-4)
            and np.allclose(companion.origin_angstrom, source.origin_angstrom, atol=FRAME_TOLERANCE_ANGSTROM)
        )
        if not same_grid:
            raise InputError(
                f"The {role.replace('_', ' ')} {companion.name} ({_grid_text(companion)}) is not on the grid "
                f"of {source.name} ({_grid_text(source)}); give maps of the same shape, pixel size and "
                f"origin."
            )
    return MapSet(source, companions)


def _grid_text(source: SourceMap) -> str:
    """Shape, voxel size and origin as a person reads them, all xyz."""
    shape = " x ".join(str(size) for size in source.density.shape[::-1])
    voxel = " x ".join(f"{size:g}" for size in source.voxel_size_angstrom)
    origin = ", ".join(f"{value:g}" for value in source.origin_angstrom)
    return f"{shape} voxels of {voxel} Å, origin {origin}"
