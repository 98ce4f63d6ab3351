"""Rigid superposition of point sets (weighted Kabsch), batched and differentiable, proper rotations only.

A pose is a rotation ``R`` and a translation ``t`` in Å that act as ``y = R x + t``, on row vectors as
``x @ R.mT + t``.

The gradient flows through both. A caller who wants a fixed frame detaches what :func:`superpose` returns, or
only the rotation: :func:`pose_translation` makes the translation that belongs to ``rotation.detach()``.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Singular values whose sum is below this share of the largest leave the rotation about one axis undefined.
DEGENERATE_SHARE = 1e-6


class _NearestRotation(torch.autograd.Function):
    """The proper rotation ``R`` that maximises ``tr(Rᵀ C)``, with a gradient finite for every ``C``.

    With ``C = U S Vᵀ`` and ``D = diag(1, 1, det(U Vᵀ))``, ``R = U D Vᵀ`` (Kabsch 1976, 1978). From
    ``C = R P`` with ``P = V (S D) Vᵀ`` follows ``dR = R V Ω Vᵀ``, ``Ω_ij = (N - Nᵀ)_ij / (s_i + s_j)``, where
    ``N = Vᵀ Rᵀ dC V`` and ``s = diag(S D)``. Differences of singular values, which make the gradient of a
    generic SVD infinite where two are equal, do not occur. Where a sum vanishes (points on a line, or a tie
    between two rotations) the rotation about that axis is undefined; its gradient is taken to be zero.
    """

    @staticmethod
    def forward(ctx, covariance: Tensor) -> Tensor:
        left, singular, right_t = torch.linalg.svd(covariance)
        sign = torch.ones_like(singular)
        sign[..., 2] = torch.where(torch.linalg.det(left @ right_t) < 0, -1.0, 1.0)
        rotation = (left * sign[..., None, :]) @ right_t
        ctx.save_for_backward(rotation, right_t.mT, singular * sign)
        return rotation

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient: Tensor) -> Tensor:
        rotation, right, signed = ctx.saved_tensors
        sums = signed[..., :, None] + signed[..., None, :]
        usable = sums > DEGENERATE_SHARE * signed[..., :1, None]
        inverse = torch.where(usable, 1.0 / torch.where(usable, sums, 1.0), 0.0)
        in_basis = right.mT @ gradient.mT @ rotation @ right
        return rotation @ right @ (inverse * (in_basis.mT - in_basis)) @ right.mT


def _normalised(weights: Tensor | None, points: Tensor) -> Tensor:
    """Weights ``(..., n, 1)`` that sum to one."""
    if weights is None:
        return points.new_full((points.shape[-2], 1), 1.0 / points.shape[-2])
    if weights.shape[-1] != points.shape[-2]:
        raise ValueError(f"{weights.shape[-1]} weights for {points.shape[-2]} points")
    total = weights.sum(-1, keepdim=True)
    if not bool((total > 0).all()) or not bool((weights >= 0).all()):
        raise ValueError("weights must be zero or positive, and one of them positive")
    return (weights / total).to(points.dtype)[..., None]


def superpose(mobile: Tensor, fixed: Tensor, weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Find the pose that brings ``mobile`` nearest to ``fixed`` in weighted least squares.

    Parameters
    ----------
    mobile, fixed : Tensor (..., n, 3)
        Points in Å; leading dimensions broadcast.
    weights : Tensor (n,) or (..., n), optional
        Not negative; equal by default. A weight of zero leaves a point out.

    Returns
    -------
    rotation : Tensor (..., 3, 3)
        Proper (determinant 1), also where a reflection would fit better.
    translation : Tensor (..., 3)
        In Å.
    """
    if mobile.shape[-2:] != fixed.shape[-2:] or mobile.shape[-1] != 3:
        got = f"{tuple(mobile.shape)} and {tuple(fixed.shape)}"
        raise ValueError(f"two sets of (..., n, 3) points are needed, got {got}")
    share = _normalised(weights, mobile)
    mobile_centred = mobile - (share * mobile).sum(-2, keepdim=True)
    fixed_centred = fixed - (share * fixed).sum(-2, keepdim=True)
    rotation = _NearestRotation.apply(fixed_centred.mT @ (share * mobile_centred))
    return rotation, pose_translation(rotation, mobile, fixed, weights)


def pose_translation(
    rotation: Tensor, mobile: Tensor, fixed: Tensor, weights: Tensor | None = None
) -> Tensor:
    """Translation ``(..., 3)`` in Å that puts the rotated ``mobile``'s centroid on that of ``fixed``."""
    share = _normalised(weights, mobile)
    centroid = (share * mobile).sum(-2, keepdim=True) @ rotation.mT
    return ((share * fixed).sum(-2, keepdim=True) - centroid)[..., 0, :]


def apply_pose(rotation: Tensor, translation: Tensor, points: Tensor) -> Tensor:
    """Move ``points (..., n, 3)``: ``y = R x + t``."""
    return points @ rotation.mT + translation[..., None, :]


def rmsd(first: Tensor, second: Tensor, weights: Tensor | None = None) -> Tensor:
    """Root mean square distance ``(...)`` in Å of corresponding points as they stand, without superposition.

    Where the points coincide its gradient is zero, not infinite.
    """
    share = _normalised(weights, first)
    return torch.linalg.vector_norm(share.sqrt() * (first - second), dim=(-2, -1))


def superposed_rmsd(mobile: Tensor, fixed: Tensor, weights: Tensor | None = None) -> Tensor:
    """Root mean square distance ``(...)`` in Å after the best rigid superposition."""
    return rmsd(apply_pose(*superpose(mobile, fixed, weights), mobile), fixed, weights)
