"""Rotations: even coverings of SO(3), random ones, and small ones as three parameters."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Constants of the spiral: PSI is the positive root of psi^4 = psi + 4.
PHI = math.sqrt(2.0)
PSI = 1.533751168755204288118041


def quaternion_to_matrix(quaternion: Tensor) -> Tensor:
    """Rotation matrices ``(..., 3, 3)`` of quaternions ``(..., 4)``: x, y, z, w, of any length but 0."""
    x, y, z, w = (quaternion / quaternion.norm(dim=-1, keepdim=True)).unbind(-1)
    entries = [
        1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
        2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
        2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(entries, dim=-1).unflatten(-1, (3, 3))


def super_fibonacci(count: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Rotations ``(count, 3, 3)`` that cover SO(3) evenly: a super-Fibonacci spiral.

    Alexa, "Super-Fibonacci Spirals: Fast, Low-Discrepancy Sampling of SO(3)", CVPR 2022, algorithm 1.
    """
    if count < 1:
        raise ValueError(f"a covering needs at least one rotation, got {count}")
    position = torch.arange(count, dtype=torch.float64) + 0.5
    inner, outer = (position / count).sqrt(), (1 - position / count).sqrt()
    alpha, beta = 2 * math.pi * position / PHI, 2 * math.pi * position / PSI
    parts = [inner * alpha.sin(), inner * alpha.cos(), outer * beta.sin(), outer * beta.cos()]
    return quaternion_to_matrix(torch.stack(parts, dim=-1)).to(dtype)


def random_rotation(seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """One rotation ``(3, 3)`` drawn uniformly from SO(3): the direction of a normal 4-vector."""
    generator = torch.Generator().manual_seed(seed)
    return quaternion_to_matrix(torch.randn(4, generator=generator, dtype=torch.float64)).to(dtype)


def rotation_from_vector(vector: Tensor) -> Tensor:
    """Rotations ``(..., 3, 3)`` of vectors ``(..., 3)``: axis times ``2 tan(angle / 2)``, smooth at zero.

    Near zero these are the rotation vector in radians, and any value is a rotation (Gibbs' parameters).
    """
    return quaternion_to_matrix(torch.cat([vector / 2, torch.ones_like(vector[..., :1])], dim=-1))


def rotation_angle(first: Tensor, second: Tensor) -> Tensor:
    """Angle ``(...)`` in radians of the rotation that leads from ``first (..., 3, 3)`` to ``second``.

    From the chord, ``|R1 - R2|_F = 2 sqrt(2) sin(angle / 2)``, which keeps its precision at small angles.
    """
    chord = torch.linalg.matrix_norm(first - second) / (2 * math.sqrt(2.0))
    return 2 * torch.asin(chord.clamp(max=1.0))
