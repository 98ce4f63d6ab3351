"""A script that opens all classes of a target in ChimeraX, superposed on what they share, and their morphs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from classfold.class_input import read_record
from classfold.comparison import CORE_SCALE_ANGSTROM, Superposition, robust_superposition
from classfold.handoff import CHIMERAX_FILE, MAP_FILE, MODEL_FILE, open_map, open_model
from classfold.structure import Topology, match_atoms, read_model

# Okabe & Ito: told apart in any kind of colour vision.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a800", "#777777")
_FEWEST_ANCHORS = 3


def placed(pose: Superposition, *identifiers: int) -> str:
    """ChimeraX command that puts models where a pose moves them: its matrix (3, 4) by rows."""
    numbers = np.column_stack([pose.rotation, pose.translation]).ravel()
    matrix = ",".join(f"{value:.6f}" for value in numbers)
    return "view matrix models " + ",".join(f"#{identifier},{matrix}" for identifier in identifiers)


def anchors_of(topology: Topology, path: Path) -> np.ndarray:
    """Representative atoms (n_anchors, 3) of a whole model, xyz in Å; all atoms where there are too few of them."""
    model, anchors = read_model(path), topology.ca_indices()
    _, theirs = match_atoms(topology, model)
    return model.coordinates[theirs][anchors if len(anchors) >= _FEWEST_ANCHORS else slice(None)]


def chimerax(
    target: str, contours: dict[str, float], poses: dict[str, Superposition], morphs: Sequence[str]
) -> str:
    """Commands for ChimeraX, which runs them in the script's own folder, beside the folders of the classes.

    Parameters
    ----------
    target : str
    contours : dict
        Class to the level of the molecule in its map; the first class stays where it is.
    poses : dict
        Class to what puts it on the first one; the first one is not in it.
    morphs : sequence of str
        Files in the script's folder, in the frame of their own first class.
    """
    lines = [
        f"# {target}: all classes, superposed on what each shares with the first. Open this in an empty session of",
        "# ChimeraX. The target's folder may be moved as a whole. Only the first class's map is shown at first.",
    ]
    for k, (name, contour) in enumerate(contours.items()):
        map_id, model_id, colour = 2 * k + 1, 2 * k + 2, COLOURS[k % len(COLOURS)]
        lines += [f"# class {name}", *open_map(map_id, f"../{name}/{MAP_FILE}", contour, colour)]
        lines += [*open_model(model_id, f"../{name}/{MODEL_FILE}"), f"color #{model_id} {colour}"]
        if name in poses:
            lines += [placed(poses[name], map_id, model_id), f"hide #{map_id} models"]
    for identifier, morph in enumerate(morphs, start=2 * len(contours) + 1):
        lines += [f"# to play it: show #{identifier} models, then coordset #{identifier}"]
        lines += [*open_model(identifier, morph, " coordsets true"), f"hide #{identifier} models"]
    return "\n".join([*lines, "lighting soft", "view"]) + "\n"


def write_comparison_handoff(folder: Path, topology: Topology, maps: Sequence[Path], models: Sequence[Path]) -> None:
    """Write the script into the folder of a comparison, from the folders of its classes' maps and models."""
    records = {record["class"]: record for record in (read_record(path / "map.json") for path in maps)}
    files = {read_record(path / "models.json")["class"]: path / MODEL_FILE for path in models}
    places = {name: anchors_of(topology, path) for name, path in files.items()}
    first, *others = places
    poses = {name: robust_superposition(places[name], places[first], CORE_SCALE_ANGSTROM) for name in others}
    contours = {name: float(records[name]["threshold"]) for name in places}
    morphs = sorted(path.name for path in folder.glob("morph_*.cif"))
    (folder / CHIMERAX_FILE).write_text(chimerax(topology.target, contours, poses, morphs))
