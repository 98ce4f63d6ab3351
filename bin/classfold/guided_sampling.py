"""Guided sampling of one class after another, on what the classes of a target share."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import torch
from safetensors.torch import save_file
from torch import Tensor

from .batches import choose_device, in_batches
from .embedding_store import (
    EmbeddingRecord,
    load_embedding,
    load_warm_up,
    read_record,
    sample_seeds,
    take,
)
from .features import load_features
from .map_guide import load_frame, load_guide
from .prior import BoltzPrior, Confidence, Embedding, load_model
from .random_draws import SampleStreams
from .records import read_json, write_json
from .sampler import State, sample
from .sampling_record import LossLog, write_losses
from .schedule import make_schedule
from .structure import Topology
from .weights import WeightsFolder, verify_weights

CONFIDENCE_FIELDS = ("plddt", "complex_plddt", "ptm", "iptm")
Batch = tuple[State, LossLog, Confidence | None]
"""What one batch of samples leaves."""


@dataclass(frozen=True)
class TargetRun:
    """What all classes of a target share."""

    prior: BoltzPrior
    embedding: Embedding
    warm_up: State
    topology: Topology
    record: EmbeddingRecord
    batch_size: int


def load_run(sequence: Path, embedding: Path, weights: Path, device: str, batch_size: int) -> TargetRun:
    """Load what the classes share, and check that it belongs together."""
    verify_weights(weights)
    record = read_record(embedding, read_json(sequence / "target.json")["sequence_sha256"], weights)
    chosen = choose_device(device)
    prior = BoltzPrior(
        load_model(weights / WeightsFolder.CHECKPOINT),
        load_features(sequence / "features.safetensors"),
        chosen,
    )
    warm_up = load_warm_up(embedding)
    expected = (record.samples * record.replicates, len(prior.atom_mask), 3)
    if tuple(warm_up.coordinates.shape) != expected:
        raise RuntimeError(
            f"{embedding}: warm-up states of shape {tuple(warm_up.coordinates.shape)}, not {expected}"
        )
    return TargetRun(
        prior, load_embedding(embedding, chosen), warm_up, Topology.read(sequence), record, batch_size
    )


def gather(run: TargetRun, batches: list[Batch]) -> dict[str, Tensor]:
    """Coordinates of the real atoms and the confidence of all batches, as they are written."""
    real = run.prior.atom_mask.bool().cpu()
    coordinates = torch.cat([state.coordinates.cpu() for state, _, _ in batches])
    tensors = {"coordinates": coordinates[:, real].contiguous()}
    judged = [confidence for _, _, confidence in batches if confidence is not None]
    for field in CONFIDENCE_FIELDS if judged else ():
        tensors[field] = torch.cat([getattr(each, field).cpu() for each in judged]).contiguous()
    return tensors


def check_finite(coordinates: Tensor, name: str) -> list[str]:
    """Warnings about samples (n, n_atoms, 3) whose coordinates are not finite.

    Raises
    ------
    RuntimeError
        If there is no other sample.
    """
    finite = torch.isfinite(coordinates).flatten(1).all(dim=1)
    if not finite.any():
        raise RuntimeError(f"class {name}: no sample has finite coordinates")
    if finite.all():
        return []
    return [f"{int((~finite).sum())} of {len(finite)} samples have coordinates that are not finite"]


def sample_class(run: TargetRun, map_folder: Path, docking_folder: Path, output: Path) -> None:
    """Sample one class and write its ``T.C.samples`` folder."""
    started = time.monotonic()
    name = read_json(map_folder / "map.json")["class"]
    schedule = make_schedule(run.record.schedule, run.record.steps)
    seeds = sample_seeds(run.record.seed, run.record.samples, run.record.replicates)
    guide = load_guide(map_folder, run.topology, schedule, run.prior.device)
    frame = load_frame(docking_folder, run.topology, run.prior.atom_mask)
    process = run.prior.noise_process(schedule.steps)
    denoise = run.prior.denoiser(run.embedding)

    def work(batch: range) -> Batch:
        log = LossLog(f"{run.topology.target} {name}", schedule, batch)
        streams = SampleStreams(seeds[batch.start : batch.stop], len(run.prior.atom_mask), run.prior.device)
        state = sample(
            take(run.warm_up, batch, run.prior.device),
            process.steps[schedule.warm_up :],
            streams.step,
            denoise,
            process,
            frame,
            guide.at,
            log,
        )
        confidence = None
        if run.prior.has_confidence:
            confidence = run.prior.confidence(run.embedding, state.coordinates, state.memory)
        return state, log, confidence

    batches = in_batches(len(seeds), run.batch_size, run.prior.device, work)
    tensors = gather(run, batches)
    warnings = check_finite(tensors["coordinates"], name)
    output.mkdir(parents=True, exist_ok=True)
    save_file(tensors, output / "samples.safetensors")
    write_losses([log for _, log, _ in batches], output / "losses.csv")
    seconds = time.monotonic() - started
    record = {
        "target": run.topology.target,
        "class": name,
        "n_samples": len(seeds),
        "samples": [{"sample": number, **asdict(each)} for number, each in enumerate(seeds, start=1)],
        "schedule": asdict(schedule) | {"global": schedule.global_},
        "steps": schedule.steps,
        "guidance": "published",
        "prior": run.record.prior,
        "weights_label": run.record.weights_label,
        "seconds": round(seconds, 2),
        "device": str(run.prior.device),
        "warnings": warnings,
    }
    write_json(record, output / "samples.json")
    click.echo(f"{run.topology.target} {name}: {len(seeds)} samples in {seconds:.0f} s")
    for warning in warnings:
        click.echo(f"warning: {warning}")
