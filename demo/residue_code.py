"""What the miniature's trunk says of every residue: one code of all that the diffusion module must know of it."""

from __future__ import annotations

import torch
from conformations import Conformations, functions_of
from torch import Tensor

CODE_SCALE = 20.0
"""Large against the embedder's part of what is said of a residue."""
N_LEVELLING = 4
"""Dimensions of the code that carry no function: a constant, and three that level it."""
MOMENT_DRIVE = 0.5


def residue_code(path: Conformations, width: int) -> Tensor:
    """All functions of the residue that the path is made of, a constant, and three that level it: (n_residues, width).

    Mean and norm are the same for every residue, so that the layer norms that follow are only a scale.
    """
    functions = functions_of(torch.cat([path.mean[None], path.modes])).double()
    left, _, _ = torch.linalg.svd(functions - functions.mean(dim=0), full_matrices=False)
    principal = left[:, : width - N_LEVELLING].float() * len(left) ** 0.5
    code = torch.cat([principal, torch.ones(len(principal), 1)], dim=1)
    balance = -code.sum(dim=1, keepdim=True)
    squared = code.square().sum(dim=1, keepdim=True) + balance**2
    filling = ((1.02 * squared.max() - squared) / 2).sqrt()
    return CODE_SCALE * torch.cat([code, balance, filling, -filling], dim=1)


def moment_functions(path: Conformations) -> Tensor:
    """(n_residues, 3 + 3 N_MODES) functions whose sums with the positions tell orientation and amplitudes."""
    functions = torch.cat([path.mean[:, 0], *path.modes[:, :, 0]], dim=1)
    functions = functions - functions.mean(dim=0)
    covariance = functions[:, :3].mT @ functions[:, :3] / len(functions)
    functions[:, :3] = functions[:, :3] @ torch.linalg.cholesky(torch.linalg.inv(covariance))
    return MOMENT_DRIVE * functions / functions.std(dim=0)
