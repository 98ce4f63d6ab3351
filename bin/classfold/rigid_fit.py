"""A rigid model in a map: its own frame, its overlap and correlation with the map, its refinement."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from classfold.density import Grid, gaussian_sigma, simulate_density
from classfold.rotations import rotation_from_vector
from classfold.superposition import apply_pose

ADAM_DECAYS = (0.8, 0.95)
"""Of the running means of slope and squared slope: short ones, for runs of some forty steps."""
VALUES_PER_PORTION = 2**24
MASK_DENSITY_SHARE = 0.02
"""The model's mask is where its density exceeds this share of its maximum."""


class Poses(NamedTuple):
    """Several poses ``y = R x + t`` of a model in its own frame."""

    rotation: Tensor
    """(k, 3, 3)"""
    translation: Tensor
    """(k, 3) in Å."""

    def take(self, index: Tensor) -> Poses:
        """Some of them."""
        return Poses(self.rotation[index], self.translation[index])


class Field(NamedTuple):
    """A map convolved with a Gaussian, its background at zero."""

    values: Tensor
    """(z, y, x)"""
    grid: Grid


@dataclass(frozen=True)
class RigidModel:
    """A model in the frame of its own principal axes, centred on its weighted centroid."""

    points: Tensor
    """(n, 3) in Å."""
    weights: Tensor
    """(n,) atomic numbers."""
    frame: Tensor
    """(3, 3), proper: ``points = (x - centroid) @ frame``."""
    centroid: Tensor
    """(3,) in Å."""

    @property
    def radius_of_gyration(self) -> float:
        """In Å."""
        return float((self.points.square().sum(-1) @ self.weights / self.weights.sum()).sqrt())

    def to(self, device: str) -> RigidModel:
        """The same model in single precision on a device; frame and centroid stay as they are."""
        points, weights = (tensor.float().to(device) for tensor in (self.points, self.weights))
        return RigidModel(points, weights, self.frame, self.centroid)

    def thinned(self, spacing_angstrom: float) -> RigidModel:
        """The same model with the atoms of each cell of a cubic lattice in one point, at their centroid."""
        cells = torch.floor(self.points / spacing_angstrom).long()
        member = torch.unique(cells, dim=0, return_inverse=True)[1]
        n_points = int(member.max()) + 1
        weights = self.weights.new_zeros(n_points).index_add_(0, member, self.weights)
        moments = self.points.new_zeros(n_points, 3)
        moments.index_add_(0, member, self.weights[:, None] * self.points)
        return RigidModel(moments / weights[:, None], weights, self.frame, self.centroid)


def rigid_model(coordinates: Tensor, weights: Tensor) -> RigidModel:
    """Bring a model ``(n, 3)`` into its own frame; the third moments decide the directions of the axes."""
    share = weights / weights.sum()
    centroid = share @ coordinates
    centred = coordinates - centroid
    frame = torch.linalg.eigh(centred.mT @ (share[:, None] * centred)).eigenvectors
    frame = frame * torch.where(share @ (centred @ frame).pow(3) < 0, -1.0, 1.0)
    frame[:, 2] = torch.linalg.cross(frame[:, 0], frame[:, 1])
    return RigidModel(centred @ frame, weights, frame, centroid)


def blurred(source: Field, target: Grid, sigma_angstrom: float) -> Field:
    """A field convolved with a normalised Gaussian, at the voxels of another grid; zero outside the source.

    A Gaussian separates into its axes: blurring and resampling are one matrix product per axis.
    """
    values, grid = source
    for axis, xyz in enumerate((2, 1, 0)):
        steps_from = torch.arange(grid.shape_zyx[axis], device=values.device, dtype=values.dtype)
        steps_to = torch.arange(target.shape_zyx[axis], device=values.device, dtype=values.dtype)
        offset = target.origin_angstrom[xyz] - grid.origin_angstrom[xyz]
        centres = offset + steps_to * target.voxel_size_angstrom
        apart = centres[:, None] - steps_from * grid.voxel_size_angstrom
        kernel = torch.exp(apart.square() / (-2 * sigma_angstrom**2))
        kernel = kernel * (grid.voxel_size_angstrom / (math.sqrt(2 * math.pi) * sigma_angstrom))
        values = torch.movedim(torch.tensordot(kernel, values, dims=([1], [axis])), 0, axis)
    return Field(values, target)


def interpolate(field: Field, points: Tensor) -> Tensor:
    """Trilinear values ``(...)`` of a field at ``points (..., 3)`` in Å; zero outside."""
    values, grid = field
    extent = [(n - 1) * grid.voxel_size_angstrom for n in reversed(grid.shape_zyx)]
    relative = 2 * (points - points.new_tensor(grid.origin_angstrom)) / points.new_tensor(extent) - 1
    values = torch.nn.functional.grid_sample(
        values[None, None], relative.reshape(1, 1, 1, -1, 3), align_corners=True, padding_mode="zeros"
    )
    return values.reshape(points.shape[:-1])


