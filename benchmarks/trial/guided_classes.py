"""Classes whose models were guided by their maps, and so have followed their maps' noise: from the pool of samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from adk_path import read_path

from classfold.class_models import ClassModel
from classfold.errors import InputError

from .pool import Cell, Drawn, read_pool

FINALISTS = 3


def guided_classes(pool: Path) -> dict[Cell, ClassModel]:
    """A class for each map of the pool, with the samples that fit it best.

    Raises
    ------
    InputError
        If the file holds no samples.
    """
    cells = read_pool(pool)
    if not cells:
        raise InputError(f"there are no samples in {pool}; draw them with ./classfold bench selection --pool {pool}")
    return {cell: _class(cell, drawn) for cell, drawn in cells.items()}


def _class(cell: Cell, drawn: Drawn) -> ClassModel:
    """Without half maps, which the pool's maps do not have."""
    topology = read_path().topology
    name = f"{cell.frame} at {cell.resolution:g} Å, noise {cell.noise:g}"
    alone = ClassModel(name, drawn.docked, cell.density_map(), cell.resolution, (drawn.docked,), None)
    fits = np.array([alone.cc_mask(topology, sample) for sample in drawn.samples])
    best = [drawn.samples[k] for k in np.argsort(-fits)[:FINALISTS]]
    return ClassModel(name, best[0], alone.density, cell.resolution, tuple(best), None)
