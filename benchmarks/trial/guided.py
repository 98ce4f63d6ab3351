"""Guided sampling of adenylate kinase with the miniature prior, by the pipeline's own sampler."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from adk_path import SEQUENCE_FILE, AdkPath, read_path

from classfold.automatic_threshold import Search, automatic_threshold
from classfold.batches import choose_device
from classfold.class_task import ClassTask
from classfold.docking import dock
from classfold.embedding_store import EmbeddingRecord, sample_seeds
from classfold.global_energy import Cloud
from classfold.guided_sampling import GuidedSampler
from classfold.local_energy import TargetMap
from classfold.maps import DensityMap
from classfold.particles import Particle
from classfold.point_cloud import number_of_points, place_points, remove_dust
from classfold.population import Selection
from classfold.prior import (
    BoltzPrior,
    Embedding,
    featurise,
    load_components,
    load_model,
    molecular_mass,
    parse_target,
)
from classfold.sampler import State
from classfold.schedule import GuidanceMode, make_schedule
from classfold.target_run import SamplingOptions, TargetRun
from classfold.threshold import Molecule, Threshold
from classfold.unguided_sampling import UnguidedSampler

WEIGHTS = Path(__file__).resolve().parents[2] / "assets/demo/weights"
ALL_SAMPLES = Selection(early_stop=False, steering=False)


@dataclass(frozen=True)
class Way:
    """One way of guiding."""

    name: str
    guidance: GuidanceMode
    schedule: str
    selection: Selection = ALL_SAMPLES

    @property
    def is_published(self) -> bool:
        """Whether it is the paper's, with the paper's number of cloud points."""
        return self.guidance is GuidanceMode.PUBLISHED


OURS = Way("ours", GuidanceMode.AUTO, "auto")
PUBLISHED_EXPERIMENTAL = Way("published-experimental", GuidanceMode.PUBLISHED, "experimental")
PUBLISHED_SYNTHETIC = Way("published-synthetic", GuidanceMode.PUBLISHED, "synthetic")


@dataclass
class Trial:
    """The prior with its embedding, and warm-up states that several maps share."""

    seed: int = 1
    steps: int = 200
    samples: int = 3
    device: str = "cpu"
    warm_ups: dict[int, State] = field(default_factory=dict)
    embedding: Embedding | None = None

    @cached_property
    def path(self) -> AdkPath:
        """The frames of the known path."""
        return read_path()

    @cached_property
    def weights(self) -> np.ndarray:
        """Atomic numbers (n_atoms,)."""
        return self.path.topology.atomic_numbers

    @cached_property
    def prior(self) -> BoltzPrior:
        """The miniature prior."""
        target = parse_target(SEQUENCE_FILE, load_components(WEIGHTS / "ccd.pkl"))
        return BoltzPrior(
            load_model(WEIGHTS / "boltz1_conf.ckpt"), featurise(target, {}, self.seed), choose_device(self.device)
        )

    @cached_property
    def mass_dalton(self) -> float:
        """Mass of the molecule."""
        components = load_components(WEIGHTS / "ccd.pkl")
        return molecular_mass(parse_target(SEQUENCE_FILE, components), components)

    def contour(self, density_map: DensityMap, resolution_angstrom: float) -> Threshold:
        """The contour of a map as PREPARE_MAP finds it."""
        volume = Molecule(self.path.topology.n_atoms, self.mass_dalton).volume_angstrom3(resolution_angstrom)
        return automatic_threshold(density_map, Search(volume, resolution_angstrom))

    def task(self, name: str, density_map: DensityMap, resolution_angstrom: float, published: bool) -> ClassTask:
        """A class as the stages before the sampler leave it: threshold, cloud, and the closed structure docked."""
        threshold = self.contour(density_map, resolution_angstrom)
        kept = remove_dust(threshold.contour_map.density > threshold.value, threshold.min_voxels).kept
        voxel = density_map.voxel_size_angstrom
        n_points = number_of_points(self.path.topology.n_atoms, voxel if published else None)
        cloud = place_points(threshold.weight_map(density_map), kept, n_points, self.seed)
        pose = dock(self.path.at(0), self.weights, density_map, resolution_angstrom)[0]
        mask = self.prior.atom_mask
        docked = mask.new_zeros(len(mask), 3)
        docked[mask.bool()] = torch.from_numpy(pose.apply(self.path.at(0))).to(docked)
        return ClassTask(
            name=name,
            target_map=TargetMap(
                torch.from_numpy(density_map.density).to(docked), density_map.grid, resolution_angstrom
            ),
            cloud=Cloud(*(torch.from_numpy(part).to(docked) for part in cloud)),
            n_independent=float(kept.sum()) * voxel**3 / resolution_angstrom**3,
            docked=docked[None],
            docked_atoms=mask.clone(),
        )

    def run(self, way: Way) -> TargetRun:
        """What a way of guiding shares between classes; its warm-up is taken once."""
        embedding = self.embed()
        schedule = make_schedule(way.schedule, self.steps)
        if schedule.warm_up not in self.warm_ups:
            sampler = UnguidedSampler(self.prior, embedding, schedule, 0)
            self.warm_ups[schedule.warm_up] = sampler.warm_up(sample_seeds(self.seed, self.samples, 1))
        record = EmbeddingRecord(
            *("adk", "", "", "miniature", "boltz1", way.schedule, self.steps, self.seed, self.samples, 1, 3, 0),
            physical_guidance=False,
            device=self.device,
            seconds=0.0,
        )
        options = SamplingOptions(way.guidance, way.selection, False, 0)
        return TargetRun(self.prior, embedding, self.warm_ups[schedule.warm_up], self.path.topology, record, options)

    def embed(self) -> Embedding:
        """The trunk's output, computed once."""
        if self.embedding is None:
            self.embedding = self.prior.embed(recycling_steps=3)
        return self.embedding

    def coordinates(self, particles: Sequence[Particle]) -> torch.Tensor:
        """Real atoms (n, n_atoms, 3) of finished samples."""
        return torch.cat([each.state.coordinates for each in particles])[:, self.prior.atom_mask.bool().cpu()]


def sampled(trial: Trial, way: Way, tasks: Sequence[ClassTask]) -> tuple[GuidedSampler, list[Particle]]:
    """Sample some classes together."""
    sampler = GuidedSampler(trial.run(way), tasks)
    return sampler, sampler.sample()

