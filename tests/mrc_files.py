"""MRC files put together byte by byte, for the tests: sound ones of every kind, and broken ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from mrcfile.dtypes import HEADER_DTYPE

MODES = {0: "i1", 1: "i2", 2: "f4", 4: "c8", 6: "u2", 12: "f2"}


def mrc_bytes(
    density_zyx: np.ndarray,
    voxel_size_xyz: tuple[float, float, float],
    *,
    origin_xyz: tuple[float, float, float] = (0, 0, 0),
    start_xyz: tuple[int, int, int] = (0, 0, 0),
    axis_order: str = "xyz",
    mode: int = 2,
    extended: bytes = b"",
    byte_order: str = "<",
    fields: dict[str, Any] | None = None,
) -> bytes:
    """The bytes of an MRC file.

    Parameters
    ----------
    density_zyx : ndarray, shape (n_z, n_y, n_x)
    voxel_size_xyz, origin_xyz : tuple of float
        In Å.
    start_xyz : tuple of int
        First voxel, as NSTART tells it.
    axis_order : str
        Axes of the file's columns, rows and sections.
    extended : bytes
        Extended header.
    fields : dict
        Header fields to overwrite at the end, e.g. ``{"mapc": 7}`` or ``{"cellb": (90, 90, 120)}``.
    """
    # Array axes are sections, rows, columns: the reverse of the order in which the header names them.
    stored = density_zyx.transpose(["zyx".index(axis) for axis in reversed(axis_order)])
    header = np.zeros((), np.dtype(HEADER_DTYPE).newbyteorder(byte_order))
    for place, axis in enumerate(axis_order):
        header["n" + "xyz"[place]] = stored.shape[2 - place]
        header["map" + "crs"[place]] = "xyz".index(axis) + 1
        header["n" + "xyz"[place] + "start"] = start_xyz["xyz".index(axis)]
    for index, axis in enumerate("xyz"):
        size = density_zyx.shape[2 - index]
        header["m" + axis] = size
        header["cella"][axis] = size * voxel_size_xyz[index]
        header["origin"][axis] = origin_xyz[index]
    header["cellb"] = (90, 90, 90)
    header["mode"], header["nsymbt"], header["map"] = mode, len(extended), b"MAP "
    header["machst"] = (0x44, 0x44, 0, 0) if byte_order == "<" else (0x11, 0x11, 0, 0)
    for name, value in (fields or {}).items():
        header[name] = value
    dtype = np.dtype(byte_order + MODES[mode])
    return header.tobytes() + extended + np.ascontiguousarray(stored).astype(dtype).tobytes()
