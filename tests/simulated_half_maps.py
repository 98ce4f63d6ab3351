"""Half maps of adenylate kinase at a resolution known by construction, as the package reads them."""

from __future__ import annotations

import functools
from pathlib import Path

import gemmi
import numpy as np
import torch
from trial.half_maps import HalfMaps, box_around, half_maps, micelle

from classfold.density import Grid
from classfold.map_set import MapSet
from classfold.maps import SourceMap

PATH = Path(__file__).resolve().parents[1] / "assets/demo/adk_path.npz"
RESOLUTION_ANGSTROM = 6.0
MARGIN_ANGSTROM = 28.0


def source_map(density: np.ndarray, grid: Grid, name: str = "class.mrc") -> SourceMap:
    """A map of that density on that grid, as if it had been read."""
    voxel = np.full(3, grid.voxel_size_angstrom)
    return SourceMap(density.astype(np.float32), voxel, np.array(grid.origin_angstrom), "xyz", 2, name)


@functools.cache
def open_atoms() -> tuple[torch.Tensor, torch.Tensor]:
    """Coordinates (1655, 3) of the open end of the path, and atomic numbers."""
    with np.load(PATH) as stored:
        frame = stored["frame"].tolist().index(97)
        coordinates = torch.from_numpy(stored["coordinates"][frame].astype(np.float32) * 0.01)
        numbers = [gemmi.Element(str(symbol)).atomic_number for symbol in stored["element"]]
    return coordinates, torch.tensor(numbers, dtype=torch.float32)


@functools.cache
def open_half_maps(in_micelle: bool = False, resolution_angstrom: float = RESOLUTION_ANGSTROM) -> HalfMaps:
    """The open end in a box with solvent around it, alone or in a micelle."""
    atoms, numbers = open_atoms()
    grid = box_around(atoms, resolution_angstrom / 3, MARGIN_ANGSTROM)
    foreign = micelle(atoms.numpy(), grid) if in_micelle else None
    return half_maps(atoms, numbers, resolution_angstrom, grid, seed=1, foreign=foreign)


def map_set(density: np.ndarray, halves: HalfMaps, with_halves: bool = True) -> MapSet:
    """A class as the stage reads it: a map, and the half maps if wanted."""
    companions = {"half_map_1": halves.first, "half_map_2": halves.second} if with_halves else {}
    sources = {role: source_map(half, halves.grid, f"{role}.mrc") for role, half in companions.items()}
    return MapSet(source_map(density, halves.grid), sources)
