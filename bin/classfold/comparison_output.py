"""The classes of one target side by side: read their best models and maps, compare all, write the tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from classfold.chain_symmetry import identical_chains
from classfold.class_input import read_record
from classfold.comparison import (
    CORE_SCALE_ANGSTROM,
    ca_rmsd,
    cross_fit,
    displacement,
    robust_superposition,
    tm_score,
)
from classfold.difference_verdict import Judged, Shown, Verdict, judge_pair, shown
from classfold.errors import InputError
from classfold.main_motion import MainMotion, main_motion
from classfold.map_fit import fit_to_map
from classfold.maps import DensityMap, read_canonical
from classfold.model_output import write_rows
from classfold.moving_parts import MovingParts, find_moving_parts
from classfold.records import write_json
from classfold.register import register_warnings
from classfold.shown_difference import NoisyMap, noise_by_halves, places
from classfold.structure import Topology, match_atoms, read_model

_FEWEST_ANCHORS = 3
MOST_MARGIN = 1000.0
"""A larger margin, as of maps without noise, is written as this."""
PART_COLUMNS = (
    *("class_a", "class_b", "part", "residues", "hinges", "moved_angstrom", "shown_angstrom", "error_angstrom"),
    *("turn_degrees", "along_axis_angstrom", "axis_x", "axis_y", "axis_z", "point_x", "point_y", "point_z"),
)


@dataclass(frozen=True)
class ClassModel:
    """The best model of a class and the map that it was made for."""

    name: str
    coordinates: np.ndarray
    """(n_atoms, 3) xyz in Å in the frame of its map."""
    density: DensityMap
    resolution_angstrom: float
    finalists: tuple[np.ndarray, ...]
    """(n_atoms, 3) each, in the same frame; at least the best model."""
    noise: np.ndarray | None
    """(n_z, n_y, n_x) one draw of the map's noise; None without half maps."""

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
        return [cls._read(name, topology, map_folders[name], folder) for name, folder in model_folders.items()]

    @classmethod
    def _read(cls, name: str, topology: Topology, map_folder: Path, folder: Path) -> ClassModel:
        best = _complete_model(topology, folder / "model.cif")
        density = read_canonical(map_folder / "map.mrc")
        numbers = read_record(folder / "models.json").get("finalists", [])
        samples = (folder / f"samples/sample_{number:03d}.cif" for number in numbers)
        finalists = tuple(_complete_model(topology, path) for path in samples if path.is_file())
        halves = [map_folder / f"half_map_{number}.mrc" for number in (1, 2)]
        noise = None
        if all(half.is_file() for half in halves):
            noise = noise_by_halves(density, *(read_canonical(half).density for half in halves))
        resolution = float(read_record(map_folder / "map.json")["resolution_angstrom"])
        return cls(name, best, density, resolution, finalists or (best,), noise)

    @property
    def noisy_map(self) -> NoisyMap:
        """The map with its noise."""
        return NoisyMap(self.density, self.resolution_angstrom, self.noise)

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
    judged: Judged
    parts: MovingParts
    parts_shown: tuple[Shown, ...]
    """Of each moving part."""

    def record(self) -> dict[str, Any]:
        """As comparison.json holds it."""
        evidence = self.judged.evidence
        numbers = {name: _number(value) for name, value in evidence._asdict().items()}
        return {
            "class_a": self.class_a,
            "class_b": self.class_b,
            "ca_rmsd_angstrom": self.ca_rmsd_angstrom,
            "tm_score": self.tm_score,
            "max_displacement_angstrom": self.max_displacement_angstrom,
            "verdict": str(self.judged.verdict),
            "margin": _number(min(evidence.margin, MOST_MARGIN)),
            "reason": self.judged.reason,
            "evidence": numbers | {"detectable_angstrom": _number(evidence.detectable_angstrom)},
        }


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
    motion: MainMotion | None
    """None of a single class."""
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
        values = rmsd[i, j], tm[i, j], float(moved[-1].max())
        judged = judge_classes(topology, classes[i], classes[j], anchors)
        pairs.append(Pair(classes[i].name, classes[j].name, *values, *judged))
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
    warnings = _same_conformation(pairs)
    warnings += register_warnings(names, [c.coordinates for c in classes], anchors, identical_chains(topology))
    motion = main_motion([c.coordinates[anchors] for c in classes]) if n > 1 else None
    return Comparison(names, tuple(pairs), rmsd, tm, cross, tuple(moved), anchors, motion, tuple(warnings))


