"""What DOCK_MODEL leaves: docked.cif, assembled.cif, the map as sharp as the docked model, and docking.json."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from classfold.assembly import Assembly
from classfold.class_map import ClassMap
from classfold.docked_models import Docked, atomic_numbers, best_mirror
from classfold.docking import Pose, relative_margin
from classfold.docking_verdict import Verdict
from classfold.explained_density import Explained
from classfold.moved_model import write_moved
from classfold.pixel_size import PixelSize
from classfold.records import write_json
from classfold.sharpness import match_sharpness
from classfold.structure import read_model


def pose_record(docked: Sequence[Docked], verdict: Verdict, of_given: Verdict) -> dict[str, Any]:
    """Poses and verdicts; the hand is that of the map as it was given, all else that of the map as it is used."""
    best, mirror = docked[0], best_mirror(docked)[0]
    return {
        "model": best.path.name,
        "models": [{"model": each.path.name, **_scores(each.poses[0])} for each in docked],
        "poses": [vars(pose) for pose in best.poses],
        **_scores(best.poses[0]),
        "margin": relative_margin(best.poses),
        "n_ambiguous": verdict.n_ambiguous,
        "found": verdict.found,
        "fits": verdict.fits,
        "lead": verdict.lead,
        "pose_lead": verdict.pose_lead,
        "mirror_score": mirror.score,
        "mirror_detail": mirror.detail,
        "hand": str(of_given.hand),
        "hand_lead": of_given.hand_lead,
    }


def content_record(shares: Explained, size: PixelSize) -> dict[str, Any]:
    """What map and model hold of each other, and the pixel size."""
    return {
        "explained_density": shares.density,
        "atoms_in_density": shares.atoms,
        "pixel_size_angstrom": size.given_angstrom,
        "fitted_pixel_size_angstrom": size.better_angstrom,
        "fitted_pixel_size_gain": size.fit.gain,
        "fitted_pixel_size_is_decisive": size.is_decidable,
    }


def _scores(pose: Pose) -> dict[str, float]:
    return {"score": pose.score, "detail": pose.detail}


def write_docking(
    folder: Path, best: Docked, assembly: Assembly | None, class_map: ClassMap, record: Mapping[str, Any]
) -> None:
    """Write the models, the map that they lie in as sharp as they are and, last, docking.json."""
    folder.mkdir(parents=True, exist_ok=True)
    # An older record beside a newer model would make a broken run look complete.
    for name in ("docking.json", "assembled.cif"):
        (folder / name).unlink(missing_ok=True)
    facts = {"model": best.path.name, "map": str(class_map.record["source_map"]), "score": f"{record['score']:.4f}"}
    write_moved(best.path, folder / "docked.cif", best.poses[0], facts)
    if assembly is not None:
        facts["score"] = f"{assembly.score:.4f}"
        write_moved(best.path, folder / "assembled.cif", assembly, facts)
    if not math.isfinite(record["score"]) or not len(read_model(folder / "docked.cif").coordinates):
        raise RuntimeError(f"{folder / 'docked.cif'} is not a docked model")
    coordinates = best.coordinates if assembly is None else assembly.apply(best.model.coordinates)
    density_map, resolution = class_map.density_map, class_map.resolution_angstrom
    sharpness = match_sharpness(density_map, coordinates, atomic_numbers(best.model), resolution, folder)
    write_json({**record, "sharpness": sharpness}, folder / "docking.json")
