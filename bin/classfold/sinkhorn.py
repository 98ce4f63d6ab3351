"""The unbalanced Sinkhorn divergence between weighted points, and its gradient.

``S(a, b) = OT(a, b) - OT(a, a) / 2 - OT(b, b) / 2`` (Feydy et al., AISTATS 2019; unbalanced: Séjourné et al., arXiv
1910.12958, whose terms for unequal masses cancel in the form used here) with the cost ``|x - y|² / 2``, temperature
``blur²`` and marginal penalty ``reach²``. It is solved as geomloss solves it: symmetrised updates of the dual
potentials ``f`` and ``g`` in the log domain while the temperature falls. Batched over problems and without an
autograd graph: at the optimum the gradient is the mean transport itself (envelope theorem), ``∂OT/∂x_i = a_i
exp(-f_i / reach²) (x_i - Σ_j P_ij y_j)``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from .neighbours import near_pairs

LOWEST_EXPONENT = -80.0
SELF_BLURS = 4.0
"""Distance, in blurs, up to which points of one set send mass to each other."""


class Annealing(NamedTuple):
    """Lengths in Å that a transport problem is solved with."""

    start: float
    """The temperature begins at its square."""
    blur: float
    """The temperature ends at its square."""
    reach: float
    """Mass farther away than about this is given up rather than moved."""
    scaling: float = 0.5
    """Factor between one length and the next."""

    def temperatures(self) -> list[float]:
        """Temperatures in Å² from the first to the last, which is used twice."""
        steps = max(0, math.ceil(math.log(self.blur / self.start) / math.log(self.scaling)))
        lengths = [self.start * self.scaling**step for step in range(steps)]
        return [length**2 for length in (*lengths, self.blur, self.blur)]


class Transport(NamedTuple):
    """What a batch of transport problems leaves."""

    kept: Tensor
    """(b,) mass that stays in play: Σ a exp(-f / reach²), of both sides."""
    gradient: Tensor
    """(b, n, 3) of the cost by the first points, Å."""


def log_sum_exp(exponents: Tensor, axis: int) -> tuple[Tensor, Tensor, Tensor]:
    """Logarithm of the sum of exponentials along an axis; the exponentials and their sum, both over the largest.

    Works in place. What is e^-80 of the largest counts as that, for a processor takes many times longer over numbers
    that are nearly too small for it.
    """
    highest = exponents.amax(dim=axis, keepdim=True)
    shares = exponents.sub_(highest).clamp_(min=LOWEST_EXPONENT).exp_()
    total = shares.sum(dim=axis, keepdim=True)
    return (highest + total.log()).squeeze(axis), shares, total


def softmin(kernel: Tensor, reached: Tensor, temperature: float, reach: float, axis: int) -> Tensor:
    """One Sinkhorn update of the potential of the other axis, damped by the finite reach."""
    damping = 1 / (1 + temperature / reach**2)
    return -damping * temperature * log_sum_exp(kernel + reached.unsqueeze(3 - axis), axis)[0]


def half_squares(x: Tensor, y: Tensor) -> Tensor:
    """``|x - y|² / 2``, (b, n, m), without the cancellation of the expanded square."""
    return 0.5 * torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").square()


def pull(
    x: Tensor, mass: Tensor, y: Tensor, log_other: Tensor, cost: Tensor, potential: Tensor, annealing: Annealing
) -> Transport:
    """Mass kept at ``x``, and the gradient there, at the last temperature.

    Parameters
    ----------
    x, mass : Tensor, shapes (b, n, 3) and (b, n)
    y, log_other : Tensor, shapes (b, m, 3) and (b, m)
        The other points and the logarithm of their masses.
    cost : Tensor, shape (b, n, m)
    potential : Tensor, shape (b, m)
        Of the other points.
    annealing : Annealing
    """
    temperature, reach = annealing.blur**2, annealing.reach
    reached = (log_other + potential / temperature)[:, None] - cost / temperature
    logarithm, plan, total = log_sum_exp(reached, 2)
    own = -temperature / (1 + temperature / reach**2) * logarithm
    kept = torch.where(mass > 0, mass * torch.exp(-own / reach**2), 0.0)
    return Transport(kept.sum(dim=1), kept[..., None] * (x - (plan @ y) / total))


def transport(x: Tensor, x_mass: Tensor, y: Tensor, y_mass: Tensor, annealing: Annealing) -> Transport:
    """Transport between two sets of points, ``OT(a, b)``.

    Parameters
    ----------
    x, y : Tensor, shapes (b, n, 3) and (b, m, 3)
        Points in Å.
    x_mass, y_mass : Tensor, shapes (b, n) and (b, m)
        Their masses; a point of mass zero does not take part. The sums need not be equal.
    annealing : Annealing
        Temperatures and reach.
    """
    cost, log_x, log_y, reach = half_squares(x, y), x_mass.log(), y_mass.log(), annealing.reach
    temperature, *others = annealing.temperatures()
    kernel = cost / -temperature
    f, g = softmin(kernel, log_y, temperature, reach, 2), softmin(kernel, log_x, temperature, reach, 1)
    for temperature in others:
        kernel = cost / -temperature
        f, g = (
            0.5 * (f + softmin(kernel, log_y + g / temperature, temperature, reach, 2)),
            0.5 * (g + softmin(kernel, log_x + f / temperature, temperature, reach, 1)),
        )
    moved = pull(x, x_mass, y, log_y, cost, g, annealing)
    g = softmin(kernel, log_x + f / temperature, temperature, reach, 1)
    left = torch.where(y_mass > 0, y_mass * torch.exp(-g / reach**2), 0.0).sum(dim=1)
    return Transport(moved.kept + left, moved.gradient)


def self_transport(x: Tensor, x_mass: Tensor, annealing: Annealing) -> Transport:
    """Transport of points to themselves, ``OT(a, a) / 2``: what the blur alone costs.

    Mass moves no farther than the blur here. So the temperature begins at twice the last, and only pairs within four
    blurs count, e^-8 of what a point sends to itself: the cost grows with the points, not with their square.
    """
    reach, (n_rows, n_points) = annealing.reach, x_mass.shape
    pairs = near_pairs(x, SELF_BLURS * annealing.blur)
    points, log_mass = x.flatten(0, 1), x_mass.flatten().clamp(min=torch.finfo(x_mass.dtype).tiny).log()
    f = torch.zeros_like(log_mass)
    shares, total = f, f
    temperatures = annealing._replace(start=math.sqrt(2) * annealing.blur).temperatures()
    for step, temperature in enumerate((*temperatures, temperatures[-1])):
        own = log_mass + f / temperature
        shares = (own[pairs.second] - own[pairs.first] - pairs.half_square / temperature).exp()
        total = torch.zeros_like(f).index_add_(0, pairs.first, shares)
        update = -temperature / (1 + temperature / reach**2) * (own + total.log())
        # Averaged with the last, as on the way the two sides of the problem are; the first and the final one are not.
        f = 0.5 * (f + update) if 0 < step < len(temperatures) else update
    moved = torch.zeros_like(points).index_add_(0, pairs.first, shares[:, None] * points[pairs.second])
    kept = x_mass.flatten() * torch.exp(-f / reach**2)
    gradient = kept[:, None] * (points - moved / total[:, None])
    return Transport(kept.view(n_rows, n_points).sum(dim=1), gradient.view(n_rows, n_points, 3))


def divergence(between: Transport, own: Transport, other_kept: Tensor, annealing: Annealing) -> tuple[Tensor, Tensor]:
    """Sinkhorn divergence (b,) in Å² and its gradient (b, n, 3) by the first points.

    Parameters
    ----------
    between, own : Transport
        From the first points to the second, and to themselves.
    other_kept : Tensor, shape (b,)
        Mass that the second points keep in their transport to themselves.
    annealing : Annealing
        What all of them were solved with.
    """
    scale = annealing.reach**2 + annealing.blur**2 / 2
    return scale * (own.kept + other_kept - between.kept), between.gradient - own.gradient
