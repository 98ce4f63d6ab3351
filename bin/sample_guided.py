#!/usr/bin/env python3
"""Sample models of one or more classes, guided by their maps.

Every class goes on from the warm-up states of its target with the same random numbers, so that what differs between
the classes comes from their maps. The first guided step puts each sample where the docked model is; then the map's
global shape pulls (Sinkhorn divergence to its point cloud), then its density, and the last steps relax.

Example: sample_guided.py --sequence adk.sequence --embedding adk.embedding --weights weights
         --map adk.open.map --docking adk.open.docking --output .
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import torch
from classfold.batches import choose_device, in_batches
from classfold.embedding_store import (
    EmbeddingRecord,
    load_embedding,
    load_warm_up,
    read_record,
    sample_seeds,
    take,
)
from classfold.errors import InputError, run_stage
from classfold.features import load_features
from classfold.map_guide import load_frame, load_guide
from classfold.prior import BoltzPrior, Confidence, Embedding, load_model
from classfold.random_draws import SampleStreams
from classfold.records import read_json, write_json
from classfold.sampler import State, sample
from classfold.sampling_record import LossLog, write_losses
from classfold.schedule import make_schedule
from classfold.structure import Topology
from classfold.weights import WeightsFolder, verify_weights
from safetensors.torch import save_file


@dataclass(frozen=True)
class TargetRun:
    """What all classes of a target share."""

    prior: BoltzPrior
    embedding: Embedding
    warm_up: State
    topology: Topology
    record: EmbeddingRecord
    batch_size: int


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

    def work(batch: range) -> tuple[State, LossLog, Confidence | None]:
        log = LossLog(f"{run.topology.target} {name}", schedule, batch)
        streams = SampleStreams(
            seeds[batch.start : batch.stop], len(run.prior.atom_mask), run.prior.device
        )
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

    states, logs, confidences = zip(
        *in_batches(len(seeds), run.batch_size, run.prior.device, work), strict=True
    )
    real = run.prior.atom_mask.bool().cpu()
    tensors = {"coordinates": torch.cat([state.coordinates.cpu() for state in states])[:, real].contiguous()}
    if run.prior.has_confidence:
        for field in ("plddt", "complex_plddt", "ptm", "iptm"):
            tensors[field] = torch.cat([getattr(each, field).cpu() for each in confidences]).contiguous()
    finite = torch.isfinite(tensors["coordinates"]).flatten(1).all(dim=1)
    if not finite.any():
        raise RuntimeError(f"class {name}: no sample has finite coordinates")
    warnings = []
    if not finite.all():
        warnings.append(f"{int((~finite).sum())} of {len(finite)} samples have coordinates that are not finite")

    output.mkdir(parents=True, exist_ok=True)
    save_file(tensors, output / "samples.safetensors")
    write_losses(list(logs), output / "losses.csv")
    write_json(
        {
            "target": run.topology.target,
            "class": name,
            "n_samples": len(seeds),
            "samples": [
                {"sample": number, **each._asdict()} for number, each in enumerate(seeds, start=1)
            ],
            "schedule": asdict(schedule) | {"global": schedule.global_},
            "steps": schedule.steps,
            "guidance": "published",
            "prior": run.record.prior,
            "weights_label": run.record.weights_label,
            "seconds": round(time.monotonic() - started, 2),
            "device": str(run.prior.device),
            "warnings": warnings,
        },
        output / "samples.json",
    )
    click.echo(f"{run.topology.target} {name}: {int(finite.sum())} samples in {time.monotonic() - started:.0f} s")


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
        raise RuntimeError(f"{embedding}: warm-up states of shape {tuple(warm_up.coordinates.shape)}, not {expected}")
    return TargetRun(
        prior, load_embedding(embedding, chosen), warm_up, Topology.read(sequence), record, batch_size
    )


@click.command(context_settings={"show_default": True}, help=__doc__)
@click.option("--sequence", type=click.Path(path_type=Path, exists=True), required=True, help="T.sequence folder.")
@click.option("--embedding", type=click.Path(path_type=Path, exists=True), required=True, help="T.embedding folder.")
@click.option("--weights", type=click.Path(path_type=Path), required=True, help="Folder of the weights.")
@click.option(
    "--map", "maps", type=click.Path(path_type=Path, exists=True), multiple=True, required=True,
    help="T.C.map folder; once for each class.",
)
@click.option(
    "--docking", "dockings", type=click.Path(path_type=Path, exists=True), multiple=True, required=True,
    help="T.C.docking folder; once for each class, in the same order.",
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--batch-size", default=0, help="Samples at once; 0 chooses by the device.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder for the T.C.samples folders.")
def main(
    sequence: Path,
    embedding: Path,
    weights: Path,
    maps: tuple[Path, ...],
    dockings: tuple[Path, ...],
    device: str,
    batch_size: int,
    output: Path,
) -> None:
    """Entry point; see the module's docstring."""
    if len(maps) != len(dockings):
        raise InputError(f"{len(maps)} maps and {len(dockings)} dockings; every class needs one of each")
    run = load_run(sequence, embedding, weights, device, batch_size)
    for map_folder, docking_folder in zip(maps, dockings, strict=True):
        described = read_json(map_folder / "map.json"), read_json(docking_folder / "docking.json")
        key = described[0]["target"], described[0]["class"]
        if key != (described[1]["target"], described[1]["class"]) or key[0] != run.topology.target:
            raise InputError(
                f"{map_folder} and {docking_folder} are not of one class of target {run.topology.target}"
            )
        sample_class(run, map_folder, docking_folder, output / f"{key[0]}.{key[1]}.samples")


if __name__ == "__main__":
    run_stage(main)
