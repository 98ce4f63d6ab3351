#!/usr/bin/env python3
"""DOCK_MODEL: put the unguided model, or one of your own, into the map of one class; no human.

Every unguided model and its mirror image are docked by themselves: a global search over all rotations and
translations (FFT), then refinement in six parameters by gradient, at 8 Å or the map's resolution, whichever
is coarser. Poses are ranked by a closer look, at 4 Å or the map's resolution: the correlation of the model's
simulated density with the map over the points inside the model's mask (where its density exceeds 2 % of its
maximum). It does not depend on the scale of the map and can be compared between models; the model with the
highest is kept.

From the same numbers follow verdicts: whether the molecule is in the map at all, the map's hand, whether other
poses fit as well; and from the docked model whether the pixel size is right, and what of the map it explains.
What is doubtful is a warning, not an error. With --fix-hand on, a map of the wrong hand is flipped, and the
model lies in the flipped map.

Writes docked.cif (the model's own atoms, moved) and docking.json (poses y = R x + t, scores, warnings).

\b
Example:
    dock_model.py --map adk.open.map --embedding adk.embedding --output adk.open.docking
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import gemmi
import numpy as np
import torch

from classfold.chain_symmetry import identical_chains, without_equivalents
from classfold.docking import N_POSES, Pose, dock, in_flipped_map, mirrored, relative_margin
from classfold.docking_doubts import content_doubts, hand_doubts, pose_doubts, scale_doubts
from classfold.docking_verdict import Hand, Verdict, judge
from classfold.errors import InputError, run_stage
from classfold.explained_density import Explained, explained
from classfold.map_hand import flip_map_folder, flipped, middle_z
from classfold.maps import DensityMap, read_canonical
from classfold.moved_model import write_moved
from classfold.pixel_size import PixelSize, fit_scale, judge_pixel_size
from classfold.records import read_json, write_json
from classfold.structure import Model, Topology, match_atoms, read_model

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
MOST_POSES = 24
FEW_ATOMS_SHARE = 0.5


@dataclass(frozen=True)
class Docked:
    """A model file, and where it and its mirror image fit; poses best first, equivalent ones once."""

    path: Path
    model: Model
    poses: list[Pose]
    mirror: list[Pose]


@dataclass(frozen=True)
class ClassMap:
    """The prepared map of a class."""

    density_map: DensityMap
    resolution_angstrom: float
    record: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> ClassMap:
        """Read ``T.C.map``."""
        record = read_json(folder / "map.json")
        return cls(read_canonical(folder / "map.mrc"), float(record["resolution_angstrom"]), record)

    def flipped(self) -> ClassMap:
        """The same in the other hand, in memory."""
        return replace(self, density_map=flipped(self.density_map, middle_z(self.record)))


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


def dock_all(models: list[Path], given: ClassMap, seed: int, device: str) -> list[Docked]:
    """Dock each model and its mirror image, best model first."""
    docked = []
    for path in models:
        model = read_model(path)
        groups = identical_chains(model)
        n_poses = min(MOST_POSES, N_POSES * max((len(chains) for chains in groups), default=1))
        both = []
        for coordinates in (model.coordinates, mirrored(model.coordinates)):
            numbers = atomic_numbers(model)
            poses = dock(
                coordinates, numbers, given.density_map, given.resolution_angstrom, seed, device, n_poses
            )
            both.append(without_equivalents(poses, coordinates, groups)[:N_POSES])
        docked.append(Docked(path, model, *both))
    return best_first(docked)


def best_first(docked: Iterable[Docked]) -> list[Docked]:
    """Models in the order of what the closer look says."""
    return sorted(docked, key=lambda each: -each.poses[0].detail)


def best_mirror(docked: list[Docked]) -> list[Pose]:
    """The poses of the mirror image that fits best."""
    return max((each.mirror for each in docked), key=lambda poses: poses[0].detail)


def judged(docked: list[Docked], given: ClassMap) -> Verdict:
    """What the best model and the best mirror image say together."""
    n_atoms = len(docked[0].model.coordinates)
    return judge(docked[0].poses, best_mirror(docked), n_atoms, given.resolution_angstrom)


def in_other_hand(docked: list[Docked], plane_z_angstrom: float) -> list[Docked]:
    """The dockings into the flipped map: what was the mirror image's pose is the model's."""
    return best_first(
        replace(
            each,
            poses=[in_flipped_map(pose, plane_z_angstrom) for pose in each.mirror],
            mirror=[in_flipped_map(pose, plane_z_angstrom) for pose in each.poses],
        )
        for each in docked
    )


def check_content(best: Docked, given: ClassMap, device: str) -> tuple[Explained, PixelSize]:
    """What the docked model says about the map's content and its pixel size."""
    pose, numbers = best.poses[0], atomic_numbers(best.model)
    coordinates, resolution = best.model.coordinates, given.resolution_angstrom
    shares = explained(
        pose.apply(coordinates), given.density_map, float(given.record["threshold"]), resolution
    )
    fit = fit_scale(coordinates, numbers, given.density_map, resolution, pose, device)
    pixel_angstrom = float(np.mean(given.record["source"]["voxel_size_angstrom_xyz"]))
    return shares, judge_pixel_size(fit, pixel_angstrom, resolution)


