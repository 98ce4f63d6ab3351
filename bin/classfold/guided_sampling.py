"""Guided sampling of all classes of a target together, on what they share."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import pairwise
from zlib import crc32

import numpy as np
import torch

from .batches import first_batch, in_batches
from .class_task import ClassTask
from .embedding_store import sample_seeds
from .global_energy import GlobalEnergy
from .local_energy import LocalEnergy
from .map_guide import Energies, MapGuide
from .memory import Dimensions, Footprint, GuidanceKind, Problem, guided_footprint
from .particles import ClassHistory, Particle, resample, row, stacked, stop_worse_half
from .prior import Confidence
from .pseudo_atoms import halves_of_residues
from .published_energy import PublishedGlobalEnergy
from .random_draws import SampleStreams
from .sampler import Frame, NoiseStep, State, sample
from .sampling_record import LossLog
from .schedule import GuidanceMode, Start
from .target_run import TargetRun


def make_energies(run: TargetRun, tasks: Sequence[ClassTask]) -> Energies:
    """The energies of all classes of a target."""
    device = run.prior.device
    weights = torch.from_numpy(run.topology.atomic_numbers.astype(np.float32)).to(device)
    local = LocalEnergy([task.target_map for task in tasks], weights)
    modes = [run.options.guidance.of_map(task.target_map.resolution_angstrom) for task in tasks]
    if run.options.guidance is GuidanceMode.PUBLISHED:
        published = PublishedGlobalEnergy([task.cloud.points for task in tasks])
        return Energies(published, local, torch.full_like(weights, 1 / len(weights)), modes)
    global_ = GlobalEnergy([task.cloud for task in tasks], halves_of_residues(run.topology, device))
    return Energies(global_, local, weights / weights.sum(), modes)

ASSEMBLED_SIGMA_ANGSTROM = 8.0
"""Most noise that a sample starts with at an assembled model: enough to mend its seams, not to lose its shape."""


class GuidedSampler:
    """Samples the classes of a target.

    Parameters
    ----------
    run : TargetRun
    tasks : sequence of ClassTask
    """

    def __init__(self, run: TargetRun, tasks: Sequence[ClassTask]) -> None:
        self.run = run
        self.tasks = tasks
        self.energies = make_energies(run, tasks)
        self.process = run.prior.noise_process(run.record.steps)
        self.denoise = run.prior.denoiser(run.embedding)
        self.seeds = sample_seeds(run.record.seed, run.record.samples, run.record.replicates)
        self.correct = run.prior.physical_guide(run.record.steps) if run.options.physics else None
        self.checkpoints = run.options.selection.checkpoints(run.schedule)
        # After the others' first step, which brings them into the frame in which these begin.
        later = self.process.steps[run.schedule.warm_up + 1 :]
        self.assembled_step = next(step for step in later if step.sigma <= ASSEMBLED_SIGMA_ANGSTROM)
        self.log = LossLog(run.topology.target, [task.name for task in tasks], run.record.steps)
        self.histories = [ClassHistory() for _ in tasks]
        self.footprint = self._footprint()
        # Once, before anything of it is held: later the same memory would be counted as used and as needed.
        self.batch_size = first_batch(
            sum(map(self.n_samples, range(len(tasks)))), run.options.batch_size, run.prior.device, self.footprint
        )

    def sample(self) -> list[Particle]:
        """Take all samples of all classes from the end of the warm-up to the end; returns those that were finished."""
        particles = [
            self.begin(index, number) for index in range(len(self.tasks)) for number in range(self.n_samples(index))
        ]
        starts = {particle.first_step for particle in particles}
        ends = sorted({*starts, *(step + 1 for step in self.checkpoints), self.run.schedule.steps})
        for first, end in pairwise(ends):
            going = [particle for particle in particles if particle.first_step <= first]
            waiting = [particle for particle in particles if particle.first_step > first]
            self._advance(going, self.process.steps[first:end])
            if end - 1 in self.checkpoints:
                # Each start by itself: both come to the end, where they are compared.
                groups = [(task, start) for task in range(len(self.tasks)) for start in Start]
                judged = [self._judge(*group, going, end - 1) for group in groups]
                going = [particle for group in judged for particle in group]
            particles = sorted(going + waiting, key=lambda particle: (particle.task, particle.sample))
        return particles

    def n_samples(self, index: int) -> int:
        """How many samples are drawn of a class."""
        most = self.tasks[index].most_samples
        return len(self.seeds) if most is None else min(most, len(self.seeds))

    def begin(self, index: int, number: int) -> Particle:
        """A sample of a class at its start: the end of the warm-up or, for every other one, the assembled model."""
        task, warm = self.tasks[index], row(self.run.warm_up, number)
        course = self.run.new_course(task.target_map.resolution_angstrom)
        if task.assembled is None or not self.run.options.assembled_start or number % 2:
            return Particle(index, number, warm, course, Start.DOCKED, self.run.schedule.warm_up)
        step = self.assembled_step
        noise = SampleStreams([self.seeds[number]], len(self.run.prior.atom_mask), torch.device("cpu")).initial()
        coordinates = task.assembled.cpu() + step.sigma * noise
        return Particle(
            index, number, State(coordinates, warm.memory, in_map_frame=True), course, Start.ASSEMBLED, step.index
        )

    def _footprint(self) -> Footprint:
        """Memory that a batch is expected to take."""
        prior, modes = self.run.prior, set(self.energies.modes)
        problem = Problem.of_features(
            prior.features,
            n_maps=len(self.tasks),
            map_voxels=max(task.target_map.density.numel() for task in self.tasks),
            n_points=max(len(task.cloud.mass) for task in self.tasks),
            n_pseudo_atoms=len(halves_of_residues(self.run.topology, torch.device("cpu")).mass),
        )
        kind = GuidanceKind(modes != {GuidanceMode.FAST}, self.energies.are_published)
        return guided_footprint(Dimensions.of_model(prior.model), problem, kind, prior.denoises_one_by_one)

    def _advance(self, particles: list[Particle], steps: Sequence[NoiseStep]) -> None:
        """Take some steps with all particles, in batches."""
        is_last = steps[-1].index + 1 == self.run.record.steps

        def work(batch: range) -> list[Particle]:
            # A batch that runs out of memory is begun again: nothing of it may have been kept.
            chosen = copy.deepcopy([particles[index] for index in batch])
            self._take_steps(chosen, steps)
            if is_last and self.run.prior.has_confidence:
                self._judge_confidence(chosen)
            return chosen

        done = in_batches(len(particles), self.batch_size, self.run.prior.device, work)
        particles[:] = [particle for batch in done for particle in batch]

    def _take_steps(self, particles: list[Particle], steps: Sequence[NoiseStep]) -> None:
        device = self.run.prior.device
        maps = torch.tensor([particle.task for particle in particles], device=device)
        guide = MapGuide(self.energies, maps, [each.course for each in particles], frozenset(self.checkpoints))
        seeds = [self.seeds[particle.sample] for particle in particles]
        frame = Frame(
            self.run.prior.atom_mask,
            torch.stack([self.tasks[particle.task].place(particle.sample) for particle in particles]),
            torch.stack([self.tasks[particle.task].docked_atoms for particle in particles]),
            self.correct,
        )
        observe = self.log.of([(particle.task, particle.sample) for particle in particles], guide)
        state = sample(
            stacked([particle.state for particle in particles], device),
            steps,
            SampleStreams(seeds, len(self.run.prior.atom_mask), device).step,
            self.denoise,
            self.process,
            frame,
            guide,
            observe,
        )
        for index, particle in enumerate(particles):
            particle.state = row(state, index)
            if guide.fit is not None:
                particle.fit = float(guide.fit[index])
        observe.keep()

    def _judge_confidence(self, particles: list[Particle]) -> None:
        state = stacked([particle.state for particle in particles], self.run.prior.device)
        confidence = self.run.prior.confidence(self.run.embedding, state.coordinates, state.memory)
        for index, particle in enumerate(particles):
            particle.confidence = Confidence(*(value[index : index + 1].cpu() for value in vars(confidence).values()))

    def _judge(self, index: int, start: Start, particles: list[Particle], step: int) -> list[Particle]:
        """Stop or resample the particles of one class and one start after a step; returns those that go on."""
        task, history, selection = self.tasks[index], self.histories[index], self.run.options.selection
        particles = [particle for particle in particles if (particle.task, particle.start) == (index, start)]
        if not particles:
            return []
        if selection.early_stop:
            particles = stop_worse_half(particles, step, history)
        if selection.steering:
            # The class's name, not its place among the others: alone it is to be resampled in the same way.
            seed = (self.run.record.seed, crc32(task.name.encode()), step)
            particles = resample(particles, task.n_independent, seed, history)
        return particles
