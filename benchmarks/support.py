#!/usr/bin/env python3
"""Support of residues: how many right ones are supported, and how many without density are said to have none.

Half-map pairs of frames of adenylate kinase, whose FSC is 0.143 at 3 to 6 Å by construction, as refinement leaves their
mean (weighted by its FSC) and as post-processing does (sharpened). Noise is known by the half maps or, without them, by
what the automatic threshold finds around the molecule. Three kinds of residues are judged:

right: all residues of the right model; noise: those of the lid (residues 118 to 160) in a map of the molecule without
it; moved: every fourth stretch of nine residues, 12 Å outwards. Of the latter two only residues count of which no atom
is within 3 Å of an atom of the map. The last line is the lowest of the shares in percent: supported of the right ones,
less 90, and without density of the others, less 95; it is to be 0 or more.

    ./classfold bench support [--resolutions 3,4,5,6] [--frames 43,97]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bin"), str(ROOT / "demo")]

import click
import numpy as np
import pandas as pd
import torch
from adk_path import AdkPath, read_path
from scipy.spatial import cKDTree
from trial.half_maps import box_around, half_maps

from classfold.amplitudes import soft_mask
from classfold.automatic_threshold import Search, automatic_threshold
from classfold.errors import run_stage
from classfold.half_maps import HalfMaps, sharpened_alike
from classfold.map_fit import fit_to_map
from classfold.maps import DensityMap
from classfold.support import Support, support_judge
from classfold.threshold import Molecule

MASS_DALTON = 23_600.0
MARGIN_ANGSTROM = 25.0
FAR_ANGSTROM = 3.0
LID = (118, 160)
STRETCH, MOVED_ANGSTROM = 9, 12.0
WANTED = {"right": (Support.SUPPORTED, 0.90), "noise": (Support.NO_DENSITY, 0.95), "moved": (Support.NO_DENSITY, 0.95)}


def cases(path: AdkPath, frame: int) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """Name, the model, which of its atoms the map holds, and which residues are judged."""
    atoms, topology = path.at(frame), path.topology
    everything = np.ones(len(atoms), dtype=bool)
    yield "right", atoms, everything, np.ones(len(topology.residue_starts), dtype=bool)
    lid = (topology.residue_number >= LID[0]) & (topology.residue_number <= LID[1])
    yield "noise", atoms, ~lid, far_residues(atoms, atoms[~lid], topology.residue_index)
    moved, stretch = atoms.copy(), topology.residue_index // STRETCH
    for number in range(0, stretch.max() + 1, 4):
        outward = (atoms[stretch == number] - atoms.mean(axis=0)).mean(axis=0)
        moved[stretch == number] += MOVED_ANGSTROM * outward / np.linalg.norm(outward)
    yield "moved", moved, everything, far_residues(moved, atoms, topology.residue_index)


def far_residues(model: np.ndarray, others: np.ndarray, residue: np.ndarray) -> np.ndarray:
    """Residues (n_residues,) of a model (n_atoms, 3) of which no atom is near others (n, 3)."""
    nearest = np.full(residue.max() + 1, np.inf)
    np.minimum.at(nearest, residue, cKDTree(others).query(model)[0])
    return nearest > FAR_ANGSTROM


def found_noise(density: DensityMap, resolution: float, n_atoms: int) -> dict[str, Any]:
    """What map.json says of the noise of a map without half maps."""
    volume = Molecule(n_atoms, MASS_DALTON).volume_angstrom3(resolution)
    found = automatic_threshold(density, Search(volume, resolution))
    kept = found.contour_map.density > found.value
    return {
        "threshold": found.level_in(density, kept),
        "threshold_blur_angstrom": found.blur_angstrom,
        "background_level": found.background.level if found.background else None,
        "background_sigma": found.background.sigma if found.background else None,
    }


def try_maps(path: AdkPath, frame: int, resolution: float) -> Iterator[dict[str, Any]]:
    """Shares of the residues of each kind with each support."""
    topology, numbers = path.topology, path.topology.atomic_numbers
    for case, model, held, judged in cases(path, frame):
        atoms = torch.from_numpy(path.at(frame)).float()
        grid = box_around(atoms, resolution / 3, MARGIN_ANGSTROM)
        made = half_maps(atoms[held], torch.from_numpy(numbers[held]).float(), resolution, grid, frame)
        for kind in ("weighted", "sharpened"):
            density, first, second = (
                DensityMap(each, grid.voxel_size_angstrom, np.array(grid.origin_angstrom))
                for each in (getattr(made, kind), made.first, made.second)
            )
            mask = soft_mask(atoms[held].numpy(), numbers[held].astype(float), density)
            halves = sharpened_alike(HalfMaps(first, second), density, mask)
            record = found_noise(density, resolution, len(numbers))
            fit = fit_to_map(model, numbers, topology.residue_index, density.density, density.grid, resolution)
            for noise in (halves, None):
                judge = support_judge(topology, density, noise, record)
                support = np.array(judge.judge(model, fit.cc_residue))[judged]
                place = {"case": case, "noise by": "half maps" if noise else "background", "resolution": resolution}
                yield place | {str(each): float((support == each).mean()) for each in Support} | {"map": kind}


@click.command(context_settings={"show_default": True}, help=__doc__)
@click.option("--resolutions", default="3,4,5,6", help="Of the maps, in Å.")
@click.option("--frames", default="43,97", help="Frames of the path.")
def main(resolutions: str, frames: str) -> None:
    """Judge, print."""
    path = read_path()
    rows = [
        row
        for frame in map(int, frames.split(","))
        for resolution in map(float, resolutions.split(","))
        for row in try_maps(path, frame, resolution)
    ]
    table = pd.DataFrame(rows).groupby(["case", "noise by", "map", "resolution"], sort=False).mean()
    click.echo(table.round(3).to_string())
    lead = min(
        row[str(WANTED[case][0])] - WANTED[case][1] for (case, *_), row in zip(table.index, rows_of(table), strict=True)
    )
    click.echo(f"support: {100 * lead:.1f}")


def rows_of(table: pd.DataFrame) -> list[dict[str, float]]:
    """Rows of a table by the names of its columns."""
    return table.to_dict(orient="records")


if __name__ == "__main__":
    run_stage(main)
