"""The models of a class for the page's viewer: short mmCIF, compressed, in the viewer's frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import gemmi
import numpy as np
import pandas as pd

from classfold.mmcif import Model, read_model
from classfold.report.display_map import packed
from classfold.report.gather import ClassResult

MOST_OTHER_SAMPLES = 3
MOST_ATOMS = 200_000
"""Of the target, counted for every sample beside the best ones of a page; one takes about 9 bytes."""
# Enough for a cartoon; whole residues of anything else are kept, so that ligands show.
POLYMER_BACKBONE = ("N", "CA", "C", "O", "P", "O3'", "C3'", "C4'", "C5'", "O5'", "C1'", "N1", "N3")
REPRESENTATIVE = ("CA", "C1'")
COLUMNS = (
    "group_PDB",
    "id",
    "type_symbol",
    "auth_atom_id",
    "auth_comp_id",
    "auth_asym_id",
    "auth_seq_id",
    "Cartn_x",
    "Cartn_y",
    "Cartn_z",
)


@dataclass(frozen=True)
class DisplayModel:
    """One entry of the viewer's list of models."""

    label: str
    kind: str
    """best, sample or unguided"""
    content: str
    """Packed mmCIF."""


def _is_polymer(model: Model) -> np.ndarray:
    """(n_atoms,) whether an atom's residue is an amino acid or a nucleotide."""
    known = {
        name: (info := gemmi.find_tabulated_residue(name)).is_amino_acid() or info.is_nucleic_acid()
        for name in np.unique(model.residue_name).tolist()
    }
    return np.array([known[name] for name in model.residue_name], dtype=bool)


def mmcif_text(model: Model, coordinates: np.ndarray) -> str:
    """What the viewer draws, in the shortest mmCIF that it reads; ``coordinates`` (n_atoms, 3) in Å."""
    polymer = _is_polymer(model)
    keep = ~polymer | np.isin(model.atom_name, POLYMER_BACKBONE)
    lines = ["data_model", "loop_", *(f"_atom_site.{name}" for name in COLUMNS)]
    for i in np.flatnonzero(keep):
        x, y, z = coordinates[i]
        names = (model.atom_name[i], model.residue_name[i], model.chain[i])
        atom, residue, chain = (gemmi.cif.quote(str(name)) for name in names)
        group = "ATOM" if polymer[i] else "HETATM"
        lines.append(
            f"{group} {i + 1} {model.element[i]} {atom} {residue} {chain} {model.residue_number[i]} "
            f"{x:.2f} {y:.2f} {z:.2f}"
        )
    return "\n".join(lines) + "\n"


def _display(path: Path, origin: np.ndarray, label: str, kind: str) -> DisplayModel | None:
    """A model file moved into the viewer's frame; None where the file is missing."""
    if not path.is_file():
        return None
    model = read_model(path)
    text = mmcif_text(model, model.coordinates - origin)
    return DisplayModel(label, kind, packed(text.encode()))


def other_samples(n_classes: int, n_atoms: int) -> int:
    """How many samples beside the best one of each class a page has room for."""
    return min(MOST_OTHER_SAMPLES, MOST_ATOMS // (n_classes * n_atoms))


def _ranked_others(scores: pd.DataFrame | None, best: int) -> list[tuple[int, int]]:
    """(rank, sample) of the samples shown beside the best one."""
    if scores is None:
        return []
    scores = scores[scores["rank"].notna()]
    ranked = zip(scores["rank"].tolist(), scores["sample"].tolist(), strict=True)
    return [(int(rank), int(sample)) for rank, sample in ranked if sample != best]


def display_models(result: ClassResult, origin: np.ndarray, n_others: int) -> list[DisplayModel]:
    """Best model, so many next best samples and the docked unguided model of a class, ``origin`` (3,) subtracted."""
    found = []
    if result.models is not None and result.models_folder is not None:
        best = int(result.models["best_sample"])
        found.append(_display(result.models_folder / "model.cif", origin, f"best model (sample {best})", "best"))
        for rank, sample in _ranked_others(result.scores, best)[:n_others]:
            path = result.models_folder / "samples" / f"sample_{sample:03d}.cif"
            found.append(_display(path, origin, f"sample {sample} (rank {rank})", "sample"))
    if result.docking_folder is not None:
        path = result.docking_folder / "docked.cif"
        found.append(_display(path, origin, "unguided model, as docked", "unguided"))
    return [model for model in found if model is not None]


def best_trace(result: ClassResult) -> np.ndarray:
    """(n_residues, 3) representative atoms of a class's best model in the user's frame; empty without a model."""
    path = result.models_folder / "model.cif" if result.models_folder is not None else None
    if path is None or not path.is_file():
        return np.empty((0, 3))
    model = read_model(path)
    return model.coordinates[np.isin(model.atom_name, REPRESENTATIVE) & _is_polymer(model)]
