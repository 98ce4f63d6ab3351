"""Stage folders as the pipeline leaves them, made from frames of adenylate kinase, to try the report on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from classfold.maps import DensityMap
from classfold.records import write_json
from classfold.sharpness import match_sharpness
from classfold.structure import Topology, write_model
from classfold.superposition import apply_pose, superpose
from tests.report_comparison import write_comparison_stage
from tests.report_sampling import write_sampling
from tests.report_stages import (
    N_OPENING,
    PATH,
    RESOLUTION,
    UNIT_ANGSTROM,
    Case,
    make_class_map,
    make_topology,
    write_map_stage,
    write_models,
    write_sequence,
)

__all__ = ["Case", "build"]


def _write_class(
    folder: Path,
    topology: Topology,
    frames: np.ndarray,
    name: str,
    place: float,
    case: Case,
) -> tuple[np.ndarray, DensityMap]:
    """All folders of one class whose conformation lies at ``place`` (0 closed, 1 open) of the path."""
    stem = f"{topology.target}.{name}"
    rng = np.random.default_rng(round(1000 * place))
    truth = frames[round(place * (len(frames) - 1))]
    class_map = make_class_map(truth, topology, rng)
    write_map_stage(folder / f"{stem}.map", class_map, topology.target, name, case)
    predicted = torch.from_numpy(frames[4])
    rotation, translation = superpose(predicted, torch.from_numpy(truth))
    docked = apply_pose(rotation, translation, predicted).numpy()
    docking = folder / f"{stem}.docking"
    docking.mkdir()
    write_model(docking / "docked.cif", topology, docked, title="unguided model, docked")
    pose = {"rotation": rotation.tolist(), "translation_angstrom": translation.tolist(), "score": 0.71}
    record = {
        "target": topology.target,
        "class": name,
        "model": "model_001",
        "poses": [pose, pose],
        "score": 0.71,
        "margin": 0.23,
        "mirror_score": 0.55,
        "hand": "right",
        "hand_lead": 4.4,
        "flipped": False,
        "explained_density": 0.93,
        "atoms_in_density": 0.97,
        "warnings": [],
        "seed": 1,
    }
    if not case.is_old:
        record["sharpness"] = match_sharpness(class_map, docked, topology.atomic_numbers, RESOLUTION, docking)
    write_json(record, docking / "docking.json")
    quality = rng.permutation(np.linspace(1, 0, case.n_samples))
    finished = write_sampling(folder / f"{stem}.samples", topology.target, name, quality, rng, case)
    smooth = rng.normal(0, 1, (case.n_samples, topology.residue_index[-1] + 1, 3)).cumsum(axis=1)
    smooth -= smooth.mean(axis=1, keepdims=True)
    wobble = 0.08 * smooth * (1.6 - 1.3 * quality)[:, None, None]
    samples = {number: (truth + wobble[number - 1, topology.residue_index]).astype(np.float32) for number in finished}
    best = write_models(folder / f"{stem}.models", topology, samples, truth, docked, class_map, name, case)
    return best, class_map


def build(folder: Path, case: Case | None = None) -> Path:
    """Write all stage folders of a run into ``folder`` and return the file of parameters beside them."""
    case = case or Case()
    folder.mkdir(parents=True, exist_ok=True)
    with np.load(PATH) as file:
        data = {name: file[name] for name in file.files}
    frames = data["coordinates"][data["frame"] < N_OPENING] * UNIT_ANGSTROM
    for target in case.targets:
        topology = make_topology(data, target, case.chain)
        write_sequence(folder / f"{target}.sequence", topology, case)
        embedding = folder / f"{target}.embedding"
        embedding.mkdir()
        write_json({"target": target, "warnings": []}, embedding / "embedding.json")
        places = np.linspace(0, 1, len(case.classes)) if len(case.classes) > 1 else np.array([1.0])
        made = [
            _write_class(folder, topology, frames, name, place, case)
            for name, place in zip(case.classes, places.tolist(), strict=True)
        ]
        if len(made) > 1:
            best, maps = [model for model, _ in made], [class_map for _, class_map in made]
            write_comparison_stage(folder / f"{target}.comparison", topology, case.classes, best, maps)
    parameters = folder / "params.json"
    settings = {
        "samples": case.n_samples,
        "steps": 200,
        "schedule": case.schedule,
        "seed": 1,
        "input": "sheet.csv",
    }
    parameters.write_text(json.dumps({"parameters": settings, "versions": {"boltz": "2.2.1"}}))
    return parameters
