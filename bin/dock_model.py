#!/usr/bin/env python3
"""DOCK_MODEL: put the unguided model, or one of your own, into the map of one class; no human.

Every unguided model is docked by itself: a global search over all rotations and translations (FFT), then
refinement in six parameters by gradient, at 8 Å or the map's resolution, whichever is coarser. The model
whose best pose has the highest score is kept. The score is the correlation of the model's simulated density
with the map over the points inside the model's mask (where its density exceeds 2 % of its maximum), at that
resolution; it does not depend on the scale of the map and can be compared between models.

The mirror image of the kept model is docked as well: where it fits better, the map probably has the wrong
hand. What is doubtful (low score, another pose that fits nearly as well, hand) is a warning, not an error.

A map's sharpness is brought to that of the docked model's density: one factor for each spatial frequency, up to
the resolution. The density guides samples in this form; what is measured on the map stays with the map as it is.

Writes docked.cif (the model's own atoms, moved), matched.mrc and spectra.csv (sharpness), and docking.json (poses
y = R x + t, scores, warnings).

\b
Example:
    dock_model.py --map adk.open.map --embedding adk.embedding --output adk.open.docking
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import click
import gemmi
import numpy as np
import torch

from classfold.docking import Pose, dock, mirrored, relative_margin
from classfold.errors import InputError, run_stage
from classfold.maps import DensityMap, read_canonical
from classfold.moved_model import write_moved
from classfold.records import read_json, write_json
from classfold.sharpness import match_sharpness
from classfold.structure import Model, Topology, match_atoms, read_model

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
LOW_SCORE = 0.35
LOW_MARGIN = 0.05
FEW_ATOMS_SHARE = 0.5


@dataclass(frozen=True)
class Docked:
    """A model file, and where it fits."""

    path: Path
    model: Model
    poses: list[Pose]


def find_models(embedding: Path | None, initial_model: Path | None) -> list[Path]:
    """The models to dock: the user's, else the unguided ones of the embedding."""
    if (embedding is None) == (initial_model is None):
        raise InputError("give either --embedding or --initial-model, one of the two")
    if initial_model is not None:
        return [initial_model]
    assert embedding is not None
    models = sorted((embedding / "unguided").glob("model_*.cif"))
    if not models:
        raise InputError(f"{embedding / 'unguided'} holds no model_*.cif; run embed_sequence.py again")
    return models


def atomic_numbers(model: Model) -> np.ndarray:
    """Atomic numbers ``(n_atoms,)``; an atom of unknown element counts as carbon."""
    return np.array([gemmi.Element(str(symbol)).atomic_number or 6 for symbol in model.element], float)


