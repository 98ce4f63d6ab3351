"""Without guidance our sampler returns what Boltz's own ``AtomDiffusion.sample`` returns for the same seed."""

import pytest
import torch
from boltz.model.modules.utils import compute_random_augmentation

from classfold.prior import BoltzPrior, Embedding
from classfold.random_draws import Draws
from classfold.sampler import Frame, sample, start
from classfold.superposition import superposed_rmsd

N_STEPS = 20
N_SAMPLES = 3


class BoltzDraws:
    """The global generator's numbers in the order in which Boltz takes them."""

    def __init__(self, shape: tuple[int, int, int], dtype: torch.dtype) -> None:
        self.shape, self.dtype = shape, dtype

    def initial(self) -> torch.Tensor:
        return torch.randn(self.shape)

    def __call__(self, step: int) -> Draws:
        rotation, translation = compute_random_augmentation(self.shape[0], dtype=self.dtype)
        return Draws(rotation, translation, torch.randn(self.shape))


def boltz_sample(prior: BoltzPrior, embedding: Embedding, seed: int) -> torch.Tensor:
    torch.manual_seed(seed)
    with torch.no_grad():
        return prior.model.structure_module.sample(
            s_trunk=embedding.s,
            z_trunk=embedding.z,
            s_inputs=embedding.s_inputs,
            feats=prior.features,
            relative_position_encoding=embedding.relative_position_encoding,
            num_sampling_steps=N_STEPS,
            atom_mask=prior.features["atom_pad_mask"],
            multiplicity=N_SAMPLES,
            max_parallel_samples=N_SAMPLES,
        )["sample_atom_coords"]


def our_sample(prior: BoltzPrior, embedding: Embedding, seed: int, dtype: torch.dtype) -> torch.Tensor:
    torch.manual_seed(seed)
    process = prior.noise_process(N_STEPS)
    draws = BoltzDraws((N_SAMPLES, len(prior.atom_mask), 3), dtype)
    state = start(draws.initial(), process)
    mask = prior.atom_mask.to(dtype)
    return sample(state, process.steps, draws, prior.denoiser(embedding), process, Frame(mask)).coordinates


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-4), (torch.float32, 1e-2)])
@pytest.mark.parametrize("weights", ["miniature", "random"])
def test_unguided_sampling_is_boltz(request, monkeypatch, weights, dtype, tolerance) -> None:
    if dtype is torch.float64:  # Boltz casts masks and one-hot maps to single precision on its way
        monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    prior = request.getfixturevalue(f"{weights}_prior")(dtype)
    embedding = prior.embed(recycling_steps=1)
    torch.set_default_dtype(dtype)
    try:
        expected = boltz_sample(prior, embedding, seed=7)
        got = our_sample(prior, embedding, seed=7, dtype=dtype)
    finally:
        torch.set_default_dtype(torch.float32)
    real = prior.atom_mask.bool()
    assert superposed_rmsd(got[:, real], expected[:, real]).max() <= tolerance
    assert (got[:, real].std(dim=1) > 1.0).all()
