"""Which residues of a target somebody else's model has built, whatever its chains and numbers are called.

Automatic builders leave chains in fragments, name them as they come and number them as they like. Each chain of the
model is laid on the target's sequences, by numbers that are off by a constant or else by alignment. The one that
agrees in most residues is taken first; of equal copies of a sequence, the one that lies nearest in the map.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import gemmi
import numpy as np

from classfold.mmcif import Model
from classfold.structure import SAME_CHAIN, SAME_SEQUENCE, align_names
from classfold.topology import POLYMERS, Topology, residue_index

# A shorter stretch of equal residues may be there by chance; a target's whole chain may be shorter.
_FEWEST_SAME = 5
ANCHORS = ("CA", "C1'")
Pairs = list[tuple[int, int]]
"""Places of equal residues in two chains."""


class Built(NamedTuple):
    """The residues of one chain that have a representative atom."""

    names: tuple[str, ...]
    numbers: np.ndarray
    """(n,)"""
    residues: np.ndarray
    """(n,) index of each residue in its structure"""
    anchors: np.ndarray
    """(n,) index of its representative atom"""


class _Candidate(NamedTuple):
    """A chain of a model laid on one of the target."""

    same: int
    """Residues of the same name; 0 if they are too few."""
    apart_angstrom: float
    """Median distance of the residues that are laid upon each other."""
    pairs: Pairs


@dataclass(frozen=True)
class Matching:
    """Residues of a model and of the target that are the same."""

    ours: np.ndarray
    """(n_common,) atoms of the topology that the model has too, ascending"""
    theirs: np.ndarray
    """(n_common,) the same atoms in the model"""
    n_built: int
    """Residues of polymers in the model."""
    n_matched: int
    """Of these, residues that were found in the target's sequences."""
    n_identical: int
    """Of these, residues of the same name."""
    n_target: int
    """Residues of the target's polymers."""

    @property
    def coverage(self) -> float:
        """Share of the target's residues that the model has built, 0 to 1."""
        return self.n_matched / self.n_target if self.n_target else 0.0


def _is_polymer(name: str, atoms: set[str]) -> bool:
    known = gemmi.find_tabulated_residue(name)
    if known.is_amino_acid() or {"N", "C"} <= atoms:
        return "CA" in atoms
    return known.is_nucleic_acid() and "C1'" in atoms


def _built(structure: Topology | Model) -> dict[str, Built]:
    """Chain to its residues of a polymer."""
    index = residue_index(structure.chain, structure.residue_number)
    rows: dict[str, list[tuple[str, int, int, int]]] = {}
    starts = np.unique(index, return_index=True)[1]
    for residue, (first, end) in enumerate(zip(starts, [*starts[1:], len(index)], strict=True)):
        atoms = {str(name): int(first) + k for k, name in enumerate(structure.atom_name[first:end])}
        name = str(structure.residue_name[first])
        if _is_polymer(name, set(atoms)):
            anchor = next(atoms[each] for each in ANCHORS if each in atoms)
            row = (name, int(structure.residue_number[first]), residue, anchor)
            rows.setdefault(str(structure.chain[first]), []).append(row)
    return {
        chain: Built(tuple(row[0] for row in found), *(np.array([row[k] for row in found]) for k in (1, 2, 3)))
        for chain, found in rows.items()
    }


def _by_offset(ours: Built, theirs: Built) -> Pairs:
    """Places of residues whose numbers differ by the one constant under which nearly all names agree; else nothing."""
    names = np.array(ours.names)[:, None] == np.array(theirs.names)[None]
    differences = (ours.numbers[:, None] - theirs.numbers[None])[names]
    if not len(differences):
        return []
    values, votes = np.unique(differences, return_counts=True)
    shifted = theirs.numbers + values[votes.argmax()]
    place = {number: k for k, number in enumerate(ours.numbers.tolist())}
    pairs = [(place[number], k) for k, number in enumerate(shifted.tolist()) if number in place]
    agrees = votes.max() >= SAME_CHAIN * len(pairs) and 2 * len(pairs) >= min(len(ours.names), len(theirs.names))
    return pairs if agrees else []


