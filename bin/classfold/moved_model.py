"""A model file in another pose: every atom, name and annotation as they were, only the positions moved."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import gemmi
import numpy as np

from classfold.errors import InputError

# What is said in these about a crystal, its axes or copies of the molecule is no longer true after a move.
_LEFT_OUT = (
    "_cell.",
    "_symmetry.",
    "_atom_sites.",
    "_atom_site_anisotrop.",
    "_database_PDB_matrix.",
    "_struct_ncs_oper.",
    "_pdbx_struct_assembly.",
    "_pdbx_struct_assembly_gen.",
    "_pdbx_struct_oper_list.",
)
_POSITION = ("Cartn_x", "Cartn_y", "Cartn_z")


class Move(Protocol):
    """A pose of the whole, or of its parts."""

    def apply(self, coordinates: np.ndarray) -> np.ndarray:
        """Coordinates ``(n_atoms, 3)`` in Å moved."""
        ...


def _document(path: Path) -> gemmi.cif.Document:
    """The file as mmCIF: as it stands, or made from a PDB file."""
    structure = gemmi.read_structure(str(path))
    if structure.input_format == gemmi.CoorFormat.Mmcif:
        return gemmi.cif.read(str(path))
    structure.setup_entities()
    return structure.make_mmcif_document()


def write_moved(source: Path, path: Path, move: Move, facts: Mapping[str, str]) -> None:
    """Write the first model of an mmCIF or PDB file, moved, as mmCIF.

    Parameters
    ----------
    source, path : Path
    move : Move
    facts : mapping of str to str
        What the move is and where it comes from, for the category ``_classfold_docking``.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    try:
        document = _document(source)
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{source} cannot be read as an mmCIF or PDB model: {error}") from None
    # Reflection and component files carry further blocks; the model is the first block with atoms.
    block = next((b for b in document if b.find("_atom_site.", list(_POSITION))), None)
    if block is None:
        raise InputError(f"{source} holds no atoms; give an mmCIF or PDB file of the model")
    for category in _LEFT_OUT:
        table = block.find_mmcif_category(category)
        if table:
            table.erase()
    sites = block.find("_atom_site.", [*_POSITION, "?pdbx_PDB_model_num"])
    if sites.has_column(3):
        first = sites[0][3]
        for i in reversed(range(len(sites))):
            if sites[i][3] != first:
                sites.remove_row(i)
    coordinates = np.array([[gemmi.cif.as_number(row[k]) for k in range(3)] for row in sites])
    for row, moved in zip(sites, move.apply(coordinates), strict=True):
        for k in range(3):
            row[k] = f"{moved[k]:.3f}"
    for name, value in facts.items():
        block.set_pair(f"_classfold_docking.{name}", gemmi.cif.quote(value))
    partial = path.with_name(path.name + ".partial")
    # Not document.write_file, which says nothing of a full disk.
    partial.write_text(document.as_string())
    os.replace(partial, path)
