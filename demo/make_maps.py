#!/usr/bin/env python3
"""Make the demonstration's data: two class maps of adenylate kinase, from frames never trained on.

Each class is a frame in a pose of its own, its density at 4 Å (see bin/classfold/density.py) on voxels
of 1.6 Å, plus noise that is white, filtered like the signal and independent in the two half maps; the
map is their mean. The boxes are not cubic and do not start at zero: one map says so by ORIGIN, the other
by NSTART. Maps are 16-bit floats. The same seed gives the same files.

Writes samplesheet.csv, maps/*.mrc and *.mrc.gz, and known/adk.CLASS.cif: the structure in its map's frame.

\b
Example:
    python demo/make_maps.py --output assets/demo
"""

from __future__ import annotations

import csv
import gzip
import sys
from pathlib import Path
from typing import NamedTuple

import click
import mrcfile
import numpy as np
import torch
from scipy.spatial.transform import Rotation

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bin"))
sys.path.insert(0, str(ROOT / "demo"))

from adk_path import AdkPath, read_path

from classfold.density import Grid, gaussian_sigma, simulate_density
from classfold.mmcif import write_model

RESOLUTION_ANGSTROM = 4.0
VOXEL_SIZE_ANGSTROM = 1.6
NOISE = 0.35
"""Standard deviation of the noise in the mean map, over that of the signal within its mask."""
MASK_LEVEL = 0.1
"""The mask is where the signal exceeds this share of its maximum."""
MARGIN_ANGSTROM = 14.0
SHEET_COLUMNS = [
    *("target", "class", "map", "resolution", "sequence", "half_map_1", "half_map_2"),
    *("mask", "contour", "msa", "initial_model"),
]


class DemoClass(NamedTuple):
    """One class of the demonstration."""

    name: str
    frame: int
    """Index over both transitions, held out from training."""
    start_xyz: tuple[int, int, int]
    """First voxel of the box on the map's grid: the frame's offset."""
    extra_voxels_xyz: tuple[int, int, int]
    """Voxels beyond the margin, different per axis."""
    by_origin: bool
    """Whether the header tells the offset by ORIGIN, else by NSTART."""
    suffix: str


CLASSES = (
    DemoClass("closed", 4, (17, -23, 40), (0, 5, 2), True, ".mrc.gz"),
    DemoClass("open", 190, (-31, 12, -9), (4, 0, 7), False, ".mrc"),
)


def pose(coordinates: np.ndarray, demo_class: DemoClass, rng: np.random.Generator) -> tuple[np.ndarray, Grid]:
    """Turn a model at random and put it into the middle of a box that begins where the class says.

    Returns
    -------
    coordinates : ndarray, shape (n_atoms, 3)
    grid : Grid
    """
    turned = Rotation.from_quat(rng.standard_normal(4)).apply(coordinates)
    extent = np.ptp(turned, axis=0) + 2 * MARGIN_ANGSTROM
    shape = np.ceil(extent / VOXEL_SIZE_ANGSTROM).astype(int) + demo_class.extra_voxels_xyz
    origin = np.array(demo_class.start_xyz) * VOXEL_SIZE_ANGSTROM
    middle = origin + 0.5 * (shape - 1) * VOXEL_SIZE_ANGSTROM
    placed = turned + middle - 0.5 * (turned.max(axis=0) + turned.min(axis=0))
    n_x, n_y, n_z = (int(size) for size in shape)
    x, y, z = (float(value) for value in origin)
    return placed, Grid((n_z, n_y, n_x), VOXEL_SIZE_ANGSTROM, (x, y, z))