@dataclass(frozen=True)
class _Matcher:
    """Two structures whose chains are laid upon each other."""

    ours: Mapping[str, Built]
    theirs: Mapping[str, Built]
    our_places: Mapping[str, np.ndarray]
    """Chain to the places (n, 3) of its representative atoms."""
    their_places: Mapping[str, np.ndarray]

    @cached_property
    def _laid(self) -> dict[tuple[str, str], Pairs]:
        """(our chain, theirs) to places of equal residues; equal sequences are aligned once."""
        found: dict[tuple[tuple[str, ...], str], Pairs] = {}
        for mine in self.ours.values():
            for chain, other in self.theirs.items():
                if (mine.names, chain) not in found:
                    found[mine.names, chain] = _by_offset(mine, other) or align_names(mine.names, other.names)
        return {(name, chain): found[mine.names, chain] for name, mine in self.ours.items() for chain in self.theirs}

    def _candidate(self, name: str, chain: str, taken: np.ndarray) -> _Candidate:
        """What two chains share beyond what is taken."""
        mine, other = self.ours[name], self.theirs[chain]
        pairs = [(a, b) for a, b in self._laid[name, chain] if not taken[a]]
        same = sum(mine.names[a] == other.names[b] for a, b in pairs)
        shorter = min(len(mine.names), len(other.names))
        if same < max(SAME_SEQUENCE * shorter, min(_FEWEST_SAME, shorter)):
            return _Candidate(0, 0.0, [])
        a, b = np.array(pairs).T
        away = np.linalg.norm(self.our_places[name][a] - self.their_places[chain][b], axis=1)
        return _Candidate(same, float(np.median(away)), pairs)

    def match(self) -> list[tuple[str, str, Pairs]]:
        """(our chain, theirs, places), each of their chains once, those that agree most first."""
        taken = {name: np.zeros(len(mine.names), dtype=bool) for name, mine in self.ours.items()}
        options = {(name, chain): self._candidate(name, chain, taken[name]) for name, chain in self._laid}
        found = []
        while options:
            name, chain = max(options, key=lambda key: (options[key].same, -options[key].apart_angstrom))
            chosen = options[name, chain]
            if not chosen.same:
                break
            taken[name][[a for a, _ in chosen.pairs]] = True
            found.append((name, chain, chosen.pairs))
            options = {
                key: self._candidate(*key, taken[name]) if key[0] == name else option
                for key, option in options.items()
                if key[1] != chain
            }
        return found


def match_residues(topology: Topology, place: np.ndarray, model: Model) -> Matching:
    """Match the polymers of a model to those of a target.

    Parameters
    ----------
    topology : Topology
    place : ndarray, shape (n_atoms, 3)
        A model of the target in the same map, xyz in Å: it tells copies of one sequence apart.
    model : Model
    """
    polymers = np.flatnonzero(np.isin(topology.chain_type, POLYMERS))
    ours, theirs = _built(topology.part(polymers)), _built(model)
    matcher = _Matcher(
        ours,
        theirs,
        {name: place[polymers[chain.anchors]] for name, chain in ours.items()},
        {name: model.coordinates[chain.anchors] for name, chain in theirs.items()},
    )
    equal: dict[int, tuple[str, int]] = {}
    n_matched = n_identical = 0
    for name, chain, pairs in matcher.match():
        mine, other = ours[name], theirs[chain]
        n_matched += len(pairs)
        n_identical += sum(mine.names[a] == other.names[b] for a, b in pairs)
        equal |= {int(other.residues[b]): (name, int(mine.numbers[a])) for a, b in pairs}
    atoms: dict[tuple[tuple[str, int], str], int] = {}
    index = residue_index(model.chain, model.residue_number)
    for i, residue in enumerate(index.tolist()):
        if residue in equal:
            atoms.setdefault((equal[residue], str(model.atom_name[i])), i)
    keys = zip(topology.chain.tolist(), topology.residue_number.tolist(), topology.atom_name.tolist(), strict=True)
    shared = [(i, atoms[(c, n), a]) for i, (c, n, a) in enumerate(keys) if ((c, n), a) in atoms]
    common = np.array(shared, dtype=np.int64).reshape(-1, 2)
    n_target = sum(len(chain.names) for chain in ours.values())
    n_built = sum(len(chain.names) for chain in theirs.values())
    return Matching(common[:, 0], common[:, 1], n_built, n_matched, n_identical, n_target)
