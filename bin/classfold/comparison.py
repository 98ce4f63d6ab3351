"""What differs between the models of two classes: superpositions, TM-score, displacements, cross-fit.

All models of a target have the same atoms, so residues correspond by their index.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import biotite.structure as struc
import numpy as np
import torch
from torch import Tensor

from classfold.superposition import apply_pose, superpose, superposed_rmsd

# Residues that move by less than about this belong to the rigid core.
CORE_SCALE_ANGSTROM = 1.0
_FEWEST_POINTS = 3
_ITERATIONS = 60
_SHORTEST_FRAGMENT = 8


class Superposition(NamedTuple):
    """A pose y = R x + t and how well it fits."""

    rotation: np.ndarray
    """(3, 3)"""
    translation: np.ndarray
    """(3,) Å"""
    score: float
    """Mean of 1 / (1 + (d / scale)^2) over the points, 0 to 1."""

    def apply(self, coordinates: np.ndarray) -> np.ndarray:
        """Move coordinates (n, 3)."""
        return coordinates @ self.rotation.T + self.translation


def _fragments(n_points: int) -> Tensor:
    """Weights (n_starts, n_points) of whole, half, quarter and eighth chains that overlap by half."""
    rows = []
    length = n_points
    for _ in range(4):
        for first in range(0, n_points - length + 1, max(1, length // 2)):
            weights = torch.zeros(n_points, dtype=torch.float64)
            weights[first : first + length] = 1.0
            rows.append(weights)
        length //= 2
        if length < _SHORTEST_FRAGMENT:
            break
    return torch.stack(rows)


def robust_superposition(mobile: np.ndarray, fixed: np.ndarray, scale_angstrom: float) -> Superposition:
    """Superpose what can be superposed and let the rest go its way.

    Maximises the sum of TM-score (Zhang & Skolnick, Proteins 57, 702, 2004), ``sum_i 1 / (1 + (d_i /
    d0)^2)`` with ``d0`` the given scale. Every step is a superposition with weights ``1 / (1 + (d_i /
    d0)^2)^2``, the derivative of the sum by ``-d_i^2``, which never lowers it; it starts from fragments
    of the chain, and the best end wins.

    Parameters
    ----------
    mobile, fixed : ndarray, shape (n_points, 3)
        Corresponding points in Å, at least three.
    scale_angstrom : float
        Distance at which a point counts half.
    """
    if mobile.shape != fixed.shape or mobile.shape[0] < _FEWEST_POINTS:
        raise ValueError(
            f"three or more corresponding points are needed, got {mobile.shape} and {fixed.shape}"
        )
    x, y = (torch.from_numpy(np.ascontiguousarray(p, dtype=np.float64)) for p in (mobile, fixed))
    weights = _fragments(len(x))
    x, y = x.expand(len(weights), -1, -1), y.expand(len(weights), -1, -1)
    for _ in range(_ITERATIONS):
        rotation, translation = superpose(x, y, weights)
        square = (apply_pose(rotation, translation, x) - y).square().sum(-1)
        terms = 1 / (1 + square / scale_angstrom**2)
        weights = terms.square()
    scores = terms.mean(-1)
    best = int(scores.argmax())
    return Superposition(rotation[best].numpy(), translation[best].numpy(), float(scores[best]))


def rigid_superposition(mobile: np.ndarray, fixed: np.ndarray) -> Superposition:
    """Least squares over all points; the score is the mean of ``1 / (1 + d^2)``, as in the robust one."""
    x, y = (torch.from_numpy(np.ascontiguousarray(p, dtype=np.float64)) for p in (mobile, fixed))
    rotation, translation = superpose(x, y)
    square = (apply_pose(rotation, translation, x) - y).square().sum(-1)
    score = (1 / (1 + square / CORE_SCALE_ANGSTROM**2)).mean()
    return Superposition(rotation.numpy(), translation.numpy(), float(score))


def tm_scale(n_residues: int) -> float:
    """``d0`` of TM-score in Å: ``1.24 (L - 15)^(1/3) - 1.8``, at least 0.5."""
    return max(0.5, 1.24 * max(n_residues - 15, 0) ** (1 / 3) - 1.8)


def tm_score(mobile: np.ndarray, fixed: np.ndarray) -> float:
    """TM-score of two models of the same residues, ``(n_residues, 3)`` representative atoms each; 0 to 1."""
    return robust_superposition(mobile, fixed, tm_scale(len(fixed))).score


def lddt(first: np.ndarray, second: np.ndarray) -> float:
    """lDDT of two models of the same residues, ``(n_residues, 3)`` representative atoms in Å each; 0 to 1.

    The share of distances up to 15 Å that differ by less than 0.5, 1, 2 and 4 Å, averaged over these (Mariani et al.,
    Bioinformatics 29, 2722, 2013), of representative atoms alone and of the distances that are within 15 Å in either
    model, so that the order of the two does not matter. Computed by biotite. NaN where no distance is so short.
    """
    arrays = []
    for points in (first, second):
        atoms = struc.AtomArray(len(points))
        atoms.coord = np.asarray(points, np.float32)
        atoms.res_id = np.arange(len(points))
        arrays.append(atoms)
    return float(struc.lddt(*arrays, symmetric=True))


def ca_rmsd(mobile: np.ndarray, fixed: np.ndarray) -> float:
    """RMSD in Å of representative atoms ``(n_residues, 3)`` after the best superposition of all of them."""
    x, y = (torch.from_numpy(np.ascontiguousarray(p, dtype=np.float64)) for p in (mobile, fixed))
    return float(superposed_rmsd(x, y))


def displacement(mobile: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """(n_residues,) distances in Å after superposition on the rigid core of the two models."""
    pose = robust_superposition(mobile, fixed, CORE_SCALE_ANGSTROM)
    return np.linalg.norm(pose.apply(mobile) - fixed, axis=1)


def cross_fit(
    model: np.ndarray, place: np.ndarray, anchors: np.ndarray, fit: Callable[[np.ndarray], float]
) -> float:
    """Fit of one class's model to another class's map.

    The maps need not be in register, so the model is put where the other class's own model is: by all its
    residues and by the rigid core; the placement that fits better counts.

    Parameters
    ----------
    model, place : ndarray, shape (n_atoms, 3)
        The model in question and the map's own model, in Å.
    anchors : ndarray of int
        Representative atoms.
    fit : callable
        CC_mask of coordinates (n_atoms, 3) in the map.
    """
    poses = (
        rigid_superposition(model[anchors], place[anchors]),
        robust_superposition(model[anchors], place[anchors], CORE_SCALE_ANGSTROM),
    )
    values = [value for pose in poses if np.isfinite(value := fit(pose.apply(model)))]
    return max(values, default=float("nan"))
