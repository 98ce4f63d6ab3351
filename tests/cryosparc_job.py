"""cryoSPARC jobs as versions 3 and 4 leave them: job.json, .cs files by numpy, and maps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.relion_job import PIXEL_SIZE, write_map


def save_cs(path: Path, table: np.ndarray) -> None:
    """As cryoSPARC saves: numpy's format under another suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        np.save(stream, table)


def volume_table(maps: dict[str, str], pixel_size: float = PIXEL_SIZE) -> np.ndarray:
    """One volume; ``maps`` are result and path."""
    fields: list[Any] = [("uid", "<u8")]
    for result, path in maps.items():
        fields += [(f"{result}/path", f"S{len(path)}"), (f"{result}/shape", "<u4", (3,)), (f"{result}/psize_A", "<f4")]
    table = np.zeros(1, fields)
    for result, path in maps.items():
        table[f"{result}/path"], table[f"{result}/psize_A"] = path.encode(), pixel_size
    return table


def posterior_table(counts: list[int], layout: str) -> np.ndarray:
    """Particles with the posteriors of all classes, as ``layout``: multi, hetero (a field per class) or class3D."""
    n, k = sum(counts), len(counts)
    posterior = np.full((n, k), 0.1, np.float32)
    posterior[np.arange(n), np.repeat(np.arange(k), counts)] = 0.9
    if layout == "multi":
        fields: list[Any] = [("uid", "<u8"), ("alignments3D_multi/class_posterior", "<f4", (k,))]
        fields += [("alignments3D_multi/class", "<u4", (k,))]
        table = np.zeros(n, fields)
        # The columns may stand in any order: the second field says which class each is.
        table["alignments3D_multi/class"] = np.arange(k)[::-1]
        table["alignments3D_multi/class_posterior"] = posterior[:, ::-1]
        return table
    prefix = {"hetero": "alignments_class_", "class3D": "alignments_class3D_"}[layout]
    table = np.zeros(n, [("uid", "<u8"), *((f"{prefix}{i}/class_posterior", "<f4") for i in range(k))])
    for i in range(k):
        table[f"{prefix}{i}/class_posterior"] = posterior[:, i]
    return table


def write_job(
    project: Path,
    counts: list[int],
    resolutions: list[float | None],
    *,
    prefix: str = "J42",
    kind: str = "hetero_refine",
    iteration: str = "00042",
    halves: bool = False,
    type_key: str = "job_type",
    marked: bool = False,
) -> Path:
    """A finished classification; ``prefix`` is cryosparc_P3_J42 in version 3. Returns the job's folder."""
    job = project / "J42"
    groups: list[dict[str, Any]] = [
        {"type": "particle", "name": "particles_all_classes", "num_items": sum(counts)},
        {"type": "volume", "name": "volumes_all_classes", "num_items": len(counts)},
    ]
    results = []
    for i, (count, resolution) in enumerate(zip(counts, resolutions, strict=True)):
        stem = f"{prefix}_class_{i:02d}_{iteration}_volume"
        maps = {"map": f"J42/{stem}.mrc"}
        if halves:
            maps |= {f"map_half_{half}": f"J42/{stem}_half_{half}.mrc" for half in "AB"}
        for path in maps.values():
            write_map(project / path)
        if marked:
            maps = {result: ">" + path for result, path in maps.items()}
        save_cs(job / f"{stem}.cs", volume_table(maps))
        statistics = {} if resolution is None else {"fsc_info_best": {"radwn_final_A": resolution}}
        group = {"type": "volume", "name": f"volume_class_{i}", "num_items": 1, "latest_summary_stats": statistics}
        groups += [group, {"type": "particle", "name": f"particles_class_{i}", "num_items": count}]
        metafiles = [f"J42/{prefix}_class_{i:02d}_00000_volume.cs", f"J42/{stem}.cs"]
        results.append({"group_name": f"volume_class_{i}", "name": "map", "metafiles": metafiles, "passthrough": False})
    document = {
        "uid": "J42",
        "project_uid": "P3",
        type_key: kind,
        "status": "completed",
        "output_result_groups": groups,
        "output_results": results,
    }
    (job / "job.json").write_text(json.dumps(document))
    return job


def edit_document(job: Path, **changes: Any) -> None:
    document = json.loads((job / "job.json").read_text())
    (job / "job.json").write_text(json.dumps(document | changes))
