"""What all classes of a target share while they are sampled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .batches import choose_device
from .course import AutomaticCourse, Course, FixedCourse
from .embedding_store import EmbeddingRecord, load_embedding, load_warm_up, read_record
from .errors import InputError
from .features import load_features
from .memory import Dimensions, Problem, check_room, sampling_inputs_bytes, unguided_footprint
from .population import Selection
from .precision import EXACT, Precision
from .prior import BoltzPrior, Embedding, load_model
from .records import read_json
from .sampler import State
from .schedule import AUTOMATIC, GuidanceMode, Schedule, make_schedule
from .structure import Topology
from .weights import WeightsFolder, verify_weights


@dataclass(frozen=True)
class SamplingOptions:
    """What the user may choose about guided sampling."""

    guidance: GuidanceMode
    selection: Selection
    physics: bool
    """Whether Boltz's physical potentials correct every denoised sample."""
    batch_size: int
    """Samples at once; 0 chooses."""
    precision: Precision = EXACT
    match_sharpness: bool = False
    """Whether the density that guides is as sharp as the docked model's."""
    assembled_start: bool = True
    """Whether every other sample of a class that has an assembled model begins there."""
    half_map_validation: bool = False
    """Whether a few samples of each class are guided by its first half map, to tell over-fitting."""


@dataclass(frozen=True)
class TargetRun:
    """What all classes of a target share."""

    prior: BoltzPrior
    embedding: Embedding
    warm_up: State
    topology: Topology
    record: EmbeddingRecord
    options: SamplingOptions

    @property
    def schedule(self) -> Schedule:
        """The schedule, or what bounds it where it is found by itself."""
        return make_schedule(self.record.schedule, self.record.steps)

    def new_course(self, resolution_angstrom: float) -> Course:
        """A course at its start, for one sample of a class with a map of this resolution."""
        if self.record.schedule == AUTOMATIC:
            steps = self.prior.noise_process(self.record.steps).steps
            first_local = next(step.index for step in steps if step.sigma <= resolution_angstrom)
            return AutomaticCourse(self.schedule, first_local)
        return FixedCourse(self.schedule)


def load_run(sequence: Path, embedding: Path, weights: Path, device: str, options: SamplingOptions) -> TargetRun:
    """Load what the classes share, and check that it belongs together.

    Raises
    ------
    InputError
        If the embedding is of another sequence, other weights, or a schedule that the guidance does not know.
    """
    verify_weights(weights)
    record = read_record(embedding, read_json(sequence / "target.json")["sequence_sha256"], weights)
    if record.schedule == AUTOMATIC and options.guidance is GuidanceMode.PUBLISHED:
        raise InputError(
            f"the embedding in {embedding} was warmed up for the automatic schedule, which is not the published way; "
            "give one made with --schedule experimental or synthetic"
        )
    chosen = choose_device(device)
    model, features = load_model(weights / WeightsFolder.CHECKPOINT), load_features(sequence / "features.safetensors")
    sizes = Dimensions.of_model(model), Problem.of_features(features)
    check_room(unguided_footprint(*sizes, chosen.type == "cpu"), sampling_inputs_bytes(*sizes), chosen)
    prior = BoltzPrior(model, features, chosen, options.precision)
    warm_up = load_warm_up(embedding)
    expected = (record.samples * record.replicates, len(prior.atom_mask), 3)
    if tuple(warm_up.coordinates.shape) != expected:
        raise RuntimeError(
            f"{embedding}: warm-up states of shape {tuple(warm_up.coordinates.shape)}, not {expected}"
        )
    return TargetRun(prior, load_embedding(embedding, chosen), warm_up, Topology.read(sequence), record, options)
