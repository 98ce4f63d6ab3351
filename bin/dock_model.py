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

Unguided models that fit badly as a whole are docked in parts as well, within the reach of the chain; where that
fits better, half of the samples begin at the parts put together.

A map's sharpness is brought to that of the docked model's density: one factor for each spatial frequency, up to
the resolution. The density guides samples in this form; what is measured on the map stays with the map as it is.

Writes docked.cif (the model's own atoms, moved), assembled.cif (the same, part by part) where it fits better,
matched.mrc and spectra.csv (sharpness), and docking.json (poses y = R x + t, scores, warnings).

\b
Example:
    dock_model.py --map adk.open.map --embedding adk.embedding --output adk.open.docking
"""

from __future__ import annotations

from pathlib import Path

import click
import torch

from classfold.assembled_docking import assemble, assembly_notes, assembly_record
from classfold.class_map import ClassMap
from classfold.docked_models import Docked, atomic_numbers, best_mirror, dock_models, in_other_hand, verdict_of
from classfold.docking_doubts import content_doubts, hand_doubts, pose_doubts, scale_doubts
from classfold.docking_record import content_record, pose_record, write_docking
from classfold.docking_verdict import Hand
from classfold.errors import InputError, run_stage
from classfold.explained_density import Explained, explained
from classfold.map_hand import flip_map_folder
from classfold.pixel_size import PixelSize, fit_scale, judge_pixel_size
from classfold.structure import Topology, match_atoms, read_model

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
FEW_ATOMS_SHARE = 0.5


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


def check_content(best: Docked, given: ClassMap, device: str) -> tuple[Explained, PixelSize]:
    """What the docked model says about the map's content and its pixel size."""
    resolution = given.resolution_angstrom
    shares = explained(best.coordinates, given.density_map, given.threshold, resolution)
    fit = fit_scale(
        best.model.coordinates,
        atomic_numbers(best.model),
        given.density_map,
        resolution,
        best.poses[0],
        device,
    )
    return shares, judge_pixel_size(fit, given.source_pixel_angstrom, resolution)


@click.command(help=__doc__, context_settings={"show_default": True})
@click.option("--map", "map_folder", required=True, type=FOLDER, help="Folder of PREPARE_MAP.")
@click.option("--embedding", type=FOLDER, help="Folder of EMBED_SEQUENCE, with unguided models.")
@click.option("--initial-model", type=click.Path(path_type=Path), help="Model of your own (mmCIF or PDB).")
@click.option("--sequence", type=FOLDER, help="Folder of PREPARE_SEQUENCE, to check the model's atoms by.")
@click.option("--seed", default=1, help="Turns the set of rotations that is searched.")
@click.option("--device", default="auto", help="auto, cpu or cuda.")
@click.option("--fix-hand", type=click.Choice(["on", "off"]), default="off", help="Flip a map of the wrong hand.")
@click.option(
    "--assembled-start",
    type=click.Choice(["auto", "off"]),
    default="auto",
    help="auto: dock unguided models that fit badly in parts as well.",
)
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
    assembled_start: str,
    flipped_map: Path | None,
    output: Path,
) -> None:
    """Read, dock, judge, write."""
    if fix_hand == "on" and flipped_map is None:
        raise InputError("--fix-hand on needs --flipped-map, the folder to write a flipped map to")
    models = find_models(embedding, initial_model)
    given, device = ClassMap.read(map_folder), choose_device(device)
    warnings = atom_warnings(models, sequence)
    docked = dock_models(models, given, seed, device)
    of_given = verdict_of(docked, given.resolution_angstrom)
    is_mirrored = of_given.hand is Hand.MIRRORED
    flips = is_mirrored and fix_hand == "on"
    warnings += hand_doubts(of_given, docked[0].poses, best_mirror(docked), flips)
    # What the map holds is judged in the hand in which the molecule is found.
    true_docked = in_other_hand(docked, given.plane_z_angstrom) if is_mirrored else docked
    true_map = given.flipped() if is_mirrored else given
    shares, size = check_content(true_docked[0], true_map, device)
    if flips and flipped_map is not None:
        flip_map_folder(map_folder, flipped_map, warnings[-1])
        docked = true_docked
    verdict = verdict_of(docked, given.resolution_angstrom)
    in_parts = None
    if embedding is not None and assembled_start == "auto" and (flips or not is_mirrored):
        in_parts = assemble(docked, true_map, seed, device)
    if in_parts is not None:
        # What is doubtful about the whole is that it does not fit.
        warnings += assembly_notes(in_parts, docked[0].poses[0].score)
    else:
        warnings += pose_doubts(verdict, docked[0].poses, best_mirror(docked))
    if verdict.found and in_parts is None:
        warnings += content_doubts(shares) + scale_doubts(size)
    record = {
        "target": given.record["target"],
        "class": given.record["class"],
        **pose_record(docked, verdict, of_given),
        **content_record(shares, size),
        "assembly": assembly_record(in_parts),
        "flipped": flips,
        "seed": seed,
        "device": device,
        "warnings": warnings,
    }
    lies_in = given.flipped() if flips else given
    write_docking(output, docked[0], in_parts and in_parts.assembly, lies_in, record)
    click.echo(
        f"{record['target']}, class {record['class']}: {record['model']} docked, score {record['score']:.3f}, "
        f"margin {record['margin']:.2f}, hand {of_given.hand} by {of_given.hand_lead:.1f} standard errors"
    )
    for warning in warnings:
        click.echo(f"warning: {warning}")


if __name__ == "__main__":
    run_stage(main)
