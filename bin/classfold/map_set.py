"""One class as it is given: a map and what belongs to it, all on one grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from classfold.errors import InputError
from classfold.maps import SourceMap, read_map
from classfold.weights import sha256_of

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


def check_unchanged(paths: Mapping[str, Path | None], digests: Mapping[str, str]) -> None:
    """Compare files with the SHA-256 digests that were recorded of them, both by role.

    Raises
    ------
    InputError
        If one differs.
    """
    for role, digest in digests.items():
        path = paths.get(role)
        if path is not None and path.is_file() and sha256_of(path) != digest:
            raise InputError(
                f"the {role.replace('_', ' ')} {path.name} is not the file that was checked when the run began: it was "
                "changed, cut off or replaced since; see that nothing writes to it any more, then start the same "
                "command again with -resume."
            )


def read_map_set(
    map_path: Path, companion_paths: dict[str, Path | None], digests: Mapping[str, str] | None = None
) -> MapSet:
    """Read a map and those of its half maps and mask that are given.

    Parameters
    ----------
    map_path : Path
    companion_paths : dict
        "half_map_1", "half_map_2" and "mask".
    digests : mapping, optional
        SHA-256 digests by the same names, and "map", from the time when the files were checked.

    Raises
    ------
    InputError
        If one of them cannot be used, was changed since it was checked, or does not lie on the map's grid.
    """
    check_unchanged({"map": map_path, **companion_paths}, digests or {})
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
