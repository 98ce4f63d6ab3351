"""Diffusion sampling of atomic coordinates, free or guided.

The sampler knows neither Boltz nor maps: it gets a ``denoise`` and a ``guide`` function and a source of random numbers.
Without guidance a step is that of Boltz-1 (Algorithm 18 of AlphaFold 3 with the reverse-diffusion alignment of Boltz-1,
section 3.2). With guidance it is that of CryoBoltz (arXiv 2506.04490, Algorithm 1): the direction ``d`` becomes
``d + lambda g |d| / |g|`` with ``g`` the gradient of the guide's energy with respect to the noisy coordinates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from .random_draws import Draws
from .superposition import apply_pose, pose_translation, superpose


@dataclass(frozen=True)
class NoiseStep:
    """One step of the noise schedule."""

    index: int
    sigma: float
    """Noise level in Å before the step."""
    sigma_next: float
    """Noise level in Å after it."""
    gamma: float
    """Churn: the step first raises the noise to ``sigma (1 + gamma)``."""

    @property
    def sigma_hat(self) -> float:
        """Noise level in Å after the churn."""
        return self.sigma * (1 + self.gamma)


class NoiseProcess(NamedTuple):
    """The prior's noise schedule and its two scales."""

    steps: tuple[NoiseStep, ...]
    noise_scale: float
    step_scale: float

    @property
    def initial_sigma(self) -> float:
        """Noise level in Å that sampling starts from."""
        return self.steps[0].sigma


class Denoise(Protocol):
    """The prior: noisy coordinates (b, n, 3) and their noise level in Å to clean ones, and the memory to carry on."""

    def __call__(
        self, noisy: Tensor, sigma: float, memory: Tensor | None
    ) -> tuple[Tensor, Tensor | None]: ...


class Draw(Protocol):
    """Source of the random numbers of a step."""

    def __call__(self, step: int) -> Draws: ...


class Guidance(NamedTuple):
    """What pulls a step."""

    energy: Callable[[Tensor], Tensor]
    """Coordinates (b, n, 3) in Å in the map's frame to energies (b,)."""
    strength: float
    """λ, relative to the length of the unguided direction."""


@dataclass(frozen=True)
class State:
    """A batch of samples between two steps."""

    coordinates: Tensor
    """(b, n_atoms, 3) in Å; padding included."""
    memory: Tensor | None
    """What the prior carries from step to step, (b, ...)."""
    in_map_frame: bool
    """Whether the coordinates stand in the map's frame and are to stay there."""


@dataclass(frozen=True)
class Frame:
    """How a sample is brought into the map's frame and which atoms count."""

    atom_mask: Tensor
    """(n_atoms,) 1 for real atoms, 0 for padding."""
    reference: Tensor | None = None
    """(n_atoms, 3) docked model in Å in the map's frame."""
    reference_weights: Tensor | None = None
    """(n_atoms,) 1 for the atoms that the docked model has."""


def start(initial_noise: Tensor, process: NoiseProcess) -> State:
    """State of standard normal noise (b, n_atoms, 3) at the schedule's first noise level."""
    return State(process.initial_sigma * initial_noise, None, in_map_frame=False)


def augment_and_noise(
    coordinates: Tensor, draws: Draws, step: NoiseStep, noise_scale: float
) -> tuple[Tensor, Tensor]:
    """Centre, turn and shift at random, and raise the noise to ``sigma_hat``; also returns the centre."""
    centre = coordinates.mean(dim=-2, keepdim=True)
    augmented = (coordinates - centre) @ draws.rotation + draws.translation
    deviation = math.sqrt(noise_scale**2 * (step.sigma_hat**2 - step.sigma**2))
    return augmented + deviation * draws.noise, centre


def pose_of_augmentation(draws: Draws, centre: Tensor) -> tuple[Tensor, Tensor]:
    """The pose that undoes :func:`augment_and_noise`'s turn and shift."""
    translation = centre - draws.translation @ draws.rotation.mT
    return draws.rotation, translation[:, 0]


def follow(denoised: Tensor, noisy: Tensor, weights: Tensor) -> Tensor:
    """Superpose the denoised coordinates on the noisy ones, (b, n, 3).

    The gradient flows through the shift, without which samples drift out of the map; the rotation is a constant to it,
    since the denoiser turns with its input already.
    """
    with torch.no_grad():
        rotation, _ = superpose(denoised, noisy, weights)
    return apply_pose(rotation, pose_translation(rotation, denoised, noisy, weights), denoised)