def filtered_noise(shape_zyx: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    """White noise with the transfer function of the signal's Gaussians, standard deviation 1."""
    frequencies = np.meshgrid(*(np.fft.fftfreq(size, VOXEL_SIZE_ANGSTROM) for size in shape_zyx), indexing="ij")
    squared = sum(frequency**2 for frequency in frequencies)
    transfer = np.exp(-2 * (np.pi * gaussian_sigma(RESOLUTION_ANGSTROM)) ** 2 * squared)
    noise = np.fft.ifftn(np.fft.fftn(rng.standard_normal(shape_zyx)) * transfer).real
    return noise / noise.std()


def half_maps(
    coordinates: np.ndarray, atomic_numbers: np.ndarray, grid: Grid, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Two half maps of a model, in double precision so that every machine rounds to the same files."""
    signal = simulate_density(
        torch.from_numpy(coordinates)[None], torch.from_numpy(atomic_numbers), RESOLUTION_ANGSTROM, grid
    )[0].numpy()
    # The mean of two halves has 1/sqrt(2) of their noise.
    amplitude = np.sqrt(2) * NOISE * signal[signal > MASK_LEVEL * signal.max()].std()
    first, second = (signal + amplitude * filtered_noise(grid.shape_zyx, rng) for _ in range(2))
    return first, second


def write_demo_map(path: Path, density: np.ndarray, grid: Grid, demo_class: DemoClass) -> None:
    """Write a map as 16-bit floats, with its offset where the class says and without a time stamp."""
    plain = path.with_name(path.name.removesuffix(".gz"))
    with mrcfile.new(plain, np.ascontiguousarray(density, np.float16), overwrite=True) as mrc:
        mrc.voxel_size = grid.voxel_size_angstrom
        mrc.header.nlabl, mrc.header.label = 0, b""
        if demo_class.by_origin:
            mrc.header.origin.x, mrc.header.origin.y, mrc.header.origin.z = grid.origin_angstrom
        else:
            for name, start in zip(("nxstart", "nystart", "nzstart"), demo_class.start_xyz, strict=True):
                mrc.header[name] = start
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(plain.read_bytes(), mtime=0))
        plain.unlink()


def make_class(path: AdkPath, demo_class: DemoClass, seed: int, output: Path) -> dict[str, str]:
    """Write the maps and the known structure of one class; returns its row of the samplesheet."""
    rng = np.random.default_rng([seed, demo_class.frame])
    coordinates, grid = pose(path.at(demo_class.frame), demo_class, rng)
    halves = half_maps(coordinates, path.topology.atomic_numbers, grid, rng)
    files = {
        "map": (f"maps/{demo_class.name}{demo_class.suffix}", 0.5 * (halves[0] + halves[1])),
        "half_map_1": (f"maps/{demo_class.name}_half_1{demo_class.suffix}", halves[0]),
        "half_map_2": (f"maps/{demo_class.name}_half_2{demo_class.suffix}", halves[1]),
    }
    for name, density in files.values():
        write_demo_map(output / name, density, grid, demo_class)
    write_model(
        output / f"known/adk.{demo_class.name}.cif",
        path.topology,
        coordinates,
        title=f"Adenylate kinase, {demo_class.name}: frame {demo_class.frame}, in the frame of its map",
    )
    row = {"target": "adk", "class": demo_class.name, "resolution": f"{RESOLUTION_ANGSTROM:g}"}
    return row | {"sequence": "adk.fasta", "msa": "none"} | {key: name for key, (name, _) in files.items()}


@click.command(help=__doc__, context_settings={"show_default": True})
@click.option("--output", type=click.Path(path_type=Path), default=ROOT / "assets/demo", help="Folder.")
@click.option("--seed", default=1, help="Seed of poses and noise.")
def main(output: Path, seed: int) -> None:
    """Make both classes and the samplesheet."""
    path = read_path()
    for folder in ("maps", "known"):
        (output / folder).mkdir(parents=True, exist_ok=True)
    rows = [make_class(path, demo_class, seed, output) for demo_class in CLASSES]
    with (output / "samplesheet.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, SHEET_COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    click.echo(f"{len(rows)} classes in {output}")


if __name__ == "__main__":
    main()
