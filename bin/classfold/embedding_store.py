"""What EMBED_SEQUENCE leaves for the classes of its target: embedding, warm-up states and seeds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from .errors import InputError
from .prior import Embedding
from .random_draws import SampleSeed
from .records import read_json
from .sampler import State
from .weights import WeightsFolder, read_digests

EMBEDDING_FILE = "embedding.safetensors"
WARM_UP_FILE = "warm_up.safetensors"
UNGUIDED_FILE = "unguided.safetensors"
RECORD_FILE = "embedding.json"


@dataclass(frozen=True)
class EmbeddingRecord:
    """How the embedding of a target was made."""

    target: str
    sequence_sha256: str
    checkpoint_sha256: str
    weights_label: str
    prior: str
    schedule: str
    steps: int
    seed: int
    samples: int
    replicates: int
    recycling_steps: int
    unguided_models: int
    physical_guidance: bool
    device: str
    seconds: float


def sample_seeds(seed: int, samples: int, replicates: int) -> list[SampleSeed]:
    """Seeds of all samples: replicate by replicate, sample by sample, both counted from 1."""
    return [
        SampleSeed(seed, replicate, index)
        for replicate in range(1, replicates + 1)
        for index in range(1, samples + 1)
    ]


def checkpoint_digest(weights: Path) -> str:
    """Recorded digest of the checkpoint, or nothing where none was recorded."""
    return read_digests(weights).get(WeightsFolder.CHECKPOINT, "")


def weights_label(weights: Path) -> str:
    """What the weights are, in a line for people."""
    label = weights / WeightsFolder.LABEL
    return label.read_text().strip() if label.exists() else "Boltz-1"


def save_embedding(folder: Path, embedding: Embedding) -> None:
    """Write the trunk's output."""
    tensors = {name: value.contiguous().cpu() for name, value in vars(embedding).items()}
    save_file(tensors, folder / EMBEDDING_FILE)


def load_embedding(folder: Path, device: torch.device) -> Embedding:
    """Read the trunk's output."""
    return Embedding(**load_file(folder / EMBEDDING_FILE, device=str(device)))


def save_warm_up(folder: Path, state: State) -> None:
    """Write the states of all samples at the end of the warm-up."""
    tensors = {"coordinates": state.coordinates.contiguous().cpu()}
    if state.memory is not None:
        tensors["memory"] = state.memory.contiguous().cpu()
    save_file(tensors, folder / WARM_UP_FILE)


def load_warm_up(folder: Path) -> State:
    """Read the states of all samples, on the CPU."""
    tensors = load_file(folder / WARM_UP_FILE)
    return State(tensors["coordinates"], tensors.get("memory"), in_map_frame=False)


def take(state: State, batch: range, device: torch.device) -> State:
    """A batch of the samples, on a device."""
    rows = slice(batch.start, batch.stop)
    memory = None if state.memory is None else state.memory[rows].to(device)
    return State(state.coordinates[rows].to(device), memory, state.in_map_frame)


def join(states: list[State]) -> State:
    """Batches put together again, on the CPU."""
    memories = [state.memory.cpu() for state in states if state.memory is not None]
    return State(
        torch.cat([state.coordinates.cpu() for state in states]),
        torch.cat(memories) if memories else None,
        states[0].in_map_frame,
    )


def read_record(folder: Path, sequence_sha256: str, weights: Path) -> EmbeddingRecord:
    """Read how the embedding was made, and check that it belongs to this sequence and these weights.

    Raises
    ------
    InputError
        If it was made from another sequence or with other weights.
    """
    record = EmbeddingRecord(**read_json(folder / RECORD_FILE))
    if record.sequence_sha256 != sequence_sha256:
        raise InputError(
            f"the embedding in {folder} belongs to another sequence; run embed_sequence.py for this one"
        )
    if record.checkpoint_sha256 != checkpoint_digest(weights):
        raise InputError(
            f"the embedding in {folder} was made with other weights than those in {weights}; "
            "run embed_sequence.py with these"
        )
    return record
