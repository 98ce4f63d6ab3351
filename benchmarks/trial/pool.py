"""A pool of samples of the accuracy grid, drawn once and kept in a file, so that rules of judging are cheap to try."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import torch
from adk_path import read_path

from classfold.class_input import ClassInput, Samples
from classfold.maps import DensityMap
from classfold.structure import write_model

from .guided import OURS, Trial, sampled
from .maps import simulated_map

SEED = 1
FRAMES = (43, 190)
RESOLUTIONS_ANGSTROM, NOISE_LEVELS = (3.0, 4.0, 6.0, 8.0), (0.5, 1.0)


class Cell(NamedTuple):
    """One map: of which frame of the path, its resolution in Å, its noise over the map's standard deviation."""

    frame: int
    resolution: float
    noise: float

    def density_map(self, draw: int = 0) -> DensityMap:
        """The map, always the same for one draw of its noise; the samples were guided by draw 0."""
        path = read_path()
        atoms = torch.from_numpy(path.at(self.frame)).float()
        weights = torch.from_numpy(path.topology.atomic_numbers)
        seed = 100 * self.frame + SEED + 100_000 * draw
        return simulated_map(atoms, weights.float(), self.resolution, self.noise, seed)


@dataclass(frozen=True)
class Drawn:
    """What was drawn for one map; xyz in Å in its frame."""

    samples: np.ndarray
    """(n_samples, n_atoms, 3)"""
    docked: np.ndarray
    """(n_atoms, 3) the closed structure as it was docked"""
    threshold: float
    """The contour that PREPARE_MAP would take."""


class Sampler:
    """The prior, loaded when the first map asks for it; its warm-up states are shared by all maps."""

    def __init__(self, samples: int) -> None:
        self.samples = samples

    @cached_property
    def trial(self) -> Trial:
        """The prior and its warm-up."""
        return Trial(seed=SEED, samples=self.samples)

    def draw(self, cell: Cell) -> Drawn:
        """Dock and sample as the pipeline does, none stopped."""
        density = cell.density_map()
        with contextlib.redirect_stdout(io.StringIO()):
            task = self.trial.task("class", density, cell.resolution, False)
            _, finished = sampled(self.trial, OURS, [task])
        real = self.trial.prior.atom_mask.bool()
        docked = task.docked[0][real].double().cpu().numpy()
        samples = self.trial.coordinates(finished).double().numpy()
        return Drawn(samples, docked, self.trial.contour(density, cell.resolution).value)


def read_pool(path: Path) -> dict[Cell, Drawn]:
    """What the file holds; nothing if there is none."""
    if not path.is_file():
        return {}
    with np.load(path) as content:
        cells = [Cell(int(frame), float(a), float(b)) for frame, a, b in content["cells"]]
        return {cell: _read(content, k) for k, cell in enumerate(cells)}


def _read(content: Mapping[str, np.ndarray], k: int) -> Drawn:
    samples, docked = (content[f"{name}_{k}"].astype(np.float64) for name in ("samples", "docked"))
    return Drawn(samples, docked, float(content["threshold"][k]))


def write_pool(path: Path, pool: dict[Cell, Drawn]) -> None:
    """Write all maps' samples in single precision."""
    arrays = {"cells": np.array(list(pool)), "threshold": np.array([drawn.threshold for drawn in pool.values()])}
    for k, drawn in enumerate(pool.values()):
        arrays |= {f"samples_{k}": drawn.samples.astype(np.float32), f"docked_{k}": drawn.docked.astype(np.float32)}
    partial = path.with_name(f"{path.name}.partial.npz")
    np.savez_compressed(partial, **arrays)
    partial.replace(path)


def draw_pool(path: Path, cells: Sequence[Cell], samples: int) -> dict[Cell, Drawn]:
    """Samples of all cells in their order; what the file does not hold is drawn and added to it."""
    pool, sampler = read_pool(path), Sampler(samples)
    missing = [cell for cell in cells if cell not in pool or len(pool[cell].samples) < samples]
    for number, cell in enumerate(missing, start=1):
        pool[cell] = sampler.draw(cell)
        write_pool(path, pool)
        click.echo(f"map {number} of {len(missing)} sampled: {cell}", err=True)
    return {cell: pool[cell] for cell in cells}


def class_input(cell: Cell, drawn: Drawn, samples: np.ndarray, folder: Path, density: DensityMap) -> ClassInput:
    """What SELECT_MODELS would read of samples ``(n_samples, n_atoms, 3)`` in a map; every one is a replicate."""
    topology = read_path().topology
    docked = folder / "docked.cif"
    write_model(docked, topology, drawn.docked, title="docked")
    records = [{"sample": number, "replicate": number} for number in range(1, len(samples) + 1)]
    return ClassInput(
        class_name=f"frame{cell.frame}",
        topology=topology,
        density=density,
        resolution_angstrom=cell.resolution,
        resolution_method="samplesheet",
        threshold=drawn.threshold,
        map_name="simulated",
        docked=docked,
        docking={},
        samples=Samples(samples, records, None, None, None),
        sampling={},
        reference=None,
        map_record={"threshold": drawn.threshold},
    )
