"""Speed against exactness: every switch does what it says, says what it lacks, and leaves coordinates in float32."""

import importlib.util
import shutil
from functools import partial

import pytest
import torch

from classfold.errors import InputError
from classfold.precision import Precision
from classfold.prior import BoltzPrior, Embedding
from tests.random_prior import random_model

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
SIGMA_ANGSTROM = 1.0


class Setting:
    """The random prior in one precision, on the noisy samples that all settings share."""

    def __init__(self, features: dict[str, torch.Tensor], precision: Precision, device: torch.device = CPU) -> None:
        self.prior = BoltzPrior(random_model(), features, device, precision)
        self.embedding = self.prior.embed(recycling_steps=1)
        self.denoise = self.prior.denoiser(self.embedding)
        generator = torch.Generator().manual_seed(5)
        shape = (3, len(self.prior.atom_mask), 3)
        self.noisy = (10.0 * torch.randn(shape, generator=generator)).to(device)

    def denoised(self) -> torch.Tensor:
        """(3, n_atoms, 3) after two steps: the second finds the cache filled."""
        with torch.no_grad():
            _, memory = self.denoise(self.noisy, 2 * SIGMA_ANGSTROM, None)
            denoised, memory = self.denoise(self.noisy, SIGMA_ANGSTROM, memory)
        assert denoised.dtype == memory.dtype == torch.float32
        return denoised

    def gradient(self) -> torch.Tensor:
        """(3, n_atoms, 3) of a function of the denoised samples, through the network."""
        noisy = self.noisy.clone().requires_grad_()
        denoised, _ = self.denoise(noisy, SIGMA_ANGSTROM, None)
        return torch.autograd.grad(denoised.square().sum(), noisy)[0]


@pytest.fixture(scope="module")
def exact(peptide_features) -> Setting:
    return Setting(peptide_features, Precision())


def update_angstrom(setting: Setting) -> torch.Tensor:
    """What the network adds to the part of the noisy coordinates that is kept, by root mean square."""
    kept = setting.prior.model.structure_module.c_skip(torch.tensor(SIGMA_ANGSTROM))
    return (setting.denoised() - kept * setting.noisy).square().mean().sqrt()


def test_bf16_rounds_the_transformers_and_not_the_coordinates(peptide_features, exact) -> None:
    rounded = Setting(peptide_features, Precision("bf16"))
    error = (rounded.denoised() - exact.denoised()).square().mean().sqrt()
    # One rounding of bfloat16 is 0.4 %.
    assert 1e-4 * update_angstrom(exact) < error < 1e-2 * update_angstrom(exact)
    for name, value in vars(exact.embedding).items():
        assert torch.equal(getattr(rounded.embedding, name), value)
    gradients = [setting.gradient().flatten() for setting in (rounded, exact)]
    assert torch.cosine_similarity(*gradients, dim=0) > 0.999


def test_bf16_gives_the_same_sample_alone_and_among_others(peptide_features) -> None:
    setting = Setting(peptide_features, Precision("bf16"))
    together = setting.denoised()
    setting.noisy = setting.noisy[1:2]
    assert torch.equal(setting.denoised(), together[1:2])


@pytest.mark.skipif(shutil.which("g++") is None, reason="compiling needs g++")
def test_compiled_layers_compute_the_same_and_share_what_is_compiled(peptide_features, exact) -> None:
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    compiled = Setting(peptide_features, Precision(compile=True))
    torch.testing.assert_close(compiled.denoised(), exact.denoised(), atol=1e-4, rtol=1e-4)
    # One for the layers of tokens and one for the layers of atoms.
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 2
    torch.testing.assert_close(compiled.gradient(), exact.gradient(), atol=1e-3, rtol=1e-3)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 4


def test_compile_without_a_compiler_says_so(monkeypatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(InputError, match=r"compile needs a C\+\+ compiler \(no-such-compiler is not there\)"):
        Precision(compile=True).check(CPU)


@pytest.mark.parametrize("precision", [Precision("tf32"), Precision(kernels=True)])
def test_what_needs_a_gpu_says_so(monkeypatch, precision) -> None:
    with pytest.raises(InputError, match="needs an NVIDIA GPU, and this runs on cpu"):
        precision.check(CPU)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla T4")
    with pytest.raises(InputError, match="Ampere generation or later, not Tesla T4"):
        precision.check(CUDA)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    precision.check(CUDA)


def test_kernels_without_their_package_say_so(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="package cuequivariance_torch, which is not installed"):
        Precision(kernels=True).check(CUDA)


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(InputError, match="'float16' are not known; use one of float32, tf32, bf16"):
        Precision("float16")


def test_tf32_is_on_only_inside_and_off_after_an_error() -> None:
    before = torch.get_float32_matmul_precision()
    with pytest.raises(KeyError), Precision("tf32").matmuls():
        assert torch.get_float32_matmul_precision() == "high"
        raise KeyError
    assert torch.get_float32_matmul_precision() == before
    torch.set_float32_matmul_precision("high")
    try:
        with Precision().matmuls():
            assert torch.get_float32_matmul_precision() == "highest"
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("precision", [Precision("tf32"), Precision("bf16"), Precision(kernels=True)])
def test_a_gpu_computes_nearly_the_same(peptide_features, precision) -> None:
    if precision.kernels and importlib.util.find_spec("cuequivariance_torch") is None:
        pytest.skip("needs the package cuequivariance_torch")
    setting = partial(Setting, peptide_features, device=CUDA)
    exact, fast = setting(Precision()), setting(precision)
    embedding: Embedding = fast.embedding
    assert (embedding.z - exact.embedding.z).square().mean() < 1e-4 * exact.embedding.z.square().mean()
    error = (fast.denoised() - exact.denoised()).square().mean().sqrt()
    assert error < 2e-2 * update_angstrom(exact)
