"""Morphs between two classes for the page's viewer: the trace of each frame, in 16 bits, compressed.

COMPARE_CLASSES writes ``morph_<a>.<b>.cif``, one mmCIF with a model for each frame, in the frame of the first class.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gemmi
import numpy as np

from classfold.report.display_map import packed
from classfold.report.display_models import REPRESENTATIVE
from classfold.report.gather import TargetResult

MOST_FRAMES = 13
"""The page draws straight lines between them."""
STEP_ANGSTROM = 0.02
MOST_BYTES = 2_500_000
"""Of all morphs of a target in the page; those that move most come first."""


@dataclass(frozen=True)
class Morph:
    """One morph as the page's script unpacks it."""

    class_a: str
    class_b: str
    data: dict[str, Any]


def read_trace(path: Path) -> tuple[list[tuple[str, int]], np.ndarray]:
    """Chain and number of each residue, and its representative atom in each frame, (n_frames, n_residues, 3) in Å."""
    residues: list[tuple[str, int]] = []
    frames = []
    for model in gemmi.read_structure(str(path)):
        found = [
            ((chain.name, residue.seqid.num), atom.pos.tolist())
            for chain in model
            for residue in chain
            for atom in residue
            if atom.name in REPRESENTATIVE
        ]
        residues = residues or [name for name, _ in found]
        frames.append([place for _, place in found])
    return residues, np.array(frames)


def packed_frames(frames: np.ndarray) -> dict[str, Any]:
    """Frames (n_frames, n_residues, 3) in steps, each as its difference from the one before, which is small."""
    steps = np.rint(frames / STEP_ANGSTROM).astype("<i2")
    differences = np.concatenate([steps[:1], np.diff(steps, axis=0)])
    return {"shape": list(frames.shape[:2]), "step": STEP_ANGSTROM, "differences": packed(differences.tobytes())}


def display_morphs(target: TargetResult, origin: np.ndarray) -> list[Morph]:
    """Morphs that the page has room for, those that move most first, ``origin`` (3,) in Å subtracted."""
    if target.comparison is None:
        return []
    found, n_bytes = [], 0
    pairs = target.comparison.record.get("pairs", [])
    for pair in sorted(pairs, key=lambda pair: -float(pair["max_displacement_angstrom"])):
        path = target.comparison.folder / f"morph_{pair['class_a']}.{pair['class_b']}.cif"
        if not path.is_file():
            continue
        residues, frames = read_trace(path)
        if not residues:  # a target without polymers has no trace
            continue
        chosen = np.unique(np.linspace(0, len(frames) - 1, MOST_FRAMES).round().astype(int))
        data = {"residues": residues, **packed_frames(frames[chosen] - origin)}
        n_bytes += len(data["differences"])
        if n_bytes > MOST_BYTES:
            break
        found.append(Morph(pair["class_a"], pair["class_b"], data))
    return found