def judge_classes(
    topology: Topology, first: ClassModel, second: ClassModel, anchors: np.ndarray
) -> tuple[Judged, MovingParts, tuple[Shown, ...]]:
    """The verdict on two classes, by the whole and by each moving part."""
    ca = first.coordinates[anchors], second.coordinates[anchors]
    parts = find_moving_parts(*ca, topology.chain[anchors])
    pose = robust_superposition(ca[1], ca[0], CORE_SCALE_ANGSTROM)
    here = first.finalists, [pose.apply(model) for model in second.finalists]
    there = [(model - pose.translation) @ pose.rotation for model in first.finalists], second.finalists
    apart = np.linalg.norm(np.mean(here[0], axis=0) - np.mean(here[1], axis=0), axis=1)[anchors]
    # An atom without a representative one in its residue, as of a ligand, goes with the core.
    label = np.zeros(int(topology.residue_index.max()) + 1, np.int64)
    label[topology.residue_index[anchors]] = parts.label
    of_atom = label[topology.residue_index]
    divisions = [np.zeros_like(of_atom), of_atom] if parts.n_parts else [np.zeros_like(of_atom)]
    found = []
    for division in divisions:
        atoms = [np.flatnonzero(division == body) for body in range(int(division.max()) + 1)]
        answers = [
            places(each.noisy_map, a, b, topology.atomic_numbers, atoms)
            for each, (a, b) in ((first, here), (second, there))
        ]
        rms = [float(np.sqrt(np.square(apart[division[anchors] == body]).mean())) for body in range(len(atoms))]
        found.append([shown(*entry) for entry in zip(*answers, rms, strict=True)])
    of_parts = tuple(found[-1][1:])
    said = [residues_in_words(topology, anchors[parts.label == body]) for body in range(1, 1 + parts.n_parts)]
    judged = judge_pair((first.name, second.name), found[0][0], list(zip(said, of_parts, strict=True)))
    return judged, parts, of_parts


def residues_in_words(topology: Topology, atoms: np.ndarray) -> str:
    """Residues of atoms (n,), one of each residue, as A30-67, B5-20."""
    said: list[list[Any]] = []
    for chain, number in zip(topology.chain[atoms].tolist(), topology.residue_number[atoms].tolist(), strict=True):
        if said and said[-1][0] == chain and said[-1][2] == number - 1:
            said[-1][2] = number
        else:
            said.append([chain, number, number])
    return ", ".join(f"{chain}{first}-{last}" for chain, first, last in said)


def _same_conformation(pairs: Sequence[Pair]) -> list[str]:
    """Say which classes show one conformation."""
    return [
        f"classes {pair.class_a} and {pair.class_b} look like one conformation: the maps show no difference of 0.5 Å "
        "or more between their models"
        for pair in pairs
        if pair.judged.verdict is Verdict.SAME
    ]


def _number(value: float) -> float | None:
    """As JSON holds it."""
    return round(float(value), 4) if np.isfinite(value) else None


def _part_rows(topology: Topology, comparison: Comparison) -> list[list[Any]]:
    """Rows of moving_parts.csv."""
    rows: list[list[Any]] = []
    for pair in comparison.pairs:
        parts = pair.parts
        for body, (screw, seen) in enumerate(zip(parts.screws, pair.parts_shown, strict=True), start=1):
            hinges = [np.arange(each.first, each.last + 1) for each in parts.hinges if body in each.bodies]
            rows.append(
                [
                    *(pair.class_a, pair.class_b, body),
                    residues_in_words(topology, comparison.anchors[parts.label == body]),
                    "; ".join(residues_in_words(topology, comparison.anchors[hinge]) for hinge in hinges),
                    *(f"{value:.2f}" for value in (parts.rms(body), seen.motion_angstrom, seen.error_angstrom)),
                    *(f"{value:.2f}" for value in (screw.degrees, screw.along_angstrom)),
                    *(f"{value:.3f}" for value in (*screw.axis, *screw.point)),
                ]
            )
    return rows


def write_comparison(folder: Path, topology: Topology, comparison: Comparison) -> None:
    """Write the matrices, ``displacement.csv``, ``moving_parts.csv`` and, last, ``comparison.json``."""
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
    write_rows(folder / "moving_parts.csv", PART_COLUMNS, _part_rows(topology, comparison))
    motion = comparison.motion
    record = {
        "target": topology.target,
        "classes": list(comparison.names),
        "pairs": [pair.record() for pair in comparison.pairs],
        "order": [comparison.names[i] for i in motion.order] if motion else list(comparison.names),
        "main_motion": motion
        and {
            "share_of_variance": round(motion.share, 4),
            "position_angstrom": dict(zip(comparison.names, motion.position_angstrom.round(3).tolist(), strict=True)),
        },
        "warnings": list(comparison.warnings),
    }
    write_json(record, folder / "comparison.json")
