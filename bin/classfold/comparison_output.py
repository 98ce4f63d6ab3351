"""The classes of one target side by side: read their best models and maps, compare all, write the tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np

from classfold.chain_symmetry import identical_chains
from classfold.class_input import read_record
from classfold.comparison import ca_rmsd, cross_fit, displacement, tm_score
from classfold.errors import InputError
from classfold.map_fit import fit_to_map
from classfold.maps import DensityMap, read_canonical
from classfold.model_output import write_rows
from classfold.records import write_json
from classfold.register import register_warnings
from classfold.structure import Topology, match_atoms, read_model

# Classes whose models lose less than this in each other's maps are told to be one conformation.
SAME_CONFORMATION_CC = 0.02
_FEWEST_ANCHORS = 3


@dataclass(frozen=True)
class ClassModel:
    """The best model of a class and the map that it was made for."""

    name: str
    coordinates: np.ndarray
    """(n_atoms, 3) xyz in Å in the frame of its map."""
    density: DensityMap
    resolution_angstrom: float

    @classmethod
    def read_all(cls, topology: Topology, maps: Sequence[Path], models: Sequence[Path]) -> list[ClassModel]:
        """Pair the folders of maps and models by class, in the order of the models.

        Raises
        ------
        InputError
            If a class is given twice, lacks its map or its model, or belongs to another target.
        """
        map_folders = _by_class(topology, maps, "map.json")
        model_folders = _by_class(topology, models, "models.json")
        alone = sorted(map_folders.keys() ^ model_folders.keys())
        if alone:
            raise InputError(
                f"class(es) {', '.join(alone)} lack a map or a model; give both folders of each class"
            )
        return [
            cls(
                name,
                _complete_model(topology, folder / "model.cif"),
                read_canonical(map_folders[name] / "map.mrc"),
                float(read_record(map_folders[name] / "map.json")["resolution_angstrom"]),
            )
            for name, folder in model_folders.items()
        ]

    def cc_mask(self, topology: Topology, coordinates: np.ndarray) -> float:
        """CC_mask of coordinates (n_atoms, 3) in this class's map."""
        return fit_to_map(
            coordinates,
            topology.atomic_numbers,
            topology.residue_index,
            self.density.density,
            self.density.grid,
            self.resolution_angstrom,
        ).cc_mask


@dataclass(frozen=True)
class Pair:
    """Two classes compared; distances in Å."""

    class_a: str
    class_b: str
    ca_rmsd_angstrom: float
    tm_score: float
    max_displacement_angstrom: float


@dataclass(frozen=True)
class Comparison:
    """All classes compared; matrices are (n_classes, n_classes)."""

    names: tuple[str, ...]
    pairs: tuple[Pair, ...]
    rmsd: np.ndarray
    tm_score: np.ndarray
    cross_fit: np.ndarray
    """Row: model of the class; column: map of the class."""
    displacement: tuple[np.ndarray, ...]
    """(n_anchors,) Å for every pair"""
    anchors: np.ndarray
    """Indices of the representative atoms."""
    warnings: tuple[str, ...]


def _by_class(topology: Topology, folders: Sequence[Path], record_name: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in folders:
        record = read_record(folder / record_name)
        if record["target"] != topology.target:
            raise InputError(f"{folder} belongs to {record['target']}, not to {topology.target}")
        if record["class"] in found:
            raise InputError(f"class {record['class']} is given twice: {found[record['class']]} and {folder}")
        found[record["class"]] = folder
    return found


def _complete_model(topology: Topology, path: Path) -> np.ndarray:
    """Coordinates (n_atoms, 3) of a model that has all atoms of the target."""
    model = read_model(path)
    ours, theirs = match_atoms(topology, model)
    if len(ours) != topology.n_atoms:
        raise InputError(
            f"{path} has {len(ours)} of {topology.n_atoms} atoms of {topology.target}; "
            "give the folder that select_models.py wrote"
        )
    return model.coordinates[theirs]


def compare(topology: Topology, classes: Sequence[ClassModel]) -> Comparison:
    """Compare all pairs of classes and measure every model in every map."""
    anchors = topology.ca_indices()
    if len(anchors) < _FEWEST_ANCHORS:  # a target without polymers
        anchors = np.arange(topology.n_atoms)
    n = len(classes)
    rmsd, tm, cross = np.zeros((n, n)), np.eye(n), np.full((n, n), np.nan)
    pairs, moved = [], []
    for i, j in combinations(range(n), 2):
        first, second = (classes[k].coordinates[anchors] for k in (i, j))
        rmsd[i, j] = rmsd[j, i] = ca_rmsd(second, first)
        tm[i, j] = tm[j, i] = tm_score(second, first)
        moved.append(displacement(second, first))
        pairs.append(Pair(classes[i].name, classes[j].name, rmsd[i, j], tm[i, j], float(moved[-1].max())))
    for j, place in enumerate(classes):
        fit = partial(place.cc_mask, topology)
        for i, model in enumerate(classes):
            own = i == j
            cross[i, j] = (
                fit(model.coordinates)
                if own
                else cross_fit(model.coordinates, place.coordinates, anchors, fit)
            )
    names = tuple(c.name for c in classes)
    warnings = _same_conformation(names, cross)
    warnings += register_warnings(names, [c.coordinates for c in classes], anchors, identical_chains(topology))
    return Comparison(names, tuple(pairs), rmsd, tm, cross, tuple(moved), anchors, tuple(warnings))


def _same_conformation(names: Sequence[str], cross: np.ndarray) -> list[str]:
    """Say which classes' models fit each other's maps as well as their own."""
    return [
        f"classes {names[i]} and {names[j]} look like one conformation: their models fit each other's maps "
        f"within {SAME_CONFORMATION_CC:g} of CC_mask"
        for i, j in combinations(range(len(names)), 2)
        if cross[i, i] - cross[i, j] < SAME_CONFORMATION_CC
        and cross[j, j] - cross[j, i] < SAME_CONFORMATION_CC
    ]


def write_comparison(folder: Path, topology: Topology, comparison: Comparison) -> None:
    """Write the matrices, ``displacement.csv`` and, last, ``comparison.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    # An older record beside newer tables would make a broken run look complete.
    (folder / "comparison.json").unlink(missing_ok=True)
    for name, matrix in (
        ("rmsd", comparison.rmsd),
        ("tm_score", comparison.tm_score),
        ("cross_fit", comparison.cross_fit),
    ):
        columns = ["class", *comparison.names]
        rows = [
            [label, *(f"{value:.4f}" if np.isfinite(value) else "" for value in row)]
            for label, row in zip(comparison.names, matrix, strict=True)
        ]
        write_rows(folder / f"{name}.csv", columns, rows)
    chain, number = topology.chain[comparison.anchors], topology.residue_number[comparison.anchors]
    write_rows(
        folder / "displacement.csv",
        ["class_a", "class_b", "chain", "residue_number", "displacement_angstrom"],
        [
            [pair.class_a, pair.class_b, c, r, f"{d:.3f}"]
            for pair, moved in zip(comparison.pairs, comparison.displacement, strict=True)
            for c, r, d in zip(chain, number, moved, strict=True)
        ],
    )
    record = {
        "target": topology.target,
        "classes": list(comparison.names),
        "pairs": [asdict(pair) for pair in comparison.pairs],
        "warnings": list(comparison.warnings),
    }
    write_json(record, folder / "comparison.json")
