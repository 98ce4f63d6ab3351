"""How good the miniature prior's unguided samples are: the demonstration stands on them.

Draws samples without a map and compares each with the frames of the path that it was trained on. A draw is good when it
is within 1.5 Å of the closed end's known structures (Cα, after superposition), right-handed, with neighbouring Cα
3.8 ± 0.15 Å apart (all but one in twenty) and no knot of clashes. The known closed structure is judged in the same run.

    ./classfold bench prior [--draws 10] [--steps 100]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bin"))

from classfold.geometry import Geometry, GeometryJudge
from classfold.prior import (
    BoltzPrior,
    atom_table,
    chain_table,
    featurise,
    load_components,
    load_model,
    parse_target,
)
from classfold.random_draws import SampleSeed, SampleStreams
from classfold.sampler import Frame, sample, start
from classfold.structure import ChainRecord, Topology
from classfold.superposition import superposed_rmsd

DEMO = ROOT / "assets/demo"
GOOD_RMSD_ANGSTROM = 1.5
OPEN_RMSD_ANGSTROM = 4.0
MAX_CA_OUTLIER_FRACTION = 0.05
MAX_CLASHSCORE = 60.0


def draw_samples(prior: BoltzPrior, n_draws: int, n_steps: int, seed: int) -> torch.Tensor:
    """Unguided samples (n_draws, n_atoms, 3) in Å."""
    process = prior.noise_process(n_steps)
    seeds = [SampleSeed(seed, 1, index) for index in range(1, n_draws + 1)]
    streams = SampleStreams(seeds, len(prior.atom_mask), prior.device)
    state = sample(
        start(streams.initial(), process),
        process.steps,
        streams.step,
        prior.denoiser(prior.embed(recycling_steps=3)),
        process,
        Frame(prior.atom_mask),
    )
    return state.coordinates[:, prior.atom_mask.bool()]


class Draw(NamedTuple):
    """One unguided sample and what it is judged by."""

    to_closed_angstrom: float
    to_open_angstrom: float
    geometry: Geometry

    @property
    def is_right_handed(self) -> bool:
        return self.geometry.wrong_hand_fraction < 0.5

    @property
    def is_good(self) -> bool:
        """Closed, right-handed, with neighbouring Cα at their distance and no knot of clashes."""
        return (
            self.to_closed_angstrom <= GOOD_RMSD_ANGSTROM
            and self.is_right_handed
            and self.geometry.ca_outlier_fraction <= MAX_CA_OUTLIER_FRACTION
            and self.geometry.clashscore <= MAX_CLASHSCORE
        )

    @property
    def is_open(self) -> bool:
        """An open model that no map asked for."""
        return self.to_closed_angstrom > OPEN_RMSD_ANGSTROM and self.is_right_handed


def judge_draws(weights: Path, n_draws: int, n_steps: int, seed: int) -> tuple[list[Draw], Draw]:
    """Draw unguided samples and judge them; the known closed structure is judged beside them."""
    target = parse_target(DEMO / "adk.fasta", load_components(weights / "ccd.pkl"))
    topology = Topology(
        target="adk",
        chains=tuple(
            ChainRecord(chain["name"], chain["type"], chain["entity"], chain["sequence"])
            for chain in chain_table(target)
        ),
        **atom_table(target),
    )
    features = featurise(target, {}, seed=seed)
    prior = BoltzPrior(load_model(weights / "boltz1_conf.ckpt"), features, torch.device("cpu"))
    with np.load(DEMO / "adk_path.npz") as path:
        ends = torch.from_numpy(path["coordinates"][[0, -1]].astype(np.float32) / 100)
    models = torch.cat([draw_samples(prior, n_draws, n_steps, seed), ends[:1]])
    ca = torch.from_numpy(topology.ca_indices())
    to_closed, to_open = (superposed_rmsd(models[:, ca], end[ca]).tolist() for end in ends)
    judge = GeometryJudge(topology)
    *draws, known = map(Draw, to_closed, to_open, map(judge.judge, models.numpy()))
    return draws, known


@click.command(context_settings={"show_default": True})
@click.option(
    "--weights", type=click.Path(path_type=Path), default=DEMO / "weights", help="Folder of weights."
)
@click.option("--draws", default=10, help="Samples to draw.")
@click.option("--steps", default=100, help="Diffusion steps.")
@click.option("--seed", default=1, help="Seed.")
def main(weights: Path, draws: int, steps: int, seed: int) -> None:
    """Draw unguided samples and judge them."""
    drawn, known = judge_draws(weights, draws, steps, seed)
    click.echo(" draw  to closed Å  to open Å  hand   Cα-Cα outliers  clashscore  good")
    for name, draw in [*((str(number), draw) for number, draw in enumerate(drawn, start=1)), ("known", known)]:
        geometry = draw.geometry
        click.echo(
            f"{name:>5s}  {draw.to_closed_angstrom:11.2f}  {draw.to_open_angstrom:9.2f}  "
            f"{'right' if draw.is_right_handed else 'wrong'}  {geometry.ca_outliers:8d}/{geometry.ca_pairs}  "
            f"{geometry.clashscore:10.1f}  {'yes' if draw.is_good else 'no'}"
        )
    n_good, n_open = sum(draw.is_good for draw in drawn), sum(draw.is_open for draw in drawn)
    click.echo(f"good closed models {n_good} of {draws}; open {n_open} of {draws}")
    click.echo(f"prior: {n_good / draws:.2f}")


if __name__ == "__main__":
    main()
