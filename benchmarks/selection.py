#!/usr/bin/env python3
"""What the choice among samples costs: RMSD of the chosen sample minus that of the best of all, on the accuracy grid.

Two targets along adenylate kinase's path that the miniature prior never saw, half open and open, each in maps at 3,
4, 6 and 8 Å with noise of half and of the whole of the map's standard deviation; none of the samples is stopped. The
samples are drawn once and kept in the file of --pool. SELECT_MODELS's own code judges.

Beside the rule stand the sample with the highest CC_mask alone, and any sample (the mean over all): the miniature has
no confidence head, and a ranking that says nothing about the map is no better than that. RMSDs are Cα, in the map's
frame.

The last line is the rule's median and worst regret in Å.

    ./classfold bench selection [--samples 5] [--pool selection_pool.npz]
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bin"), str(ROOT / "demo")]

import click
import numpy as np
import torch
from adk_path import read_path
from trial.pool import FRAMES, NOISE_LEVELS, RESOLUTIONS_ANGSTROM, Cell, Drawn, class_input, draw_pool

from classfold.clusters import distances
from classfold.errors import run_stage
from classfold.selection import select


class Regret(NamedTuple):
    """Of one map, Å."""

    best_of_all: float
    """RMSD, no regret."""
    rule: float
    cc_only: float
    any_sample: float
    clusters: int


def measure(cell: Cell, drawn: Drawn) -> Regret:
    """Choose among the samples of one map."""
    path = read_path()
    ca = path.topology.ca_indices()
    rmsd = distances(drawn.samples[:, ca], path.at(cell.frame)[ca])
    with tempfile.TemporaryDirectory() as folder:
        selection = select(class_input(cell, drawn, drawn.samples, Path(folder), cell.density_map()))
    by_cc = int(np.argmax([sample.scores["cc_mask"] for sample in selection.scored]))
    lost = rmsd - rmsd.min()
    return Regret(rmsd.min(), lost[selection.best], lost[by_cc], lost.mean(), len(selection.clusters))


@click.command(context_settings={"show_default": True}, help=__doc__)
@click.option("--samples", default=5, help="Of each map.")
@click.option("--pool", type=click.Path(path_type=Path, dir_okay=False), default="selection_pool.npz", help="Samples.")
def main(samples: int, pool: Path) -> None:
    """Draw what is missing, choose, print."""
    torch.set_num_threads(1)
    cells = [Cell(*values) for values in itertools.product(FRAMES, RESOLUTIONS_ANGSTROM, NOISE_LEVELS)]
    found = {cell: measure(cell, drawn) for cell, drawn in draw_pool(pool, cells, samples).items()}
    click.echo("frame   map  noise  best of all   rule  CC only  any sample  clusters")
    for cell, regret in found.items():
        click.echo(
            f"{cell.frame:5d} {cell.resolution:3.0f} Å {cell.noise:6.1f} {regret.best_of_all:12.2f} {regret.rule:6.2f} "
            f"{regret.cc_only:8.2f} {regret.any_sample:11.2f} {regret.clusters:9d}"
        )
    table = np.array(list(found.values()))
    for name, statistic in (("median", np.median), ("worst", np.max)):
        rule, cc_only, any_sample = statistic(table[:, 1:4], axis=0)
        click.echo(f"{name:6} {'':24} {rule:6.2f} {cc_only:8.2f} {any_sample:11.2f}")
    click.echo(f"selection: {np.median(table[:, 1]):.2f} {table[:, 1].max():.2f}")


if __name__ == "__main__":
    run_stage(main)
