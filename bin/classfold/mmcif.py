"""Model files: mmCIF out, mmCIF or PDB in."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import gemmi
import numpy as np

from classfold import __version__
from classfold.errors import InputError
from classfold.topology import POLYMERS, Topology

_POLYMER_TYPES = {
    "protein": (gemmi.PolymerType.PeptideL, gemmi.ResidueKind.AA),
    "dna": (gemmi.PolymerType.Dna, gemmi.ResidueKind.DNA),
    "rna": (gemmi.PolymerType.Rna, gemmi.ResidueKind.RNA),
}


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


def _entities(topology: Topology) -> list[gemmi.Entity]:
    """Entities with their full sequences: the residues' names from the atoms, the rest from the letters."""
    names = {
        (topology.chain[i], int(topology.residue_number[i])): str(topology.residue_name[i])
        for i in topology.residue_starts
    }
    entities: dict[int, gemmi.Entity] = {}
    for chain in topology.chains:
        if chain.entity not in entities:
            entity = gemmi.Entity(str(chain.entity + 1))
            if chain.type in POLYMERS:
                entity.entity_type = gemmi.EntityType.Polymer
                entity.polymer_type, kind = _POLYMER_TYPES[chain.type]
                letters = gemmi.expand_one_letter_sequence(chain.sequence or "", kind)
                entity.full_sequence = [
                    names.get((chain.name, number), letter) for number, letter in enumerate(letters, start=1)
                ]
            else:
                entity.entity_type = gemmi.EntityType.NonPolymer
            entities[chain.entity] = entity
        entities[chain.entity].subchains = [*entities[chain.entity].subchains, chain.name]
    return [entities[number] for number in sorted(entities)]


def _structure(topology: Topology, coordinates: np.ndarray, b_factors: np.ndarray) -> gemmi.Structure:
    """The atoms as gemmi holds them; author numbering and names equal the label ones."""
    structure = gemmi.Structure()
    structure.name = topology.target
    model = gemmi.Model("1")
    types = {chain.name: chain for chain in topology.chains}
    chains: dict[str, gemmi.Chain] = {}
    bounds = [*topology.residue_starts, topology.n_atoms]
    for first, end in itertools.pairwise(bounds):
        record = types[topology.chain[first]]
        polymer = record.type in POLYMERS
        residue = gemmi.Residue()
        residue.name = str(topology.residue_name[first])
        residue.seqid = gemmi.SeqId(int(topology.residue_number[first]), " ")
        residue.subchain = record.name
        residue.entity_id = str(record.entity + 1)
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
        chains.setdefault(record.name, gemmi.Chain(record.name)).add_residue(residue)
    for chain in chains.values():
        model.add_chain(chain)
    structure.add_model(model)
    for entity in _entities(topology):
        structure.entities.append(entity)
    return structure


def _loop(block: gemmi.cif.Block, prefix: str, tags: list[str], rows: Iterable[Iterable[object]]) -> None:
    """Add a loop whose values are quoted as mmCIF asks; a dot stays a null value."""
    loop = block.init_loop(prefix, tags)
    for row in rows:
        loop.add_row([value if value == "." else gemmi.cif.quote(value) for value in map(str, row)])


def _per_residue(topology: Topology, values: np.ndarray) -> list[tuple[str, str, str, str]]:
    """Rows (asym, seq, comp, mean value of the residue's atoms)."""
    index = topology.residue_index
    means = np.bincount(index, weights=values) / np.bincount(index)
    return [
        (
            str(topology.chain[i]),
            str(topology.residue_number[i]) if topology.chain_type[i] in POLYMERS else ".",
            str(topology.residue_name[i]),
            f"{mean:.2f}",
        )
        for i, mean in zip(topology.residue_starts, means, strict=True)
    ]


def _describe(block: gemmi.cif.Block, title: str, provenance: Mapping[str, str]) -> None:
    """Say what the model is: predicted, guided by a density, by which software, from what."""
    block.set_pair("_struct.entry_id", gemmi.cif.quote(block.name))
    block.set_pair("_struct.title", gemmi.cif.quote(title))
    block.set_pair(
        "_struct.pdbx_model_details",
        gemmi.cif.quote("Predicted by a diffusion model; see _classfold_provenance for the density that guided it"),
    )
    block.set_pair("_struct.pdbx_structure_determination_methodology", "computational")
    block.set_pair("_exptl.entry_id", gemmi.cif.quote(block.name))
    block.set_pair("_exptl.method", "'THEORETICAL MODEL'")
    _loop(
        block,
        "_software.",
        ["pdbx_ordinal", "name", "version", "classification", "description"],
        [(1, "ClassFold", __version__, "model building", "Density-guided sampling of a structure predictor")],
    )
    _loop(block, "_classfold_provenance.", ["item", "value"], provenance.items())


def write_model(
    path: Path,
    topology: Topology,
    coordinates: np.ndarray,
    *,
    title: str,
    b_factors: np.ndarray | None = None,
    confidence: np.ndarray | None = None,
    provenance: Mapping[str, str] | None = None,
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
    structure = _structure(topology, np.asarray(coordinates, dtype=np.float64), fit)
    groups = gemmi.MmcifOutputGroups(True)
    groups.cell = groups.symmetry = False  # a model in a map has no crystal
    document = structure.make_mmcif_document(groups)
    block = document.sole_block()
    _describe(block, title, provenance or {})
    tags = ["label_asym_id", "label_seq_id", "label_comp_id"]
    if b_factors is not None:
        _loop(block, "_classfold_residue_fit.", [*tags, "cc_times_100"], _per_residue(topology, fit))
    if confidence is not None:
        _loop(block, "_ma_qa_metric.", ["id", "name", "type", "mode"], [(1, "pLDDT", "pLDDT", "local")])
        _loop(
            block,
            "_ma_qa_metric_local.",
            ["ordinal_id", "model_id", *tags, "metric_id", "metric_value"],
            (
                (ordinal, 1, *row[:3], 1, row[3])
                for ordinal, row in enumerate(_per_residue(topology, np.asarray(confidence)), start=1)
            ),
        )
    path = Path(path)
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
