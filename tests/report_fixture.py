"""Stage folders as the pipeline leaves them, made from frames of adenylate kinase, to try the report on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from classfold.maps import DensityMap
from classfold.records import write_json
from classfold.sharpness import match_sharpness
from classfold.structure import Topology, write_model
from classfold.superposition import apply_pose, superpose
from tests.report_sampling import write_sampling
from tests.report_stages import (
    N_OPENING,
    PATH,
    RESOLUTION,
    UNIT_ANGSTROM,
    Case,
    fit,
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


def _write_comparison(
    folder: Path, topology: Topology, names: tuple[str, ...], best: list[np.ndarray], maps: list[DensityMap]
) -> None:
    folder.mkdir()
    n, ca = len(names), topology.ca_indices()
    matrices = {name: np.zeros((n, n)) for name in ("rmsd", "tm_score", "cross_fit")}
    pairs, moved_rows = [], []
    for i in range(n):
        for j in range(n):
            rotation, translation = superpose(torch.from_numpy(best[i][ca]), torch.from_numpy(best[j][ca]))
            moved = apply_pose(rotation, translation, torch.from_numpy(best[i])).numpy()
            distance = np.linalg.norm(moved[ca] - best[j][ca], axis=1)
            matrices["rmsd"][i, j] = np.sqrt((distance**2).mean())
            matrices["tm_score"][i, j] = (1 / (1 + (distance / 5.3) ** 2)).mean()
            matrices["cross_fit"][i, j] = fit(moved, topology, maps[j])[0]
            if i < j:
                pair = {"class_a": names[i], "class_b": names[j]}
                values = {"ca_rmsd_angstrom": matrices["rmsd"][i, j], "tm_score": matrices["tm_score"][i, j]}
                pairs.append(pair | values | {"max_displacement_angstrom": float(distance.max())})
                numbers = topology.residue_number[ca]
                rows = zip(numbers, distance, strict=True)
                moved_rows += [(names[i], names[j], topology.chain[0], number, value) for number, value in rows]
    for name, values in matrices.items():
        table = pd.DataFrame(values, index=list(names), columns=list(names))
        table.to_csv(folder / f"{name}.csv", index_label="class")
    columns = ["class_a", "class_b", "chain", "residue_number", "displacement_angstrom"]
    pd.DataFrame(moved_rows, columns=columns).to_csv(folder / "displacement.csv", index=False)
    record = {"target": topology.target, "classes": list(names), "pairs": pairs, "warnings": []}
    write_json(record, folder / "comparison.json")


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
            _write_comparison(folder / f"{target}.comparison", topology, case.classes, best, maps)
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
