"""The steps of PREPARE_MAP in order: from a class map as given to a canonical map and its point cloud."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from classfold.errors import InputError
from classfold.maps import DensityMap, SourceMap, read_map
from classfold.point_cloud import Components, PointCloud, number_of_points, place_points, remove_dust
from classfold.resampling import CropBox, Resampling, choose_voxel_size, crop, crop_box, resample
from classfold.threshold import (
    Threshold,
    automatic_threshold,
    expected_volume,
    user_threshold,
    volume_warning,
)

PADDING_ANGSTROM = 10.0
RESOLUTION_LIMITS_ANGSTROM = (1.0, 30.0)
MASK_INSIDE = 0.5
FRAME_TOLERANCE_ANGSTROM = 0.01
INVERTED_CONTRAST = 1.5
"""Deepest density so many times further from the median than the highest: the map looks inverted."""


class Molecule(NamedTuple):
    """What the map has to hold."""

    n_atoms: int
    mass_dalton: float


@dataclass(frozen=True)
class MapSet:
    """One class as given: the map and what belongs to it, all on one grid."""

    source: SourceMap
    companions: dict[str, SourceMap]
    """Those given of "half_map_1", "half_map_2" and "mask"."""


@dataclass(frozen=True)
class PreparedMap:
    """A class in canonical form."""

    density_map: DensityMap
    companions: dict[str, DensityMap]
    """Half maps and mask, resampled and cropped as the map."""
    components: Components
    """What became the cloud, on the cropped grid."""
    cloud: PointCloud
    threshold: Threshold
    resampling: Resampling
    box: CropBox
    warnings: tuple[str, ...]

    @property
    def enclosed_volume_angstrom3(self) -> float:
        """Volume of the voxels that became the cloud."""
        return float(self.components.kept.sum()) * self.density_map.voxel_size_angstrom**3


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


def prepare(
    maps: MapSet,
    molecule: Molecule,
    resolution_angstrom: float,
    contour: float | None,
    seed: int,
    published_cloud: bool = False,
) -> PreparedMap:
    """Resample, find the threshold, drop dust, crop, and place the point cloud.

    Parameters
    ----------
    maps : MapSet
    molecule : Molecule
        Sets the automatic threshold and the number of points.
    resolution_angstrom : float
        Sets the voxel size.
    contour : float, optional
        The user's threshold, in the map's own density.
    seed : int
        Of the k-means start.
    published_cloud : bool
        Whether the number of points follows the paper, by the voxel size.
    """
    low, high = RESOLUTION_LIMITS_ANGSTROM
    if not (math.isfinite(resolution_angstrom) and low <= resolution_angstrom <= high):
        raise InputError(
            f"Resolution {resolution_angstrom:g} Å is absurd; give a number from {low:g} to {high:g}."
        )
    resampling = choose_voxel_size(maps.source, resolution_angstrom)
    whole = resample(maps.source, resampling)
    companions = {role: resample(source, resampling) for role, source in maps.companions.items()}
    inside = companions["mask"].density >= MASK_INSIDE if "mask" in companions else None
    if contour is None:
        threshold = automatic_threshold(whole, molecule.mass_dalton, inside)
    else:
        threshold = user_threshold(whole, contour)
    above = whole.density > threshold.value
    components = remove_dust(above if inside is None else above & inside)
    box = crop_box(components.kept, math.ceil(PADDING_ANGSTROM / whole.voxel_size_angstrom))
    density_map = crop(whole, box)
    kept = components.kept[box.slices]
    n_points = number_of_points(molecule.n_atoms, density_map.voxel_size_angstrom if published_cloud else None)
    prepared = PreparedMap(
        density_map=density_map,
        companions={role: crop(companion, box) for role, companion in companions.items()},
        components=components._replace(kept=kept),
        cloud=place_points(density_map, kept, n_points, seed),
        threshold=threshold,
        resampling=resampling,
        box=box,
        warnings=(),
    )
    return replace(prepared, warnings=tuple(_warnings(maps, prepared, molecule)))


def _warnings(maps: MapSet, prepared: PreparedMap, molecule: Molecule) -> list[str]:
    """Sentences about what a person should look at."""
    found = []
    density = maps.source.density
    middle = float(np.median(density))
    if middle - float(density.min()) > INVERTED_CONTRAST * (float(density.max()) - middle):
        found.append(
            "The strongest densities lie below the background: the contrast may be inverted "
            "(the molecule must be positive)."
        )
    volume = volume_warning(prepared.enclosed_volume_angstrom3, expected_volume(molecule.mass_dalton))
    if volume:
        found.append(volume)
    first, second = (maps.companions.get(role) for role in ("half_map_1", "half_map_2"))
    if first and second and np.array_equal(first.density, second.density):
        found.append("The two half maps are the same file: nothing independent can be told from them.")
    return found


def preparation_record(maps: MapSet, prepared: PreparedMap, molecule: Molecule) -> dict[str, Any]:
    """What was decided, as map.json holds it."""
    density_map, threshold, background = (
        prepared.density_map,
        prepared.threshold,
        prepared.threshold.background,
    )
    return {
        "source_map": maps.source.name,
        "shape_zyx": list(density_map.density.shape),
        "voxel_size_angstrom": density_map.voxel_size_angstrom,
        "origin_angstrom": density_map.origin_angstrom.tolist(),
        "source": {
            "shape_zyx": list(maps.source.density.shape),
            "voxel_size_angstrom_xyz": maps.source.voxel_size_angstrom.tolist(),
            "origin_angstrom": maps.source.origin_angstrom.tolist(),
            "axis_order": maps.source.axis_order,
            "mode": maps.source.mode,
        },
        "resampled": not prepared.resampling.is_kept,
        "resampling": prepared.resampling.reason,
        "threshold": threshold.value,
        "threshold_method": threshold.method,
        "threshold_evidence": threshold.evidence,
        "threshold_by_volume": threshold.volume_level,
        "threshold_by_background": threshold.background_level,
        "background_level": background.level if background else None,
        "background_half_width": background.half_width if background else None,
        "is_masked": background.is_masked if background else None,
        "enclosed_volume_angstrom3": prepared.enclosed_volume_angstrom3,
        "expected_volume_angstrom3": expected_volume(molecule.mass_dalton),
        "n_cloud_points": len(prepared.cloud.weight),
        "n_components_removed": prepared.components.n_removed,
        "n_components_kept": prepared.components.n_kept,
        "crop_angstrom": PADDING_ANGSTROM,
        "crop_start_zyx": list(prepared.box.start_zyx),
        "crop_stop_zyx": list(prepared.box.stop_zyx),
        "warnings": list(prepared.warnings),
    }
