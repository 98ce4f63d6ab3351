"""What the page's 3D viewer is given: per class its map and models, per target its models superposed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from classfold.maps import read_canonical
from classfold.report.display_map import display_map
from classfold.report.display_models import DisplayModel, display_models, superposed_models
from classfold.report.gather import ClassResult, TargetResult

N_COLOURS = 8
UNGUIDED_COLOUR = 4


@dataclass(frozen=True)
class ViewModel:
    """One model in the list beside the viewer."""

    label: str
    colour: int
    shown: bool


@dataclass(frozen=True)
class View:
    """Controls beside a viewer, and the data behind them."""

    models: list[ViewModel]
    colourings: list[tuple[str, str]]
    has_map: bool
    data: dict[str, Any]


def _colour(model: DisplayModel, index: int) -> int:
    """Index into the palette; grey is kept for the unguided model."""
    if model.kind == "unguided":
        return UNGUIDED_COLOUR
    return index if index < UNGUIDED_COLOUR else (index + 1) % N_COLOURS


def _listed(models: list[DisplayModel]) -> tuple[list[ViewModel], list[dict[str, Any]]]:
    """Models for the list and for the script, with their colours."""
    shown, data = [], []
    for index, model in enumerate(models):
        colour = _colour(model, index)
        shown.append(ViewModel(model.label, colour, model.kind in ("best", "class")))
        data.append({**asdict(model), "colour": colour})
    return shown, data


def _rounded(value: Any, digits: int) -> float | None:
    return round(float(value), digits) if pd.notna(value) else None


def _residue_rows(residues: pd.DataFrame | None) -> list[list[Any]]:
    """[chain, residue number, CC, pLDDT] of each residue."""
    if residues is None:
        return []
    plddt = residues["plddt"] if "plddt" in residues else pd.Series(np.nan, index=residues.index)
    columns = zip(residues["chain"], residues["residue_number"], residues["cc"], plddt, strict=True)
    return [[chain, int(number), _rounded(cc, 3), _rounded(sure, 1)] for chain, number, cc, sure in columns]


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


def class_view(target: TargetResult, result: ClassResult) -> View:
    """Map and models of one class in one frame whose origin is the display map's first voxel."""
    shown_map = display_map(read_canonical(result.map_folder / "map.mrc"), float(result.map["threshold"]))
    models, data = _listed(display_models(result, shown_map.origin_angstrom))
    residues, displacement = _residue_rows(result.residues), _displacements(target, result)
    colourings = []
    if residues and any(model["kind"] == "best" for model in data):
        colourings = [("cc", "fit to the map (CC)")]
        if any(row[3] is not None for row in residues):
            colourings.append(("plddt", "confidence (pLDDT)"))
        colourings += [(f"moved:{other}", f"distance moved from {other}") for other in displacement]
        colourings.append(("chain", "chain"))
    content = {"map": shown_map.payload(), "models": data, "residues": residues, "displacement": displacement}
    return View(models, colourings, True, content)


def superposed_view(target: TargetResult) -> View:
    """Best models of all classes of a target on top of each other, without a map."""
    models, data = _listed(superposed_models(target))
    return View(models, [], False, {"map": None, "models": data, "residues": [], "displacement": {}})
