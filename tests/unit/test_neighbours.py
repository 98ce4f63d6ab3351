"""Pairs of near points against all pairs."""

import pytest
import torch

from classfold.neighbours import near_pairs


def all_pairs(points: torch.Tensor, distance: float) -> set[tuple[int, int]]:
    n_points = points.shape[1]
    near = torch.cdist(points, points) <= distance
    return {(row * n_points + i, row * n_points + j) for row, i, j in near.nonzero().tolist()}


@pytest.mark.parametrize("spread", [0.5, 6.0, 40.0])
@pytest.mark.parametrize("shift", [0.0, -300.0])
def test_they_are_those_of_all_pairs(spread, shift) -> None:
    points = shift + spread * torch.randn(3, 60, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    pairs = near_pairs(points, 8.0)
    found = list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    assert len(found) == len(set(found)) and set(found) == all_pairs(points, 8.0)
    flat = points.flatten(0, 1)
    torch.testing.assert_close(pairs.half_square, 0.5 * (flat[pairs.first] - flat[pairs.second]).square().sum(1))


def test_a_runaway_row_disturbs_no_other() -> None:
    points = 6 * torch.randn(2, 30, 3, generator=torch.Generator().manual_seed(2))
    lost = torch.cat([points, torch.full((1, 30, 3), torch.nan), 1e9 * torch.ones(1, 30, 3)])
    alone, beside = near_pairs(points, 8.0), near_pairs(lost, 8.0)
    of_the_two = beside.first < 60
    torch.testing.assert_close(beside.first[of_the_two], alone.first)
    torch.testing.assert_close(beside.second[of_the_two], alone.second)
