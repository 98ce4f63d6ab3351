"""The steps of PREPARE_MAP in order: from a class map as given to a canonical map and its point cloud."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from classfold.automatic_threshold import Search, automatic_threshold
from classfold.map_resolution import Resolution, find_resolution
from classfold.map_set import MASK_INSIDE, MapSet
from classfold.maps import DensityMap
from classfold.point_cloud import Components, PointCloud, number_of_points, place_points, remove_dust
from classfold.resampling import CropBox, Resampling, choose_voxel_size, crop, crop_box, resample
from classfold.set_voxels import SetVoxels, find_set_voxels
from classfold.threshold import (
    FALSE_DISCOVERY_RATE,
    Molecule,
    Threshold,
    threshold_warnings,
    user_threshold,
)

PADDING_ANGSTROM = 10.0
INVERTED_CONTRAST = 1.5
"""Deepest density so many times further from the median than the highest: the map looks inverted."""


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
    resolution: Resolution
    is_masked: bool
    """Whether a program has set many of the map's voxels to one value."""
    expected_volume_angstrom3: float
    """What a contour around the molecule encloses at this resolution."""
    resampling: Resampling
    box: CropBox
    warnings: tuple[str, ...]

    @property
    def enclosed_volume_angstrom3(self) -> float:
        """Volume of the voxels that became the cloud."""
        return float(self.components.kept.sum()) * self.density_map.voxel_size_angstrom**3


def prepare(
    maps: MapSet,
    molecule: Molecule,
    resolution_angstrom: float | None,
    contour: float | None,
    seed: int,
    published_cloud: bool = False,
) -> PreparedMap:
    """Find the resolution, resample, find the threshold, drop dust, crop, and place the point cloud.

    Parameters
    ----------
    maps : MapSet
    molecule : Molecule
        Sets the automatic threshold and the number of points.
    resolution_angstrom : float, optional
        As the samplesheet gives it; found by the half maps or the map if absent. Sets the voxel size.
    contour : float, optional
        The user's threshold, in the map's own density.
    seed : int
        Of the k-means start and of random phases.
    published_cloud : bool
        Whether the number of points follows the paper, by the voxel size.
    """
    set_voxels = find_set_voxels(maps.source.density)
    resolution = find_resolution(maps, molecule.mass_dalton, resolution_angstrom, set_voxels, seed)
    resampling = choose_voxel_size(maps.source, resolution.value_angstrom)
    whole = resample(maps.source, resampling)
    companions = {role: resample(source, resampling) for role, source in maps.companions.items()}
    inside = companions["mask"].density >= MASK_INSIDE if "mask" in companions else None
    volume = molecule.volume_angstrom3(resolution.value_angstrom)
    if contour is None:
        resampled = None if set_voxels is None else _resample_set(maps, set_voxels, resampling)
        threshold = automatic_threshold(whole, Search(volume, resolution.value_angstrom, inside, resampled))
    else:
        threshold = user_threshold(whole, contour)
    above = threshold.contour_map.density > threshold.value
    components = remove_dust(above if inside is None else above & inside, threshold.min_voxels)
    box = crop_box(components.kept, math.ceil(PADDING_ANGSTROM / whole.voxel_size_angstrom))
    threshold = replace(threshold, contour_map=crop(threshold.contour_map, box))
    kept = components.kept[box.slices]
    n_points = number_of_points(molecule.n_atoms, whole.voxel_size_angstrom if published_cloud else None)
    density_map = crop(whole, box)
    prepared = PreparedMap(
        density_map=density_map,
        companions={role: crop(companion, box) for role, companion in companions.items()},
        components=components._replace(kept=kept),
        cloud=place_points(threshold.weight_map(density_map), kept, n_points, seed),
        threshold=threshold,
        resolution=resolution,
        is_masked=set_voxels is not None,
        expected_volume_angstrom3=volume,
        resampling=resampling,
        box=box,
        warnings=(),
    )
    return replace(prepared, warnings=tuple(_warnings(maps, prepared)))


