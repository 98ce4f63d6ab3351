"""The other hand of a prepared map: the whole folder of PREPARE_MAP, mirrored."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from classfold.maps import DensityMap, read_canonical, write_map
from classfold.point_cloud import read_cloud, write_cloud
from classfold.records import read_json, write_json


def flipped(density_map: DensityMap, plane_z_angstrom: float) -> DensityMap:
    """A map mirrored at the plane ``z = plane_z_angstrom``: the order of its sections reversed."""
    x, y, z = density_map.origin_angstrom
    top = z + (len(density_map.density) - 1) * density_map.voxel_size_angstrom
    density = np.ascontiguousarray(density_map.density[::-1])
    return replace(density_map, density=density, origin_angstrom=np.array([x, y, 2 * plane_z_angstrom - top]))


def middle_z(record: dict[str, Any]) -> float:
    """Height in Å of the middle of the box of the map as it was given, from the record of PREPARE_MAP."""
    source = record["source"]
    height = (source["shape_zyx"][0] - 1) * source["voxel_size_angstrom_xyz"][2]
    return float(source["origin_angstrom"][2] + height / 2)


def flip_map_folder(folder: Path, output: Path, warning: str) -> None:
    """Write a ``T.C.map`` folder in the other hand: map, half maps, mask, point cloud and record.

    The picture, the crop and the evidence of the threshold stay those of the map as it was given.

    The plane is the middle of the box of the map as it was given, so that the result lies where a viewer's own
    flip along z (``volume flip`` of ChimeraX) puts it.

    Parameters
    ----------
    folder, output : Path
    warning : str
        Sentence for the record that says why.
    """
    record = read_json(folder / "map.json")
    plane = middle_z(record)
    shutil.copytree(folder, output, dirs_exist_ok=True)
    # Last, or a broken run would look complete.
    (output / "map.json").unlink()
    for path in sorted(output.glob("*.mrc")):
        write_map(path, flipped(read_canonical(path), plane))
    cloud = read_cloud(output / "point_cloud.csv")
    coordinates = cloud.coordinates * [1, 1, -1] + [0, 0, 2 * plane]
    write_cloud(cloud._replace(coordinates=coordinates), output / "point_cloud.csv")
    record["origin_angstrom"] = read_canonical(output / "map.mrc").origin_angstrom.tolist()
    record["flipped_at_z_angstrom"] = plane
    record["warnings"] = [*record["warnings"], warning]
    write_json(record, output / "map.json")
