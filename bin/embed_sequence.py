#!/usr/bin/env python3
"""Run the part of the prior that all classes of a target share.

The trunk runs once per target. The warm-up is not guided, so that it is the same for every class: it runs once per
sample, and every class goes on from the same states with the same random numbers. The first samples are also finished
without guidance; they are what is docked into the maps.

Example: embed_sequence.py --sequence adk.sequence --weights weights --samples 25 --replicates 3 --output adk.embedding
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click
import torch

from classfold.batches import choose_device
from classfold.embedding_store import (
    RECORD_FILE,
    EmbeddingRecord,
    checkpoint_digest,
    sample_seeds,
    save_embedding,
    save_warm_up,
    weights_label,
)
from classfold.errors import InputError, run_stage
from classfold.features import load_features
from classfold.memory import Dimensions, Problem, check_room, inputs_bytes, trunk_footprint
from classfold.precision import MATMULS, Matmul, Precision
from classfold.prior import BoltzPrior, load_model
from classfold.records import read_json, write_json
from classfold.schedule import AUTOMATIC, SCHEDULES, make_schedule
from classfold.structure import Topology
from classfold.unguided_sampling import UnguidedSampler, write_unguided
from classfold.weights import WeightsFolder, verify_weights


@click.command(context_settings={"show_default": True}, help=__doc__)
@click.option(
    "--sequence", type=click.Path(path_type=Path, exists=True), required=True, help="T.sequence folder."
)
@click.option("--weights", type=click.Path(path_type=Path), required=True, help="Folder of the weights.")
@click.option("--steps", default=200, help="Diffusion steps.")
@click.option("--schedule", type=click.Choice(sorted(SCHEDULES)), default=AUTOMATIC)
@click.option("--samples", default=25, help="Samples of each replicate.")
@click.option("--replicates", default=3, help="Replicates.")
@click.option("--seed", default=1, help="Seed of all random numbers.")
@click.option("--recycling-steps", default=3, help="Times that the trunk's output is fed back into it.")
@click.option("--unguided-models", default=5, help="Samples finished without guidance, for docking.")
@click.option(
    "--physical-guidance", type=click.Choice(["on", "off"]), default="off", help="Correct by Boltz's own potentials."
)
@click.option("--precision", type=click.Choice(MATMULS), default="float32", help="Of the network's matrix products.")
@click.option("--compile", "compiles", type=click.Choice(["on", "off"]), default="off", help="Compile the denoiser.")
@click.option("--kernels", type=click.Choice(["on", "off"]), default="off", help="Boltz's fast kernels for the trunk.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--batch-size", default=0, help="Samples at once; 0 chooses by the device.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="T.embedding folder to write.")
def main(
    sequence: Path,
    weights: Path,
    steps: int,
    schedule: str,
    samples: int,
    replicates: int,
    seed: int,
    recycling_steps: int,
    unguided_models: int,
    output: Path,
    **machine: Any,
) -> None:
    """Entry point; see the module's docstring."""
    started = time.monotonic()
    if min(samples, replicates, unguided_models) < 1:
        raise InputError(
            f"samples = {samples}, replicates = {replicates}, unguided models = {unguided_models}: "
            "each has to be 1 or more"
        )
    lengths = make_schedule(schedule, steps)
    verify_weights(weights)
    target, label = read_json(sequence / "target.json"), weights_label(weights)
    prior = load_prior(sequence, weights, **machine)
    embedding = prior.embed(recycling_steps)
    if not all(bool(torch.isfinite(value).all()) for value in vars(embedding).values()):
        raise RuntimeError("the trunk returned values that are not finite")

    seeds = sample_seeds(seed, samples, replicates)
    is_physical = machine["physical_guidance"] == "on"
    correct = prior.physical_guide(steps) if is_physical else None
    sampler = UnguidedSampler(prior, embedding, lengths, machine["batch_size"], correct)
    warm = sampler.warm_up(seeds)
    n_unguided = min(unguided_models, len(seeds))
    unguided = sampler.finish(warm, seeds[:n_unguided]).coordinates[:, prior.atom_mask.bool().cpu()]
    if not bool(torch.isfinite(warm.coordinates).all() and torch.isfinite(unguided).all()):
        raise RuntimeError("the denoiser returned coordinates that are not finite")

    output.mkdir(parents=True, exist_ok=True)
    save_embedding(output, embedding)
    save_warm_up(output, warm)
    write_unguided(output, Topology.read(sequence), unguided, label)
    record = EmbeddingRecord(
        target=target["target"],
        sequence_sha256=target["sequence_sha256"],
        checkpoint_sha256=checkpoint_digest(weights),
        weights_label=label,
        prior="boltz1",
        schedule=schedule,
        steps=steps,
        seed=seed,
        samples=samples,
        replicates=replicates,
        recycling_steps=recycling_steps,
        unguided_models=n_unguided,
        physical_guidance=is_physical,
        device=str(prior.device),
        seconds=round(time.monotonic() - started, 2),
    )
    write_json(record, output / RECORD_FILE)
    click.echo(f"{target['target']}: {len(seeds)} warm-up states, {n_unguided} unguided models")


def load_prior(
    sequence: Path, weights: Path, device: str, precision: Matmul, compiles: str, kernels: str, **_: Any
) -> BoltzPrior:
    """The prior for one sequence, on a device that it is expected to fit on."""
    model, features = load_model(weights / WeightsFolder.CHECKPOINT), load_features(sequence / "features.safetensors")
    chosen = choose_device(device)
    sizes = Dimensions.of_model(model), Problem.of_features(features)
    check_room(trunk_footprint(*sizes), inputs_bytes(*sizes), chosen)
    return BoltzPrior(model, features, chosen, Precision(precision, compiles == "on", kernels == "on"))


if __name__ == "__main__":
    run_stage(main)
