"""Rigid docking of a model into a map: a global search by FFT, then refinement by gradient, no human.

1. *Search.* The model, thinned to one point per 6 Å cell in the frame of its own principal axes, is turned
   by an even covering of SO(3), splatted on a coarse grid and correlated with the blurred map over all translations at
   once (cross-correlation theorem). Each rotation keeps its best translation.
2. *Refinement.* The best poses that differ go uphill in six parameters, thinned first, then with all atoms
   (:func:`classfold.rigid_fit.ascend`).
3. *Ranking* by the correlation inside the model's mask (:func:`classfold.rigid_fit.mask_correlation`).

Search and refinement work at :data:`DOCKING_RESOLUTION_ANGSTROM` or the map's resolution, whichever is
coarser: a model whose domains are not where the map has them then lands nearer to its best superposition,
and noise beyond is left out. The ranking looks closer: helices and strands tell a true pose from a false one
where the outline does not, so that each pose is refined and scored at 4 Å or the map's resolution as well
(:func:`classfold.pose_scores.details`); the pose itself stays where it was.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from classfold.density import Grid
from classfold.errors import InputError
from classfold.maps import DensityMap
from classfold.pose_scores import correlations, details, overlap_field, source_field, step_lengths
from classfold.rigid_fit import Field, Poses, RigidModel, ascend, distinct, rigid_model
from classfold.rotations import random_rotation, super_fibonacci

DOCKING_RESOLUTION_ANGSTROM = 8.0
N_ROTATIONS = 2304
"""For a radius of gyration of :data:`COVERED_RADIUS_ANGSTROM`; larger molecules need a denser covering."""
MAX_ROTATIONS = 4 * N_ROTATIONS
COVERED_RADIUS_ANGSTROM = 18.0
N_SHORTLISTED = 600
N_REFINED = 24
N_POSES = 6
VALUES_PER_BATCH = 2**20
"""Voxels of all the rotations that are correlated at once."""
ANGSTROM3_PER_ATOM = 17.0
"""Volume of a heavy atom of protein with its hydrogens: 1.21 Å³/Da, 14 Da."""


@dataclass(frozen=True)
class Pose:
    """Where a model sits in a map: ``y = R x + t``."""

    rotation: np.ndarray
    """(3, 3), proper."""
    translation_angstrom: np.ndarray
    """(3,)"""
    score: float
    """Correlation of model and map inside the model's mask at the docking resolution, -1 to 1."""
    detail: float
    """The same at the map's own resolution, after a refinement there that moves nothing else."""

    def apply(self, coordinates: np.ndarray) -> np.ndarray:
        """Coordinates ``(n, 3)`` in Å moved into the map."""
        return coordinates @ self.rotation.T + self.translation_angstrom


def covering(model: RigidModel, resolution_angstrom: float) -> tuple[float, int]:
    """Resolution in Å and number of rotations of a search.

    Half a step between rotations has to move the model by less than the blur. Large molecules get more
    rotations, up to :data:`MAX_ROTATIONS`, and from there on a coarser search.
    """
    radius = model.radius_of_gyration / COVERED_RADIUS_ANGSTROM
    most = (MAX_ROTATIONS / N_ROTATIONS) ** (1 / 3)
    resolution = max(resolution_angstrom, DOCKING_RESOLUTION_ANGSTROM * radius / most)
    density = radius * DOCKING_RESOLUTION_ANGSTROM / resolution
    return resolution, min(MAX_ROTATIONS, max(N_ROTATIONS, round(N_ROTATIONS * density**3)))


def splat(points: Tensor, weights: Tensor, grid: Grid) -> Tensor:
    """Densities ``(b, z, y, x)`` of point sets ``(b, m, 3)``, periodic, their zero at voxel [0, 0, 0]."""
    n_z, n_y, n_x = grid.shape_zyx
    position = points.movedim(-1, 0).contiguous() / grid.voxel_size_angstrom
    corner = position.floor()
    upper = position - corner
    corner = corner.long()
    start = torch.arange(len(points), device=points.device)[:, None] * (n_z * n_y * n_x)
    # Along each axis, the lower and the upper voxel of a point: its stride in the flat array and the point's share.
    axes = [
        [((corner[k] + side) % length * stride, upper[k] if side else 1 - upper[k]) for side in (0, 1)]
        for k, (length, stride) in enumerate(((n_x, 1), (n_y, n_x), (n_z, n_x * n_y)))
    ]
    density = points.new_zeros(len(points) * n_z * n_y * n_x)
    for (x, x_share), (y, y_share), (z, z_share) in itertools.product(*axes):
        share = weights * x_share * y_share * z_share
        density.index_add_(0, (start + x + y + z).flatten(), share.flatten())
    return density.view(len(points), n_z, n_y, n_x)


