"""Boltz's physical potentials: chirality, bonds, angles and clashes of denoised samples, put right step by step.

``AtomDiffusion.sample`` of Boltz 2.2.1 moves every denoised sample down the gradient of these potentials when it is
told to (``physical_guidance_update``). Here that descent is a function of its own, with Boltz's potentials, weights and
number of rounds.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch
from boltz.main import BoltzSteeringParams
from boltz.model.potentials.potentials import Potential, VDWOverlapPotential, get_potentials
from torch import Tensor

from .chain_clashes import ChainClashes
from .inputs import Features


class PhysicalGuide:
    """Moves denoised samples towards what chemistry allows; a :class:`classfold.sampler.Correct`.

    Boltz knows chirality, bonds, angles and planarity of ligands and modified residues, covalent links between chains,
    copies of a chain that fall on each other, and clashes between chains. A single chain of standard residues has none
    of these and stays as it is.

    Parameters
    ----------
    features : dict of Tensor
        Of one target, as :func:`classfold.prior.featurise` makes them, on the samples' device.
    n_steps : int
        Steps of the whole diffusion: some weights change on the way.
    """

    def __init__(self, features: Features, n_steps: int) -> None:
        steering = asdict(BoltzSteeringParams(fk_steering=False, physical_guidance_update=True))
        self.features = features
        self.n_steps = n_steps
        self.n_rounds: int = steering["num_gd_steps"]
        self.potentials: list[Potential] = []
        for potential in get_potentials(steering, boltz2=False):
            if isinstance(potential, VDWOverlapPotential):
                clashes = ChainClashes(potential.parameters, features)
                self.potentials += [clashes] if clashes.may_clash.any() else []
            elif potential.compute_args(features, potential.compute_parameters(1.0))[0].shape[1] > 0:
                self.potentials.append(potential)

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing in the target that these potentials know."""
        return not self.potentials

    def _at(self, step: int) -> list[tuple[Potential, dict[str, Any]]]:
        """The potentials that count in a step, and their parameters in it."""
        time = 1.0 - step / self.n_steps
        parameters = [potential.compute_parameters(time) for potential in self.potentials]
        return [pair for pair in zip(self.potentials, parameters, strict=True) if pair[1]["guidance_weight"] > 0]

    @torch.no_grad()
    def __call__(self, denoised: Tensor, step: int) -> Tensor:
        """Denoised samples (b, n_atoms, 3) in Å, padding included, after the descent of a step counted from 0.

        The last step is left alone, as in Boltz.
        """
        counting = self._at(step)
        if step >= self.n_steps - 1 or not counting:
            return denoised
        shift = torch.zeros_like(denoised)
        for turn in range(self.n_rounds):
            gradient = torch.zeros_like(denoised)
            for potential, parameters in counting:
                if turn % parameters["guidance_interval"] == 0:
                    slope = potential.compute_gradient(denoised + shift, self.features, parameters)
                    gradient += parameters["guidance_weight"] * slope
            shift -= gradient
        return denoised + shift
