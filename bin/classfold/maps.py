"""Maps and their frame: the only module that converts between voxel indices (zyx) and coordinates (xyz, Å).

Where voxel [0, 0, 0] lies is said twice in an MRC header. **ORIGIN wins if any of its three numbers is not
zero; otherwise NSTART times the voxel size; never the sum of both.** ORIGIN is in Å along x, y, z; NSTART
counts voxels along the file's columns, rows and sections, whichever axes those are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import map_coordinates

from classfold.density import Grid
from classfold.errors import InputError
from classfold.mrc_format import read_header, read_mrc, write_mrc

VOXEL_SIZE_LIMITS_ANGSTROM = (0.1, 20.0)
ANGLE_TOLERANCE_DEGREES = 0.1
WHOLE_TOLERANCE_ANGSTROM = 1e-3
"""How far an origin may lie from a whole number of voxels: what cctbx allows, and far below what a map shows."""
CUBIC_TOLERANCE = 1e-4
"""Relative; over a box of 500 voxels it amounts to a twentieth of a voxel."""


@dataclass(frozen=True)
class SourceMap:
    """A map as the user has it, its axes put in order."""

    density: np.ndarray
    """float32, shape (n_z, n_y, n_x)."""
    voxel_size_angstrom: np.ndarray
    """xyz, shape (3,)."""
    origin_angstrom: np.ndarray
    """xyz of the centre of voxel [0, 0, 0], shape (3,)."""
    axis_order: str
    """Which axes the file's columns, rows and sections were: "xyz" in most files."""
    mode: int
    """MRC mode of the file."""
    name: str
    """Name of the file, for messages."""

    @property
    def is_cubic(self) -> bool:
        """Whether the voxels are cubes."""
        return bool(np.ptp(self.voxel_size_angstrom) <= CUBIC_TOLERANCE * self.voxel_size_angstrom.max())

    @property
    def mean_voxel_size_angstrom(self) -> float:
        """Edge of the voxels if they are cubic, to the seven digits that a header holds."""
        return float(f"{self.voxel_size_angstrom.mean():.7g}")


@dataclass(frozen=True)
class DensityMap:
    """A canonical map: cubic voxels, frame of the user's own map, positive density = molecule."""

    density: np.ndarray
    """float32, shape (n_z, n_y, n_x)."""
    voxel_size_angstrom: float
    origin_angstrom: np.ndarray
    """xyz of the centre of voxel [0, 0, 0], shape (3,)."""

    @property
    def grid(self) -> Grid:
        """Where the voxels are."""
        n_z, n_y, n_x = self.density.shape
        x, y, z = (float(value) for value in self.origin_angstrom)
        return Grid((n_z, n_y, n_x), self.voxel_size_angstrom, (x, y, z))

    def coordinates_of(self, index_zyx: np.ndarray) -> np.ndarray:
        """Coordinates in Å, xyz, shape (..., 3), of (fractional) voxel indices zyx, shape (..., 3)."""
        return np.asarray(index_zyx, float)[..., ::-1] * self.voxel_size_angstrom + self.origin_angstrom

    def index_of(self, coordinates: np.ndarray) -> np.ndarray:
        """Fractional voxel indices zyx, shape (..., 3), of coordinates in Å, xyz, shape (..., 3)."""
        return ((np.asarray(coordinates, float) - self.origin_angstrom) / self.voxel_size_angstrom)[..., ::-1]

    def values_at(self, coordinates: np.ndarray, *, beyond: float) -> np.ndarray:
        """Density (...) at coordinates in Å, xyz, (..., 3), interpolated linearly; ``beyond`` outside of the box."""
        index = np.moveaxis(self.index_of(coordinates), -1, 0)
        outside = np.zeros(index.shape[1:], dtype=bool)
        for axis, n in zip(index, self.density.shape, strict=True):
            outside |= (axis < -0.5) | (axis > n - 0.5)
        values = map_coordinates(self.density, index, order=1, mode="nearest", output=np.float64)
        return np.where(outside, beyond, values)


def read_map(path: Path) -> SourceMap:
    """Read any MRC map: real modes 0, 1, 2, 6, 12, any axis order, gzip or bzip2, extended header.

    Raises
    ------
    InputError
        If the file is no readable map of real densities on an orthogonal grid, or if its densities are not
        finite or are all the same.
    """
    path = Path(path)
    header, voxels = read_mrc(path)
    axes = _file_axes(header, path)
    voxel_size = _voxel_size(header, path)
    # Axis k of the array that numpy has read is the cell's axis axes[2 - k]; zyx order wants 2, 1, 0.
    order = [2 - axes.index(axis) for axis in (2, 1, 0)]
    density = np.ascontiguousarray(voxels.transpose(order), dtype=np.float32)
    if not np.isfinite(density).all():
        n_bad = int(density.size - np.isfinite(density).sum())
        raise InputError(f"Map {path.name} holds {n_bad} values that are NaN or infinite; write it without them.")
    if density.min() == density.max():
        raise InputError(
            f"Map {path.name} is constant ({density.flat[0]:g} everywhere); give a map with density in it."
        )
    return SourceMap(
        density=density,
        voxel_size_angstrom=voxel_size,
        origin_angstrom=_origin(header, axes, voxel_size, path),
        axis_order="".join("xyz"[axis] for axis in axes),
        mode=int(header["mode"]),
        name=path.name,
    )


