"""The miniature's single conditioning, written down: the residue's code beside waves of the noise level.

Code and waves have a norm that never changes, so every layer norm of them is a fixed scale, and functions of the
residue or of the noise level are read from them linearly.
"""

from __future__ import annotations

import torch
from boltz.model.modules.encoders import SingleConditioning
from neurons import ridge
from token_channels import WIDTH
from torch import Tensor

from classfold.prior import Embedding

SIGMA_DATA_ANGSTROM = 16.0
SIGMAS_ANGSTROM = torch.logspace(-2.3, 3.65, 300)
"""Noise levels at which functions of it are fitted."""
WAVE_PERIOD = 6.8
"""Of the longest wave, in the network's time log(sigma / 16 Å) / 4: twice the range of noise levels."""
N_PHASES = 4
"""Of every wave, a quarter of a period apart: together they have neither a mean nor a changing norm."""


class Conditioning:
    """Writes a miniature's single conditioning and finds read-outs (WIDTH,) behind its layer norm."""

    def __init__(self, conditioner: SingleConditioning, embedding: Embedding, generator: torch.Generator) -> None:
        self.conditioner, self.embedding = conditioner, embedding
        self.n_code = embedding.s.shape[-1]
        self._write(generator)
        normalised = torch.nn.functional.layer_norm(self(SIGMAS_ANGSTROM), (WIDTH,)).double()
        self._residues = normalised.mean(dim=0)[:, : self.n_code]
        self._waves = normalised.mean(dim=1)[:, self.n_code :]
        self.one = self.of_residue(torch.ones(len(self._residues), 1))[0]

    def __call__(self, sigmas: Tensor) -> Tensor:
        """Conditioning (n, n_residues, WIDTH) at noise levels (n,) in Å."""
        return self.conditioner(
            times=(sigmas / SIGMA_DATA_ANGSTROM).log() / 4,
            s_trunk=self.embedding.s.repeat_interleave(len(sigmas), 0),
            s_inputs=self.embedding.s_inputs.repeat_interleave(len(sigmas), 0),
        )[0]

    def _write(self, generator: torch.Generator) -> None:
        conditioner, n_code = self.conditioner, self.n_code
        normalised = conditioner.norm_single(torch.cat([self.embedding.s, self.embedding.s_inputs], dim=-1))[0]
        code = self.embedding.s[0] / self.embedding.s[0].square().mean().sqrt()
        conditioner.single_embed.weight.zero_()
        conditioner.single_embed.bias.zero_()
        conditioner.single_embed.weight[:n_code] = ridge(normalised, code, 1e-9).mT
        for transition in conditioner.transitions:
            for layer in (transition.fc1, transition.fc2, transition.fc3):
                layer.weight.zero_()
        self._write_waves(generator)

    def _write_waves(self, generator: torch.Generator) -> None:
        embed, weight = self.conditioner.fourier_embed.proj, self.conditioner.fourier_to_single.weight
        n_waves = len(embed.bias) // N_PHASES
        frequencies = torch.arange(1, n_waves + 1) / WAVE_PERIOD
        embed.weight[:, 0] = frequencies.repeat_interleave(N_PHASES)
        embed.bias.copy_((torch.arange(N_PHASES) / N_PHASES).repeat(n_waves))
        random = torch.randn(WIDTH - self.n_code, 1 + 2 * n_waves, generator=generator)
        random[:, 0] = 1
        directions = torch.linalg.qr(random).Q[:, 1:].unflatten(1, (n_waves, 2))
        weight.zero_()
        # The other two phases are the negatives of these.
        weight[self.n_code :].unflatten(1, (n_waves, N_PHASES))[:, :, :2] = directions

    def of_residue(self, functions: Tensor) -> Tensor:
        """Read-outs (n, WIDTH) of functions (n_residues, n) of the residue."""
        readouts = torch.zeros(functions.shape[1], WIDTH)
        readouts[:, : self.n_code] = ridge(self._residues, functions, 1e-10).mT
        return readouts

    def of_noise(self, values: Tensor, smallest: float) -> Tensor:
        """Read-out (WIDTH,) of a function of the noise level, given at ``SIGMAS_ANGSTROM``.

        It is exact relative to the values, down to ``smallest``.
        """
        weights = 1 / (values.abs().double() + smallest)[:, None]
        inputs = torch.cat([self._waves, torch.ones(len(self._waves), 1, dtype=torch.float64)], dim=1)
        solution = ridge(inputs * weights, values[:, None].double() * weights, 1e-12)[:, 0]
        readout = solution[-1] * self.one
        readout[self.n_code :] += solution[:-1]
        return readout
