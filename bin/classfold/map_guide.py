"""Guidance of one class: both energies of its map, and which of them acts at which step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from .errors import InputError
from .global_energy import GlobalEnergy
from .local_energy import LocalEnergy
from .maps import read_canonical
from .point_cloud import read_cloud
from .records import read_json
from .sampler import Frame, Guidance
from .schedule import Schedule, Stage
from .structure import Topology, match_atoms, read_model

MIN_DOCKED_ATOMS = 3
"""A superposition needs three points."""


@dataclass(frozen=True)
class MapGuide:
    """What pulls the samples of one class."""

    global_energy: GlobalEnergy
    local_energy: LocalEnergy
    schedule: Schedule

    def at(self, step: int) -> Guidance | None:
        """Energy and strength of a step, or None where the stage is not guided."""
        stage, strength = self.schedule.stage(step), self.schedule.strength(step)
        if stage is Stage.GLOBAL:
            return Guidance(self.global_energy, strength)
        if stage is Stage.LOCAL:
            return Guidance(self.local_energy, strength)
        return None


def load_guide(map_folder: Path, topology: Topology, schedule: Schedule, device: torch.device) -> MapGuide:
    """Guide of the class whose ``T.C.map`` folder this is."""
    density_map = read_canonical(map_folder / "map.mrc")
    resolution = read_json(map_folder / "map.json")["resolution_angstrom"]
    cloud = torch.from_numpy(read_cloud(map_folder / "point_cloud.csv").coordinates).float()
    density = torch.tensor(density_map.density, dtype=torch.float32)
    weights = torch.from_numpy(topology.atomic_numbers.astype(np.float32))
    local = LocalEnergy(density.to(device), density_map.grid, resolution, weights.to(device))
    return MapGuide(GlobalEnergy(cloud.to(device)), local, schedule)


def load_frame(docking_folder: Path, topology: Topology, atom_mask: torch.Tensor) -> Frame:
    """The docked model of a ``T.C.docking`` folder as the frame of its class's samples.

    Raises
    ------
    InputError
        If the docked model shares too few atoms with the target.
    """
    docked = read_model(docking_folder / "docked.cif")
    ours, theirs = match_atoms(topology, docked)
    if len(ours) < MIN_DOCKED_ATOMS:
        raise InputError(
            f"{docking_folder / 'docked.cif'} shares {len(ours)} atoms with the sequence of {topology.target}; "
            "give an initial model of the same molecule, or none"
        )
    reference = atom_mask.new_zeros((len(atom_mask), 3))
    reference[ours] = torch.from_numpy(docked.coordinates[theirs]).to(reference)
    weights = torch.zeros_like(atom_mask)
    weights[ours] = 1.0
    return Frame(atom_mask, reference, weights)
