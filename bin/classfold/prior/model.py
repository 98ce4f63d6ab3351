"""Boltz-1 as the functions that the stages need: trunk, noise schedule, denoiser and confidence head."""

from __future__ import annotations

import torch
from boltz.model.models.boltz1 import Boltz1
from torch import Tensor

from ..precision import EXACT, Precision
from ..sampler import Denoise, NoiseProcess, NoiseStep
from .confidence import Confidence, judge_samples
from .denoiser import BoltzDenoiser, speed_up
from .inputs import Features
from .potentials import PhysicalGuide
from .trunk import Embedding, run_trunk

TRAINING_FEATURES = ("disto_target",)
"""What only the training losses read; the distogram of 2,000 tokens takes 1 GB."""


class BoltzPrior:
    """Boltz-1 as the functions that the stages need.

    Parameters
    ----------
    model : Boltz1
        In evaluation mode. It is moved to the device and changed as the precision asks: load it anew for another
        prior.
    features : dict of Tensor
        Of one target, as :func:`classfold.prior.featurise` makes them.
    device : torch.device
        Where everything runs.
    precision : Precision
        What may be given up for speed.

    Raises
    ------
    InputError
        If the device cannot do what the precision asks for.
    """

    def __init__(
        self, model: Boltz1, features: Features, device: torch.device, precision: Precision = EXACT
    ) -> None:
        precision.check(device)
        self.model = model.to(device)
        self.model.use_kernels = precision.kernels
        speed_up(self.model.structure_module.score_model, precision, device)
        self.features = {name: tensor.to(device) for name, tensor in features.items() if name not in TRAINING_FEATURES}
        self.device = device
        self.precision = precision

    @property
    def atom_mask(self) -> Tensor:
        """(n_atoms,) 1 for real atoms, 0 for padding."""
        return self.features["atom_pad_mask"][0].float()

    @property
    def denoises_one_by_one(self) -> bool:
        """Whether a batch goes through the denoiser sample by sample, as on a CPU."""
        return self.device.type == "cpu"

    @property
    def has_confidence(self) -> bool:
        """Whether the weights have a confidence head."""
        return bool(self.model.confidence_prediction)

    def embed(self, recycling_steps: int) -> Embedding:
        """Run the trunk."""
        with torch.no_grad(), self.precision.matmuls():
            return run_trunk(self.model, self.features, recycling_steps)

    def noise_process(self, n_steps: int) -> NoiseProcess:
        """Boltz's own noise schedule."""
        diffusion = self.model.structure_module
        sigmas = diffusion.sample_schedule(n_steps)
        gammas = torch.where(sigmas > diffusion.gamma_min, diffusion.gamma_0, 0.0)[1:].tolist()
        steps = [
            NoiseStep(index, sigma, sigma_next, gamma)
            for index, (sigma, sigma_next, gamma) in enumerate(
                zip(sigmas[:-1].tolist(), sigmas[1:].tolist(), gammas, strict=True)
            )
        ]
        return NoiseProcess(tuple(steps), diffusion.noise_scale, diffusion.step_scale)

    def denoiser(self, embedding: Embedding) -> Denoise:
        """The denoiser conditioned on an embedding."""
        return BoltzDenoiser(self.model.structure_module, embedding, self.features, self.precision)

    def physical_guide(self, n_steps: int) -> PhysicalGuide:
        """Boltz's physical potentials in a diffusion of ``n_steps``."""
        return PhysicalGuide(self.features, n_steps)

    def confidence(self, embedding: Embedding, coordinates: Tensor, memory: Tensor | None) -> Confidence:
        """Judge samples (b, n_atoms, 3), padding included, with the confidence head."""
        with torch.no_grad(), self.precision.matmuls():
            return judge_samples(self.model, self.features, embedding, coordinates, memory)