def choose_device(name: str) -> str:
    """The device that ``auto`` stands for."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise InputError(f"device {name} was asked for, but no CUDA device is here; use --device cpu or auto")
    return name


def atom_warnings(models: list[Path], sequence: Path | None) -> list[str]:
    """What is wrong with the models as models of the target.

    Raises
    ------
    InputError
        If a model has no atom of the target: nothing could be superposed on it.
    """
    if sequence is None:
        return []
    topology = Topology.read(sequence)
    warnings = []
    for path in models:
        n_common = len(match_atoms(topology, read_model(path))[0])
        if n_common < 3:
            raise InputError(
                f"{path.name} shares {n_common} atoms with the sequence of {topology.target}; "
                f"give a model of this molecule"
            )
        if n_common < FEW_ATOMS_SHARE * topology.n_atoms:
            warnings.append(
                f"{path.name} has {n_common} of the {topology.n_atoms} atoms of {topology.target}; the "
                f"rest of the molecule has no part in the docking"
            )
    return warnings


def doubts(poses: list[Pose], mirror_score: float) -> list[str]:
    """What makes a docking doubtful, in sentences."""
    score, margin = poses[0].score, relative_margin(poses)
    warnings = []
    if score < LOW_SCORE:
        warnings.append(
            f"the model correlates only {score:.2f} with the map inside its mask (below {LOW_SCORE}): "
            f"the pose may be wrong, or the model far from the map's conformation; look at docked.cif"
        )
    if margin < LOW_MARGIN:
        warnings.append(
            f"another pose scores {poses[1].score:.3f} against {score:.3f}: the molecule is symmetric, or "
            f"the map does not tell the poses apart; they are listed in docking.json"
        )
    if mirror_score > score:
        warnings.append(
            f"the model's mirror image fits better ({mirror_score:.3f} against {score:.3f}): "
            f"the map probably has the wrong hand; flip it and run again"
        )
    return warnings


def dock_all(models: list[Path], density_map: DensityMap, resolution: float, seed: int, device: str) -> list[Docked]:
    """Dock each model, best score first."""
    docked = []
    for path in models:
        model = read_model(path)
        poses = dock(model.coordinates, atomic_numbers(model), density_map, resolution, seed, device)
        docked.append(Docked(path, model, poses))
    return sorted(docked, key=lambda each: -each.poses[0].score)


@click.command(help=__doc__, context_settings={"show_default": True})
@click.option("--map", "map_folder", required=True, type=FOLDER, help="Folder of PREPARE_MAP.")
@click.option("--embedding", type=FOLDER, help="Folder of EMBED_SEQUENCE, with unguided models.")
@click.option("--initial-model", type=click.Path(path_type=Path), help="Model of your own (mmCIF or PDB).")
@click.option("--sequence", type=FOLDER, help="Folder of PREPARE_SEQUENCE, to check the model's atoms by.")
@click.option("--seed", default=1, help="Turns the set of rotations that is searched.")
@click.option("--device", default="auto", help="auto, cpu or cuda.")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Folder to write.")
def main(
    map_folder: Path,
    embedding: Path | None,
    initial_model: Path | None,
    sequence: Path | None,
    seed: int,
    device: str,
    output: Path,
) -> None:
    """Read, dock, write."""
    models = find_models(embedding, initial_model)
    described = read_json(map_folder / "map.json")
    density_map = read_canonical(map_folder / "map.mrc")
    resolution, device = float(described["resolution_angstrom"]), choose_device(device)
    warnings = atom_warnings(models, sequence)
    docked = dock_all(models, density_map, resolution, seed, device)
    best = docked[0]
    mirror = mirrored(best.model.coordinates)
    mirror_score = dock(mirror, atomic_numbers(best.model), density_map, resolution, seed, device)[0].score
    warnings += doubts(best.poses, mirror_score)
    output.mkdir(parents=True, exist_ok=True)
    (output / "docking.json").unlink(missing_ok=True)
    score = best.poses[0].score
    facts = {"model": best.path.name, "map": str(described["source_map"]), "score": f"{score:.4f}"}
    write_moved(best.path, output / "docked.cif", best.poses[0], facts)
    if not math.isfinite(score) or not len(read_model(output / "docked.cif").coordinates):
        raise RuntimeError(f"{output / 'docked.cif'} is not a docked model")
    moved = best.poses[0].apply(best.model.coordinates)
    sharpness = match_sharpness(density_map, moved, atomic_numbers(best.model), resolution, output)
    record = {
        "target": described["target"],
        "class": described["class"],
        "model": best.path.name,
        "models": [{"model": each.path.name, "score": each.poses[0].score} for each in docked],
        "poses": [vars(pose) for pose in best.poses],
        "score": score,
        "margin": relative_margin(best.poses),
        "mirror_score": mirror_score,
        "sharpness": sharpness,
        "seed": seed,
        "device": device,
        "warnings": warnings,
    }
    write_json(record, output / "docking.json")
    click.echo(
        f"{described['target']}, class {described['class']}: {best.path.name} docked, score {score:.3f}, "
        f"margin {relative_margin(best.poses):.2f}, mirror image {mirror_score:.3f}"
    )
    for warning in warnings:
        click.echo(f"warning: {warning}")


if __name__ == "__main__":
    run_stage(main)
