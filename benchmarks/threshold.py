#!/usr/bin/env python3
"""Threshold and resolution: how much of the molecule is within the contour, how much else, and which masks are seen.

Half-map pairs of adenylate kinase, open and closed, whose FSC is 0.143 at 3, 4, 6 and 8 Å by construction
(white noise, Guinier fall-off), in boxes with solvent around. From each pair come the maps that programs leave: the
plain mean, the FSC-weighted one, the sharpened one, both in a detergent micelle, stored in few bits, masked softly or
tightly, masked and resampled, and cut off at zero. Each goes through what PREPARE_MAP does, without being told its
resolution.

An atom is included if its voxel is within the contour; volume is false if further from any atom than the mask
of CC_mask reaches, max(3 Å, 0.75 resolution). A map passes with 90 % of the atoms included and at most 10 % of
its volume false. The last line is the share of maps that pass and whose mask was seen, or not seen where
there is none.

    ./classfold bench threshold [--resolutions 3,4,6,8] [--conformations 2]
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bin"))

import click
import gemmi
import numpy as np
import torch
from trial.half_maps import (
    HalfMaps,
    box_around,
    distance_to_atoms,
    half_maps,
    micelle,
    soft_sphere,
    stored_as_integers,
    tight_mask,
)

from classfold.errors import InputError, run_stage
from classfold.map_preparation import PreparedMap, prepare
from classfold.map_resolution import find_resolution
from classfold.map_set import MapSet
from classfold.maps import SourceMap
from classfold.resampling import resample
from classfold.set_voxels import find_set_voxels
from classfold.threshold import Molecule, blurred

MASS_DALTON = 23_600.0
MARGIN_ANGSTROM = 30.0
LEAST_INCLUDED, MOST_FALSE = 0.9, 0.1
FAR_ANGSTROM = 20.0
"""What is significant so far from all atoms is noise."""
CONFORMATIONS = {"open": 97, "closed": 3}
"""Frames of the path."""


class Trial(NamedTuple):
    """One pair of half maps, alone and in a micelle, and what its maps are judged by."""

    atoms: np.ndarray
    distance: np.ndarray
    """Å from each voxel to the nearest atom, shape (n_z, n_y, n_x)."""
    alone: HalfMaps
    in_micelle: HalfMaps


class Result(NamedTuple):
    """One map."""

    resolution: float
    kind: str
    included: float
    false: float
    noise: float
    """Share of noise among significant voxels; not a number where noise could not be measured, or in a micelle."""
    found_volume: float
    """Volume of significant density over that of the sequence."""
    is_masked: bool
    by_halves: float
    """Resolution by the half maps over the true one."""
    by_estimate: float
    """The same for the estimate; not a number if that was refused."""
    n_warnings: int
    seconds: float

    @property
    def passes(self) -> bool:
        """Within both bounds, the mask judged rightly."""
        in_bounds = self.included >= LEAST_INCLUDED and self.false <= MOST_FALSE
        return in_bounds and self.is_masked == KINDS[self.kind].is_masked


class Kind(NamedTuple):
    """What a program made of the half maps."""

    make: Callable[[Trial], np.ndarray]
    is_masked: bool = False
    in_micelle: bool = False


def ringing(trial: Trial) -> np.ndarray:
    """What resampling leaves outside a mask: 1e-4 of the map's range."""
    size = 1e-4 * float(np.ptp(trial.alone.weighted))
    return size * np.random.default_rng(1).standard_normal(trial.distance.shape)


KINDS = {
    "mean": Kind(lambda trial: trial.alone.mean),
    "weighted": Kind(lambda trial: trial.alone.weighted),
    "sharpened": Kind(lambda trial: trial.alone.sharpened),
    "weighted, micelle": Kind(lambda trial: trial.in_micelle.weighted, in_micelle=True),
    "sharpened, micelle": Kind(lambda trial: trial.in_micelle.sharpened, in_micelle=True),
    "sharpened, float16": Kind(lambda trial: trial.alone.sharpened.astype(np.float16)),
    "weighted, int8": Kind(lambda trial: stored_as_integers(trial.alone.weighted, 127)),
    "weighted, soft sphere": Kind(
        lambda trial: soft_sphere(trial.alone.weighted, min(trial.distance.shape) / 2 - 3), is_masked=True
    ),
    "weighted, tight mask": Kind(
        lambda trial: trial.alone.weighted * tight_mask(trial.atoms, trial.alone.grid), is_masked=True
    ),
    "sharpened, tight mask": Kind(
        lambda trial: trial.alone.sharpened * tight_mask(trial.atoms, trial.alone.grid), is_masked=True
    ),
    "weighted, tight mask, ringing": Kind(
        lambda trial: trial.alone.weighted * tight_mask(trial.atoms, trial.alone.grid) + ringing(trial), is_masked=True
    ),
    "weighted, cut off at 0": Kind(lambda trial: trial.alone.weighted.clip(min=0), is_masked=True),
}


