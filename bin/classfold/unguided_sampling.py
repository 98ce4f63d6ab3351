"""Sampling from the prior alone: the warm-up that all classes share, and the models that are docked."""

from __future__ import annotations

from pathlib import Path

import click
import torch
from safetensors.torch import save_file

from .batches import AUTOMATIC_BATCH, first_batch, in_batches
from .embedding_store import UNGUIDED_FILE, join, take
from .memory import Dimensions, Problem, unguided_footprint
from .prior import BoltzPrior, Embedding
from .random_draws import SampleSeed, SampleStreams
from .sampler import Correct, Frame, State, sample, start
from .schedule import Schedule
from .structure import Topology, write_model


class UnguidedSampler:
    """Draws samples from the prior alone, from noise to the end of the warm-up and from there to the end."""

    def __init__(
        self,
        prior: BoltzPrior,
        embedding: Embedding,
        schedule: Schedule,
        batch_size: int,
        correct: Correct | None = None,
    ) -> None:
        self.prior = prior
        self.denoise = prior.denoiser(embedding)
        self.process = prior.noise_process(schedule.steps)
        self.frame = Frame(prior.atom_mask, correct=correct)
        self.schedule = schedule
        footprint = unguided_footprint(
            Dimensions.of_model(prior.model), Problem.of_features(prior.features), prior.denoises_one_by_one
        )
        self.batch_size = first_batch(AUTOMATIC_BATCH[prior.device.type], batch_size, prior.device, footprint)

    def warm_up(self, seeds: list[SampleSeed]) -> State:
        """States of all samples after the warm-up."""

        def work(batch: range) -> State:
            streams = self._streams(seeds, batch)
            state = start(streams.initial(), self.process)
            steps = self.process.steps[: self.schedule.warm_up]
            click.echo(
                f"warm-up: samples {batch.start + 1} to {batch.stop} of {len(seeds)}, {len(steps)} steps"
            )
            return sample(state, steps, streams.step, self.denoise, self.process, self.frame)

        return join(in_batches(len(seeds), self.batch_size, self.prior.device, work))

    def finish(self, warm: State, seeds: list[SampleSeed]) -> State:
        """Finish the first ``len(seeds)`` samples without guidance."""

        def work(batch: range) -> State:
            state = take(warm, batch, self.prior.device)
            steps = self.process.steps[self.schedule.warm_up :]
            click.echo(f"unguided models: {batch.start + 1} to {batch.stop} of {len(seeds)}")
            streams = self._streams(seeds, batch)
            return sample(state, steps, streams.step, self.denoise, self.process, self.frame)

        return join(in_batches(len(seeds), self.batch_size, self.prior.device, work))

    def _streams(self, seeds: list[SampleSeed], batch: range) -> SampleStreams:
        chosen = seeds[batch.start : batch.stop]
        return SampleStreams(chosen, len(self.prior.atom_mask), self.prior.device)


def write_unguided(folder: Path, topology: Topology, coordinates: torch.Tensor, label: str) -> None:
    """Write the unguided models (n, n_atoms, 3) as safetensors and as one mmCIF each."""
    save_file({"coordinates": coordinates.contiguous()}, folder / UNGUIDED_FILE)
    models = folder / "unguided"
    models.mkdir(exist_ok=True)
    for number, model in enumerate(coordinates.numpy(), start=1):
        write_model(
            models / f"model_{number:03d}.cif",
            topology,
            model,
            title=f"{topology.target}: unguided model {number} of {label}",
            provenance={"prior": label, "guidance": "none"},
        )
