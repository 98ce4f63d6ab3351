"""How good the miniature prior's unguided samples are: the demonstration stands on them.

Draws samples without a map and compares each with the frames of the path that it was trained on. A draw is good when it
is within 1.5 Å of the closed end's known structures (Cα, after superposition), right-handed, with neighbouring Cα
3.8 ± 0.15 Å apart and no knot of clashes. The baseline in the same run is the open end: how far it stays from it.

    ./classfold bench prior [--draws 10] [--steps 100]
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bin"))

from classfold.geometry import GeometryJudge
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


@click.command(context_settings={"show_default": True})
@click.option(
    "--weights", type=click.Path(path_type=Path), default=DEMO / "weights", help="Folder of weights."
)
@click.option("--draws", default=10, help="Samples to draw.")
@click.option("--steps", default=100, help="Diffusion steps.")
@click.option("--seed", default=1, help="Seed.")
def main(weights: Path, draws: int, steps: int, seed: int) -> None:
    """Draw unguided samples and judge them."""
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
    samples = draw_samples(prior, draws, steps, seed)
    with np.load(DEMO / "adk_path.npz") as path:
        ends = torch.from_numpy(path["coordinates"][[0, -1]].astype(np.float32) / 100)
    ca = torch.from_numpy(topology.ca_indices())
    to_closed = superposed_rmsd(samples[:, ca], ends[0, ca])
    to_open = superposed_rmsd(samples[:, ca], ends[1, ca])
    judge = GeometryJudge(topology)

    click.echo("draw  to closed Å  to open Å  hand   Cα-Cα outliers  clashscore  good")
    n_good = n_open = 0
    for number, model in enumerate(samples.numpy(), start=1):
        geometry = judge.judge(model)
        right_hand = geometry.wrong_hand_fraction < 0.5
        good = (
            float(to_closed[number - 1]) <= GOOD_RMSD_ANGSTROM
            and right_hand
            and geometry.ca_outlier_fraction <= 0.05
            and geometry.clashscore <= MAX_CLASHSCORE
        )
        n_good += good
        n_open += float(to_closed[number - 1]) > OPEN_RMSD_ANGSTROM and right_hand
        click.echo(
            f"{number:4d}  {to_closed[number - 1]:11.2f}  {to_open[number - 1]:9.2f}  "
            f"{'right' if right_hand else 'wrong'}  {geometry.ca_outliers:8d}/{geometry.ca_pairs}  "
            f"{geometry.clashscore:10.1f}  {'yes' if good else 'no'}"
        )
    click.echo(f"good closed models {n_good} of {draws}; open {n_open} of {draws}")
    click.echo(f"prior: {n_good / draws:.2f}")


if __name__ == "__main__":
    main()
