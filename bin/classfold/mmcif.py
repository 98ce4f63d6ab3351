"""Model files: mmCIF out, mmCIF or PDB in."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import gemmi
import numpy as np

from classfold.cif_tables import NOT_APPLICABLE, add_loop, add_pairs
from classfold.errors import InputError
from classfold.mmcif_methods import GuidingMap, Metric, describe_methods
from classfold.mmcif_molecules import Molecules, describe_molecules, describe_numbering
from classfold.topology import POLYMERS, Topology

PLDDT = "confidence of the predictor in the place of each residue's atoms (predicted lDDT), 0 to 100"


@dataclass(frozen=True)
class Model:
    """Heavy atoms of a model that somebody else may have made; all arrays (n_atoms,), coordinates in Å."""

    coordinates: np.ndarray
    """(n_atoms, 3) xyz"""
    chain: np.ndarray
    residue_number: np.ndarray
    residue_name: np.ndarray
    atom_name: np.ndarray
    element: np.ndarray
    name: str


def _model(molecules: Molecules, number: int, coordinates: np.ndarray, b_factors: np.ndarray) -> gemmi.Model:
    """One model of the atoms."""
    topology = molecules.topology
    model = gemmi.Model(str(number))
    chains: dict[str, gemmi.Chain] = {}
    bounds = itertools.pairwise([*topology.residue_starts, topology.n_atoms])
    for asym, (first, end) in zip(molecules.asyms, bounds, strict=True):
        polymer = topology.chain_type[first] in POLYMERS
        residue = gemmi.Residue()
        residue.name = str(topology.residue_name[first])
        residue.seqid = gemmi.SeqId(int(topology.residue_number[first]), " ")
        residue.subchain = asym
        residue.entity_id = str(molecules.entity_of[asym])
        residue.entity_type = gemmi.EntityType.Polymer if polymer else gemmi.EntityType.NonPolymer
        residue.label_seq = int(topology.residue_number[first]) if polymer else None
        standard = gemmi.find_tabulated_residue(residue.name).is_standard()
        residue.het_flag = "A" if polymer and standard else "H"
        for i in range(first, end):
            atom = gemmi.Atom()
            atom.name = str(topology.atom_name[i])
            atom.element = gemmi.Element(str(topology.element[i]))
            atom.charge = int(topology.charge[i])
            atom.pos = gemmi.Position(*(float(x) for x in coordinates[i]))
            atom.b_iso = float(b_factors[i])
            residue.add_atom(atom)
        name = str(topology.chain[first])
        chains.setdefault(name, gemmi.Chain(name)).add_residue(residue)
    for chain in chains.values():
        model.add_chain(chain)
    return model


def _structure(molecules: Molecules, frames: Sequence[np.ndarray], b_factors: np.ndarray) -> gemmi.Structure:
    """The atoms as gemmi holds them, a model for each frame (n_atoms, 3); author's names are those of the topology."""
    structure = gemmi.Structure()
    structure.name = molecules.topology.target
    for number, coordinates in enumerate(frames, start=1):
        structure.add_model(_model(molecules, number, np.asarray(coordinates, dtype=np.float64), b_factors))
    for compound in molecules.compounds:
        entity = gemmi.Entity(str(compound.number))
        entity.entity_type = gemmi.EntityType.Polymer if compound.is_polymer else gemmi.EntityType.NonPolymer
        entity.subchains = list(compound.asyms)
        structure.entities.append(entity)
    return structure


def _per_residue(molecules: Molecules, values: np.ndarray) -> list[tuple[str, str, str, str]]:
    """Rows (asym, seq, comp, mean value of the residue's atoms)."""
    topology = molecules.topology
    index = topology.residue_index
    means = np.bincount(index, weights=values) / np.bincount(index)
    return [
        (
            asym,
            str(topology.residue_number[i]) if topology.chain_type[i] in POLYMERS else NOT_APPLICABLE,
            str(topology.residue_name[i]),
            f"{mean:.2f}",
        )
        for asym, i, mean in zip(molecules.asyms, topology.residue_starts, means, strict=True)
    ]


