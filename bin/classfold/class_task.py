"""What the sampler needs of one class: its map, its point cloud, and the docked model that gives the frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .errors import InputError
from .global_energy import Cloud
from .half_maps import read_half_maps
from .local_energy import TargetMap
from .maps import read_canonical
from .point_cloud import read_cloud
from .records import read_json
from .sharpness import MATCHED_MAP
from .structure import Topology, match_atoms, read_model

MIN_DOCKED_ATOMS = 3
"""A superposition needs three points."""
MASS_RANGE = (0.3, 3.0)
"""A contour far from the molecule's volume says more about the contour than about the map."""
HALF_MAP_SAMPLES = 4
"""Samples that a half map guides, to tell over-fitting; the best of them is judged."""


@dataclass(frozen=True)
class ClassTask:
    """One class to sample."""

    name: str
    target_map: TargetMap
    cloud: Cloud
    n_independent: float
    """Volume within the contour in units of the resolution cubed: how many independent observations the map holds."""
    docked: Tensor
    """(n_poses, n_atoms, 3) docked model in Å in the map's frame, zero where it lacks an atom: once, or in each of
    the poses that the map does not tell apart."""
    docked_atoms: Tensor
    """(n_atoms,) 1 for the atoms that the docked model has."""
    is_matched: bool = False
    """Whether the target map is the one that was made as sharp as the docked model."""
    assembled: Tensor | None = None
    """(n_atoms, 3) model in Å in the map's frame whose parts were docked one by one, where that fits better."""

    most_samples: int | None = None
    """How many samples are drawn if there are more random numbers; None: of each."""
    warnings: tuple[str, ...] = ()

    def place(self, sample: int) -> Tensor:
        """(n_atoms, 3) where a sample, counted from 0, begins: the samples take turns among the poses."""
        # Where every other sample begins at the assembled model, those between take the turns.
        turn = sample if self.assembled is None else sample // 2
        return self.docked[turn % len(self.docked)]


def read_class(
    map_folder: Path, docking_folder: Path, topology: Topology, atom_mask: Tensor, match_sharpness: bool
) -> ClassTask:
    """Read ``T.C.map`` and ``T.C.docking``; tensors are on the device of ``atom_mask`` (n_atoms,), padding included.

    With ``match_sharpness`` the density is that of the matched map, if DOCK_MODEL could make one.

    Raises
    ------
    InputError
        If the two are not of one class of this target, or the docked model shares too few atoms with it.
    """
    record, docking = read_json(map_folder / "map.json"), read_json(docking_folder / "docking.json")
    key = record["target"], record["class"]
    if key != (docking["target"], docking["class"]) or key[0] != topology.target:
        raise InputError(f"{map_folder} and {docking_folder} are not of one class of target {topology.target}")
    matched = docking_folder / MATCHED_MAP
    is_matched = match_sharpness and matched.is_file()
    density_map = read_canonical(matched if is_matched else map_folder / "map.mrc")
    mask = map_folder / "mask.mrc"
    resolution = float(record["resolution_angstrom"])
    target_map = TargetMap(
        _tensor(density_map.density, atom_mask),
        density_map.grid,
        resolution,
        _tensor(read_canonical(mask).density.clip(0, 1), atom_mask) if mask.is_file() else None,
    )
    cloud = read_cloud(map_folder / "point_cloud.csv")
    enclosed = float(record["enclosed_volume_angstrom3"])
    # A map that shows half of the molecule must not pull all of it together there.
    mass = np.clip(enclosed / float(record["expected_volume_angstrom3"]), *MASS_RANGE)
    docked, docked_atoms = _read_docked(docking_folder / "docked.cif", _moves(docking), topology, atom_mask)
    return ClassTask(
        name=str(record["class"]),
        target_map=target_map,
        cloud=Cloud(_tensor(cloud.coordinates, atom_mask), _tensor(cloud.weight * mass, atom_mask)),
        n_independent=enclosed / resolution**3,
        docked=docked,
        docked_atoms=docked_atoms,
        is_matched=is_matched,
        assembled=_read_assembled(docking_folder / "assembled.cif", topology, atom_mask),
    )


def guided_by_half_map(task: ClassTask, map_folder: Path, docking_folder: Path) -> ClassTask | None:
    """The class with its first half map in the place of the map's density, for a few samples; None without half maps.

    What is coarse stays that of the whole map: the docked models, and the point cloud of the global stage.
    """
    like = read_canonical(docking_folder / MATCHED_MAP if task.is_matched else map_folder / "map.mrc")
    halves = read_half_maps(map_folder, like, read_model(docking_folder / "docked.cif"))
    if halves is None:
        return None
    target_map = replace(task.target_map, density=_tensor(halves.first.density, task.docked))
    return replace(task, target_map=target_map, most_samples=HALF_MAP_SAMPLES)


def _tensor(array: np.ndarray, like: Tensor) -> Tensor:
    return torch.tensor(array, dtype=torch.float32, device=like.device)


def _moves(docking: dict[str, Any]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rotation and translation from the best pose of a docking to each that fits as well, itself first."""
    poses = [
        (np.array(pose["rotation"]), np.array(pose["translation_angstrom"]))
        for pose in docking["poses"][: docking["n_ambiguous"]]
    ]
    first, shift = poses[0]
    return [(rotation @ first.T, there - rotation @ first.T @ shift) for rotation, there in poses]


def _read_docked(
    path: Path, moves: list[tuple[np.ndarray, np.ndarray]], topology: Topology, atom_mask: Tensor
) -> tuple[Tensor, Tensor]:
    docked = read_model(path)
    ours, theirs = match_atoms(topology, docked)
    if len(ours) < MIN_DOCKED_ATOMS:
        raise InputError(
            f"{path} shares {len(ours)} atoms with the sequence of {topology.target}; "
            "give an initial model of the same molecule, or none"
        )
    reference = atom_mask.new_zeros((len(moves), len(atom_mask), 3))
    for place, (rotation, translation) in zip(reference, moves, strict=True):
        place[ours] = torch.from_numpy(docked.coordinates[theirs] @ rotation.T + translation).to(reference)
    has_atom = torch.zeros_like(atom_mask)
    has_atom[ours] = 1.0
    return reference, has_atom


def _read_assembled(path: Path, topology: Topology, atom_mask: Tensor) -> Tensor | None:
    """The assembled model (n_atoms, 3), padding at its centre, or None where there is none."""
    if not path.is_file():
        return None
    model = read_model(path)
    ours, theirs = match_atoms(topology, model)
    if len(ours) < topology.n_atoms:
        raise InputError(f"{path} has {len(ours)} of the {topology.n_atoms} atoms of {topology.target}; dock it again")
    # Samples are centred with their padding.
    coordinates = torch.from_numpy(model.coordinates[theirs]).to(atom_mask)
    assembled = coordinates.mean(dim=0).repeat(len(atom_mask), 1)
    assembled[ours] = coordinates
    return assembled
