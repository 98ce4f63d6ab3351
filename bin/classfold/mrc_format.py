"""The bytes of an MRC file (MRC2014, Cheng et al., J Struct Biol 192:146, 2015): header and voxels as stored.

A reader of its own, because maps in the wild are not always what the standard asks for (wrong machine
stamp, cell angles left at zero) and a person needs a sentence about what is wrong with a file rather than a
traceback.
"""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import numpy as np
from mrcfile.dtypes import HEADER_DTYPE

from classfold.errors import InputError

HEADER_BYTES = 1024
MODE_DTYPES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
REFUSED_MODES = {
    3: "complex 16-bit integers",
    4: "complex numbers (a Fourier transform)",
    101: "packed 4-bit integers",
}
MAX_AXIS = 4096
"""Voxels along one axis beyond which a header is taken for damage: 4096 cubed is 256 GiB."""


class MrcContent(NamedTuple):
    """An MRC file as stored."""

    header: np.void
    """The 1024 bytes, fields named as in ``mrcfile.dtypes.HEADER_DTYPE``, in the file's byte order."""
    voxels: np.ndarray
    """Sections, rows, columns of the file, in its own type."""


def read_mrc(path: Path) -> MrcContent:
    """Read an MRC/CCP4 file, plain or compressed with gzip or bzip2 (told by its first bytes, not its name).

    Raises
    ------
    InputError
        If the file is missing, empty, truncated, no MRC volume, or of a mode that holds no real densities.
    """
    path = Path(path)
    try:
        with _open(path) as stream:
            header = _read_header(stream, path)
            shape, dtype = _layout(header, path)
            n_extended, n_wanted = int(header["nsymbt"]), int(np.prod(shape)) * dtype.itemsize
            if n_extended < 0 or len(stream.read(n_extended)) < n_extended:
                raise InputError(f"Map {path.name} is truncated in its extended header; copy the file again.")
            data = stream.read(n_wanted)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"Map {path.name} cannot be read ({error}); copy the file again.") from error
    if len(data) < n_wanted:
        raise InputError(
            f"Map {path.name} is truncated: {shape[2]} x {shape[1]} x {shape[0]} voxels need {n_wanted} "
            f"bytes, the file holds {len(data)}; copy the file again."
        )
    return MrcContent(header, np.frombuffer(data, dtype).reshape(shape))


def read_header(path: Path) -> np.void:
    """The header alone, as in :class:`MrcContent`: what a file says of itself, without the time to read its voxels.

    Raises
    ------
    InputError
        If the file is missing, or does not begin with an MRC header.
    """
    path = Path(path)
    try:
        with _open(path) as stream:
            return _read_header(stream, path)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"Map {path.name} cannot be read ({error}); copy the file again.") from error


def _open(path: Path) -> Any:
    """A stream of the uncompressed bytes."""
    if not path.is_file():
        raise InputError(f"Map {path} does not exist; give the path of an MRC file.")
    with path.open("rb") as stream:
        magic = stream.read(3)
    if magic[:2] == b"\x1f\x8b":
        return gzip.open(path, "rb")
    if magic == b"BZh":
        return bz2.open(path, "rb")
    return path.open("rb")


def _read_header(stream: IO[bytes], path: Path) -> np.void:
    """The header in the byte order in which it makes sense; the machine stamp, often wrong, is not asked."""
    raw = stream.read(HEADER_BYTES)
    if not raw:
        raise InputError(f"Map {path.name} is empty; copy the file again.")
    if len(raw) < HEADER_BYTES:
        raise InputError(
            f"Map {path.name} has {len(raw)} bytes, an MRC header has {HEADER_BYTES}; copy it again."
        )
    known_modes = set(MODE_DTYPES) | set(REFUSED_MODES)
    orders: tuple[Literal["<"], Literal[">"]] = ("<", ">")
    for order in orders:
        header = np.frombuffer(raw, np.dtype(HEADER_DTYPE).newbyteorder(order))[0]
        sizes = [int(header[name]) for name in ("nx", "ny", "nz")]
        if int(header["mode"]) in known_modes and all(0 < size <= MAX_AXIS for size in sizes):
            return header
    raise InputError(f"{path.name} is not an MRC map: its header holds neither a known mode nor sane sizes.")


def _layout(header: np.void, path: Path) -> tuple[tuple[int, int, int], np.dtype]:
    """Shape (sections, rows, columns) and type of the voxels."""
    mode = int(header["mode"])
    if mode in REFUSED_MODES:
        raise InputError(
            f"Map {path.name} holds {REFUSED_MODES[mode]} (MRC mode {mode}); modes {sorted(MODE_DTYPES)} are "
            f"read: write it as 32-bit reals (mode 2)."
        )
    shape = (int(header["nz"]), int(header["ny"]), int(header["nx"]))
    if min(shape) < 2 or int(header["ispg"]) >= 401:
        raise InputError(
            f"{path.name} is an image or a stack ({shape[2]} x {shape[1]} x {shape[0]}); "
            f"give one three-dimensional map."
        )
    order = header.dtype["nx"].str[0]
    return shape, np.dtype(order + MODE_DTYPES[mode])


def write_mrc(
    path: Path,
    density_zyx: np.ndarray,
    voxel_size_angstrom: float,
    origin_angstrom: np.ndarray,
    start_voxels: Sequence[int] = (0, 0, 0),
) -> None:
    """Write float32 voxels with columns, rows, sections = x, y, z and the frame in ORIGIN or NSTART.

    No time stamp is written, so that the same map is the same file.

    Parameters
    ----------
    density_zyx : ndarray, shape (n_z, n_y, n_x)
    voxel_size_angstrom : float
        Edge of the cubic voxels.
    origin_angstrom : ndarray, shape (3,)
        xyz of the centre of voxel [0, 0, 0].
    start_voxels : sequence of int, length 3
        The same as NSTART, xyz in voxels; all zero unless ``origin_angstrom`` is.
    """
    data = np.ascontiguousarray(density_zyx, np.dtype("<f4"))
    header = np.zeros((), HEADER_DTYPE)
    for axis, size in zip("xyz", reversed(data.shape), strict=True):
        header["n" + axis] = header["m" + axis] = size
        header["cella"][axis] = size * voxel_size_angstrom
        header["origin"][axis] = origin_angstrom["xyz".index(axis)]
        header[f"n{axis}start"] = start_voxels["xyz".index(axis)]
    for angle in ("alpha", "beta", "gamma"):
        header["cellb"][angle] = 90
    header["mapc"], header["mapr"], header["maps"] = 1, 2, 3
    header["mode"], header["ispg"], header["nversion"] = 2, 1, 20141
    header["dmin"], header["dmax"] = data.min(), data.max()
    header["dmean"], header["rms"] = data.mean(dtype=np.float64), data.std(dtype=np.float64)
    header["map"], header["machst"] = b"MAP ", (0x44, 0x44, 0, 0)
    header["nlabl"] = 1
    header["label"][0] = b"ClassFold canonical map"
    Path(path).write_bytes(header.tobytes() + data.tobytes())
