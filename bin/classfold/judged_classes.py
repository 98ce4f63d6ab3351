"""Two classes judged: what moves between their models, and how much of it both maps show."""

from __future__ import annotations

from typing import Any

import numpy as np

from classfold.class_models import ClassModel
from classfold.comparison import CORE_SCALE_ANGSTROM, robust_superposition
from classfold.difference_verdict import Judged, Shown, judge_pair, shown
from classfold.moving_parts import MovingParts, body_of_atoms, find_moving_parts
from classfold.shown_difference import places
from classfold.structure import Topology


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
    of_atom = body_of_atoms(parts, topology, anchors, first.coordinates)
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
