"""How far bond lengths and angles of the protein backbone are from their ideal values.

Ideal values and their standard deviations: Engh & Huber, International Tables for Crystallography F, ch. 18.3, 2001,
which MolProbity and Phenix use for the backbone. Side chains, ligands and nucleic acids are not judged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from classfold.geometry import neighbours, residue_atoms
from classfold.topology import Topology

OUTLIER_SIGMAS = 4.0
ATOMS = ("N", "CA", "C", "O")
# (mean, standard deviation) in Å of most residues, of glycine, of proline. An atom with a + is the next residue's.
BONDS = {
    ("N", "CA"): ((1.459, 0.020), (1.456, 0.015), (1.468, 0.017)),
    ("CA", "C"): ((1.525, 0.026), (1.514, 0.016), (1.524, 0.020)),
    ("C", "O"): ((1.229, 0.019), (1.232, 0.016), (1.228, 0.020)),
    ("C", "+N"): ((1.336, 0.023), (1.326, 0.018), (1.338, 0.019)),
}
# The same for angles, in degrees.
ANGLES = {
    ("N", "CA", "C"): ((111.0, 2.7), (113.1, 2.5), (112.1, 2.6)),
    ("CA", "C", "O"): ((120.1, 2.1), (120.6, 1.8), (120.2, 2.4)),
    ("CA", "C", "+N"): ((117.2, 2.2), (116.2, 2.0), (117.1, 2.8)),
    ("O", "C", "+N"): ((122.7, 1.6), (123.2, 1.7), (121.1, 1.9)),
    ("C", "+N", "+CA"): ((121.7, 2.5), (122.3, 2.1), (119.3, 1.5)),
}
# In cis peptides before a proline the last angle is wider; the nearer of both ideals counts.
CIS_PROLINE_DEGREES = 127.0
_KINDS = ("", "GLY", "PRO")
_PROLINE = 2


@dataclass(frozen=True)
class Backbone:
    """None where the model has no protein backbone."""

    bond_rmsd_angstrom: float | None
    """Root mean square deviation of bond lengths from their ideals."""
    angle_rmsd_degrees: float | None
    outliers: int
    """Lengths and angles more than four standard deviations from their ideals."""


@dataclass(frozen=True)
class _Terms:
    """Lengths or angles of one kind."""

    atoms: np.ndarray
    """(n, 2) or (n, 3) indices into the topology"""
    ideal: np.ndarray
    """(n,)"""
    sigma: np.ndarray
    """(n,)"""
    other: np.ndarray
    """(n,) what is ideal as well, mostly the same"""

    def deviations(self, coordinates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n,) differences from the ideal, and the same in standard deviations."""
        points = coordinates[self.atoms]
        values = lengths(points) if self.atoms.shape[1] == 2 else angles_degrees(points)
        first, second = values - self.ideal, values - self.other
        nearer = np.where(np.abs(second) < np.abs(first), second, first)
        return nearer, nearer / self.sigma


def lengths(points: np.ndarray) -> np.ndarray:
    """(n,) distances between the two of each ``points (n, 2, 3)``."""
    return np.linalg.norm(points[:, 1] - points[:, 0], axis=1)


def angles_degrees(points: np.ndarray) -> np.ndarray:
    """(n,) angles at the middle one of each ``points (n, 3, 3)``."""
    first, second = points[:, 0] - points[:, 1], points[:, 2] - points[:, 1]
    crossed = np.linalg.norm(np.cross(first, second), axis=1)
    return np.degrees(np.arctan2(crossed, np.sum(first * second, axis=1)))


def _rms(values: np.ndarray) -> float | None:
    return float(np.sqrt(np.square(values).mean())) if len(values) else None


class BackboneJudge:
    """The lengths and angles of a target's backbone and their ideals; made once, applied to every model."""

    def __init__(self, topology: Topology) -> None:
        atoms, pairs = residue_atoms(topology, ATOMS), neighbours(topology)
        names = topology.residue_name[topology.residue_starts]
        kinds = np.select([names == name for name in _KINDS[1:]], range(1, len(_KINDS)), 0)
        self._bonds = [_terms(atoms, pairs, kinds, names, ideals) for names, ideals in BONDS.items()]
        self._angles = [_terms(atoms, pairs, kinds, names, ideals) for names, ideals in ANGLES.items()]

    def judge(self, coordinates: np.ndarray) -> Backbone:
        """Judge one model of ``coordinates (n_atoms, 3)``, xyz in Å."""
        found = [[term.deviations(coordinates) for term in terms] for terms in (self._bonds, self._angles)]
        bonds, angles = (np.concatenate([deviation for deviation, _ in group]) for group in found)
        in_sigmas = np.concatenate([sigmas for group in found for _, sigmas in group])
        return Backbone(_rms(bonds), _rms(angles), int((np.abs(in_sigmas) > OUTLIER_SIGMAS).sum()))


def _kind(kinds: np.ndarray, residues: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Which ideal counts for lengths or angles between atoms of these names, as an index into ``_KINDS``.

    At the nitrogen of a peptide bond that of the next residue does; at its carbon one's own, unless proline follows.
    """
    if not any(name.startswith("+") for name in names):
        return kinds[residues]
    following = kinds[residues + 1]
    if names[:2] == ("C", "+N"):
        return following
    own = np.where(kinds[residues] == _PROLINE, 0, kinds[residues])
    return np.where(following == _PROLINE, _PROLINE, own)


def _terms(
    atoms: dict[str, np.ndarray],
    pairs: np.ndarray,
    kinds: np.ndarray,
    names: tuple[str, ...],
    ideals: tuple[tuple[float, float], ...],
) -> _Terms:
    """All lengths or angles between atoms of these names."""
    reaches = any(name.startswith("+") for name in names)
    residues = pairs if reaches else np.arange(len(kinds))
    index = np.stack([atoms[name.lstrip("+")][residues + name.startswith("+")] for name in names], axis=1)
    complete = (index >= 0).all(axis=1)
    kind = _kind(kinds, residues, names)[complete]
    ideal, sigma = np.array(ideals)[kind].T
    has_cis = names == ("C", "+N", "+CA")
    other = np.where(has_cis & (kind == _PROLINE), CIS_PROLINE_DEGREES, ideal)
    return _Terms(index[complete], ideal, sigma, other)