def docking_record(docked: list[Docked], verdict: Verdict, of_given: Verdict) -> dict[str, Any]:
    """Poses and verdicts, as docking.json holds them; the hand is that of the map as it was given."""
    best, mirror = docked[0], best_mirror(docked)[0]
    return {
        "model": best.path.name,
        "models": [{"model": each.path.name, **scores(each.poses[0])} for each in docked],
        "poses": [vars(pose) for pose in best.poses],
        **scores(best.poses[0]),
        "margin": relative_margin(best.poses),
        "n_ambiguous": verdict.n_ambiguous,
        "found": verdict.found,
        "pose_lead": verdict.pose_lead,
        "mirror_score": mirror.score,
        "mirror_detail": mirror.detail,
        "hand": str(of_given.hand),
        "hand_lead": of_given.hand_lead,
    }


def content_record(shares: Explained, size: PixelSize) -> dict[str, Any]:
    """What map and model hold of each other, as docking.json holds it."""
    return {
        "explained_density": shares.density,
        "atoms_in_density": shares.atoms,
        "pixel_size_angstrom": size.given_angstrom,
        "fitted_pixel_size_angstrom": size.better_angstrom,
        "fitted_pixel_size_gain": size.fit.gain,
        "fitted_pixel_size_is_decisive": size.is_decidable,
    }


def scores(pose: Pose) -> dict[str, float]:
    """The two correlations of a pose."""
    return {"score": pose.score, "detail": pose.detail}


@click.command(help=__doc__, context_settings={"show_default": True})
@click.option("--map", "map_folder", required=True, type=FOLDER, help="Folder of PREPARE_MAP.")
@click.option("--embedding", type=FOLDER, help="Folder of EMBED_SEQUENCE, with unguided models.")
@click.option("--initial-model", type=click.Path(path_type=Path), help="Model of your own (mmCIF or PDB).")
@click.option("--sequence", type=FOLDER, help="Folder of PREPARE_SEQUENCE, to check the model's atoms by.")
@click.option("--seed", default=1, help="Turns the set of rotations that is searched.")
@click.option("--device", default="auto", help="auto, cpu or cuda.")
@click.option("--fix-hand", type=click.Choice(["on", "off"]), default="off", help="Flip a map of the wrong hand.")
@click.option(
    "--flipped-map", type=click.Path(path_type=Path), help="Folder to write the flipped map to, if it is flipped."
)
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Folder to write.")
def main(
    map_folder: Path,
    embedding: Path | None,
    initial_model: Path | None,
    sequence: Path | None,
    seed: int,
    device: str,
    fix_hand: str,
    flipped_map: Path | None,
    output: Path,
) -> None:
    """Read, dock, judge, write."""
    if fix_hand == "on" and flipped_map is None:
        raise InputError("--fix-hand on needs --flipped-map, the folder to write a flipped map to")
    models = find_models(embedding, initial_model)
    given, device = ClassMap.read(map_folder), choose_device(device)
    warnings = atom_warnings(models, sequence)
    docked = dock_all(models, given, seed, device)
    of_given = judged(docked, given)
    is_mirrored = of_given.hand is Hand.MIRRORED
    flips = is_mirrored and fix_hand == "on"
    warnings += hand_doubts(of_given, docked[0].poses, best_mirror(docked), flips)
    plane = middle_z(given.record)
    # What the map holds is judged in the hand in which the molecule is found.
    true_docked, true_map = (in_other_hand(docked, plane), given.flipped()) if is_mirrored else (docked, given)
    shares, size = check_content(true_docked[0], true_map, device)
    if flips and flipped_map is not None:
        flip_map_folder(map_folder, flipped_map, warnings[-1])
        docked = true_docked
    verdict = judged(docked, given)
    warnings += pose_doubts(verdict, docked[0].poses, best_mirror(docked))
    if verdict.found:
        warnings += content_doubts(shares) + scale_doubts(size)
    record = {
        "target": given.record["target"],
        "class": given.record["class"],
        **docking_record(docked, verdict, of_given),
        **content_record(shares, size),
        "flipped": flips,
        "seed": seed,
        "device": device,
        "warnings": warnings,
    }
    write_docking(output, docked[0], record, str(given.record["source_map"]))
    click.echo(
        f"{record['target']}, class {record['class']}: {record['model']} docked, score {record['score']:.3f}, "
        f"margin {record['margin']:.2f}, hand {of_given.hand} by {of_given.hand_lead:.1f} standard errors"
    )
    for warning in warnings:
        click.echo(f"warning: {warning}")


def write_docking(output: Path, best: Docked, record: dict[str, Any], map_name: str) -> None:
    """Write docked.cif and, last, docking.json."""
    output.mkdir(parents=True, exist_ok=True)
    # An older record beside a newer model would make a broken run look complete.
    (output / "docking.json").unlink(missing_ok=True)
    facts = {"model": best.path.name, "map": map_name, "score": f"{record['score']:.4f}"}
    write_moved(best.path, output / "docked.cif", best.poses[0], facts)
    if not math.isfinite(record["score"]) or not len(read_model(output / "docked.cif").coordinates):
        raise RuntimeError(f"{output / 'docked.cif'} is not a docked model")
    write_json(record, output / "docking.json")


if __name__ == "__main__":
    run_stage(main)
