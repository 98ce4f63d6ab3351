"""Energies of models in maps: what guidance needs of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

ValueAndGradient = Callable[[Tensor], tuple[Tensor, Tensor]]


class Energy(Protocol):
    """Energies of models (b, n_atoms, 3) in Å, each against one of several maps (b,), and their gradients."""

    def value_and_gradient(self, coordinates: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Energies (b,) and gradients (b, n_atoms, 3)."""
        ...


class WithGradient(torch.autograd.Function):
    """Makes a function that returns its gradient itself differentiable; the graph keeps that gradient and no more."""

    @staticmethod
    def forward(ctx, coordinates: Tensor, evaluate: ValueAndGradient) -> Tensor:
        values, gradient = evaluate(coordinates)
        ctx.save_for_backward(gradient)
        return values

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, by_value: Tensor):
        (gradient,) = ctx.saved_tensors
        return by_value[:, None, None] * gradient, None