def _resample_set(maps: MapSet, set_voxels: SetVoxels, resampling: Resampling) -> SetVoxels:
    """Set voxels on the canonical grid."""
    indicator = replace(maps.source, density=set_voxels.is_set.astype(np.float32))
    return set_voxels._replace(is_set=resample(indicator, resampling).density > 0.5)


def _warnings(maps: MapSet, prepared: PreparedMap) -> list[str]:
    """Sentences about what a person should look at."""
    found = list(prepared.resolution.warnings)
    density = maps.source.density
    middle = float(np.median(density))
    if middle - float(density.min()) > INVERTED_CONTRAST * (float(density.max()) - middle):
        found.append(
            "The strongest densities lie below the background: the contrast may be inverted "
            "(the molecule must be positive)."
        )
    enclosed = prepared.enclosed_volume_angstrom3
    return found + threshold_warnings(prepared.threshold, enclosed, prepared.expected_volume_angstrom3)


def preparation_record(maps: MapSet, prepared: PreparedMap) -> dict[str, Any]:
    """What was decided, as map.json holds it."""
    return {
        "source_map": maps.source.name,
        "shape_zyx": list(prepared.density_map.density.shape),
        "voxel_size_angstrom": prepared.density_map.voxel_size_angstrom,
        "origin_angstrom": prepared.density_map.origin_angstrom.tolist(),
        "source": {
            "shape_zyx": list(maps.source.density.shape),
            "voxel_size_angstrom_xyz": maps.source.voxel_size_angstrom.tolist(),
            "origin_angstrom": maps.source.origin_angstrom.tolist(),
            "axis_order": maps.source.axis_order,
            "mode": maps.source.mode,
        },
        **_resolution_record(prepared.resolution),
        "resampled": not prepared.resampling.is_kept,
        "resampling": prepared.resampling.reason,
        "threshold": prepared.threshold.level_in(prepared.density_map, prepared.components.kept),
        **_threshold_record(prepared.threshold),
        "is_masked": prepared.is_masked,
        "enclosed_volume_angstrom3": prepared.enclosed_volume_angstrom3,
        "expected_volume_angstrom3": prepared.expected_volume_angstrom3,
        "n_cloud_points": len(prepared.cloud.weight),
        "n_components_removed": prepared.components.n_removed,
        "n_components_kept": prepared.components.n_kept,
        "crop_angstrom": PADDING_ANGSTROM,
        "crop_start_zyx": list(prepared.box.start_zyx),
        "crop_stop_zyx": list(prepared.box.stop_zyx),
        "warnings": list(prepared.warnings),
    }


def _resolution_record(resolution: Resolution) -> dict[str, Any]:
    curves = resolution.curves
    return {
        "resolution_angstrom": resolution.value_angstrom,
        "resolution_method": resolution.method,
        "resolution_evidence": resolution.evidence,
        "resolution_claimed_angstrom": resolution.claimed_angstrom,
        "resolution_by_half_maps_angstrom": resolution.by_half_maps_angstrom,
        "half_maps_reach_nyquist": curves.reaches_nyquist if curves else None,
        "phases_randomised_from_angstrom": curves.randomised_from_angstrom if curves else None,
    }


def _threshold_record(threshold: Threshold) -> dict[str, Any]:
    background = threshold.background
    return {
        "threshold_method": threshold.method,
        "threshold_evidence": threshold.evidence,
        "threshold_blur_angstrom": threshold.blur_angstrom,
        "threshold_in_blurred_map": threshold.value if threshold.blur_angstrom else None,
        "threshold_by_volume": threshold.volume_level,
        "threshold_by_false_discovery_rate": threshold.fdr_level,
        "false_discovery_rate": FALSE_DISCOVERY_RATE if threshold.fdr_level is not None else None,
        "background_level": background.level if background else None,
        "background_sigma": background.sigma if background else None,
        "background_is_gaussian": background.is_gaussian if background else None,
        "significant_volume_angstrom3": threshold.significant_angstrom3,
    }
