"""Structures: the atoms of a target, model files, and which atoms of two models are the same."""

from __future__ import annotations

import numpy as np
from biotite.sequence import Alphabet, GeneralSequence
from biotite.sequence.align import SubstitutionMatrix, align_optimal

from classfold.mmcif import Model, read_model, write_model
from classfold.topology import POLYMERS, ChainRecord, Topology, residue_index

__all__ = ["ChainRecord", "Model", "Topology", "match_atoms", "read_model", "residue_index", "write_model"]

# A chain is the same where its name and at least this part of its residues agree; below it the sequences are aligned.
_SAME_CHAIN = 0.9
# Aligned chains are taken for the same molecule from this identity on (of the shorter chain's residues).
_SAME_SEQUENCE = 0.5
_MATCH, _MISMATCH, _GAP = 5, -4, (-10, -1)

Residues = list[tuple[int, str]]


def _residues(numbers: np.ndarray, names: np.ndarray) -> Residues:
    """(number, name) of each residue, in order, each once."""
    return list(dict.fromkeys(zip(numbers.tolist(), names.tolist(), strict=True)))


def _by_number(ours: Residues, theirs: Residues) -> dict[int, int]:
    """Residue numbers of ours to theirs where they are equal; nothing unless the names agree nearly everywhere."""
    names = dict(theirs)
    common = [(number, name) for number, name in ours if number in names]
    same = sum(names[number] == name for number, name in common)
    covered = min(len(ours), len(names))
    if len(names) < len(theirs) or same < _SAME_CHAIN * max(len(common), 1) or 2 * len(common) < covered:
        return {}
    return {number: number for number, _ in common}


def _by_sequence(ours: Residues, theirs: Residues) -> dict[int, int]:
    """Residue numbers of ours to theirs by an alignment of the residues' names, without penalty for open ends."""
    alphabet = Alphabet(sorted({name for _, name in ours + theirs}))
    size = len(alphabet)
    scores = np.full((size, size), _MISMATCH, dtype=np.int32)
    np.fill_diagonal(scores, _MATCH)
    first, second = (GeneralSequence(alphabet, [name for _, name in r]) for r in (ours, theirs))
    matrix = SubstitutionMatrix(alphabet, alphabet, scores)
    trace = align_optimal(first, second, matrix, _GAP, terminal_penalty=False, max_number=1)[0].trace
    pairs = [(int(a), int(b)) for a, b in trace if a >= 0 and b >= 0]
    same = sum(ours[a][1] == theirs[b][1] for a, b in pairs)
    if same < _SAME_SEQUENCE * min(len(ours), len(theirs)):
        return {}
    return {ours[a][0]: theirs[b][0] for a, b in pairs}


def _match_polymers(topology: Topology, model: Model) -> dict[tuple[str, int], tuple[str, int]]:
    """Residues (chain, number) of the topology's polymers to those of the model; each chain is used once.

    Chains of the same name come first, then each chain left takes the one that shares most residues with it.
    """
    ours = {
        chain.name: _residues(topology.residue_number[rows], topology.residue_name[rows])
        for chain in topology.chains
        if chain.type in POLYMERS and (rows := topology.chain == chain.name).any()
    }
    theirs = {
        str(name): _residues(
            model.residue_number[model.chain == name], model.residue_name[model.chain == name]
        )
        for name in dict.fromkeys(model.chain)
    }
    found: dict[str, tuple[str, dict[int, int]]] = {}
    for name in ours.keys() & theirs.keys():
        pairs = _by_number(ours[name], theirs[name])
        if pairs:
            found[name] = (name, pairs)
    for name in ours:
        used = {chain for chain, _ in found.values()}
        free = sorted(
            (chain for chain in theirs if chain not in used), key=lambda chain, own=name: chain != own
        )
        options = (
            [
                (chain, _by_number(ours[name], theirs[chain]) or _by_sequence(ours[name], theirs[chain]))
                for chain in free
            ]
            if name not in found
            else []
        )
        best = max(options, key=lambda option: len(option[1]), default=("", {}))
        if best[1]:
            found[name] = best
    return {
        (name, number): (chain, other)
        for name, (chain, pairs) in found.items()
        for number, other in pairs.items()
    }


def match_atoms(topology: Topology, model: Model) -> tuple[np.ndarray, np.ndarray]:
    """Atoms that a topology and a model have in common.

    Polymers are matched by chain name and residue number where the residues' names agree, else by an alignment of
    their sequences; ligands by their component's name, in order; atoms of a residue by name.

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
    taken = set(residues.values())
    free: dict[str, list[tuple[str, int]]] = {}
    for chain, number, name in dict.fromkeys(
        zip(model.chain.tolist(), model.residue_number.tolist(), model.residue_name.tolist(), strict=True)
    ):
        if (chain, number) not in taken:
            free.setdefault(name, []).append((chain, number))
    for i in topology.residue_starts:
        key = (str(topology.chain[i]), int(topology.residue_number[i]))
        candidates = free.get(str(topology.residue_name[i]), [])
        if topology.chain_type[i] not in POLYMERS and candidates:
            # Files of ours keep the ligand's own chain; files of the PDB put it into a polymer's.
            residues[key] = key if key in candidates else candidates[0]
            candidates.remove(residues[key])
    atoms = {
        key: i
        for i, key in reversed(
            list(
                enumerate(
                    zip(
                        model.chain.tolist(),
                        model.residue_number.tolist(),
                        model.atom_name.tolist(),
                        strict=True,
                    )
                )
            )
        )
    }
    pairs = [
        (i, atoms[(*residues[key], name)])
        for i, (*key_parts, name) in enumerate(
            zip(
                topology.chain.tolist(),
                topology.residue_number.tolist(),
                topology.atom_name.tolist(),
                strict=True,
            )
        )
        if (key := (key_parts[0], key_parts[1])) in residues and (*residues[key], name) in atoms
    ]
    common = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return common[:, 0], common[:, 1]
