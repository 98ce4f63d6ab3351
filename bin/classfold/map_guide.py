"""Guidance of samples of several classes: which energy pulls each of them, how far, and whether through the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from .course import Course
from .energy import Energy
from .local_energy import LocalEnergy
from .sampler import NoiseStep, Pull, norms
from .schedule import GuidanceMode, Stage

LOCAL_STEP_ANGSTROM = 1.0
"""Farthest that a step of the local stage moves a sample's atoms, root mean square."""


@dataclass(frozen=True)
class Energies:
    """What pulls the samples of a target's classes."""

    global_: Energy
    local: LocalEnergy
    mass: Tensor
    """(n_atoms,) share of the model's mass that each atom has in the global energy."""
    modes: Sequence[GuidanceMode]
    """How each class is guided."""
    furthest_angstrom: float = LOCAL_STEP_ANGSTROM
    """Bound of a step of the local stage where lengths are not the paper's."""

    @property
    def are_published(self) -> bool:
        """Whether lengths are the paper's, which holds for all classes or for none."""
        return GuidanceMode.PUBLISHED in self.modes


@dataclass
class MapGuide:
    """Guide of one batch of samples.

    Parameters
    ----------
    energies : Energies
    maps : Tensor, shape (b,)
        Which class's map each sample belongs to.
    courses : sequence of Course
        Where each sample stands in its schedule; they go on as steps are taken.
    judged_steps : set of int
        Steps at whose denoised samples the fit is noted.
    """

    energies: Energies
    maps: Tensor
    courses: Sequence[Course]
    judged_steps: frozenset[int] = frozenset()
    stages: list[Stage] = field(default_factory=list, init=False)
    """Stage of each sample at the last step."""
    strengths: list[float] = field(default_factory=list, init=False)
    """λ of each sample at the last step."""
    fit: Tensor | None = field(default=None, init=False)
    """(b,) correlation with the map at the last judged step."""

    @cached_property
    def modes(self) -> list[GuidanceMode]:
        """How each sample is guided."""
        return [self.energies.modes[index] for index in self.maps.tolist()]

    def looks_through_network(self, step: NoiseStep) -> bool:
        """Whether any of the batch's samples needs the denoiser's graph at this step."""
        return any(self._through([course.stage_at(step.index) for course in self.courses]))

    def _through(self, stages: Sequence[Stage]) -> list[bool]:
        return [mode.looks_through_network(stage) for mode, stage in zip(self.modes, stages, strict=True)]

    def __call__(self, step: NoiseStep, denoised: Tensor, distance_angstrom: Tensor) -> Pull | None:
        """What pulls denoised samples (b, n_atoms, 3), and where it ends; see :class:`classfold.sampler.Guide`."""
        if step.index in self.judged_steps:
            self.fit = torch.empty_like(distance_angstrom)
            for rows in self._together(torch.arange(len(self.maps), device=denoised.device)):
                self.fit[rows] = self.energies.local.correlation(denoised[rows], self.maps[rows])
        stages = self.stages = [course.stage_at(step.index) for course in self.courses]
        self.strengths = [course.strength_at(step.index) for course in self.courses]
        if not any(stage.is_guided for stage in stages):
            return None
        energies = distance_angstrom.new_full((len(stages),), torch.nan)
        gradient, length = torch.zeros_like(denoised), torch.zeros_like(distance_angstrom)
        strength = distance_angstrom.new_tensor(self.strengths)
        for stage, pull in ((Stage.GLOBAL, self._pull_globally), (Stage.LOCAL, self._pull_locally)):
            in_stage = torch.tensor([row for row, each in enumerate(stages) if each is stage], device=denoised.device)
            for rows in self._together(in_stage.long()):
                published = strength[rows] * distance_angstrom[rows]
                energies[rows], gradient[rows], length[rows] = pull(denoised[rows], self.maps[rows], published)
        for course, energy in zip(self.courses, energies.tolist(), strict=True):
            course.note(step.index, energy)
        return Pull(energies, gradient, length, torch.tensor(self._through(stages), device=denoised.device))

    def _together(self, rows: Tensor) -> list[Tensor]:
        """Rows whose energies are computed at once: all of them, or on a CPU, where that gains nothing, map by map.

        Rounding depends on what is computed at once, and there a class is to be the same alone and among others.
        """
        if rows.device.type == "cpu":
            return [rows[self.maps[rows] == index] for index in self.maps[rows].unique()]
        return [rows] if len(rows) else []

    def _pull_globally(self, denoised: Tensor, maps: Tensor, published: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Energies (b,), uphill direction (b, n_atoms, 3) and length in Å (b,) towards the point clouds.

        The gradient of the transport cost is mass times distance: divided by the mass it is how far each atom is from
        where the map wants it. That is how far a sample is corrected, unless the length is to be the published one.
        """
        values, gradient = self.energies.global_.value_and_gradient(denoised, maps)
        displacement = gradient / self.energies.mass[:, None]
        return values, displacement, published if self.energies.are_published else norms(displacement)

    def _pull_locally(self, denoised: Tensor, maps: Tensor, published: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same towards the density, with the published length or, if that is less, its bound for every atom.

        A longer step along the slope of a density goes past where it leads, and breaks bonds on the way.
        """
        values, gradient = self.energies.local.value_and_gradient(denoised, maps)
        furthest = self.energies.furthest_angstrom * denoised.shape[1] ** 0.5
        return values, gradient, published if self.energies.are_published else published.clamp(max=furthest)
