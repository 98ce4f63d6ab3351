"""Rotations: all of them proper, the covering even, the angles those of closed forms."""

import math

import pytest
import torch

from classfold.rotations import (
    PSI,
    quaternion_to_matrix,
    random_rotation,
    rotation_angle,
    rotation_from_vector,
    super_fibonacci,
)


def assert_proper(rotations: torch.Tensor) -> None:
    identity = torch.eye(3, dtype=rotations.dtype).expand_as(rotations)
    torch.testing.assert_close(rotations @ rotations.mT, identity, atol=1e-5, rtol=0)
    assert bool((torch.linalg.det(rotations) > 0).all())


def test_quaternion_of_a_quarter_turn_about_z():
    half = math.sqrt(0.5)
    turned = quaternion_to_matrix(torch.tensor([0.0, 0.0, half, half])) @ torch.tensor([1.0, 0.0, 0.0])
    torch.testing.assert_close(turned, torch.tensor([0.0, 1.0, 0.0]), atol=1e-6, rtol=0)


def test_a_quaternion_and_its_opposite_are_one_rotation():
    quaternion = torch.randn(8, 4, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(quaternion_to_matrix(quaternion), quaternion_to_matrix(-3 * quaternion))


def test_constant_of_the_spiral_is_the_root_that_the_paper_names():
    assert abs(PSI**4 - (PSI + 4)) < 1e-12


def test_the_spiral_covers_rotations_evenly():
    count = 2304
    spiral = super_fibonacci(count)
    assert_proper(spiral)
    anywhere = torch.stack([random_rotation(seed) for seed in range(300)])
    nearest = rotation_angle(anywhere[:, None], spiral[None]).amin(1)
    # The ball of rotations whose volume is the whole group's (8 pi^2) divided by the count.
    ball = (8 * math.pi**2 / count * 3 / (4 * math.pi)) ** (1 / 3)
    assert float(nearest.max()) < 1.6 * ball
    torch.testing.assert_close(spiral.mean(0), torch.zeros(3, 3), atol=2e-3, rtol=0)


def test_the_spiral_repeats_no_rotation():
    spiral = super_fibonacci(500, dtype=torch.float64)
    between = rotation_angle(spiral[:, None], spiral[None]) + 10 * torch.eye(500, dtype=torch.float64)
    assert math.degrees(float(between.min())) > 10


def test_a_seed_gives_one_rotation():
    assert_proper(random_rotation(3))
    torch.testing.assert_close(random_rotation(3), random_rotation(3), atol=0, rtol=0)
    assert float(rotation_angle(random_rotation(3), random_rotation(4))) > 0.01


@pytest.mark.parametrize("angle", [1e-6, 0.3, 2.5])
def test_vectors_turn_by_their_angle(angle):
    vector = torch.tensor([0.0, 2 * math.tan(angle / 2), 0.0], dtype=torch.float64)
    turned = rotation_from_vector(vector)
    assert_proper(turned)
    identity = torch.eye(3, dtype=torch.float64)
    assert float(rotation_angle(identity, turned)) == pytest.approx(angle, rel=1e-6)


def test_gradient_of_a_zero_vector_is_the_generator_of_rotations():
    vector = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    turned = rotation_from_vector(vector) @ torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    (gradient,) = torch.autograd.grad(turned[1], vector)
    torch.testing.assert_close(gradient, torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64))


def test_an_empty_covering_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        super_fibonacci(0)
