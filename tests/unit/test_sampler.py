"""The sampler with priors whose denoisers are known in closed form, and with Boltz-1."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from classfold.prior import BoltzPrior
from classfold.random_draws import Draws, SampleSeed, SampleStreams
from classfold.rotations import random_rotation
from classfold.sampler import (
    Correct,
    Denoise,
    Frame,
    NoiseProcess,
    NoiseStep,
    Pull,
    State,
    augment_and_noise,
    corrected,
    follow,
    framed_step,
    norms,
    sample,
    start,
)
from classfold.superposition import apply_pose, rmsd, superpose, superposed_rmsd

N_ATOMS = 30
CPU = torch.device("cpu")


@dataclass
class Downhill:
    """A guide by an energy of the denoised samples in the map's frame, as far as lambda times the distance or 1 Å."""

    energy: Callable[[Tensor], Tensor]
    strength: float | None
    """Lambda; without it the length is 1 Å."""
    through_network: bool | tuple[bool, ...] = False
    """Of all samples or of each."""
    steps: range = range(10**6)

    def looks_through_network(self, step: NoiseStep) -> bool:
        return bool(self.through_network) and step.index in self.steps

    def __call__(self, step: NoiseStep, denoised: Tensor, distance_angstrom: Tensor) -> Pull | None:
        if step.index not in self.steps:
            return None
        denoised = denoised.requires_grad_()
        with torch.enable_grad():
            energies = self.energy(denoised)
            (gradient,) = torch.autograd.grad(energies.sum(), denoised)
        one = torch.ones_like(distance_angstrom)
        length = one if self.strength is None else self.strength * distance_angstrom
        return Pull(energies.detach(), gradient, length, torch.tensor(self.through_network).expand(len(denoised)))


def structure(dtype: torch.dtype = torch.float32) -> Tensor:
    return (8 * torch.randn(N_ATOMS, 3, generator=torch.Generator().manual_seed(0))).to(dtype)


def process(n_steps: int) -> NoiseProcess:
    sigmas = [100 * (1 - step / n_steps) ** 4 for step in range(n_steps + 1)]
    steps = [NoiseStep(i, a, b, 0.6 if b > 1 else 0.0) for i, (a, b) in enumerate(pairwise(sigmas))]
    return NoiseProcess(tuple(steps), noise_scale=0.9, step_scale=1.5)


def one_structure(noisy: Tensor, sigma: float, memory: Tensor | None):
    """The best guess of a prior that knows one structure: it, superposed on what is seen."""
    known = structure(noisy.dtype).expand_as(noisy)
    return apply_pose(*superpose(known, noisy), known), memory


def streams(n_samples: int) -> SampleStreams:
    return SampleStreams([SampleSeed(1, 1, index) for index in range(n_samples)], N_ATOMS, CPU)


def frame_of(reference: Tensor, n_samples: int, **more) -> Frame:
    """All atoms are real, and the docked model has them all."""
    return Frame(torch.ones(N_ATOMS), reference.expand(n_samples, -1, -1), torch.ones(n_samples, N_ATOMS), **more)


def idle() -> Downhill:
    return Downhill(lambda x: x.sum(dim=(1, 2)), 0.0, steps=range(0))


def test_free_sampling_finds_the_structure() -> None:
    noise = process(40)
    draws = streams(3)
    mask = torch.ones(N_ATOMS)
    state = sample(start(draws.initial(), noise), noise.steps, draws.step, one_structure, noise, Frame(mask))
    assert not state.in_map_frame
    assert superposed_rmsd(state.coordinates, structure()).max() < 1e-3


def test_samples_stay_where_their_own_docked_models_are() -> None:
    """Every sample has a frame of its own: classes of one target lie in different maps."""
    noise, draws = process(40), streams(3)
    docked = torch.stack(
        [
            structure() @ random_rotation(seed).mT + torch.tensor([120.0 * seed, -40.0, 15.0])
            for seed in range(3)
        ]
    )
    frame = Frame(torch.ones(N_ATOMS), docked, torch.ones(3, N_ATOMS))
    warm = sample(start(draws.initial(), noise), noise.steps[:32], draws.step, one_structure, noise, frame)
    state = sample(warm, noise.steps[32:], draws.step, one_structure, noise, frame, idle())
    assert state.in_map_frame
    assert rmsd(state.coordinates, docked).max() < 0.2  # the noise itself shifts a sample a little


