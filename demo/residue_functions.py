"""The functions of the residue that the miniature's token transformer multiplies vectors with."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from conformations import BACKBONE, Conformations, noised, place_modes, places
from torch import Tensor

SIGMA_DATA_ANGSTROM = 16.0
SLOTS = 18
"""Functions of the residue that one layer can multiply with the three components of a vector."""
CA_SCALE_ANGSTROM, BACKBONE_SCALE_ANGSTROM, SIDE_CHAIN_SCALE_ANGSTROM = 30.0, 3.0, 6.0
CLOSED_SCALE_ANGSTROM = 10.0
CONSTANT_FUNCTION = 3.0
CODE_SCALE = 3.0
"""Large against the embedder's part of the conditioning's input."""
MODE_SCALE = 4.0
"""What drives a gate to its full width; modes in units of their spread."""


@dataclass
class ResidueFunctions:
    """Functions of the residue that drive the network's gates; each (n_residues, n_functions)."""

    moments: Tensor
    radii: Tensor
    ca: Tensor
    backbone: Tensor
    modes: Tensor
    backbone_mode: Tensor
    closed: Tensor
    side_chains: Tensor
    mode_spreads: Tensor
    """Standard deviation of each mode's CA displacements in Å, (N_MODES,)."""
    backbone_mode_spread: Tensor
    """The same of the first mode's displacements of the backbone relative to CA."""

    def spanning(self) -> Tensor:
        """All of them, a constant, and three that make mean and norm the same for every residue."""
        constant = torch.full((len(self.ca), 1), CONSTANT_FUNCTION)
        functions = torch.cat([*(function for function, _ in self._weighted()), constant], dim=1)
        return level(functions, self.filling(functions))

    def code(self, width: int) -> Tensor:
        """What the trunk is to say of every residue, (n_residues, width): the principal part of all functions.

        Mean and norm of the functions and of the code are made the same for every residue, so that the layer norms that
        follow are only a scale.
        """
        weighted = torch.cat([weight * function for function, weight in self._weighted()], dim=1).double()
        left, _, _ = torch.linalg.svd(weighted - weighted.mean(dim=0), full_matrices=False)
        principal = left[:, : width - 4].float() * len(left) ** 0.5
        code = torch.cat([principal, self.spanning()[:, -1:] / 3], dim=1)
        return CODE_SCALE * level(code, self.filling(code))

    @staticmethod
    def filling(functions: Tensor) -> Tensor:
        """What is missing to the largest norm, (n_residues, 1), the balance included."""
        squared = functions.square().sum(dim=1) + functions.sum(dim=1) ** 2
        return ((1.02 * squared.max() - squared) / 2).sqrt()[:, None]

    def _weighted(self) -> list[tuple[Tensor, Tensor | float]]:
        """Every function and how much its errors matter."""
        return [
            (self.moments, 1.0),
            (self.radii, 5.0),
            (self.ca, 3 * CA_SCALE_ANGSTROM),
            (self.backbone, BACKBONE_SCALE_ANGSTROM),
            (self.modes, 4 * MODE_SCALE * self.mode_spreads.repeat_interleave(3)),
            (self.backbone_mode, 0.5),
            (self.closed, CLOSED_SCALE_ANGSTROM),
            (self.side_chains, SIDE_CHAIN_SCALE_ANGSTROM),
        ]


def level(functions: Tensor, filling: Tensor) -> Tensor:
    """Functions (n_residues, n), their balance, and a filling with both signs: without mean, and of one norm."""
    return torch.cat([functions, -functions.sum(dim=1, keepdim=True), filling, -filling], dim=1)


def gate(value: Tensor) -> Tensor:
    """What a gate has to be driven with so that it opens by one half plus a quarter of a value."""
    return torch.logit(0.5 + 0.25 * value.clamp(-1.9, 1.9))


def radius_weights(path: Conformations, pooling: Tensor, generator: torch.Generator) -> Tensor:
    """Weights of the residues' squared radii that tell the amplitudes: (n_residues, N_MODES), at most two."""
    radii, amplitudes = [], []
    for _ in range(100):
        sigmas = torch.rand(16, generator=generator) * 10 + 0.2
        frames = torch.randint(len(path.amplitudes), (16,), generator=generator)
        _, noisy, _ = noised(path, frames, sigmas, generator)
        scale = (sigmas**2 + SIGMA_DATA_ANGSTROM**2).sqrt()[:, None, None]
        radii.append((pooling @ (noisy / scale)).square().sum(dim=-1))
        amplitudes.append(path.amplitudes[frames])
    inputs, targets = torch.cat(radii).double(), torch.cat(amplitudes).double()
    inputs = torch.cat([inputs, torch.ones(len(inputs), 1)], dim=1)
    penalty = 2e-4 * inputs[:, :-1].var(dim=0).sum() * torch.ones(inputs.shape[1], dtype=torch.float64)
    penalty[-1] = 0
    weights = torch.linalg.solve(inputs.mT @ inputs + penalty.diag(), inputs.mT @ targets)[:-1].float()
    return 2 * weights / weights.abs().amax(dim=0)


def residue_functions(path: Conformations, pooling: Tensor, generator: torch.Generator) -> ResidueFunctions:
    """Functions of one path, scaled so that the gates they drive stay near their linear part."""
    mean, moved = places(path.mean, path.keys), place_modes(path)
    ca, ca_modes = mean[:, 0], moved[:, :, 0]
    moments = torch.cat([ca, *ca_modes], dim=1)
    moments = moments - moments.mean(dim=0)
    covariance = moments[:, :3].mT @ moments[:, :3] / len(ca)
    moments[:, :3] = moments[:, :3] @ torch.linalg.cholesky(torch.linalg.inv(covariance))
    moments = moments[:, :SLOTS] / moments[:, :SLOTS].std(dim=0)
    backbone_mode = moved[0, :, 1 : 1 + BACKBONE].flatten(1)
    spreads = ca_modes.std(dim=(1, 2))
    closed_amplitudes = path.amplitudes[path.is_closed].mean(dim=0)
    return ResidueFunctions(
        moments=moments,
        radii=radius_weights(path, pooling, generator),
        ca=gate(ca / CA_SCALE_ANGSTROM),
        backbone=gate(mean[:, 1 : 1 + BACKBONE].flatten(1) / BACKBONE_SCALE_ANGSTROM),
        modes=gate(ca_modes.transpose(0, 1).flatten(1) / (MODE_SCALE * spreads.repeat_interleave(3))),
        backbone_mode=gate(backbone_mode / (MODE_SCALE * backbone_mode.std())),
        closed=gate(torch.einsum("k,knd->nd", closed_amplitudes, ca_modes) / CLOSED_SCALE_ANGSTROM),
        side_chains=gate(mean[:, 1 + BACKBONE :].flatten(1) / SIDE_CHAIN_SCALE_ANGSTROM),
        mode_spreads=spreads,
        backbone_mode_spread=backbone_mode.std(),
    )