def read_voxel_size(path: Path) -> np.ndarray:
    """Voxel size along x, y, z in Å, shape (3,), by the header alone.

    Raises
    ------
    InputError
        If the file is no MRC file, or states a voxel size that is not sane.
    """
    return _voxel_size(read_header(path), Path(path))


def read_canonical(path: Path) -> DensityMap:
    """Read a map that :func:`write_map` wrote (or any map with cubic voxels)."""
    source = read_map(path)
    if not source.is_cubic:
        raise InputError(
            f"{source.name} has no cubic voxels ({source.voxel_size_angstrom} Å); run prepare_map.py on it."
        )
    return DensityMap(source.density, source.mean_voxel_size_angstrom, source.origin_angstrom)


def write_map(path: Path, density_map: DensityMap) -> None:
    """Write a canonical map: float32, axes 1/2/3, NSTART 0, frame in ORIGIN."""
    write_mrc(path, density_map.density, density_map.voxel_size_angstrom, density_map.origin_angstrom)


def whole_voxels(density_map: DensityMap) -> np.ndarray:
    """The origin in voxels, xyz, rounded, shape (3,)."""
    return np.rint(density_map.origin_angstrom / density_map.voxel_size_angstrom).astype(np.int64)


def write_map_by_voxels(path: Path, density_map: DensityMap) -> None:
    """Write a map whose origin is a whole number of voxels: the frame in NSTART, ORIGIN 0.

    Programs of crystallographers (Coot, gemmi) read NSTART alone; ChimeraX, PyMOL and cctbx read it where ORIGIN is 0.

    Raises
    ------
    ValueError
        If the origin lies between voxels.
    """
    start, voxel = whole_voxels(density_map), density_map.voxel_size_angstrom
    if np.abs(start * voxel - density_map.origin_angstrom).max() > WHOLE_TOLERANCE_ANGSTROM:
        raise ValueError(f"the origin {density_map.origin_angstrom} Å is no whole number of voxels of {voxel} Å")
    write_mrc(path, density_map.density, voxel, np.zeros(3), start.tolist())


def _file_axes(header: np.void, path: Path) -> tuple[int, int, int]:
    """Which axis (x, y, z = 0, 1, 2) the file's columns, rows and sections are."""
    numbers = tuple(int(header[name]) for name in ("mapc", "mapr", "maps"))
    if numbers == (0, 0, 0):  # older programs leave the fields empty and mean the usual order
        return 0, 1, 2
    if sorted(numbers) != [1, 2, 3]:
        raise InputError(
            f"Map {path.name} names its axes {numbers} (MAPC, MAPR, MAPS); 1, 2, 3 in any order are allowed: "
            f"correct its header."
        )
    return numbers[0] - 1, numbers[1] - 1, numbers[2] - 1


def _voxel_size(header: np.void, path: Path) -> np.ndarray:
    """Voxel size along x, y, z in Å: cell edge by number of intervals."""
    angles = np.array([header["cellb"][name] for name in ("alpha", "beta", "gamma")], float)
    if np.any(angles != 0) and not np.allclose(angles, 90, atol=ANGLE_TOLERANCE_DEGREES):
        raise InputError(
            f"Map {path.name} has a skewed cell (angles {angles[0]:g}, {angles[1]:g}, {angles[2]:g} "
            f"degrees), all must be 90; resample it on an orthogonal grid."
        )
    edges = np.array([header["cella"][axis] for axis in "xyz"], float)
    intervals = np.array([header["m" + axis] for axis in "xyz"], float)
    with np.errstate(divide="ignore", invalid="ignore"):
        sizes = edges / intervals
    low, high = VOXEL_SIZE_LIMITS_ANGSTROM
    if not np.all((sizes >= low) & (sizes <= high)):
        shown = " x ".join(f"{size:g}" for size in sizes)
        raise InputError(
            f"Map {path.name} has a pixel size of {shown} Å (cell edge by intervals); {low:g} to {high:g} "
            f"Å are sane: set the pixel size in its header."
        )
    return _seven_digits(sizes)


def _origin(header: np.void, axes: tuple[int, int, int], voxel_size: np.ndarray, path: Path) -> np.ndarray:
    """Coordinates of the centre of voxel [0, 0, 0], xyz in Å (rule in the module's docstring)."""
    origin = np.array([header["origin"][axis] for axis in "xyz"], float)
    if not np.isfinite(origin).all():
        raise InputError(f"Map {path.name} has an ORIGIN that is not a number ({origin}); set it in its header.")
    if np.any(origin != 0):
        return _seven_digits(origin)
    start = np.zeros(3)
    for axis, name in zip(axes, ("nxstart", "nystart", "nzstart"), strict=True):
        start[axis] = int(header[name])
    return _seven_digits(start * voxel_size)


def _seven_digits(values: np.ndarray) -> np.ndarray:
    """All that a header's float32 holds: 1.6000000238 is meant as 1.6, by ORIGIN as by NSTART."""
    return np.array([float(f"{value:.7g}") for value in values])