def write_model(
    path: Path,
    topology: Topology,
    coordinates: np.ndarray,
    *,
    title: str,
    b_factors: np.ndarray | None = None,
    confidence: np.ndarray | None = None,
    provenance: Mapping[str, str] | None = None,
    guide: GuidingMap | None = None,
) -> None:
    """Write one model as mmCIF with the full sequence of every chain; author numbers equal label numbers.

    Parameters
    ----------
    path : Path
    topology : Topology
    coordinates : ndarray, shape (n_atoms, 3)
        xyz in Å.
    title : str
    b_factors : ndarray, shape (n_atoms,), optional
        Fit to the map, 100 times the residue's correlation. Goes to ``B_iso_or_equiv`` and, averaged over
        each residue, to ``_classfold_residue_fit``. Without it B factors are 0.
    confidence : ndarray, shape (n_atoms,), optional
        pLDDT, 0-100, as ``_ma_qa_metric_local`` per residue.
    provenance : mapping of str to str, optional
        What the model was made of, for ``_classfold_provenance``.
    guide : GuidingMap, optional
        The map that guided the model, if one did.

    Raises
    ------
    ValueError
        If an array has another shape or holds a value that is not finite.
    """
    arrays: dict[str, tuple[np.ndarray, tuple[int, ...]]] = {"coordinates": (coordinates, (topology.n_atoms, 3))}
    arrays |= {
        name: (value, (topology.n_atoms,))
        for name, value in (("b_factors", b_factors), ("confidence", confidence))
        if value is not None
    }
    for name, (value, shape) in arrays.items():
        if np.shape(value) != shape:
            raise ValueError(f"{name} has the shape {np.shape(value)}, the topology asks for {shape}")
        if not np.isfinite(value).all():
            raise ValueError(f"{name} holds values that are not finite")
    fit = np.zeros(topology.n_atoms) if b_factors is None else np.asarray(b_factors, dtype=np.float64)
    molecules = Molecules(topology)
    document = _document(molecules, [coordinates], fit)
    block = document.sole_block()
    metrics = []
    if confidence is not None:
        confidence = np.asarray(confidence, dtype=np.float64)
        metrics.append(Metric("pLDDT", "pLDDT", PLDDT, _per_residue(molecules, confidence), float(confidence.mean())))
    describe_methods(block, molecules, title, guide, metrics, provenance or {})
    if b_factors is not None:
        tags = ["label_asym_id", "label_seq_id", "label_comp_id", "cc_times_100"]
        add_loop(block, "classfold_residue_fit", tags, _per_residue(molecules, fit))
    _write(document, Path(path))


def write_frames(path: Path, topology: Topology, frames: np.ndarray, *, title: str) -> None:
    """Write one mmCIF with a model for each frame of a path between two models.

    It says what the molecules are, and nothing of how models are made: its frames are no predictions.

    Parameters
    ----------
    path : Path
    topology : Topology
    frames : ndarray, shape (n_frames, n_atoms, 3)
        xyz in Å.
    title : str

    Raises
    ------
    ValueError
        If a frame has another number of atoms or holds a value that is not finite.
    """
    if frames.shape[1:] != (topology.n_atoms, 3) or not np.isfinite(frames).all():
        raise ValueError(f"frames must be finite and (n, {topology.n_atoms}, 3), not {frames.shape}")
    document = _document(Molecules(topology), list(frames), np.zeros(topology.n_atoms))
    block = document.sole_block()
    add_pairs(block, "struct", {"entry_id": block.name, "title": title})
    _write(document, Path(path))


def _document(molecules: Molecules, frames: Sequence[np.ndarray], b_factors: np.ndarray) -> gemmi.cif.Document:
    """The atoms of frames (n_atoms, 3) and the molecules that they are of."""
    groups = gemmi.MmcifOutputGroups(False)
    for wanted in ("block_name", "entry", "atom_type", "atoms", "group_pdb", "auth_all"):
        setattr(groups, wanted, True)
    document = _structure(molecules, frames, b_factors).make_mmcif_document(groups)
    describe_molecules(document.sole_block(), molecules)
    describe_numbering(document.sole_block(), molecules)
    return document


def _write(document: gemmi.cif.Document, path: Path) -> None:
    """Write a file that is whole or not there."""
    partial = path.with_name(path.name + ".partial")
    # Not document.write_file, which says nothing of a full disk.
    partial.write_text(document.as_string())
    os.replace(partial, path)


def read_model(path: Path) -> Model:
    """Read the first model of an mmCIF or PDB file: no hydrogens, no waters, first alternative location.

    Chains and numbers are the author's; a chain with insertion codes is renumbered from 1, because numbers
    alone do not name its residues.

    Raises
    ------
    InputError
        If the file cannot be read or holds no atoms.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} does not exist; a model is an mmCIF or PDB file")
    try:
        structure = gemmi.read_structure(str(path))
    except (RuntimeError, ValueError, IndexError) as error:
        raise InputError(f"{path} cannot be read as an mmCIF or PDB model: {error}") from None
    structure.remove_hydrogens()
    structure.remove_waters()
    structure.remove_alternative_conformations()
    rows: list[tuple[str, int, str, str, str]] = []
    positions: list[list[float]] = []
    for chain in structure[0] if len(structure) else ():
        inserted = any(residue.seqid.icode != " " for residue in chain)
        for ordinal, residue in enumerate(chain, start=1):
            number = ordinal if inserted else residue.seqid.num
            for atom in residue:
                rows.append((chain.name, number, residue.name, atom.name, atom.element.name))
                positions.append(atom.pos.tolist())
    coordinates = np.array(positions, dtype=np.float64).reshape(-1, 3)
    if not rows:
        raise InputError(f"{path} holds no atoms of a molecule; give an mmCIF or PDB file of the model")
    if not np.isfinite(coordinates).all():
        raise InputError(f"{path} holds coordinates that are not numbers; write the model again")
    chains, numbers, residues, atoms, elements = zip(*rows, strict=True)
    return Model(
        coordinates,
        np.array(chains, dtype=str),
        np.array(numbers, dtype=np.int64),
        np.array(residues, dtype=str),
        np.array(atoms, dtype=str),
        np.array(elements, dtype=str),
        path.name,
    )