def guided_direction(direction: Tensor, gradient: Tensor, strength: float, mask: Tensor) -> Tensor:
    """``d + lambda g |d| / |g|`` with Frobenius norms over the real atoms of each sample (CryoBoltz, eq. 5)."""
    gradient = gradient * mask[:, None]
    length = torch.linalg.vector_norm(direction * mask[:, None], dim=(1, 2), keepdim=True)
    steepness = torch.linalg.vector_norm(gradient, dim=(1, 2), keepdim=True)
    tiny = torch.finfo(gradient.dtype).tiny
    return direction + strength * length * gradient / steepness.clamp(min=tiny)


def free_step(
    state: State, step: NoiseStep, draws: Draws, denoise: Denoise, process: NoiseProcess, mask: Tensor
) -> State:
    """One unguided step exactly as Boltz takes it: the noisy state is superposed on the denoised one."""
    noisy, _ = augment_and_noise(state.coordinates, draws, step, process.noise_scale)
    with torch.no_grad():
        denoised, memory = denoise(noisy, step.sigma_hat, state.memory)
        noisy = apply_pose(*superpose(noisy, denoised, mask), noisy)
    direction = (noisy - denoised) / step.sigma_hat
    coordinates = noisy + process.step_scale * (step.sigma_next - step.sigma_hat) * direction
    return State(coordinates, memory, in_map_frame=False)


def framed_step(
    state: State,
    step: NoiseStep,
    draws: Draws,
    denoise: Denoise,
    process: NoiseProcess,
    frame: Frame,
    guidance: Guidance | None,
) -> tuple[State, Tensor | None]:
    """One step in the map's frame, guided or not; also returns the energies (b,) where it was guided.

    The first of these steps superposes the denoised sample on the docked model and carries the state along; the later
    ones undo the random augmentation, so that the state stays where the map is.
    """
    noisy, centre = augment_and_noise(state.coordinates, draws, step, process.noise_scale)
    noisy.requires_grad_(guidance is not None)
    energies = None
    with torch.set_grad_enabled(guidance is not None):
        denoised, memory = denoise(noisy, step.sigma_hat, state.memory)
        denoised = follow(denoised, noisy, frame.atom_mask)
        if state.in_map_frame:
            pose = pose_of_augmentation(draws, centre)
        elif frame.reference is not None:
            pose = superpose(denoised.detach(), frame.reference, frame.reference_weights)
        else:
            raise ValueError("a step in the map's frame needs a docked model to begin with")
        direction = (noisy - denoised).detach() / step.sigma_hat
        if guidance is not None:
            in_map = apply_pose(*pose, denoised)[:, frame.atom_mask.bool()]
            energies = guidance.energy(in_map)
            (gradient,) = torch.autograd.grad(energies.sum(), noisy)
            direction = guided_direction(direction, gradient, guidance.strength, frame.atom_mask)
            energies = energies.detach()
    coordinates = noisy.detach() + process.step_scale * (step.sigma_next - step.sigma_hat) * direction
    memory = None if memory is None else memory.detach()
    return State(apply_pose(*pose, coordinates), memory, in_map_frame=True), energies


class Observe(Protocol):
    """Called after every step with its number and, where it was guided, the energies (b,)."""

    def __call__(self, step: NoiseStep, energies: Tensor | None) -> None: ...


def sample(
    state: State,
    steps: Sequence[NoiseStep],
    draw: Draw,
    denoise: Denoise,
    process: NoiseProcess,
    frame: Frame,
    guidance_at: Callable[[int], Guidance | None] | None = None,
    observe: Observe | None = None,
) -> State:
    """Take ``steps`` one after the other.

    Parameters
    ----------
    state : State
        From :func:`start`, or what earlier steps left.
    steps : sequence of NoiseStep
        A run of the process's steps.
    draw : Draw
        Random numbers of a step.
    denoise : Denoise
        The prior.
    process : NoiseProcess
        Its scales.
    frame : Frame
        Atom mask, and the docked model where ``guidance_at`` is given.
    guidance_at : callable, optional
        Guidance of a step by its index, or None for a step without. Without this function no step is guided and the
        samples stay in the prior's own frame; with it, all steps are taken in the map's frame.
    observe : Observe, optional
        For progress and records.
    """
    for step in steps:
        draws = Draws(*(array.to(state.coordinates) for array in draw(step.index)))
        energies = None
        if guidance_at is None:
            state = free_step(state, step, draws, denoise, process, frame.atom_mask)
        else:
            guidance = guidance_at(step.index)
            state, energies = framed_step(state, step, draws, denoise, process, frame, guidance)
        if observe is not None:
            observe(step, energies)
    return state
