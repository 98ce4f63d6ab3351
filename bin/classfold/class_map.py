"""The prepared map of a class, as PREPARE_MAP wrote it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from classfold.map_hand import flipped, middle_z
from classfold.maps import DensityMap, read_canonical
from classfold.records import read_json
from classfold.threshold import blurred


@dataclass(frozen=True)
class ClassMap:
    """A class's map and what is known of it."""

    density_map: DensityMap
    resolution_angstrom: float
    record: dict[str, Any]
    """Content of map.json."""

    @classmethod
    def read(cls, folder: Path) -> ClassMap:
        """Read ``T.C.map``."""
        record = read_json(folder / "map.json")
        return cls(read_canonical(folder / "map.mrc"), float(record["resolution_angstrom"]), record)

    @property
    def contour(self) -> tuple[DensityMap, float]:
        """The map in which the contour was drawn, the map itself or a blurred copy, and its level there."""
        blur = float(self.record["threshold_blur_angstrom"])
        level = self.record["threshold_in_blurred_map"] if blur else self.record["threshold"]
        return blurred(self.density_map, blur), float(level)

    @property
    def source_pixel_angstrom(self) -> float:
        """Pixel size of the map as it was given, the mean of the three axes."""
        return float(np.mean(self.record["source"]["voxel_size_angstrom_xyz"]))

    @property
    def plane_z_angstrom(self) -> float:
        """Height of the plane at which the map is flipped."""
        return middle_z(self.record)

    def flipped(self) -> ClassMap:
        """The same in the other hand, in memory."""
        return replace(self, density_map=flipped(self.density_map, self.plane_z_angstrom))
