"""Memory of the map's energies (:mod:`classfold.local_energy`, :mod:`classfold.global_energy`)."""

from __future__ import annotations

from ..windows import CHUNK_VOXELS
from .sizes import FLOAT_BYTES, Problem

WINDOW_VOXEL_BYTES = 40
"""Of each voxel of the windows at work: its place (int64) and density, those of the chunk before, and two of a sum."""


NEIGHBOUR_BYTES = 5000
"""Of each point while those near it are found, in a protein's density."""


def maps_bytes(problem: Problem) -> int:
    """What is held of the maps of all classes: voxels, and how much each counts."""
    return 2 * problem.n_maps * problem.map_voxels * FLOAT_BYTES


def local_bytes(problem: Problem) -> tuple[int, int]:
    """Local energy of a batch: windows at work, and the density of each sample, which is no larger than its map."""
    return WINDOW_VOXEL_BYTES * CHUNK_VOXELS if problem.n_maps else 0, problem.map_voxels * FLOAT_BYTES


def global_bytes(problem: Problem) -> tuple[int, int]:
    """Global energy of a batch: nothing, and of each sample the costs, the kernel, its sum and its exponentials.

    Or, where there are few points, what the search for neighbours takes. An upper bound: large batches are split.
    """
    return 0, problem.n_pseudo_atoms * max(4 * problem.n_points * FLOAT_BYTES, NEIGHBOUR_BYTES)


def published_global_bytes(problem: Problem) -> tuple[int, int]:
    """Global energy of a batch as published: all atoms with each other, three times at work and once in each graph."""
    atoms, points = problem.n_atoms, problem.n_points
    work = 3 * max(atoms, points) ** 2 + 2 * atoms * points
    return work * FLOAT_BYTES, atoms * (atoms + points) * FLOAT_BYTES
