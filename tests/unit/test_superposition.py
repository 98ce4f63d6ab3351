"""Superposition: it recovers known poses, keeps the hand, and its gradient is right and always finite."""

import pytest
import torch

from classfold.superposition import apply_pose, pose_translation, rmsd, superpose, superposed_rmsd


def points(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def proper_rotations(count: int, seed: int = 0) -> torch.Tensor:
    matrices = torch.linalg.qr(points(count, 3, seed=seed)).Q
    return matrices * torch.linalg.det(matrices).sign()[:, None, None]


def test_known_poses_are_recovered_in_a_batch():
    mobile = points(5, 40)
    rotation, translation = proper_rotations(5), points(5)
    found_rotation, found_translation = superpose(mobile, apply_pose(rotation, translation, mobile))
    torch.testing.assert_close(found_rotation, rotation)
    torch.testing.assert_close(found_translation, translation)


def test_one_mobile_set_broadcasts_over_many_fixed_ones():
    mobile, rotation, translation = points(12), proper_rotations(4), points(4)
    found, _ = superpose(mobile, apply_pose(rotation, translation, mobile))
    torch.testing.assert_close(found, rotation)


def test_a_mirror_image_is_never_superposed_by_a_reflection():
    mobile = points(6, 30)
    mirrored = mobile * torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64)
    rotation, _ = superpose(mobile, mirrored)
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(6, dtype=torch.float64))
    assert bool((superposed_rmsd(mobile, mirrored) > 0.3).all())


def test_a_weight_of_zero_leaves_a_point_out():
    mobile, rotation, translation = points(20), proper_rotations(1)[0], points(1)[0]
    fixed = apply_pose(rotation, translation, mobile)
    fixed[3] += 50.0
    weights = torch.ones(20, dtype=torch.float64)
    weights[3] = 0.0
    torch.testing.assert_close(superpose(mobile, fixed, weights)[0], rotation)
    assert float(superposed_rmsd(mobile, fixed)) > 1.0
    assert float(superposed_rmsd(mobile, fixed, weights)) < 1e-8


def test_no_other_rotation_fits_better():
    mobile, fixed = points(25, seed=1), points(25, seed=2)
    best = superposed_rmsd(mobile, fixed)
    others = proper_rotations(200)
    translations = pose_translation(others, mobile, fixed)
    assert bool((rmsd(apply_pose(others, translations, mobile), fixed) >= best).all())


def test_gradient_agrees_with_finite_differences():
    mobile, fixed = points(2, 7).requires_grad_(), points(2, 7, seed=3).requires_grad_()
    weights = torch.rand(7, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    assert torch.autograd.gradcheck(lambda a, b: superpose(a, b, weights), (mobile, fixed))


def test_gradient_agrees_where_the_best_orthogonal_matrix_is_a_reflection():
    mobile = points(8)
    mirrored = mobile * torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64) + 0.1 * points(8, seed=5)
    assert torch.autograd.gradcheck(lambda a: superpose(a, mirrored), (mobile.requires_grad_(),))


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(torch.cat([torch.eye(3), -torch.eye(3)]), id="octahedron, all singular values equal"),
        pytest.param(torch.arange(5.0)[:, None] * torch.tensor([1.0, 2.0, 3.0]), id="points on a line"),
        pytest.param(torch.zeros(4, 3), id="all points in one place"),
    ],
)
def test_gradient_is_finite_for_degenerate_shapes(shape):
    mobile = shape.clone().requires_grad_()
    rotation, translation = superpose(mobile, shape)
    (rotation.sum() + translation.sum() + rmsd(apply_pose(rotation, translation, mobile), shape)).backward()
    assert mobile.grad is not None and bool(mobile.grad.isfinite().all())
    torch.testing.assert_close(torch.linalg.det(rotation), torch.tensor(1.0))


def test_translation_of_a_detached_rotation_keeps_its_own_gradient():
    mobile, fixed = points(9).requires_grad_(), points(9, seed=7)
    rotation, _ = superpose(mobile, fixed)
    moved = apply_pose(rotation.detach(), pose_translation(rotation.detach(), mobile, fixed), mobile)
    # The centroid stays on that of the fixed points whatever moves, so its gradient vanishes.
    moved.mean(-2).sum().backward()
    torch.testing.assert_close(mobile.grad, torch.zeros_like(mobile), atol=1e-12, rtol=0)


def test_rmsd_of_a_shift_is_its_length():
    first = points(3, 11)
    shift = torch.tensor([3.0, 0.0, 4.0], dtype=torch.float64)
    torch.testing.assert_close(rmsd(first, first + shift), torch.full((3,), 5.0, dtype=torch.float64))
    assert float(superposed_rmsd(first, first + shift).max()) < 1e-10


def test_wrong_shapes_and_weights_are_refused():
    with pytest.raises(ValueError, match="two sets"):
        superpose(points(4), points(5))
    with pytest.raises(ValueError, match="weights for"):
        superpose(points(4), points(4), torch.ones(3))
    with pytest.raises(ValueError, match="positive"):
        superpose(points(4), points(4), torch.zeros(4))