def test_a_docked_model_of_some_atoms_gives_the_frame() -> None:
    noise, draws = process(40), streams(2)
    docked = (structure() @ random_rotation(5).mT + 60.0).expand(2, -1, -1).clone()
    has_atom = torch.ones(2, N_ATOMS)
    docked[1, ::2], has_atom[1, ::2] = 0.0, 0.0
    frame = Frame(torch.ones(N_ATOMS), docked, has_atom)
    warm = sample(start(draws.initial(), noise), noise.steps[:32], draws.step, one_structure, noise, frame)
    state = sample(warm, noise.steps[32:], draws.step, one_structure, noise, frame, idle())
    assert rmsd(state.coordinates, docked[0]).max() < 0.2


def test_a_framed_step_without_a_docked_model_is_refused() -> None:
    noise, draws = process(40), streams(1)
    state = start(draws.initial(), noise)
    with pytest.raises(ValueError, match="docked model"):
        sample(state, noise.steps[:1], draws.step, one_structure, noise, Frame(torch.ones(N_ATOMS)), idle())


@pytest.mark.parametrize("through_network", [False, True])
def test_guidance_moves_samples_down_the_energy(through_network) -> None:
    noise, draws = process(40), streams(2)
    docked = structure()
    goal = docked + torch.tensor([3.0, 0.0, 0.0])
    frame = frame_of(docked, 2)
    warm = sample(start(draws.initial(), noise), noise.steps[:20], draws.step, one_structure, noise, frame)
    seen = []
    guide = Downhill(lambda x: (x - goal).square().sum(dim=(1, 2)), 0.3, through_network, range(20, 36))
    state = sample(
        warm, noise.steps[20:], draws.step, one_structure, noise, frame, guide,
        observe=lambda step, energies: seen.append((step.index, energies)),
    )  # fmt: skip
    assert [index for index, _ in seen] == list(range(20, 40))
    assert all(energies.shape == (2,) for _, energies in seen[:16])
    assert all(energies is None for _, energies in seen[16:])
    assert rmsd(state.coordinates, goal).max() < 0.5 * float(rmsd(docked, goal))


def half_known(noisy: Tensor, sigma: float, memory: Tensor | None):
    """A linear denoiser: half of what is seen, half of what is known, about the centre of what is seen."""
    centre = noisy.mean(dim=1, keepdim=True)
    known = structure(noisy.dtype) - structure(noisy.dtype).mean(dim=0)
    return centre + 0.5 * (noisy - centre) + 0.5 * known, memory


def identity_shift(noisy: Tensor, sigma: float, memory: Tensor | None):
    """The noisy coordinates, somewhere else."""
    return noisy + torch.tensor([4.0, -1.0, 2.0], dtype=noisy.dtype), memory


def state_in_map() -> State:
    """Two samples."""
    generator = torch.Generator().manual_seed(8)
    noise = torch.randn(2, N_ATOMS, 3, generator=generator, dtype=torch.float64)
    return State(structure(torch.float64) + 30.0 + 5 * noise, None, in_map_frame=True)


def double_draws() -> Draws:
    return Draws(*(array.double() for array in streams(2).step(25)))


def quartic(x: Tensor) -> Tensor:
    """An energy whose gradient is no displacement."""
    return (x - structure(torch.float64).roll(1, 0) - 28.0).pow(4).sum(dim=(1, 2))


def one_step(
    denoise: Denoise, guide: Downhill, atom_mask: Tensor | None = None, correct: Correct | None = None
) -> Tensor:
    """Coordinates of two samples after one framed step."""
    noise = process(40)
    frame = Frame(torch.ones(N_ATOMS).double() if atom_mask is None else atom_mask, correct=correct)
    state, _ = framed_step(state_in_map(), noise.steps[25], double_draws(), denoise, noise, frame, guide)
    return state.coordinates