def ascend(model: RigidModel, poses: Poses, field: Field, steps_angstrom: Tensor) -> tuple[Poses, Tensor]:
    """Move poses uphill on the overlap ``sum_i w_i B(R x_i + t)`` with Adam (Kingma and Ba 2015), all at once.

    The overlap is the inner product of the model's density with the map where ``B`` is the map convolved
    with an atom's Gaussian. The norm of the model's density does not change when it moves, so the highest
    overlap is the least-squares fit of that density to the map.

    Parameters
    ----------
    model : RigidModel
    poses : Poses, k of them
    field : Field
        ``B``.
    steps_angstrom : Tensor (n_steps,)
        Length of each step; a turn counts by the way that it moves a point at the radius of gyration.

    Returns
    -------
    poses : Poses
    overlaps : Tensor (k,)
    """
    radius = max(model.radius_of_gyration, 1.0)
    share = model.weights / model.weights.sum()
    moves = poses.rotation.new_zeros(len(poses.rotation), 6)

    def moved(moves: Tensor) -> Poses:
        turn = rotation_from_vector(moves[:, :3] / radius)
        return Poses(turn @ poses.rotation, poses.translation + moves[:, 3:])

    def overlaps(moves: Tensor) -> Tensor:
        return interpolate(field, apply_pose(*moved(moves), model.points)) @ share

    mean, variance = torch.zeros_like(moves), torch.zeros_like(moves)
    mean_decay, variance_decay = ADAM_DECAYS
    # Written out, because importing torch.optim takes longer than a docking.
    for number, length in enumerate(steps_angstrom.tolist(), start=1):
        variable = moves.requires_grad_()
        (slope,) = torch.autograd.grad(overlaps(variable).sum(), variable)
        mean = torch.lerp(slope, mean, mean_decay)
        variance = torch.lerp(slope.square(), variance, variance_decay)
        scale = (variance / (1 - variance_decay**number)).sqrt().clamp(min=torch.finfo(slope.dtype).tiny)
        moves = moves.detach() + length * mean / (1 - mean_decay**number) / scale
    return moved(moves), overlaps(moves)


def summed_density(points: Tensor, weights: Tensor, resolution_angstrom: float, grid: Grid) -> Tensor:
    """Density ``(z, y, x)`` of one model ``(n, 3)`` on a grid, a portion of the atoms after the other."""
    n_z, n_y, _ = grid.shape_zyx
    # The simulation holds a plane of the grid for each atom at once.
    portion = max(1, VALUES_PER_PORTION // (n_z * n_y))
    parts = zip(points.split(portion), weights.split(portion), strict=True)
    return sum(
        (simulate_density(some[None], theirs, resolution_angstrom, grid)[0] for some, theirs in parts),
        start=points.new_zeros(grid.shape_zyx),
    )


def model_density(model: RigidModel, resolution_angstrom: float, spacing_angstrom: float) -> tuple[Tensor, Tensor]:
    """Sample points ``(m, 3)`` inside the model's mask, in its own frame, and its density ``(m,)`` there."""
    reach = 4 * gaussian_sigma(resolution_angstrom)
    low, high = model.points.amin(0) - reach, model.points.amax(0) + reach
    n_x, n_y, n_z = (int(n) + 1 for n in ((high - low) / spacing_angstrom).ceil())
    x, y, z = (float(value) for value in low)
    grid = Grid((n_z, n_y, n_x), spacing_angstrom, (x, y, z))
    density = summed_density(model.points, model.weights, resolution_angstrom, grid)
    inside = torch.nonzero(density > MASK_DENSITY_SHARE * density.max())
    return low + inside.flip(-1) * spacing_angstrom, density[inside.unbind(-1)]


def mask_correlation(points: Tensor, values: Tensor, poses: Poses, field: Field) -> Tensor:
    """Correlation ``(k,)`` of a model's density with the map inside the model's mask, for each pose.

    ``sum_j (m_j - <m>)(d_j - <d>) / sqrt(sum_j (m_j - <m>)^2 sum_j (d_j - <d>)^2)`` over the sample points
    ``j`` of :func:`model_density`: ``m`` the model's density, ``d`` the map's. It does not change when the
    map's values are scaled or shifted, nor when model and map move together.
    """
    model = values - values.mean()
    scores = []
    for rotation, translation in zip(*poses, strict=True):
        found = interpolate(field, points @ rotation.mT + translation)
        found = found - found.mean()
        norm = torch.linalg.vector_norm(found) * torch.linalg.vector_norm(model)
        scores.append(found @ model / norm.clamp(min=torch.finfo(norm.dtype).tiny))
    return torch.stack(scores)


def pose_distances(model: RigidModel, first: Poses, second: Poses) -> Tensor:
    """Weighted RMSD ``(k, l)`` in Å between the model in the poses of one set and in those of another.

    For a centred model of covariance ``C``: ``|t1 - t2|^2 + 2 tr(C) - 2 tr(R1 C R2')``.
    """
    share = model.weights / model.weights.sum()
    covariance = model.points.mT @ (share[:, None] * model.points)
    turned = (first.rotation @ covariance).flatten(1) @ second.rotation.flatten(1).mT
    shifted = (first.translation[:, None] - second.translation).square().sum(-1)
    return (shifted + 2 * covariance.trace() - 2 * turned).clamp(min=0).sqrt()


def distinct(model: RigidModel, poses: Poses, scores: Tensor, apart_angstrom: float, at_most: int) -> Tensor:
    """Indices of the best poses, best first, each further than ``apart_angstrom`` from all better ones."""
    order = scores.argsort(descending=True, stable=True)
    near = pose_distances(model, poses.take(order), poses.take(order)) <= apart_angstrom
    near = near.cpu()
    kept: list[int] = []
    for i in range(len(order)):
        if not near[i, kept].any():
            kept.append(i)
        if len(kept) == at_most:
            break
    return order[kept]