def search(
    model: RigidModel,
    field: Field,
    rotations: Tensor,
    allows: Callable[[Tensor, Grid], Tensor] | None = None,
) -> tuple[Poses, Tensor]:
    """Best translation of each rotation ``(k, 3, 3)`` and its overlap ``(k,)``.

    The overlap at all translations is ``F^-1(conj(F(model)) F(map))``. ``allows`` says to which voxels rotated models
    may be moved, (b, z, y, x); a rotation with none has an overlap of minus infinity.
    """
    target = torch.fft.rfftn(field.values)
    found = []
    for batch in rotations.split(max(1, VALUES_PER_BATCH // field.values.numel())):
        model_transform = torch.fft.rfftn(splat(model.points @ batch.mT, model.weights, field.grid), dim=(1, 2, 3))
        overlaps = torch.fft.irfftn(model_transform.conj() * target, s=field.grid.shape_zyx, dim=(1, 2, 3))
        if allows is not None:
            overlaps = overlaps.masked_fill(~allows(batch, field.grid), -torch.inf)
        found.append(overlaps.flatten(1).max(1))
    index = torch.cat([best.indices for best in found])
    _, n_y, n_x = field.grid.shape_zyx
    xyz = torch.stack([index % n_x, index // n_x % n_y, index // (n_x * n_y)], dim=-1)
    origin = rotations.new_tensor(field.grid.origin_angstrom)
    poses = Poses(rotations, origin + xyz * field.grid.voxel_size_angstrom)
    return poses, torch.cat([best.values for best in found])


def check_size(n_atoms: int, density_map: DensityMap) -> None:
    """Refuse a map whose box is smaller than the molecule.

    Raises
    ------
    InputError
    """
    volume = density_map.density.size * density_map.voxel_size_angstrom**3
    if min(density_map.density.shape) < 4 or volume < ANGSTROM3_PER_ATOM * n_atoms:
        shape = " x ".join(str(n) for n in density_map.density.shape)
        raise InputError(
            f"the map's box of {shape} voxels ({volume:.0f} Å³) is too small for a model of {n_atoms} heavy "
            f"atoms, which fill {ANGSTROM3_PER_ATOM * n_atoms:.0f} Å³; give the whole map of this molecule."
        )


def dock(
    coordinates: np.ndarray,
    weights: np.ndarray,
    density_map: DensityMap,
    resolution_angstrom: float,
    seed: int = 0,
    device: str = "cpu",
    n_poses: int = N_POSES,
) -> list[Pose]:
    """Dock a model into a map.

    Parameters
    ----------
    coordinates : ndarray (n_atoms, 3)
        xyz in Å, in any pose.
    weights : ndarray (n_atoms,)
        Atomic numbers.
    density_map : DensityMap
    resolution_angstrom : float
        Of the map.
    seed : int
        Turns the covering of rotations as a whole.
    device : str
        Of torch.
    n_poses : int
        Distinct poses wanted at most.

    Returns
    -------
    list of Pose
        Poses further than the docking resolution from each other, highest ``detail`` first; one at least.

    Raises
    ------
    InputError
        If the map is too small for the model.
    """
    check_size(len(coordinates), density_map)
    model = rigid_model(torch.as_tensor(coordinates).double(), torch.as_tensor(weights).double()).to(device)
    source = source_field(density_map, device)
    wanted = max(resolution_angstrom, DOCKING_RESOLUTION_ANGSTROM)
    coarse, n_rotations = covering(model, wanted)
    # Every coarse number below follows the search, every fine one the docking resolution.
    thinned = model.thinned(0.75 * coarse)
    rotations = (super_fibonacci(n_rotations) @ random_rotation(seed)).to(device)
    poses, overlaps = search(thinned, overlap_field(source, resolution_angstrom, coarse, 2), rotations)
    best = overlaps.topk(min(N_SHORTLISTED, n_rotations)).indices
    best = best[distinct(thinned, poses.take(best), overlaps[best], coarse, max(N_REFINED, 4 * n_poses))]
    field = overlap_field(source, resolution_angstrom, coarse, 4)
    steps = step_lengths(coarse / 8, coarse / 160, 40)
    poses, overlaps = ascend(thinned, poses.take(best), field, steps)
    poses = poses.take(distinct(model, poses, overlaps, wanted, n_poses))
    field = overlap_field(source, resolution_angstrom, wanted, 5)
    poses, _ = ascend(model, poses, field, step_lengths(wanted / 27, wanted / 2000, 40))
    scores = correlations(model, poses, source, resolution_angstrom, wanted)
    closer = details(model, poses, source, resolution_angstrom) if resolution_angstrom < wanted else scores
    return [
        _in_given_frame(model, poses.take(i), float(scores[i]), float(closer[i]))
        for i in distinct(model, poses, closer, wanted, n_poses)
    ]


def _in_given_frame(model: RigidModel, pose: Poses, score: float, detail: float) -> Pose:
    """The pose of the coordinates as they were given, from that of the model in its own frame."""
    frame, centroid = model.frame.cpu().double(), model.centroid.cpu().double()
    whole = pose.rotation.cpu().double() @ frame.mT
    return Pose(whole.numpy(), (pose.translation.cpu().double() - whole @ centroid).numpy(), score, detail)


MIRROR = np.diag([-1.0, 1.0, 1.0])


def mirrored(coordinates: np.ndarray) -> np.ndarray:
    """The mirror image of a model: what fits a map of the wrong hand."""
    return coordinates @ MIRROR


def in_flipped_map(pose: Pose, plane_z_angstrom: float) -> Pose:
    """The pose of a model in a map flipped at a plane, from that of its mirror image in the map as it was.

    ``y = R M x + t`` mirrored at ``z = c`` is ``Z R M x + Z t + 2 c e_z``: the product of two reflections and a
    rotation is a rotation.
    """
    flip = np.diag([1.0, 1.0, -1.0])
    translation = flip @ pose.translation_angstrom + np.array([0.0, 0.0, 2 * plane_z_angstrom])
    return replace(pose, rotation=flip @ pose.rotation @ MIRROR, translation_angstrom=translation)


def lead(value: float, other: float) -> float:
    """How far a correlation is above another, as a share of the larger: -1 to 1; 0 where neither is positive."""
    larger = max(value, other)
    return min(max((value - other) / larger, -1.0), 1.0) if larger > 0 else 0.0


def relative_margin(poses: list[Pose]) -> float:
    """Lead in ``detail`` of the best pose over the next distinct one; 1 if there is no other."""
    return lead(poses[0].detail, poses[1].detail) if len(poses) > 1 else 1.0
