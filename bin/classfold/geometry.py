"""Whether a model is chemically possible: clashes, distances along the chain, and the hand.

Only heavy atoms are there to judge, so these numbers are not those of MolProbity, which adds hydrogens; they
serve to compare the models of one target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import gemmi
import numpy as np
from scipy.spatial import cKDTree

from classfold.bonds import covalent_bonds, within_bonds
from classfold.topology import Topology

# Van der Waals radii in Å (Bondi, J. Phys. Chem. 68, 441, 1964) overlapping by this much are a clash, as in
# MolProbity (Word et al., J. Mol. Biol. 285, 1711, 1999).
CLASH_OVERLAP_ANGSTROM = 0.4
# Atoms up to three bonds apart do not choose their distance freely.
_BONDS_APART = 3
# Donors and acceptors of hydrogen bonds come nearer: 2.5 Å in strong ones.
_POLAR_CONTACT_ANGSTROM = 2.4
# Metals are coordinated at 1.9-2.6 Å, which is no clash.
_METAL_CONTACT_ANGSTROM = 1.7
# A disulfide is a bond that the sequence does not tell.
_DISULFIDE_ANGSTROM = 2.5
# Cα-Cα of neighbours: trans peptides 3.80 Å, cis peptides 2.94 Å.
CA_DISTANCE_ANGSTROM = 3.80
CA_DISTANCE_CIS_ANGSTROM = 2.94
CA_TOLERANCE_ANGSTROM = 0.15
# Torsions of four successive Cα in this range (degrees, either sign) are helical; 50 is the ideal α helix.
_HELIX_TORSION_DEGREES = (30.0, 75.0)
_HELIX_SPAN_ANGSTROM = 6.0


@dataclass(frozen=True)
class Geometry:
    """Geometry of one model."""

    clashes: int
    """Pairs of atoms that overlap."""
    clashscore: float
    """Clashes per 1000 heavy atoms."""
    ca_outliers: int
    """Neighbouring residues whose Cα are neither 3.80 ± 0.15 Å apart nor, before a proline, 2.94 ± 0.15 Å."""
    ca_pairs: int
    """Neighbouring residues of proteins."""
    l_fraction: float | None
    """Share of amino acids with a Cβ that are L; None if there are none."""
    right_helix_fraction: float | None
    """Share of helical turns that are right-handed; None if there are none."""

    @property
    def ca_outlier_fraction(self) -> float:
        """Share of neighbouring residues that are outliers; 0 without proteins."""
        return self.ca_outliers / self.ca_pairs if self.ca_pairs else 0.0

    @property
    def wrong_hand_fraction(self) -> float:
        """Share of D amino acids or, where they are the majority, of left-handed helical turns; 0 where unknown.

        Real chains have a left-handed turn here and there: only a majority of them is a wrong hand.
        """
        right = 1.0 if self.right_helix_fraction is None else self.right_helix_fraction
        amino_acids = 1.0 if self.l_fraction is None else self.l_fraction
        return 1.0 - min(amino_acids, right if right < 0.5 else 1.0)


def residue_atoms(topology: Topology, names: Sequence[str]) -> dict[str, np.ndarray]:
    """(n_residues,) index of each named atom in each residue of the proteins, -1 where it is absent."""
    table = {name: np.full(len(topology.residue_starts), -1) for name in names}
    protein = topology.chain_type == "protein"
    for name, column in table.items():
        rows = np.flatnonzero(protein & (topology.atom_name == name))
        column[topology.residue_index[rows]] = rows
    return table


def neighbours(topology: Topology) -> np.ndarray:
    """(n_pairs,) index of each residue with a Cα that another one of the same protein chain follows."""
    ca = residue_atoms(topology, ("CA",))["CA"]
    chain = topology.chain[topology.residue_starts]
    number = topology.residue_number[topology.residue_starts]
    follows = (chain[1:] == chain[:-1]) & (number[1:] == number[:-1] + 1) & (ca[1:] >= 0) & (ca[:-1] >= 0)
    return np.flatnonzero(follows)


class GeometryJudge:
    """What the geometry of a target's models is judged by; made once per target, applied to every model."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology

    @cached_property
    def _excluded(self) -> np.ndarray:
        """Pairs of atoms that are bonded neighbours, each as first * n_atoms + second, sorted."""
        n_atoms = self.topology.n_atoms
        near = within_bonds(covalent_bonds(self.topology), n_atoms, _BONDS_APART).tocoo()
        return np.sort(near.row.astype(np.int64) * n_atoms + near.col)

    @cached_property
    def _elements(self) -> tuple[np.ndarray, np.ndarray]:
        """Radii in Å and whether each atom is a metal."""
        table = {symbol: gemmi.Element(symbol) for symbol in np.unique(self.topology.element)}
        radii = np.array([table[symbol].vdw_r for symbol in self.topology.element])
        return radii, np.array([table[symbol].is_metal for symbol in self.topology.element])

    @cached_property
    def _backbone(self) -> dict[str, np.ndarray]:
        return residue_atoms(self.topology, ("N", "CA", "C", "CB"))

    @cached_property
    def _neighbours(self) -> np.ndarray:
        return neighbours(self.topology)

    def judge(self, coordinates: np.ndarray) -> Geometry:
        """Judge one model.

        Parameters
        ----------
        coordinates : ndarray, shape (n_atoms, 3)
            xyz in Å.
        """
        coordinates = np.asarray(coordinates, dtype=np.float64)
        clashes = len(self.clashing_pairs(coordinates))
        return Geometry(
            clashes=clashes,
            clashscore=1000.0 * clashes / self.topology.n_atoms,
            ca_outliers=int(self.ca_outliers(coordinates).sum()),
            ca_pairs=len(self._neighbours),
            l_fraction=self._l_fraction(coordinates),
            right_helix_fraction=self._right_helix_fraction(coordinates),
        )

    def clashing_pairs(self, coordinates: np.ndarray) -> np.ndarray:
        """Pairs of atoms that overlap and are more than three bonds apart.

        Returns
        -------
        ndarray of int, shape (n_clashes, 2)
        """
        radii, metal = self._elements
        reach = max(2 * radii.max() - CLASH_OVERLAP_ANGSTROM, _METAL_CONTACT_ANGSTROM)
        pairs = cKDTree(coordinates).query_pairs(reach, output_type="ndarray")
        first, second = pairs.T
        distance = np.linalg.norm(coordinates[first] - coordinates[second], axis=1)
        limit = radii[first] + radii[second] - CLASH_OVERLAP_ANGSTROM
        polar = np.isin(self.topology.element, ("N", "O"))
        limit[polar[first] & polar[second]] = _POLAR_CONTACT_ANGSTROM
        limit[metal[first] | metal[second]] = _METAL_CONTACT_ANGSTROM
        sulfur = (self.topology.residue_name == "CYS") & (self.topology.atom_name == "SG")
        limit[sulfur[first] & sulfur[second] & (distance < _DISULFIDE_ANGSTROM)] = 0.0
        near = distance <= limit
        pairs = pairs[near]
        excluded = np.isin(pairs[:, 0] * self.topology.n_atoms + pairs[:, 1], self._excluded)
        return pairs[~excluded]

    def ca_outliers(self, coordinates: np.ndarray) -> np.ndarray:
        """(n_pairs,) of bool: neighbours whose Cα-Cα distance fits no peptide bond."""
        first = self._neighbours
        ca = self._backbone["CA"]
        distance = np.linalg.norm(coordinates[ca[first + 1]] - coordinates[ca[first]], axis=1)
        next_name = self.topology.residue_name[self.topology.residue_starts][first + 1]
        trans = np.abs(distance - CA_DISTANCE_ANGSTROM) <= CA_TOLERANCE_ANGSTROM
        # Before other residues than proline a cis peptide is so rare that in a prediction it is an error.
        cis = (next_name == "PRO") & (np.abs(distance - CA_DISTANCE_CIS_ANGSTROM) <= CA_TOLERANCE_ANGSTROM)
        return ~(trans | cis)

    def _l_fraction(self, coordinates: np.ndarray) -> float | None:
        """L amino acids have (N - CA) x (C - CA) . (CB - CA) > 0."""
        table = self._backbone
        complete = np.all([column >= 0 for column in table.values()], axis=0)
        if not complete.any():
            return None
        n, ca, c, cb = (coordinates[table[name][complete]] for name in ("N", "CA", "C", "CB"))
        volume = np.sum(np.cross(n - ca, c - ca) * (cb - ca), axis=1)
        return float((volume > 0).mean())

    def _right_helix_fraction(self, coordinates: np.ndarray) -> float | None:
        """Sign of the Cα torsion of successive residues that are close enough to be a helical turn."""
        pairs = self._neighbours
        first = pairs[np.isin(pairs + 1, pairs) & np.isin(pairs + 2, pairs)]
        a, b, c, d = (coordinates[self._backbone["CA"][first + k]] for k in range(4))
        torsion = np.degrees(_torsion(a, b, c, d))
        low, high = _HELIX_TORSION_DEGREES
        helical = (np.abs(torsion) >= low) & (np.abs(torsion) <= high)
        helical &= np.linalg.norm(d - a, axis=1) <= _HELIX_SPAN_ANGSTROM
        return float((torsion[helical] > 0).mean()) if helical.any() else None


def _torsion(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Torsion angles in radians of rows of points (n, 3) about the axis b-c; IUPAC sign."""
    axis = c - b
    before, after = np.cross(b - a, axis), np.cross(axis, d - c)
    length = np.linalg.norm(axis, axis=1)
    return np.arctan2(np.sum((b - a) * after, axis=1) * length, np.sum(before * after, axis=1))
