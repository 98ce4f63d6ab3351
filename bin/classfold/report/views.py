"""What the page's 3D viewer is given: maps and models of a target in one frame, and how classes are laid over."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from classfold.comparison import CORE_SCALE_ANGSTROM, robust_superposition
from classfold.maps import read_canonical
from classfold.report.class_picture import draw_class, surface_points, view_axes
from classfold.report.display_map import DisplayMap, display_map, display_side, packed
from classfold.report.display_models import best_trace, display_models, other_samples
from classfold.report.gather import ClassResult, TargetResult
from classfold.report.morphs import Morph, display_morphs

MARGIN = 1.06
FEWEST_POINTS = 3


@dataclass(frozen=True)
class Scene:
    """One class in the viewer: its name, its still picture, and the data behind it."""

    name: str
    anchor: str
    picture: str
    """Address that holds it."""
    data: dict[str, Any]


@dataclass(frozen=True)
class View:
    """The viewer of one target."""

    scenes: list[Scene]
    morphs: list[Morph]

    def blocks(self, target: str) -> list[tuple[str, dict[str, Any]]]:
        """Identifier and content of each block of data: one for the viewer, one for each class and morph."""
        morphs = [(f"morph.{target}.{morph.class_a}.{morph.class_b}", morph) for morph in self.morphs]
        index = {
            "classes": [{"name": scene.name, "data": f"data.{scene.anchor}"} for scene in self.scenes],
            "morphs": [
                {"name": f"{morph.class_a} to {morph.class_b}", "from": morph.class_a, "data": f"data.{name}"}
                for name, morph in morphs
            ],
        }
        own = [(scene.anchor, scene.data) for scene in self.scenes]
        return [(f"view.{target}", index), *own, *((name, morph.data) for name, morph in morphs)]

    def picture_of(self, name: str) -> str | None:
        """Still picture of a class."""
        return next((scene.picture for scene in self.scenes if scene.name == name), None)


def _rounded(value: Any, digits: int) -> float | None:
    return round(float(value), digits) if pd.notna(value) else None


def _residue_rows(residues: pd.DataFrame | None) -> list[list[Any]]:
    """[chain, residue number, CC, pLDDT, support] of each residue."""
    if residues is None:
        return []
    nothing = pd.Series(np.nan, index=residues.index)
    plddt, support = (residues.get(name, nothing) for name in ("plddt", "support"))
    columns = zip(residues["chain"], residues["residue_number"], residues["cc"], plddt, support, strict=True)
    return [
        [chain, int(number), _rounded(cc, 3), _rounded(sure, 1), held if isinstance(held, str) and held else None]
        for chain, number, cc, sure, held in columns
    ]


def _displacements(target: TargetResult, result: ClassResult) -> dict[str, list[list[Any]]]:
    """Other class -> [chain, residue number, displacement in Å] of each residue."""
    table = target.comparison.displacement if target.comparison is not None else None
    if table is None:
        return {}
    found: dict[str, list[list[Any]]] = {}
    for (first, second), rows in table.groupby(["class_a", "class_b"], sort=False):
        if result.name not in (first, second):
            continue
        other = second if result.name == first else first
        columns = zip(rows["chain"], rows["residue_number"], rows["displacement_angstrom"], strict=True)
        found[str(other)] = [[chain, int(number), _rounded(moved, 2)] for chain, number, moved in columns]
    return found


def _colourings(residues: list[list[Any]], moved: dict[str, Any]) -> list[tuple[str, str]]:
    """Ways to colour a best model, each with its name."""
    found = []
    for column, value, name in ((2, "cc", "fit to the map (CC)"), (3, "plddt", "confidence (pLDDT)")):
        if any(row[column] is not None for row in residues):
            found.append((value, name))
    if any(row[4] is not None for row in residues):
        found.append(("support", "support by the density"))
    found += [(f"moved:{other}", f"distance moved from {other}") for other in moved]
    return [*found, ("chain", "chain")] if residues else []


def _pose(trace: np.ndarray, fixed: np.ndarray, origin: np.ndarray) -> dict[str, Any] | None:
    """How a class is laid over the first one by what both share, in the viewer's frame; None where they cannot be."""
    if trace.shape != fixed.shape or len(fixed) < FEWEST_POINTS:
        return None
    found = robust_superposition(trace - origin, fixed - origin, CORE_SCALE_ANGSTROM)
    return {"rotation": found.rotation.round(6).tolist(), "translation": found.translation.round(3).tolist()}


def _fit_of(result: ClassResult, trace: np.ndarray) -> np.ndarray:
    """(n_residues,) correlation of each residue of the trace; nan where the table is of other residues."""
    if result.residues is None or len(result.residues) != len(trace):
        return np.full(len(trace), np.nan)
    return result.residues["cc"].to_numpy(float)


def _data(
    target: TargetResult, result: ClassResult, shown: DisplayMap, origin: np.ndarray, n_others: int
) -> dict[str, Any]:
    """Map, models and numbers of one class, but for how it is laid over the others."""
    residues, moved = _residue_rows(result.residues), _displacements(target, result)
    return {
        "map": shown.payload(origin),
        "models": [asdict(model) for model in display_models(result, origin, n_others)],
        "numbers": packed(json.dumps({"residues": residues, "displacement": moved}).encode()),
        "colourings": _colourings(residues, moved),
    }


def _pictures(maps: list[DisplayMap], traces: list[np.ndarray], fits: list[np.ndarray]) -> list[str]:
    """Addresses of the classes' pictures: one side, one scale, each in its middle."""
    surfaces = [surface_points(shown) for shown in maps]
    axes = view_axes(traces[0] if len(traces[0]) >= FEWEST_POINTS else surfaces[0])
    centres = [(points.min(axis=0) + points.max(axis=0)) / 2 for points in surfaces]
    half = MARGIN * max(
        float(np.abs((points - centre) @ axes.T).max()) for points, centre in zip(surfaces, centres, strict=True)
    )
    drawn = zip(maps, traces, fits, centres, strict=True)
    contents = [draw_class(shown, axes, trace, fit, (centre, half)) for shown, trace, fit, centre in drawn]
    return ["data:image/webp;base64," + base64.b64encode(content).decode("ascii") for content in contents]


def target_view(target: TargetResult, n_classes: int) -> View:
    """Maps and models of all classes of a target in one frame, whose zero is the first map's first voxel.

    The page, which shows ``n_classes`` of all targets, decides how much of each there is room for.
    """
    side, n_others = display_side(n_classes), other_samples(n_classes, int(target.record["n_atoms"]))
    maps = [
        display_map(read_canonical(result.map_folder / "map.mrc"), float(result.map["threshold"]), side)
        for result in target.classes
    ]
    traces = [best_trace(result) for result in target.classes]
    fits = [_fit_of(result, trace) for result, trace in zip(target.classes, traces, strict=True)]
    origin = maps[0].origin_angstrom
    fixed = next((trace for trace in traces if len(trace)), traces[0])
    scenes = []
    shown = zip(target.classes, maps, traces, _pictures(maps, traces, fits), strict=True)
    for result, display, trace, picture in shown:
        data = _data(target, result, display, origin, n_others) | {"pose": _pose(trace, fixed, origin)}
        scenes.append(Scene(result.name, result.anchor, picture, data))
    return View(scenes, display_morphs(target, origin))