def test_through_the_network_with_the_published_length_it_is_cryoboltz() -> None:
    """d + lambda g |d| / |g| with the Jacobian of a linear denoiser written out (Algorithm 1, eq. 5)."""
    strength = 0.25
    got = one_step(half_known, Downhill(quartic, strength, through_network=True))

    noise, state, draws = process(40), state_in_map(), double_draws()
    step = noise.steps[25]
    noisy, centre = augment_and_noise(state.coordinates, draws, step, noise.noise_scale)
    raw, _ = half_known(noisy, step.sigma_hat, None)
    turn, shift = superpose(raw, noisy)
    denoised = apply_pose(turn, shift, raw)
    # Back to the map: the random augmentation is y = (x - centre) R + t.
    in_map = (denoised - draws.translation) @ draws.rotation.mT + centre
    by_denoised = 4 * (in_map - structure(torch.float64).roll(1, 0) - 28.0) ** 3 @ draws.rotation
    mean = by_denoised.mean(dim=1, keepdim=True)
    gradient = mean + 0.5 * (by_denoised - mean) @ turn
    direction = (noisy - denoised) / step.sigma_hat
    lengths = [torch.linalg.vector_norm(each, dim=(1, 2), keepdim=True) for each in (direction, gradient)]
    direction = direction + strength * gradient * lengths[0] / lengths[1]
    moved = noisy + noise.step_scale * (step.sigma_next - step.sigma_hat) * direction
    torch.testing.assert_close(got, (moved - draws.translation) @ draws.rotation.mT + centre)


def test_at_the_denoised_sample_it_is_the_same_for_a_denoiser_that_only_shifts() -> None:
    """Such a denoiser leaves no distance, so that the length is given in Å."""
    at_denoised, through = (one_step(identity_shift, Downhill(quartic, None, way)) for way in (False, True))
    torch.testing.assert_close(at_denoised, through)
    assert (at_denoised - one_step(identity_shift, Downhill(quartic, 0.0))).abs().max() > 0.1
    at_denoised, through = (one_step(half_known, Downhill(quartic, None, way)) for way in (False, True))
    assert (at_denoised - through).abs().max() > 1e-3


def test_each_sample_of_a_batch_looks_through_the_network_or_not() -> None:
    neither, both, second = (one_step(half_known, Downhill(quartic, 0.3, way)) for way in (False, True, (False, True)))
    assert torch.equal(second[0], neither[0]) and torch.equal(second[1], both[1])


def all_mixed(noisy: Tensor, sigma: float, memory: Tensor | None):
    """A denoiser whose real atoms look at the padding."""
    return half_known(noisy, sigma, memory)[0] + 0.2 * noisy.flip(1), memory


@pytest.mark.parametrize("through_network", [False, True])
def test_padding_is_not_pulled_and_does_not_count(through_network) -> None:
    mask = torch.ones(N_ATOMS).double()
    mask[-4:] = 0
    seen = []

    class Watched(Downhill):
        def __call__(self, step, denoised, distance_angstrom):
            seen.append((denoised.shape, distance_angstrom))
            return super().__call__(step, denoised, distance_angstrom)

    def energy(x: Tensor) -> Tensor:
        return (x - 28.0).pow(4).sum(dim=(1, 2))

    pulled, not_pulled = (one_step(all_mixed, Watched(energy, way, through_network), mask) for way in (0.3, 0.0))
    assert torch.equal(pulled[:, -4:], not_pulled[:, -4:])
    noise = process(40)
    step = noise.steps[25]
    noisy, _ = augment_and_noise(state_in_map().coordinates, double_draws(), step, noise.noise_scale)
    denoised = follow(all_mixed(noisy, step.sigma_hat, None)[0], noisy, mask)
    (shape, distance), _ = seen
    assert shape == (2, N_ATOMS - 4, 3)
    torch.testing.assert_close(distance, norms((noisy - denoised)[:, :-4]))
    correction = norms(pulled - not_pulled) / (noise.step_scale * (1 - step.sigma_next / step.sigma_hat))
    torch.testing.assert_close(correction, 0.3 * distance)


