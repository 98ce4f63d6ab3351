#!/usr/bin/env python3
"""Are right models accepted and wrong ones not: verdicts of SELECT_MODELS on models whose truth is known.

Maps are those of the selection benchmark with fresh noise for every draw. Right models are the known structure and
the miniature prior's samples of that map. Wrong ones: the samples of the other target, superposed on the truth, and the
closed end likewise; the truth shifted by 3 Å, mirrored, turned by 180 degrees about its long axis, and warped by 3 Å.

The miniature's own geometry is poor, and a verdict says so. Therefore its samples are counted twice: by all criteria,
and by those of the map alone. The last line is the share of the known structures and of the miniature's samples (by the
map) that are accepted, and how many wrong models are.

    ./classfold bench verdict [--draws 3] [--pool selection_pool.npz]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bin"), str(ROOT / "demo")]

import click
import numpy as np
import pandas as pd
import torch
from adk_path import read_path
from trial.pool import FRAMES, Cell, Drawn, class_input, read_pool

from classfold.errors import InputError, run_stage
from classfold.selection import select
from classfold.superposition import apply_pose, superpose
from classfold.verdict import CRITERIA, Decision

RIGHT = ("known structure", "its samples")
MAP_CRITERIA = ("cc_share", "worst_stretch", "weak_residues", "fsc_ratio", "gain", "inside_map")
WARP_WAVELENGTH_ANGSTROM, N_WAVES = 30.0, 8


class Judged(NamedTuple):
    """One verdict."""

    kind: str
    resolution: float
    decision: str
    by_map: bool
    """Whether the criteria of the map alone let it pass."""


def onto(model: np.ndarray, fixed: np.ndarray, ca: np.ndarray) -> np.ndarray:
    """A model superposed on another one by its Cα."""
    mobile = torch.from_numpy(model)
    return apply_pose(*superpose(mobile[ca], torch.from_numpy(fixed[ca])), mobile).numpy()


def warped(model: np.ndarray, rms_angstrom: float, random: np.random.Generator) -> np.ndarray:
    """A model bent by long waves."""
    moved = np.zeros_like(model)
    for _ in range(N_WAVES):
        direction = random.normal(size=3)
        phase = model @ (2 * np.pi / WARP_WAVELENGTH_ANGSTROM * direction / np.linalg.norm(direction))
        moved += random.normal(size=3) * np.cos(phase + random.uniform(0, 2 * np.pi))[:, None]
    return model + moved * rms_angstrom / np.sqrt(np.square(moved).sum(axis=1).mean())


def candidates(cell: Cell, pool: dict[Cell, Drawn], draw: int) -> dict[str, np.ndarray]:
    """Models ``(n, n_atoms, 3)`` by kind; the stage judges the best of each kind."""
    path = read_path()
    truth, ca = path.at(cell.frame), path.topology.ca_indices()
    centre = truth.mean(axis=0)
    axes = np.linalg.svd(truth - centre, full_matrices=False)[2]
    other = next(frame for frame in FRAMES if frame != cell.frame)
    return {
        "known structure": truth[None],
        "its samples": pool[cell].samples,
        "other class": np.stack([onto(each, truth, ca) for each in pool[cell._replace(frame=other)].samples]),
        "closed": onto(path.at(0), truth, ca)[None],
        "shifted 3 Å": truth[None] + 3 / np.sqrt(3),
        "mirrored": ((truth - centre) * [1, 1, -1] + centre)[None],
        "turned": ((truth - centre) @ axes.T * [1, -1, -1] @ axes + centre)[None],
        "warped 3 Å": warped(truth, 3.0, np.random.default_rng(draw))[None],
    }


def judge(kind: str, models: np.ndarray, cell: Cell, drawn: Drawn, draw: int) -> Judged:
    """The stage's verdict on the best of some models."""
    with tempfile.TemporaryDirectory() as folder:
        selection = select(class_input(cell, drawn, models, Path(folder), cell.density_map(draw)))
    verdict = selection.verdicts[selection.best]
    by_map = all(
        criterion.judge(verdict.evidence.get(criterion.name)) is Decision.ACCEPT
        for criterion in CRITERIA
        if criterion.name in MAP_CRITERIA
    )
    return Judged(kind, cell.resolution, str(verdict.decision), by_map)


@click.command(context_settings={"show_default": True}, help=__doc__)
@click.option("--draws", default=3, help="Of noise, for each map; none is that which guided the samples.")
@click.option("--pool", type=click.Path(path_type=Path, dir_okay=False), default="selection_pool.npz", help="Samples.")
def main(draws: int, pool: Path) -> None:
    """Judge and print."""
    torch.set_num_threads(1)
    cells = read_pool(pool)
    if not cells:
        raise InputError(f"there are no samples in {pool}; draw them with ./classfold bench selection --pool {pool}")
    judged = []
    for cell, drawn in cells.items():
        for draw in range(1, draws + 1):
            judged += [judge(kind, models, cell, drawn, draw) for kind, models in candidates(cell, cells, draw).items()]
    table = pd.DataFrame(judged)
    counts = pd.crosstab(table["kind"], table["decision"]).reindex(columns=[str(d) for d in Decision], fill_value=0)
    counts["passes the map's criteria"] = table.groupby("kind")["by_map"].sum()
    click.echo(counts.reindex(table["kind"].unique()).to_string())
    accepted = table["decision"] == Decision.ACCEPT
    known, samples = (table["kind"] == kind for kind in RIGHT)
    wrong = ~(known | samples)
    click.echo(
        f"verdict: {accepted[known].mean():.2f} {table['by_map'][samples].mean():.2f} {int(accepted[wrong].sum())} "
        f"of {int(wrong.sum())}"
    )


if __name__ == "__main__":
    run_stage(main)
