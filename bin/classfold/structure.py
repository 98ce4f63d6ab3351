"""Structures: the atoms of a target, model files, and which atoms of two models are the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from biotite.sequence import Alphabet, GeneralSequence
from biotite.sequence.align import SubstitutionMatrix, align_optimal

from classfold.mmcif import Model, read_model, write_model
from classfold.topology import POLYMERS, ChainRecord, Topology, residue_index

__all__ = ["ChainRecord", "Model", "Topology", "match_atoms", "read_model", "residue_index", "write_model"]

# Share of equal residues from which a chain is matched by residue number; below it sequences are aligned.
SAME_CHAIN = 0.9
# Aligned chains are taken for the same molecule from this identity on (of the shorter chain's residues).
SAME_SEQUENCE = 0.5
_MATCH, _MISMATCH, _GAP = 5, -4, (-10, -1)

Residue = tuple[str, int]  # chain, number
Residues = list[tuple[int, str]]  # number, name


def _residues(numbers: np.ndarray, names: np.ndarray) -> Residues:
    """Each residue once, in order."""
    return list(dict.fromkeys(zip(numbers.tolist(), names.tolist(), strict=True)))


def _by_number(ours: Residues, theirs: Residues) -> dict[int, int]:
    """Residue numbers of ours to theirs where they are equal; nothing unless nearly all names agree."""
    names = dict(theirs)
    common = [(number, name) for number, name in ours if number in names]
    same = sum(names[number] == name for number, name in common)
    covered = min(len(ours), len(names))
    if len(names) < len(theirs) or same < SAME_CHAIN * max(len(common), 1) or 2 * len(common) < covered:
        return {}
    return {number: number for number, _ in common}


def align_names(ours: Sequence[str], theirs: Sequence[str]) -> list[tuple[int, int]]:
    """Places of residues that an alignment of their names, with free ends, puts upon each other."""
    alphabet = Alphabet(sorted({*ours, *theirs}))
    size = len(alphabet)
    scores = np.full((size, size), _MISMATCH, dtype=np.int32)
    np.fill_diagonal(scores, _MATCH)
    first, second = (GeneralSequence(alphabet, names) for names in (ours, theirs))
    matrix = SubstitutionMatrix(alphabet, alphabet, scores)
    trace = align_optimal(first, second, matrix, _GAP, terminal_penalty=False, max_number=1)[0].trace
    return [(int(a), int(b)) for a, b in trace if a >= 0 and b >= 0]


def _by_sequence(ours: Residues, theirs: Residues) -> dict[int, int]:
    """Residue numbers of ours to theirs by aligning the residues' names."""
    pairs = align_names([name for _, name in ours], [name for _, name in theirs])
    same = sum(ours[a][1] == theirs[b][1] for a, b in pairs)
    if same < SAME_SEQUENCE * min(len(ours), len(theirs)):
        return {}
    return {ours[a][0]: theirs[b][0] for a, b in pairs}


def _match_polymers(topology: Topology, model: Model) -> dict[Residue, Residue]:
    """Residues of the topology's polymers to those of the model; each chain is used once.

    Chains of the same name and numbering come first, then each chain left takes the one that shares most
    residues with it.
    """
    ours = {
        chain.name: _residues(topology.residue_number[rows], topology.residue_name[rows])
        for chain in topology.chains
        if chain.type in POLYMERS and (rows := topology.chain == chain.name).any()
    }
    theirs: dict[str, Residues] = {}
    for name in dict.fromkeys(model.chain.tolist()):
        rows = model.chain == name
        theirs[name] = _residues(model.residue_number[rows], model.residue_name[rows])
    found: dict[str, tuple[str, dict[int, int]]] = {}
    for name in ours:
        pairs = _by_number(ours[name], theirs.get(name, []))
        if pairs:
            found[name] = (name, pairs)
    for name in ours:
        if name in found:
            continue
        used = {chain for chain, _ in found.values()}
        options = [(chain, _by_sequence(ours[name], theirs[chain])) for chain in theirs if chain not in used]
        best = max(options, key=lambda option: len(option[1]), default=("", {}))
        if best[1]:
            found[name] = best
    return {
        (name, number): (chain, other)
        for name, (chain, pairs) in found.items()
        for number, other in pairs.items()
    }


def _match_ligands(topology: Topology, model: Model, taken: set[Residue]) -> dict[Residue, Residue]:
    """Residues of the topology's ligands to residues of the model with the same component, in order."""
    free: dict[str, list[Residue]] = {}
    columns = (model.chain.tolist(), model.residue_number.tolist(), model.residue_name.tolist())
    for chain, number, name in dict.fromkeys(zip(*columns, strict=True)):
        if (chain, number) not in taken:
            free.setdefault(name, []).append((chain, number))
    found = {}
    for i in topology.residue_starts:
        candidates = free.get(str(topology.residue_name[i]), [])
        if topology.chain_type[i] not in POLYMERS and candidates:
            # Files of ours keep the ligand's own chain; files of the PDB put it into a polymer's.
            key = (str(topology.chain[i]), int(topology.residue_number[i]))
            found[key] = key if key in candidates else candidates[0]
            candidates.remove(found[key])
    return found


def _atom_keys(structure: Topology | Model) -> list[tuple[Residue, str]]:
    """((chain, residue number), atom name) of every atom."""
    columns = (structure.chain.tolist(), structure.residue_number.tolist(), structure.atom_name.tolist())
    return [((chain, number), name) for chain, number, name in zip(*columns, strict=True)]


def match_atoms(topology: Topology, model: Model) -> tuple[np.ndarray, np.ndarray]:
    """Atoms that a topology and a model have in common.

    Polymers are matched by chain name and residue number where the residues agree, else by an alignment
    of their sequences; ligands by their component's name, in order; atoms of a residue by name.

    Parameters
    ----------
    topology : Topology
    model : Model

    Returns
    -------
    ndarray of int, shape (n_common,)
        Indices into the topology, ascending.
    ndarray of int, shape (n_common,)
        Indices into the model.
    """
    residues = _match_polymers(topology, model)
    residues |= _match_ligands(topology, model, set(residues.values()))
    atoms: dict[tuple[Residue, str], int] = {}
    for i, key in enumerate(_atom_keys(model)):
        atoms.setdefault(key, i)
    pairs = [
        (i, atoms[residues[residue], name])
        for i, (residue, name) in enumerate(_atom_keys(topology))
        if residue in residues and (residues[residue], name) in atoms
    ]
    common = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return common[:, 0], common[:, 1]
