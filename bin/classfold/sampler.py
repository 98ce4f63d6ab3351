"""Diffusion sampling of atomic coordinates, free or guided.

The sampler knows neither Boltz nor maps: it gets a ``denoise`` and a ``guide`` function and a source of random numbers.
Without guidance a step is that of Boltz-1 (Algorithm 18 of AlphaFold 3 with the reverse-diffusion alignment of Boltz-1,
section 3.2). A guide corrects the denoised sample downhill before the step is taken. With its gradient taken through
the network and a length of ``lambda |x - x0|`` that is CryoBoltz (arXiv 2506.04490, Algorithm 1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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


class Pull(NamedTuple):
    """What a guide asks of a step: to correct the denoised samples downhill."""

    energies: Tensor
    """(b,)"""
    gradient: Tensor
    """(b, n, 3) uphill direction for the denoised atoms, in the map's frame; of any length."""
    length_angstrom: Tensor
    """(b,) how far to go: Frobenius norm of the correction over a sample's atoms."""
    through_network: Tensor
    """(b,) bool: whether to take a sample's gradient through the denoiser to its noisy state."""


class Guide(Protocol):
    """Denoised samples (b, n, 3) in Å in the map's frame, real atoms only, to what pulls them; None where nothing does.

    ``distance_angstrom`` (b,) is how far each is from its noisy sample (Frobenius norm over the atoms).
    """

    def __call__(self, step: NoiseStep, denoised: Tensor, distance_angstrom: Tensor) -> Pull | None: ...

    def looks_through_network(self, step: NoiseStep) -> bool:
        """Whether the step's gradient is taken through the denoiser, so that its graph has to be kept."""
        ...


class Correct(Protocol):
    """Denoised samples (b, n_atoms, 3) in Å, padding included, to physically better ones."""

    def __call__(self, denoised: Tensor, step: int) -> Tensor: ...


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
    """How samples are brought into their maps' frames, which atoms count, and what they are held to."""

    atom_mask: Tensor
    """(n_atoms,) 1 for real atoms, 0 for padding."""
    reference: Tensor | None = None
    """(b, n_atoms, 3) docked model of each sample in Å in its map's frame."""
    reference_weights: Tensor | None = None
    """(b, n_atoms) 1 for the atoms that the docked model has."""
    correct: Correct | None = None
    """Physical correction of every denoised sample."""


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


def norms(vectors: Tensor) -> Tensor:
    """Frobenius norm (b,) over the atoms of each sample (b, n, 3)."""
    return torch.linalg.vector_norm(vectors, dim=(1, 2))


def corrected(denoised: Tensor, gradient: Tensor, length_angstrom: Tensor) -> Tensor:
    """Denoised samples (b, n, 3) moved downhill by a length (b,); where there is no slope, as they are.

    With a length of ``lambda |x - x0|`` this makes ``d + lambda g |d| / |g|`` of the direction ``d = (x - x0) / sigma``
    (CryoBoltz, eq. 5).
    """
    steepness = norms(gradient).clamp(min=torch.finfo(gradient.dtype).tiny)
    return denoised - (length_angstrom / steepness)[:, None, None] * gradient


def free_step(
    state: State, step: NoiseStep, draws: Draws, denoise: Denoise, process: NoiseProcess, frame: Frame
) -> State:
    """One unguided step exactly as Boltz takes it: the noisy state is superposed on the denoised one."""
    noisy, _ = augment_and_noise(state.coordinates, draws, step, process.noise_scale)
    with torch.no_grad():
        denoised, memory = denoise(noisy, step.sigma_hat, state.memory)
        if frame.correct is not None:
            denoised = frame.correct(denoised, step.index)
        noisy = apply_pose(*superpose(noisy, denoised, frame.atom_mask), noisy)
    direction = (noisy - denoised) / step.sigma_hat
    coordinates = noisy + process.step_scale * (step.sigma_next - step.sigma_hat) * direction
    return State(coordinates, memory, in_map_frame=False)


def pulled_back(in_map: Tensor, noisy: Tensor, gradient: Tensor) -> Tensor:
    """The gradient (b, n_atoms, 3) by the noisy samples, from that by the denoised ones in the map's frame."""
    # Not autograd.grad: a denoiser that recomputes its activations, as Boltz's published weights do, allows only this.
    in_map.backward(gradient)
    if noisy.grad is None:
        raise RuntimeError("the denoised samples do not depend on the noisy ones")
    return noisy.grad


def framed_step(
    state: State,
    step: NoiseStep,
    draws: Draws,
    denoise: Denoise,
    process: NoiseProcess,
    frame: Frame,
    guide: Guide,
) -> tuple[State, Tensor | None]:
    """One step in the map's frame, guided or not; also returns the energies (b,) where it was guided.

    The first of these steps superposes the denoised sample on the docked model and carries the state along; the later
    ones undo the random augmentation, so that the state stays where the map is.
    """
    real = frame.atom_mask.bool()
    noisy, centre = augment_and_noise(state.coordinates, draws, step, process.noise_scale)
    keeps_graph = guide.looks_through_network(step)
    noisy.requires_grad_(keeps_graph)
    with torch.set_grad_enabled(keeps_graph):
        denoised, memory = denoise(noisy, step.sigma_hat, state.memory)
        denoised = follow(denoised, noisy, frame.atom_mask)
        if state.in_map_frame:
            pose = pose_of_augmentation(draws, centre)
        elif frame.reference is not None:
            pose = superpose(denoised.detach(), frame.reference, frame.reference_weights)
        else:
            raise ValueError("a step in the map's frame needs a docked model to begin with")
        in_map = apply_pose(*pose, denoised)[:, real]
    distance = norms((noisy - denoised).detach()[:, real])
    pull = guide(step, in_map.detach(), distance)
    denoised, noisy_now = denoised.detach(), noisy.detach()
    if pull is not None:
        gradient = torch.zeros_like(noisy_now)
        gradient[:, real] = pull.gradient @ pose[0]
        if keeps_graph:
            through = pulled_back(in_map, noisy, pull.gradient) * frame.atom_mask[:, None]
            gradient = torch.where(pull.through_network[:, None, None], through, gradient)
        denoised = corrected(denoised, gradient, pull.length_angstrom)
    if frame.correct is not None:
        denoised = frame.correct(denoised, step.index)
    direction = (noisy_now - denoised) / step.sigma_hat
    coordinates = noisy_now + process.step_scale * (step.sigma_next - step.sigma_hat) * direction
    memory = None if memory is None else memory.detach()
    moved = State(apply_pose(*pose, coordinates), memory, in_map_frame=True)
    return moved, None if pull is None else pull.energies


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
    guide: Guide | None = None,
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
        Atom mask, and the docked model where ``guide`` is given.
    guide : Guide, optional
        What pulls. Without it the samples stay in the prior's own frame; with it, all steps are taken in the map's.
    observe : Observe, optional
        For progress and records.
    """
    for step in steps:
        draws = Draws(*(array.to(state.coordinates) for array in draw(step.index)))
        energies = None
        if guide is None:
            state = free_step(state, step, draws, denoise, process, frame)
        else:
            state, energies = framed_step(state, step, draws, denoise, process, frame, guide)
        if observe is not None:
            observe(step, energies)
    return state
