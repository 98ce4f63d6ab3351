"""What each precision costs and changes: time of the network, and how far the samples are from those in float32.

Every setting draws the same samples from the miniature prior, with the same random numbers. Its network is written by
hand and computes with coordinates in its layers: rounding harms it more than a trained one. A setting that this machine
cannot run is listed with its reason.

    ./classfold bench precision [--samples 3] [--steps 40] [--device cpu]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import click
import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bin"))

from classfold.batches import choose_device
from classfold.errors import InputError
from classfold.precision import Precision
from classfold.prior import BoltzPrior, Embedding, Features, featurise, load_components, load_model, parse_target
from classfold.random_draws import SampleSeed, SampleStreams
from classfold.sampler import Denoise, Frame, sample, start
from classfold.superposition import superposed_rmsd

DEMO = ROOT / "assets/demo"
FLOAT32 = "float32"
SETTINGS = {
    FLOAT32: Precision(),
    "tf32": Precision("tf32"),
    "bf16": Precision("bf16"),
    "compile": Precision(compile=True),
    "bf16, compile": Precision("bf16", compile=True),
    "kernels": Precision(kernels=True),
    "tf32, compile, kernels": Precision("tf32", compile=True, kernels=True),
}
CLOSE_ANGSTROM = 0.1
N_CALLS = 10
SIGMA_ANGSTROM = 10.0


class Outcome(NamedTuple):
    """One setting on this machine."""

    trunk_seconds: float
    warm_up_seconds: float
    """First two calls of the denoiser: they fill its cache and compile it."""
    call_seconds: float
    """Fastest call of the denoiser with all samples."""
    coordinates: Tensor
    """(n_samples, n_atoms, 3) Å."""


def stopwatch(work: Callable[[], object], device: torch.device) -> float:
    """Seconds that some work takes."""
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


def draw_samples(prior: BoltzPrior, denoise: Denoise, n_samples: int, n_steps: int, seed: int) -> Tensor:
    """Unguided samples (n_samples, n_atoms, 3) in Å."""
    process = prior.noise_process(n_steps)
    seeds = [SampleSeed(seed, 1, index) for index in range(1, n_samples + 1)]
    streams = SampleStreams(seeds, len(prior.atom_mask), prior.device)
    state = start(streams.initial(), process)
    state = sample(state, process.steps, streams.step, denoise, process, Frame(prior.atom_mask))
    return state.coordinates[:, prior.atom_mask.bool()].cpu()


def measure(prior: BoltzPrior, n_samples: int, n_steps: int, seed: int) -> Outcome:
    """Time the trunk and the denoiser, and draw samples."""
    embeddings: list[Embedding] = []
    trunk = stopwatch(lambda: embeddings.append(prior.embed(recycling_steps=3)), prior.device)
    denoise = prior.denoiser(embeddings[0])
    generator = torch.Generator().manual_seed(seed)
    noisy = SIGMA_ANGSTROM * torch.randn((n_samples, len(prior.atom_mask), 3), generator=generator)
    noisy = noisy.to(prior.device)
    with torch.no_grad():
        first, second, *calls = [
            stopwatch(lambda: denoise(noisy, SIGMA_ANGSTROM, None), prior.device) for _ in range(2 + N_CALLS)
        ]
    return Outcome(trunk, first + second, min(calls), draw_samples(prior, denoise, n_samples, n_steps, seed))


def rmsd(one: Tensor, other: Tensor) -> float:
    """Largest of the RMSDs in Å of samples (n_samples, n_atoms, 3) as they stand."""
    return float((one - other).square().sum(-1).mean(-1).sqrt().max())


def load_features(weights: Path, seed: int) -> Features:
    """Features of the demonstration's protein."""
    return featurise(parse_target(DEMO / "adk.fasta", load_components(weights / "ccd.pkl")), {}, seed)


@click.command(context_settings={"show_default": True})
@click.option("--weights", type=click.Path(path_type=Path), default=DEMO / "weights", help="Folder of weights.")
@click.option("--samples", default=3, help="Samples to draw.")
@click.option("--steps", default=40, help="Diffusion steps.")
@click.option("--seed", default=1, help="Seed.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
def main(weights: Path, samples: int, steps: int, seed: int, device: str) -> None:
    """Time every precision and compare its samples with those in float32."""
    features, chosen = load_features(weights, seed), choose_device(device)
    click.echo(f"{samples} samples on {chosen}, {torch.get_num_threads()} thread(s)")
    click.echo(f"{'':24s}trunk s  warm-up s  call s  RMSD Å  superposed Å")
    outcomes: dict[str, Outcome] = {}
    for name, precision in SETTINGS.items():
        try:
            prior = BoltzPrior(load_model(weights / "boltz1_conf.ckpt"), features, chosen, precision)
        except InputError as error:
            click.echo(f"{name:24s}{error}")
            continue
        outcome = outcomes[name] = measure(prior, samples, steps, seed)
        exact = outcomes[FLOAT32].coordinates
        click.echo(
            f"{name:24s}{outcome.trunk_seconds:7.2f}  {outcome.warm_up_seconds:9.2f}  {outcome.call_seconds:6.3f}  "
            f"{rmsd(outcome.coordinates, exact):6.3f}  {float(superposed_rmsd(outcome.coordinates, exact).max()):12.3f}"
        )
    exact = outcomes[FLOAT32].coordinates
    close = [each for each in outcomes.values() if rmsd(each.coordinates, exact) <= CLOSE_ANGSTROM]
    ratio = outcomes[FLOAT32].call_seconds / min(each.call_seconds for each in close)
    click.echo(f"samples of {len(close)} of {len(outcomes)} settings are within {CLOSE_ANGSTROM} Å of those in float32")
    click.echo(f"precision: {ratio:.2f}")


if __name__ == "__main__":
    main()
