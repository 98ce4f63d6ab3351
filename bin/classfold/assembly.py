"""Docking of a model part by part, for one that does not fit the map as a whole.

The largest rigid part is docked by itself. The others follow one by one: an FFT search of the density that the parts
before them leave, over the places that the chain can reach, keeping a few ways open (a beam search). At the end each
part is refined again in what the others leave, at a finer resolution. Parts are those of
:mod:`classfold.rigid_parts`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from classfold.density import Grid, gaussian_sigma
from classfold.docking import (
    DOCKING_RESOLUTION_ANGSTROM,
    N_SHORTLISTED,
    covering,
    dock,
    search,
)
from classfold.maps import DensityMap
from classfold.pose_scores import coarse_grid, correlations, overlap_field, source_field, step_lengths
from classfold.rigid_fit import Field, Poses, RigidModel, ascend, blurred, distinct, rigid_model, summed_density
from classfold.rotations import random_rotation, super_fibonacci
from classfold.superposition import apply_pose

REACH_ANGSTROM = 10.0
"""How far two bonded atoms of different parts may be apart: the residues around the cut give way."""
REFINED_RESOLUTION_ANGSTROM = 5.0
BEAM = 4
"""Ways of placing the parts so far that are kept open."""
N_PLACES = 3
"""Places of the next part that are tried for each of them."""
N_REFINED = 12
ROUNDS = 2
"""How often each part is refined in what the others leave."""


@dataclass(frozen=True)
class DividedModel:
    """A model in rigid parts."""

    coordinates: Tensor
    """(n_atoms, 3) in Å, float64."""
    weights: Tensor
    """(n_atoms,) atomic numbers, float64."""
    part: Tensor
    """(n_atoms,) part of each atom, from 0."""
    links: Tensor
    """(n_links, 2) bonded atoms of different parts."""

    @cached_property
    def order(self) -> list[int]:
        """Parts as they are placed: the largest first, then the largest of those linked to one before."""
        sizes = torch.bincount(self.part).tolist()
        linked = {frozenset(pair) for pair in self.part[self.links].tolist()}
        order = [int(np.argmax(sizes))]
        while len(order) < len(sizes):
            left = [part for part in range(len(sizes)) if part not in order]
            held = [part for part in left if any(frozenset((part, other)) in linked for other in order)]
            order.append(max(held or left, key=lambda part: sizes[part]))
        return order

    def rigid(self, part: int) -> RigidModel:
        """One part by itself."""
        inside = self.part == part
        return rigid_model(self.coordinates[inside], self.weights[inside])


@dataclass(frozen=True)
class Assembly:
    """Where the parts of a model sit in a map."""

    part: np.ndarray
    """(n_atoms,) part of each atom, from 0."""
    rotation: np.ndarray
    """(n_parts, 3, 3), proper."""
    translation_angstrom: np.ndarray
    """(n_parts, 3)"""
    score: float
    """Correlation inside the mask of the whole, as that of a :class:`classfold.docking.Pose`."""

    def apply(self, coordinates: np.ndarray) -> np.ndarray:
        """Coordinates ``(n_atoms, 3)`` in Å, each part moved into the map."""
        turned = np.einsum("nij,nj->ni", self.rotation[self.part], coordinates)
        return turned + self.translation_angstrom[self.part]


@dataclass(frozen=True)
class _Placing:
    """Some parts placed."""

    moved: Tensor
    """(n_atoms, 3) in the map; those of parts that are not placed mean nothing."""
    poses: dict[int, Poses]
    """One pose of each placed part in its own frame."""
    score: float


class Assembler:
    """Puts the parts of a model into a map.

    Parameters
    ----------
    model : DividedModel
    density_map : DensityMap
    resolution_angstrom : float
        Of the map.
    seed : int
        Turns the coverings of rotations.
    device : str
        Of torch.
    """

    def __init__(
        self, model: DividedModel, density_map: DensityMap, resolution_angstrom: float, seed: int, device: str
    ) -> None:
        self.model, self.density_map, self.resolution = model, density_map, resolution_angstrom
        self.seed, self.device = seed, device
        self.part, self.weights = model.part.to(device), model.weights.float().to(device)
        self.rigid = [model.rigid(part).to(device) for part in range(len(model.order))]
        self.source = source_field(density_map, device)
        self.coarse = max(resolution_angstrom, DOCKING_RESOLUTION_ANGSTROM)
        self.fine = max(resolution_angstrom, REFINED_RESOLUTION_ANGSTROM)
        self.field = self._at_fine_resolution()

    def assemble(self) -> Assembly | None:
        """The best way of placing all parts, or None where the chain cannot reach any."""
        ways = self._first_ways()
        for part in self.model.order[1:]:
            ways = [following for way in ways for following in self._with(way, part)]
            ways = sorted(ways, key=lambda way: -way.score)[:BEAM]
        refined = [self._refined(way) for way in ways]
        refined = [way for way in refined if self._gap(way) <= REACH_ANGSTROM]
        if not refined:
            return None
        return self._in_given_frame(max(refined, key=lambda way: way.score))

    def _at_fine_resolution(self) -> Field:
        """The map at the resolution at which parts are refined, on voxels of a third of it."""
        variance = gaussian_sigma(self.fine) ** 2 - gaussian_sigma(self.resolution) ** 2
        if math.sqrt(max(variance, 0.0)) < self.source.grid.voxel_size_angstrom / 2:
            return self.source
        return blurred(self.source, coarse_grid(self.source.grid, self.fine / 3), math.sqrt(variance))

    def _first_ways(self) -> list[_Placing]:
        """The largest part where it fits."""
        part = self.model.order[0]
        inside = self.model.part == part
        atoms, weights = self.model.coordinates[inside], self.model.weights[inside]
        found = dock(atoms.numpy(), weights.numpy(), self.density_map, self.resolution, self.seed, self.device)
        rigid = self.rigid[part]
        ways = []
        for pose in found[:BEAM]:
            rotation = torch.from_numpy(pose.rotation)
            centre = rotation @ rigid.centroid + torch.from_numpy(pose.translation_angstrom)
            place = Poses((rotation @ rigid.frame)[None].to(rigid.points), centre[None].to(rigid.points))
            ways.append(self._placed(_Placing(self.model.coordinates.float().to(self.device), {}, 0.0), part, place))
        return ways

    def _placed(self, way: _Placing, part: int, pose: Poses) -> _Placing:
        """A way with one more part placed, or the same part elsewhere."""
        moved = way.moved.clone()
        moved[self.part == part] = apply_pose(*pose, self.rigid[part].points)[0]
        poses = way.poses | {part: pose}
        return _Placing(moved, poses, self._score(moved, poses))

    def _score(self, moved: Tensor, poses: dict[int, Poses]) -> float:
        """Correlation of the placed parts, as one body, inside their mask."""
        placed = torch.isin(self.part, torch.tensor(list(poses), device=self.device))
        body = rigid_model(moved[placed].double(), self.weights[placed].double())
        here = Poses(body.frame[None].float(), body.centroid[None].float())
        return float(correlations(body.to(self.device), here, self.source, self.resolution, self.coarse))

    def _left_by(self, way: _Placing, part: int) -> Field:
        """The map without the density of the placed parts other than one."""
        others = torch.tensor([other for other in way.poses if other != part], device=self.device)
        placed = torch.isin(self.part, others)
        density = summed_density(way.moved[placed], self.weights[placed], self.fine, self.field.grid)
        share = (density * self.field.values).sum() / density.square().sum()
        left = (self.field.values - share * density).clamp(min=0)
        return Field(torch.minimum(self.field.values, left), self.field.grid)

    def _links_of(self, part: int, placed: dict[int, Poses]) -> tuple[Tensor, Tensor]:
        """Atoms of a part that are bonded to placed parts (k,), and those that they are bonded to (k,)."""
        both = torch.cat([self.model.links, self.model.links.flip(1)])
        inside = self.model.part[both]
        wanted = (inside[:, 0] == part) & torch.isin(inside[:, 1], torch.tensor(list(placed)))
        return both[wanted, 0], both[wanted, 1]

    def _with(self, way: _Placing, part: int) -> list[_Placing]:
        """A way with the next part in each of its best places."""
        rigid = self.rigid[part]
        resolution, n_rotations = covering(rigid, self.coarse)
        thinned = rigid.thinned(0.75 * resolution)
        left = self._left_by(way, part)
        rotations = (super_fibonacci(n_rotations) @ random_rotation(self.seed)).to(self.device)
        own, theirs = self._links_of(part, way.poses)
        ends = (self.model.coordinates[own] - rigid.centroid) @ rigid.frame
        reach = Reach(ends.to(rigid.points), way.moved[theirs])
        poses, overlaps = search(
            thinned, overlap_field(left, self.fine, resolution, 2), rotations, reach.allows if len(own) else None
        )
        best = overlaps.topk(min(N_SHORTLISTED, n_rotations)).indices
        best = best[overlaps[best] > 0]
        best = best[distinct(thinned, poses.take(best), overlaps[best], resolution, N_REFINED)]
        field = overlap_field(left, self.fine, resolution, 4)
        poses, overlaps = ascend(thinned, poses.take(best), field, step_lengths(resolution / 8, resolution / 160, 40))
        poses = poses.take(distinct(rigid, poses, overlaps, self.coarse, N_PLACES))
        index = torch.arange(len(poses.rotation))
        return [self._placed(way, part, poses.take(index[k : k + 1])) for k in range(len(index))]

    def _refined(self, way: _Placing) -> _Placing:
        """A way with each part refined in what the others leave."""
        steps = step_lengths(self.fine / 8, self.fine / 500, 40)
        for part in self.model.order * ROUNDS:
            field = overlap_field(self._left_by(way, part), self.fine, self.fine, 3)
            pose, _ = ascend(self.rigid[part], way.poses[part], field, steps)
            way = self._placed(way, part, pose)
        return way

    def _gap(self, way: _Placing) -> float:
        """Longest distance in Å between bonded atoms of different parts."""
        ends = way.moved[self.model.links]
        return float((ends[:, 0] - ends[:, 1]).norm(dim=-1).max()) if len(ends) else 0.0

    def _in_given_frame(self, way: _Placing) -> Assembly:
        rotations, translations = [], []
        for part, rigid in enumerate(self.rigid):
            rotation = way.poses[part].rotation[0].cpu().double() @ rigid.frame.mT
            rotations.append(rotation.numpy())
            translations.append((way.poses[part].translation[0].cpu().double() - rotation @ rigid.centroid).numpy())
        return Assembly(self.model.part.numpy(), np.stack(rotations), np.stack(translations), way.score)


@dataclass(frozen=True)
class Reach:
    """Places that a chain can reach."""

    ends: Tensor
    """(k, 3) atoms of the part, in its own frame."""
    targets: Tensor
    """(k, 3) what they are bonded to, in the map."""

    def allows(self, rotations: Tensor, grid: Grid) -> Tensor:
        """Translations (b, z, y, x) at which every end is within reach of its target, for rotations (b, 3, 3)."""
        offset = self.targets - apply_pose(rotations, rotations.new_zeros(3), self.ends)
        near = torch.ones(1, dtype=torch.bool, device=rotations.device)
        for centre in offset.unbind(1):
            z, y, x = (
                (grid.origin_angstrom[axis] + grid.voxel_size_angstrom * torch.arange(n, device=rotations.device)
                 - centre[:, axis, None]).square()
                for axis, n in zip((2, 1, 0), grid.shape_zyx, strict=True)
            )  # fmt: skip
            near = near & (z[:, :, None, None] + y[:, None, :, None] + x[:, None, None, :] <= REACH_ANGSTROM**2)
        return near


def links_between(coordinates: np.ndarray, residue: np.ndarray, chain: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Bonded atoms (n_links, 2) of consecutive residues of one chain that belong to different parts.

    The bond is taken to be between the two atoms that are nearest.

    Parameters
    ----------
    coordinates : ndarray, shape (n_atoms, 3)
    residue : ndarray, shape (n_atoms,)
        Residue of each atom, counted from 0 through all chains.
    chain : ndarray of str, shape (n_atoms,)
    part : ndarray, shape (n_atoms,)
    """
    starts = np.unique(residue, return_index=True)[1]
    links = []
    for number in np.flatnonzero((part[starts][1:] != part[starts][:-1]) & (chain[starts][1:] == chain[starts][:-1])):
        before, after = np.flatnonzero(residue == number), np.flatnonzero(residue == number + 1)
        apart = np.linalg.norm(coordinates[before][:, None] - coordinates[after], axis=-1)
        first, second = np.unravel_index(apart.argmin(), apart.shape)
        links.append((before[first], after[second]))
    return np.array(links, np.int64).reshape(-1, 2)
