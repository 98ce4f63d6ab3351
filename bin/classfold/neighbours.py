"""Which points of a set are near each other, at a cost that grows with the points and not with their square."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

FARTHEST_ANGSTROM = 1e5
"""A sample that has run away is searched no farther than this from the origin."""


class Pairs(NamedTuple):
    """Pairs of near points of a batch, in both orders, each point with itself as well."""

    first: Tensor
    """(p,) place among all (b · n) points."""
    second: Tensor
    """(p,)"""
    half_square: Tensor
    """(p,) half of the squared distance, Å²."""


def near_pairs(points: Tensor, distance_angstrom: float) -> Pairs:
    """All pairs of points (b, n, 3) of the same row that are no farther apart than a distance.

    Points are sorted into cubic cells as wide as the distance, cells along x one after the other, so that the
    neighbours of a cell are nine runs of the sorted list.
    """
    flat = points.flatten(0, 1)
    cells = (points.nan_to_num().clamp(-FARTHEST_ANGSTROM, FARTHEST_ANGSTROM) / distance_angstrom).floor().long()
    # An empty cell on every side, or the neighbour of a last cell would be the next row's first.
    cells = cells - cells.amin(dim=(0, 1)) + 1
    width = cells.amax(dim=(0, 1)) + 2
    row = torch.arange(len(points), device=points.device).repeat_interleave(points.shape[1])
    x, y, z = cells.flatten(0, 1).unbind(1)
    key = ((row * width[2] + z) * width[1] + y) * width[0] + x
    sorted_key, order = key.sort(stable=True)
    side = torch.arange(-1, 2, device=points.device)
    runs = key[:, None] + ((side[:, None] * width[1] + side) * width[0]).flatten()
    begin = torch.searchsorted(sorted_key, runs - 1).flatten()
    length = torch.searchsorted(sorted_key, runs + 1, right=True).flatten() - begin
    first = torch.arange(len(key), device=points.device).repeat_interleave(length.view(-1, 9).sum(dim=1))
    within = torch.arange(len(first), device=points.device) - (length.cumsum(0) - length).repeat_interleave(length)
    second = order[begin.repeat_interleave(length) + within]
    half_square = 0.5 * flat[first].sub_(flat[second]).square_().sum(dim=1)
    near = half_square <= 0.5 * distance_angstrom**2
    return Pairs(first[near], second[near], half_square[near])
