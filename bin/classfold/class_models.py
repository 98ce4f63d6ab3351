"""The best models of a target's classes, each with its map and what is known of the map's noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from classfold.class_input import read_record
from classfold.errors import InputError
from classfold.half_maps import read_half_maps
from classfold.map_fit import fit_to_map
from classfold.maps import DensityMap, read_canonical
from classfold.shown_difference import NoisyMap
from classfold.structure import Model, Topology, match_atoms, read_model


@dataclass(frozen=True)
class ClassModel:
    """The best model of a class and the map that it was made for."""

    name: str
    coordinates: np.ndarray
    """(n_atoms, 3) xyz in Å in the frame of its map."""
    density: DensityMap
    resolution_angstrom: float
    finalists: tuple[np.ndarray, ...]
    """(n_atoms, 3) each, in the same frame; at least the best model."""
    noise: np.ndarray | None
    """(n_z, n_y, n_x) one draw of the map's noise; None without half maps."""

    @classmethod
    def read_all(cls, topology: Topology, maps: Sequence[Path], models: Sequence[Path]) -> list[ClassModel]:
        """Pair the folders of maps and models by class, in the order of the models.

        Raises
        ------
        InputError
            If a class is given twice, lacks its map or its model, or belongs to another target.
        """
        map_folders = _by_class(topology, maps, "map.json")
        model_folders = _by_class(topology, models, "models.json")
        alone = sorted(map_folders.keys() ^ model_folders.keys())
        if alone:
            raise InputError(
                f"class(es) {', '.join(alone)} lack a map or a model; give both folders of each class"
            )
        return [cls._read(name, topology, map_folders[name], folder) for name, folder in model_folders.items()]

    @classmethod
    def _read(cls, name: str, topology: Topology, map_folder: Path, folder: Path) -> ClassModel:
        model, best = _complete_model(topology, folder / "model.cif")
        density = read_canonical(map_folder / "map.mrc")
        numbers = read_record(folder / "models.json").get("finalists", [])
        samples = (folder / f"samples/sample_{number:03d}.cif" for number in numbers)
        finalists = tuple(_complete_model(topology, path)[1] for path in samples if path.is_file())
        halves = read_half_maps(map_folder, density, model)
        resolution = float(read_record(map_folder / "map.json")["resolution_angstrom"])
        noise = halves.noise.density if halves else None
        return cls(name, best, density, resolution, finalists or (best,), noise)

    @property
    def noisy_map(self) -> NoisyMap:
        """The map with its noise."""
        return NoisyMap(self.density, self.resolution_angstrom, self.noise)

    def cc_mask(self, topology: Topology, coordinates: np.ndarray) -> float:
        """CC_mask of coordinates (n_atoms, 3) in this class's map."""
        return fit_to_map(
            coordinates,
            topology.atomic_numbers,
            topology.residue_index,
            self.density.density,
            self.density.grid,
            self.resolution_angstrom,
        ).cc_mask


def _by_class(topology: Topology, folders: Sequence[Path], record_name: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in folders:
        record = read_record(folder / record_name)
        if record["target"] != topology.target:
            raise InputError(f"{folder} belongs to {record['target']}, not to {topology.target}")
        if record["class"] in found:
            raise InputError(f"class {record['class']} is given twice: {found[record['class']]} and {folder}")
        found[record["class"]] = folder
    return found


def _complete_model(topology: Topology, path: Path) -> tuple[Model, np.ndarray]:
    """A model that has all atoms of the target, and its coordinates (n_atoms, 3) in the target's order."""
    model = read_model(path)
    ours, theirs = match_atoms(topology, model)
    if len(ours) != topology.n_atoms:
        raise InputError(
            f"{path} has {len(ours)} of {topology.n_atoms} atoms of {topology.target}; "
            "give the folder that select_models.py wrote"
        )
    return model, model.coordinates[theirs]
