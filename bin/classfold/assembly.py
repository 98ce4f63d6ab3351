"""Docking of a model part by part, for one that does not fit the map as a whole.

The largest rigid part is docked by itself. The others follow one by one: an FFT search of the density that the parts
before them leave, over the places that the chain can reach, keeping a few ways open (a beam search). At the end each
part is refined again in what the others leave, at a finer resolution.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from classfold.density import gaussian_sigma
from classfold.divided_model import REACH_ANGSTROM, DividedModel, Reach
from classfold.docking import DOCKING_RESOLUTION_ANGSTROM, N_SHORTLISTED, covering, dock, search
from classfold.maps import DensityMap
from classfold.pose_scores import coarse_grid, correlations, overlap_field, source_field, step_lengths
from classfold.rigid_fit import Field, Poses, ascend, blurred, distinct, rigid_model, summed_density
from classfold.rotations import random_rotation, super_fibonacci
from classfold.superposition import apply_pose

REFINED_RESOLUTION_ANGSTROM = 5.0
N_WAYS = 4
"""Ways of placing the parts so far that are kept open at most."""
LOST_SCORE = 0.1
"""A way whose score is this much below the best one's is given up."""
N_PLACES = 3
"""Places of the next part that are tried for each way."""
N_REFINED = 12
ROUNDS = 2
"""How often each part is refined in what the others leave."""


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

    @property
    def n_parts(self) -> int:
        """Number of parts."""
        return len(self.rotation)

    def apply(self, coordinates: np.ndarray) -> np.ndarray:
        """Coordinates ``(n_atoms, 3)`` in Å, each part moved into the map."""
        turned = np.einsum("nij,nj->ni", self.rotation[self.part], coordinates)
        return turned + self.translation_angstrom[self.part]