def make_trial(atoms: torch.Tensor, weights: torch.Tensor, resolution: float, seed: int) -> Trial:
    """Half maps of atoms ``(n, 3)``, alone and in a micelle."""
    grid = box_around(atoms, max(1.0, resolution / 3), MARGIN_ANGSTROM)
    distance = distance_to_atoms(atoms.numpy(), grid)
    alone = half_maps(atoms, weights, resolution, grid, seed)
    around = half_maps(atoms, weights, resolution, grid, seed + 1, micelle(atoms.numpy(), grid))
    return Trial(atoms.numpy(), distance, alone, around)


def as_source(density: np.ndarray, halves: HalfMaps, name: str) -> SourceMap:
    """A map as if it had been read."""
    voxel = np.full(3, halves.grid.voxel_size_angstrom)
    return SourceMap(density.astype(np.float32), voxel, np.array(halves.grid.origin_angstrom), "xyz", 2, name)


def noise_share(source: SourceMap, prepared: PreparedMap, trial: Trial) -> float:
    """Share of noise among the significant voxels, were it everywhere as it is far from all atoms."""
    level = prepared.threshold.fdr_level
    if level is None:
        return math.nan
    # The prepared map is cropped; far from the molecule is what was cropped away.
    whole = resample(source, prepared.resampling)
    above = blurred(whole, prepared.threshold.blur_angstrom).density > level
    far = distance_to_atoms(trial.atoms, whole.grid) > FAR_ANGSTROM
    return float(above[far].mean() * above.size / max(above.sum(), 1))


def worst(values: Iterable[float], key: Callable[[float], float] = float) -> float:
    """The largest by a key of those that are numbers; not a number if none is."""
    return max(filter(math.isfinite, values), key=key, default=math.nan)


def far_off(ratio: float) -> float:
    """How far a ratio is from 1, in either direction."""
    return abs(math.log(ratio))


def judge(kind: str, trial: Trial, resolution: float, seed: int) -> Result:
    """What PREPARE_MAP makes of one map."""
    halves = trial.in_micelle if KINDS[kind].in_micelle else trial.alone
    source = as_source(KINDS[kind].make(trial), halves, kind)
    pair = {"half_map_1": halves.first, "half_map_2": halves.second}
    companions = {role: as_source(half, halves, role) for role, half in pair.items()}
    started = time.perf_counter()
    prepared = prepare(MapSet(source, companions), Molecule(len(trial.atoms), MASS_DALTON), None, None, seed)
    seconds = time.perf_counter() - started
    try:
        set_voxels = find_set_voxels(source.density)
        estimate = find_resolution(MapSet(source, {}), MASS_DALTON, None, set_voxels, seed).value_angstrom
    except InputError:
        estimate = math.nan
    kept, density_map = prepared.components.kept, prepared.density_map
    index = np.rint(density_map.index_of(trial.atoms)).astype(int)
    is_inside = ((index >= 0) & (index < kept.shape)).all(axis=1)
    distance = distance_to_atoms(trial.atoms, density_map.grid)
    significant = prepared.threshold.significant_angstrom3
    return Result(
        resolution=resolution,
        kind=kind,
        included=float(kept[tuple(index[is_inside].T)].sum()) / len(index),
        false=float((distance[kept] > max(3.0, 0.75 * resolution)).mean()),
        noise=math.nan if KINDS[kind].in_micelle else noise_share(source, prepared, trial),
        found_volume=math.nan if significant is None else significant / prepared.expected_volume_angstrom3,
        is_masked=prepared.is_masked,
        by_halves=prepared.resolution.value_angstrom / halves.resolution_angstrom,
        by_estimate=estimate / halves.resolution_angstrom,
        n_warnings=len(prepared.warnings),
        seconds=seconds,
    )