def test_the_gradient_reaches_the_state_through_the_shift() -> None:
    noisy = structure()[None].requires_grad_()
    followed = follow(structure()[None].detach(), noisy, torch.ones(N_ATOMS))
    (gradient,) = torch.autograd.grad(followed[..., 0].sum(), noisy)
    torch.testing.assert_close(gradient[..., 0], torch.ones(1, N_ATOMS))
    assert gradient[..., 1:].abs().max() == 0


def test_a_correction_goes_downhill_by_its_length_and_nowhere_without_a_slope() -> None:
    generator = torch.Generator().manual_seed(4)
    denoised, gradient = torch.randn(2, 3, N_ATOMS, 3, generator=generator)
    gradient[2] = 0
    length = torch.tensor([0.5, 12.0, 3.0])
    moved = corrected(denoised, gradient, length) - denoised
    torch.testing.assert_close(norms(moved), torch.tensor([0.5, 12.0, 0.0]))
    torch.testing.assert_close(torch.cosine_similarity(moved[:2].flatten(1), -gradient[:2].flatten(1)), torch.ones(2))


def straight(noisy: Tensor, sigma: float, memory: Tensor | None):
    return noisy, memory


@pytest.mark.parametrize("framed", [False, True])
def test_every_denoised_sample_is_put_right(framed) -> None:
    """A denoiser that knows nothing, and a correction that knows the structure."""
    noise, draws, steps = process(40), streams(2), []

    def correct(denoised: Tensor, step: int) -> Tensor:
        steps.append(step)
        return one_structure(denoised, 0.0, None)[0]

    frame = frame_of(structure(), 2, correct=correct)
    state = start(draws.initial(), noise)
    state = sample(state, noise.steps, draws.step, straight, noise, frame, idle() if framed else None)
    assert steps == list(range(40)) and state.in_map_frame == framed
    assert superposed_rmsd(state.coordinates, structure()).max() < 1e-3


def test_physics_has_the_last_word() -> None:
    """The correction comes after the map's pull, in the frame of the noisy state."""

    def correct(denoised: Tensor, step: int) -> Tensor:
        return torch.zeros_like(denoised)

    weak, strong = (one_step(half_known, Downhill(quartic, way), correct=correct) for way in (0.0, 0.9))
    assert torch.equal(weak, strong)


@pytest.mark.parametrize("through_network", [False, True])
@pytest.mark.parametrize("weights", ["random", "miniature"])
def test_a_sample_is_the_same_alone_and_in_a_batch_of_eight(request, weights, through_network) -> None:
    """To the bit on a CPU, each in a frame of its own."""
    prior: BoltzPrior = request.getfixturevalue(f"{weights}_prior")(torch.float32)
    embedding = prior.embed(recycling_steps=0)
    noise = prior.noise_process(6)
    real = prior.atom_mask.bool()
    n_atoms = len(prior.atom_mask)
    reference = torch.zeros(8, n_atoms, 3)
    generator = torch.Generator().manual_seed(2)
    reference[:, real] = 10 * torch.randn(8, int(real.sum()), 3, generator=generator)
    seeds = [SampleSeed(1, 1, index) for index in range(1, 9)]

    def draw(rows: slice) -> Tensor:
        draws = SampleStreams(seeds[rows], n_atoms, CPU)
        frame = Frame(prior.atom_mask, reference[rows], prior.atom_mask.expand(len(seeds[rows]), -1))
        goal = reference[rows][:, real]
        guide = Downhill(lambda x: (x - goal).square().mean(dim=(1, 2)), 0.2, through_network, range(3, 5))
        denoise = prior.denoiser(embedding)
        warm = sample(start(draws.initial(), noise), noise.steps[:3], draws.step, denoise, noise, frame)
        return sample(warm, noise.steps[3:], draws.step, denoise, noise, frame, guide).coordinates[:, real]

    together, alone = draw(slice(0, 8)), draw(slice(5, 6))
    assert torch.equal(together[5], alone[0])
    assert rmsd(together[5], together[4]) > 0.1
