"""Several models docked into one map, each beside its mirror image: which fits best, and in which hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import gemmi
import numpy as np

from classfold.chain_symmetry import identical_chains, without_equivalents
from classfold.class_map import ClassMap
from classfold.docking import N_POSES, Pose, dock, in_flipped_map, mirrored
from classfold.docking_verdict import Verdict, judge
from classfold.structure import Model, read_model

MOST_POSES = 24


@dataclass(frozen=True)
class Docked:
    """A model file, and where it and its mirror image fit; poses best first, equivalent ones once."""

    path: Path
    model: Model
    poses: list[Pose]
    mirror: list[Pose]

    @property
    def coordinates(self) -> np.ndarray:
        """(n_atoms, 3) in Å, in the best pose."""
        return self.poses[0].apply(self.model.coordinates)


def atomic_numbers(model: Model) -> np.ndarray:
    """Atomic numbers ``(n_atoms,)``; an atom of unknown element counts as carbon."""
    return np.array([gemmi.Element(str(symbol)).atomic_number or 6 for symbol in model.element], float)


def dock_models(paths: Iterable[Path], given: ClassMap, seed: int, device: str) -> list[Docked]:
    """Dock each model and its mirror image; the model that fits best comes first.

    Raises
    ------
    InputError
        If a model cannot be read, or the map is too small for it.
    """
    docked = []
    for path in paths:
        model = read_model(path)
        poses, mirror = (
            distinct_poses(model, coordinates, given, seed, device)
            for coordinates in (model.coordinates, mirrored(model.coordinates))
        )
        docked.append(Docked(path, model, poses, mirror))
    return best_first(docked)


def distinct_poses(model: Model, coordinates: np.ndarray, given: ClassMap, seed: int, device: str) -> list[Pose]:
    """Poses of a model's atoms ``(n_atoms, 3)``, those that only exchange identical chains once."""
    groups = identical_chains(model)
    # Each pose of an assembly may come again with its chains exchanged.
    wanted = min(MOST_POSES, N_POSES * max((len(chains) for chains in groups), default=1))
    poses = dock(
        coordinates, atomic_numbers(model), given.density_map, given.resolution_angstrom, seed, device, wanted
    )
    return without_equivalents(poses, coordinates, groups)[:N_POSES]


def best_first(docked: Iterable[Docked]) -> list[Docked]:
    """Models in the order of what the closer look says."""
    return sorted(docked, key=lambda each: -each.poses[0].detail)


def best_mirror(docked: Sequence[Docked]) -> list[Pose]:
    """The poses of the mirror image that fits best."""
    return max((each.mirror for each in docked), key=lambda poses: poses[0].detail)


def verdict_of(docked: Sequence[Docked], resolution_angstrom: float) -> Verdict:
    """What the best model and the best mirror image say together."""
    return judge(docked[0].poses, best_mirror(docked), len(docked[0].model.coordinates), resolution_angstrom)


def in_other_hand(docked: Iterable[Docked], plane_z_angstrom: float) -> list[Docked]:
    """The dockings into the map flipped at a plane: what was the mirror image's pose is the model's."""
    return best_first(
        replace(
            each,
            poses=[in_flipped_map(pose, plane_z_angstrom) for pose in each.mirror],
            mirror=[in_flipped_map(pose, plane_z_angstrom) for pose in each.poses],
        )
        for each in docked
    )