@dataclass(frozen=True)
class _Way:
    """One way of placing some parts."""

    moved: Tensor
    """(n_atoms, 3) in the map; atoms of parts that are not placed are where they were given."""
    poses: dict[int, Poses]
    """The pose of each placed part in its own frame."""


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
        """The best way of placing all parts, or None where the chain can hold none together."""
        ways = self._best(self._first_ways())
        for part in self.model.order[1:]:
            ways = self._best(following for way in ways for following in self._with(way, part))
        ways = self._best(self._refined(way) for way in ways)
        return self._in_given_frame(ways[0]) if ways else None

    def _at_fine_resolution(self) -> Field:
        """The map at the resolution at which parts are refined, on voxels of a third of it."""
        variance = gaussian_sigma(self.fine) ** 2 - gaussian_sigma(self.resolution) ** 2
        if math.sqrt(max(variance, 0.0)) < self.source.grid.voxel_size_angstrom / 2:
            return self.source
        return blurred(self.source, coarse_grid(self.source.grid, self.fine / 3), math.sqrt(variance))

    def _best(self, ways: Iterable[_Way]) -> list[_Way]:
        """Ways whose links hold and that are not lost beside the best, best first."""
        held = [way for way in ways if self.model.gap(way.moved.cpu(), way.poses) <= REACH_ANGSTROM]
        scored = sorted(((self._score(way), number) for number, way in enumerate(held)), reverse=True)[:N_WAYS]
        return [held[number] for score, number in scored if score > scored[0][0] - LOST_SCORE]

    def _score(self, way: _Way) -> float:
        """Correlation of the placed parts, as one body, inside their mask."""
        placed = torch.isin(self.part, torch.tensor(list(way.poses), device=self.device))
        body = rigid_model(way.moved[placed].double(), self.weights[placed].double())
        here = Poses(body.frame[None].float(), body.centroid[None].float())
        return float(correlations(body.to(self.device), here, self.source, self.resolution, self.coarse))

    def _first_ways(self) -> list[_Way]:
        """The largest part where it fits."""
        part = self.model.order[0]
        inside, rigid = self.model.part == part, self.rigid[part]
        atoms, weights = self.model.coordinates[inside].numpy(), self.model.weights[inside].numpy()
        unplaced = _Way(self.model.coordinates.float().to(self.device), {})
        ways = []
        for pose in dock(atoms, weights, self.density_map, self.resolution, self.seed, self.device):
            rotation = torch.from_numpy(pose.rotation)
            centre = rotation @ rigid.centroid + torch.from_numpy(pose.translation_angstrom)
            place = Poses((rotation @ rigid.frame)[None].to(rigid.points), centre[None].to(rigid.points))
            ways.append(self._placed(unplaced, part, place))
        return ways

    def _placed(self, way: _Way, part: int, pose: Poses) -> _Way:
        """A way with one more part placed, or the same part elsewhere."""
        moved = way.moved.clone()
        moved[self.part == part] = apply_pose(*pose, self.rigid[part].points)[0]
        return _Way(moved, way.poses | {part: pose})

    def _left_by(self, way: _Way, part: int) -> Field:
        """The map without the density of the placed parts other than one, by the scale that fits best."""
        others = torch.tensor([other for other in way.poses if other != part], device=self.device)
        placed = torch.isin(self.part, others)
        density = summed_density(way.moved[placed], self.weights[placed], self.fine, self.field.grid)
        share = (density * self.field.values).sum() / density.square().sum()
        left = (self.field.values - share * density).clamp(min=0)
        return Field(torch.minimum(self.field.values, left), self.field.grid)

    def _with(self, way: _Way, part: int) -> list[_Way]:
        """A way with the next part in each of its best places."""
        rigid, left = self.rigid[part], self._left_by(way, part)
        resolution, n_rotations = covering(rigid, self.coarse)
        thinned = rigid.thinned(0.75 * resolution)
        rotations = (super_fibonacci(n_rotations) @ random_rotation(self.seed)).to(self.device)
        own, theirs = self.model.links_of(part, way.poses)
        ends = (self.model.coordinates[own] - rigid.centroid) @ rigid.frame
        reach = Reach(ends.to(rigid.points), way.moved[theirs.to(self.device)])
        allows = reach.allows if len(own) else None
        poses, overlaps = search(thinned, overlap_field(left, self.fine, resolution, 2), rotations, allows)
        best = overlaps.topk(min(N_SHORTLISTED, n_rotations)).indices
        best = best[overlaps[best] > 0]
        best = best[distinct(thinned, poses.take(best), overlaps[best], resolution, N_REFINED)]
        field = overlap_field(left, self.fine, resolution, 4)
        poses, overlaps = ascend(thinned, poses.take(best), field, step_lengths(resolution / 8, resolution / 160, 40))
        found = distinct(rigid, poses, overlaps, self.coarse, N_PLACES)
        return [self._placed(way, part, poses.take(found[k : k + 1])) for k in range(len(found))]

    def _refined(self, way: _Way) -> _Way:
        """A way with each part refined in what the others leave."""
        steps = step_lengths(self.fine / 8, self.fine / 500, 40)
        for part in self.model.order * ROUNDS:
            field = overlap_field(self._left_by(way, part), self.fine, self.fine, 3)
            pose, _ = ascend(self.rigid[part], way.poses[part], field, steps)
            way = self._placed(way, part, pose)
        return way

    def _in_given_frame(self, way: _Way) -> Assembly:
        """Poses of the parts as they were given, from those in their own frames."""
        rotations, translations = [], []
        for part, rigid in enumerate(self.rigid):
            rotation = way.poses[part].rotation[0].cpu().double() @ rigid.frame.mT
            rotations.append(rotation.numpy())
            translations.append((way.poses[part].translation[0].cpu().double() - rotation @ rigid.centroid).numpy())
        score = self._score(way)
        return Assembly(self.model.part.numpy(), np.stack(rotations), np.stack(translations), score)
