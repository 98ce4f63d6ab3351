"""Covalent bonds of a target: which atoms are bonded neighbours.

The table below holds amino acids and nucleotides. A test holds it to the dictionary of chemical components,
whose reading would take longer than everything else that a model is judged by.
"""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_matrix

from classfold.topology import POLYMERS, Topology

_AMINO_BACKBONE = "N-CA-C-O C-OXT"
# Chains of bonded atoms; a ring closes by naming an atom again.
_SIDE_CHAINS = {
    "GLY": "",
    "ALA": "CA-CB",
    "VAL": "CA-CB-CG1 CB-CG2",
    "LEU": "CA-CB-CG-CD1 CG-CD2",
    "ILE": "CA-CB-CG1-CD1 CB-CG2",
    "MET": "CA-CB-CG-SD-CE",
    "PRO": "CA-CB-CG-CD-N",
    "SER": "CA-CB-OG",
    "THR": "CA-CB-OG1 CB-CG2",
    "CYS": "CA-CB-SG",
    "ASP": "CA-CB-CG-OD1 CG-OD2",
    "ASN": "CA-CB-CG-OD1 CG-ND2",
    "GLU": "CA-CB-CG-CD-OE1 CD-OE2",
    "GLN": "CA-CB-CG-CD-OE1 CD-NE2",
    "LYS": "CA-CB-CG-CD-CE-NZ",
    "ARG": "CA-CB-CG-CD-NE-CZ-NH1 CZ-NH2",
    "HIS": "CA-CB-CG-ND1-CE1-NE2-CD2-CG",
    "PHE": "CA-CB-CG-CD1-CE1-CZ-CE2-CD2-CG",
    "TYR": "CA-CB-CG-CD1-CE1-CZ-CE2-CD2-CG CZ-OH",
    "TRP": "CA-CB-CG-CD1-NE1-CE2-CD2-CG CE2-CZ2-CH2-CZ3-CE3-CD2",
}
_SUGAR = "OP3-P-OP1 P-OP2 P-O5'-C5'-C4'-C3'-C2'-C1'-O4'-C4' C3'-O3'"
_PYRIMIDINE = "C1'-N1-C2-N3-C4-C5-C6-N1 C2-O2"
_PURINE = "C1'-N9-C8-N7-C5-C6-N1-C2-N3-C4-N9 C4-C5"
_BASES = {
    "A": f"{_PURINE} C6-N6",
    "G": f"{_PURINE} C6-O6 C2-N2",
    "C": f"{_PYRIMIDINE} C4-N4",
    "U": f"{_PYRIMIDINE} C4-O4",
    "T": f"{_PYRIMIDINE} C4-O4 C5-C7",
}
COMPONENTS = {name: f"{_AMINO_BACKBONE} {chains}" for name, chains in _SIDE_CHAINS.items()}
COMPONENTS |= {base: f"{_SUGAR} C2'-O2' {_BASES[base]}" for base in "AGCU"}
COMPONENTS |= {f"D{base}": f"{_SUGAR} {_BASES[base]}" for base in "AGCT"}
_LINKS = {"protein": ("C", "N"), "dna": ("O3'", "P"), "rna": ("O3'", "P")}


@lru_cache(maxsize=256)
def component_bonds(name: str) -> frozenset[tuple[str, str]]:
    """Bonded pairs of atom names of a component; empty if the table does not hold it."""
    chains = [chain.split("-") for chain in COMPONENTS.get(name, "").split()]
    return frozenset(pair for chain in chains for pair in itertools.pairwise(chain))


def _residue_bonds(name: str, atoms: dict[str, int]) -> list[tuple[int, int]]:
    """Bonds within one residue.

    The atoms of a component that the table does not hold (ligands, modified residues) are taken as bonded
    each to each: nothing is then said about contacts within it, only about those with its surroundings.
    """
    bonds = [(atoms[a], atoms[b]) for a, b in component_bonds(name) if a in atoms and b in atoms]
    if {i for bond in bonds for i in bond} >= set(atoms.values()):
        return bonds
    indices = sorted(atoms.values())
    return [(i, j) for i in indices for j in indices if i < j]


def covalent_bonds(topology: Topology) -> np.ndarray:
    """Bonds within residues and along the chains of polymers.

    Returns
    -------
    ndarray of int, shape (n_bonds, 2)
    """
    bonds: list[tuple[int, int]] = []
    bounds = [*topology.residue_starts.tolist(), topology.n_atoms]
    before: dict[str, int] = {}
    for k, first in enumerate(bounds[:-1]):
        names = topology.atom_name[first : bounds[k + 1]].tolist()
        atoms = {name: first + offset for offset, name in enumerate(names)}
        bonds += _residue_bonds(str(topology.residue_name[first]), atoms)
        kind = str(topology.chain_type[first])
        follows = (
            kind in POLYMERS
            and k > 0
            and topology.chain[first] == topology.chain[first - 1]
            and topology.residue_number[first] == topology.residue_number[first - 1] + 1
        )
        if follows and _LINKS[kind][0] in before and _LINKS[kind][1] in atoms:
            bonds.append((before[_LINKS[kind][0]], atoms[_LINKS[kind][1]]))
        before = atoms
    return np.array(bonds, dtype=np.int64).reshape(-1, 2)


def within_bonds(bonds: np.ndarray, n_atoms: int, reach: int) -> csr_matrix:
    """Which pairs of atoms are at most ``reach`` bonds apart.

    Parameters
    ----------
    bonds : ndarray of int, shape (n_bonds, 2)
    n_atoms : int
    reach : int

    Returns
    -------
    scipy.sparse.csr_matrix of bool, shape (n_atoms, n_atoms)
        Symmetric, true on the diagonal.
    """
    loops = np.repeat(np.arange(n_atoms), 2).reshape(-1, 2)
    rows, columns = np.concatenate([bonds, bonds[:, ::-1], loops]).T
    step = csr_matrix((np.ones(len(rows), dtype=np.int64), (rows, columns)), shape=(n_atoms, n_atoms))
    near = step
    for _ in range(reach - 1):
        near = near @ step
        near.data[:] = 1
    return near.astype(bool)
