"""The sampler with a prior whose denoiser is known in closed form: one structure, in any place."""

from itertools import pairwise

import pytest
import torch

from classfold.prior import BoltzPrior
from classfold.random_draws import SampleSeed, SampleStreams
from classfold.rotations import random_rotation
from classfold.sampler import (
    Frame,
    Guidance,
    NoiseProcess,
    NoiseStep,
    State,
    follow,
    guided_direction,
    sample,
    start,
)
from classfold.superposition import apply_pose, rmsd, superpose, superposed_rmsd

N_ATOMS = 30
CPU = torch.device("cpu")


def structure() -> torch.Tensor:
    return 8 * torch.randn(N_ATOMS, 3, generator=torch.Generator().manual_seed(0))


def process(n_steps: int) -> NoiseProcess:
    sigmas = [100 * (1 - step / n_steps) ** 4 for step in range(n_steps + 1)]
    steps = [
        NoiseStep(i, a, b, 0.6 if b > 1 else 0.0)
        for i, (a, b) in enumerate(pairwise(sigmas))
    ]
    return NoiseProcess(tuple(steps), noise_scale=0.9, step_scale=1.5)


def one_structure(noisy: torch.Tensor, sigma: float, memory: torch.Tensor | None):
    """The best guess of a prior that knows one structure: it, superposed on what is seen."""
    return apply_pose(*superpose(structure().expand_as(noisy), noisy), structure().expand_as(noisy)), memory


def streams(n_samples: int) -> SampleStreams:
    return SampleStreams([SampleSeed(1, 1, index) for index in range(n_samples)], N_ATOMS, CPU)


def test_free_sampling_finds_the_structure() -> None:
    noise = process(40)
    draws = streams(3)
    mask = torch.ones(N_ATOMS)
    state = sample(start(draws.initial(), noise), noise.steps, draws.step, one_structure, noise, Frame(mask))
    assert not state.in_map_frame
    assert superposed_rmsd(state.coordinates, structure()).max() < 1e-3


def test_guided_samples_stay_in_the_frame_of_the_docked_model() -> None:
    noise, draws = process(40), streams(3)
    docked = structure() @ random_rotation(5).mT + torch.tensor([120.0, -40.0, 15.0])
    frame = Frame(torch.ones(N_ATOMS), docked, torch.ones(N_ATOMS))
    warm = sample(start(draws.initial(), noise), noise.steps[:32], draws.step, one_structure, noise, frame)
    state = sample(
        warm, noise.steps[32:], draws.step, one_structure, noise, frame, guidance_at=lambda step: None
    )
    assert state.in_map_frame
    assert rmsd(state.coordinates, docked).max() < 0.2  # the noise itself shifts a sample a little


def test_guidance_moves_samples_down_the_energy() -> None:
    noise, draws = process(40), streams(2)
    docked = structure()
    goal = docked + torch.tensor([3.0, 0.0, 0.0])
    frame = Frame(torch.ones(N_ATOMS), docked, torch.ones(N_ATOMS))

    def energy(x: torch.Tensor) -> torch.Tensor:
        return (x - goal).square().sum(dim=(1, 2))

    warm = sample(start(draws.initial(), noise), noise.steps[:20], draws.step, one_structure, noise, frame)
    seen = []
    state = sample(
        warm, noise.steps[20:], draws.step, one_structure, noise, frame,
        guidance_at=lambda step: Guidance(energy, 0.3),
        observe=lambda step, energies: seen.append((step.index, energies)),
    )  # fmt: skip
    assert [index for index, _ in seen] == list(range(20, 40))
    assert all(energies.shape == (2,) for _, energies in seen)
    assert rmsd(state.coordinates, goal).max() < 0.5 * float(rmsd(docked, goal))


def test_gradient_reaches_the_state_through_the_shift() -> None:
    noisy = structure()[None].requires_grad_()
    followed = follow(structure()[None].detach(), noisy, torch.ones(N_ATOMS))
    (gradient,) = torch.autograd.grad(followed[..., 0].sum(), noisy)
    torch.testing.assert_close(gradient[..., 0], torch.ones(1, N_ATOMS))
    assert gradient[..., 1:].abs().max() == 0


def test_guided_direction_has_the_published_length() -> None:
    generator = torch.Generator().manual_seed(4)
    direction, gradient = torch.randn(2, 3, N_ATOMS, 3, generator=generator)
    mask = torch.ones(N_ATOMS)
    mask[-4:] = 0
    added = guided_direction(direction, gradient, 0.25, mask) - direction
    lengths = added.flatten(1).norm(dim=1)
    torch.testing.assert_close(lengths, 0.25 * (direction * mask[:, None]).flatten(1).norm(dim=1))
    assert added[:, -4:].abs().max() == 0
    zero = guided_direction(direction, torch.zeros_like(gradient), 0.25, mask)
    torch.testing.assert_close(zero, direction)


@pytest.mark.parametrize("weights", ["random", "miniature"])
def test_a_sample_is_the_same_alone_and_in_a_batch_of_eight(request, weights) -> None:
    prior: BoltzPrior = request.getfixturevalue(f"{weights}_prior")(torch.float32)
    embedding = prior.embed(recycling_steps=0)
    noise = prior.noise_process(16)
    real = prior.atom_mask.bool()
    n_atoms = len(prior.atom_mask)
    reference = torch.zeros(n_atoms, 3)
    reference[real] = 10 * torch.randn(int(real.sum()), 3, generator=torch.Generator().manual_seed(2))
    frame = Frame(prior.atom_mask, reference, prior.atom_mask)
    goal = reference[real]

    def energy(x: torch.Tensor) -> torch.Tensor:
        return (x - goal).square().mean(dim=(1, 2))

    def draw(seeds: list[SampleSeed]) -> torch.Tensor:
        draws = SampleStreams(seeds, n_atoms, CPU)
        denoise = prior.denoiser(embedding)
        warm: State = sample(
            start(draws.initial(), noise), noise.steps[:8], draws.step, denoise, noise, frame
        )
        state = sample(
            warm, noise.steps[8:], draws.step, denoise, noise, frame,
            guidance_at=lambda step: Guidance(energy, 0.2) if step < 13 else None,
        )  # fmt: skip
        return state.coordinates[:, real]

    seeds = [SampleSeed(1, 1, index) for index in range(1, 9)]
    together = draw(seeds)
    alone = draw(seeds[5:6])
    assert rmsd(together[5], alone[0]) <= 1e-3
    assert rmsd(together[5], together[4]) > 0.1