def print_table(results: list[Result]) -> None:
    """One line for each kind of map and resolution, over conformations: the worst of each."""
    click.echo(f"{'map':30} {'Å':>2} {'included':>8} {'false':>6} {'noise':>6} {'volume':>6} {'masked':>6} "
               f"{'halves':>6} {'estimate':>8} {'warned':>6} {'s':>5}")  # fmt: skip
    for kind, resolution in dict.fromkeys((row.kind, row.resolution) for row in results):
        rows = [row for row in results if (row.kind, row.resolution) == (kind, resolution)]
        seen = f"{sum(row.is_masked for row in rows)}/{len(rows)}"
        halves = worst((row.by_halves for row in rows), far_off)
        estimate = worst((row.by_estimate for row in rows), far_off)
        included, false = min(row.included for row in rows), max(row.false for row in rows)
        noise, volume = worst(row.noise for row in rows), worst(row.found_volume for row in rows)
        click.echo(
            f"{kind:30} {resolution:2.0f} {included:8.3f} {false:6.3f} {noise:6.3f} {volume:6.2f} {seen:>6} "
            f"{halves:6.2f} {estimate:8.2f} {sum(row.n_warnings > 0 for row in rows):>4}/{len(rows)} "
            f"{max(row.seconds for row in rows):5.1f}"
        )


def print_figures(results: list[Result]) -> None:
    """The worst of all maps, and the figure asked for."""
    masked = [row.is_masked for row in results if KINDS[row.kind].is_masked]
    unmasked = [row.is_masked for row in results if not KINDS[row.kind].is_masked]
    halves = [row.by_halves for row in results]
    estimates = [row.by_estimate for row in results if math.isfinite(row.by_estimate)]
    included, false = min(row.included for row in results), max(row.false for row in results)
    click.echo(f"worst: {included:.1%} of the atoms included, {false:.1%} of the volume false")
    click.echo(f"noise among significant voxels: at most {worst(row.noise for row in results):.2%} (stated: 1 %)")
    click.echo(f"masks seen: {sum(masked)} of {len(masked)}; where there is none: {sum(unmasked)} of {len(unmasked)}")
    click.echo(
        f"resolution over the true one: half maps {min(halves):.2f} to {max(halves):.2f}; "
        f"estimate {min(estimates):.2f} to {max(estimates):.2f}, refused for {len(results) - len(estimates)} maps"
    )
    click.echo(f"threshold: {sum(row.passes for row in results) / len(results):.3f}")


def trials(resolutions: list[float], conformations: int, seed: int) -> Iterator[tuple[float, Trial]]:
    """Every pair of half maps."""
    frames = np.load(ROOT / "assets/demo/adk_path.npz")
    weights = torch.tensor([gemmi.Element(str(symbol)).atomic_number for symbol in frames["element"]]).float()
    for frame in list(CONFORMATIONS.values())[:conformations]:
        number = frames["frame"].tolist().index(frame)
        atoms = torch.from_numpy(frames["coordinates"][number].astype(np.float32) * 0.01)
        for resolution in resolutions:
            yield resolution, make_trial(atoms, weights, resolution, seed + frame + round(10 * resolution))


@click.command(context_settings={"show_default": True}, help=__doc__)
@click.option("--resolutions", default="3,4,6,8", help="Å, by commas.")
@click.option("--conformations", default=2, type=click.IntRange(1, 2), help="Open alone, or closed too.")
@click.option("--seed", default=0, help="Of the noise.")
def main(resolutions: str, conformations: int, seed: int) -> None:
    """Simulate, prepare, judge, print."""
    results = []
    for resolution, trial in trials([float(each) for each in resolutions.split(",")], conformations, seed):
        results += [judge(kind, trial, resolution, seed) for kind in KINDS]
        click.echo(f"{sum(row.passes for row in results)} of {len(results)} maps pass", err=True)
    print_table(sorted(results, key=lambda row: (list(KINDS).index(row.kind), row.resolution)))
    print_figures(results)


if __name__ == "__main__":
    run_stage(main)
