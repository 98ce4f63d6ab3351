"""Dockings that are not one model in one map of it: assemblies, partners, micelles, missing domains."""

import numpy as np
import pytest
import torch
from trial.maps import simulated_map
from trial.proteins import Protein, beside, joined, kinase_path, micelle, other_protein, ring

from classfold.chain_symmetry import exchanged, identical_chains
from classfold.class_map import ClassMap
from classfold.docked_models import distinct_poses
from classfold.docking import Pose, mirrored
from classfold.docking_doubts import content_doubts
from classfold.docking_verdict import Hand, Verdict, judge
from classfold.explained_density import explained
from classfold.maps import DensityMap
from classfold.rotations import random_rotation
from classfold.superposition import apply_pose

RESOLUTION = 6.0
PLACE = random_rotation(11, torch.float64), torch.tensor([40.0, -25.0, 60.0], dtype=torch.float64)


def map_of(atoms: torch.Tensor, weights: np.ndarray, noise: float = 0.5) -> DensityMap:
    """A noisy map of atoms ``(n, 3)`` moved to ``PLACE``."""
    return simulated_map(apply_pose(*PLACE, atoms).float(), torch.tensor(weights).float(), RESOLUTION, noise, 5)


def docked(protein: Protein, density_map: DensityMap) -> tuple[list[Pose], Verdict]:
    """Poses of a model of its own, turned, and the verdict."""
    given = ClassMap(density_map, RESOLUTION, {})
    model = protein.model()
    poses, mirror = (
        distinct_poses(model, coordinates, given, 0, "cpu")
        for coordinates in (model.coordinates, mirrored(model.coordinates))
    )
    return poses, judge(poses, mirror, len(model.coordinates), RESOLUTION)


def distance(protein: Protein, pose: Pose, place: torch.Tensor | None = None) -> float:
    """RMSD in Å of a docked model from where it belongs, identical chains exchanged at will."""
    model = protein.model()
    there = apply_pose(*PLACE, protein.coordinates if place is None else place).numpy()
    moved = pose.apply(model.coordinates)
    moved = moved[exchanged(moved, there, identical_chains(model))]
    return float(np.sqrt(np.square(moved - there).sum(1).mean()))


def protease_subunit() -> Protein:
    """One chain of the HIV-1 protease."""
    whole = other_protein("1hvr")
    half = whole.chain == whole.chain[0]
    return Protein(whole.coordinates[torch.from_numpy(half)], whole.weights[half], whole.chain[half])


def contour(density_map: DensityMap) -> float:
    """A contour well above the noise."""
    return 2.0 * float(density_map.density.std())


@pytest.fixture(scope="module")
def kinase() -> Protein:
    return kinase_path()[0]


@pytest.fixture(scope="module")
def complex_of_two(kinase) -> Protein:
    """Adenylate kinase with a T-cell receptor's chain at its side."""
    other = other_protein("1bd2")
    return joined(kinase, other.moved_to(beside(kinase.coordinates, other.coordinates, seed=2)))


def test_a_complex_of_two_chains_is_one_model(complex_of_two):
    poses, verdict = docked(complex_of_two, map_of(complex_of_two.coordinates, complex_of_two.weights))
    assert distance(complex_of_two, poses[0]) < 1
    assert verdict.is_certain and verdict.hand is Hand.RIGHT


def test_one_chain_of_a_complex_is_found_and_what_is_left_of_the_map_is_said(kinase, complex_of_two):
    density_map = map_of(complex_of_two.coordinates, complex_of_two.weights)
    poses, verdict = docked(kinase, density_map)
    assert distance(kinase, poses[0]) < 1.5
    assert verdict.is_certain and verdict.hand is Hand.RIGHT
    moved = poses[0].apply(kinase.coordinates.numpy())
    (said,) = content_doubts(explained(moved, density_map, contour(density_map), RESOLUTION))
    assert "the map holds more than the model" in said


@pytest.mark.parametrize("count", [2, 3])
def test_the_turns_of_a_symmetric_assembly_are_not_ambiguous(count):
    assembly = ring(protease_subunit(), count)
    poses, verdict = docked(assembly, map_of(assembly.coordinates, assembly.weights))
    assert distance(assembly, poses[0]) < 1
    assert verdict.is_certain and verdict.hand is Hand.RIGHT


def test_a_homodimer_of_the_data_bank_is_found_once():
    protease = other_protein("1hvr")
    poses, verdict = docked(protease, map_of(protease.coordinates, protease.weights))
    assert distance(protease, poses[0]) < 1
    assert verdict.is_certain and verdict.hand is Hand.RIGHT


def test_one_subunit_of_a_dimer_has_two_places():
    subunit = protease_subunit()
    assembly = ring(subunit, 2)
    poses, verdict = docked(subunit, map_of(assembly.coordinates, assembly.weights))
    halves = assembly.coordinates.chunk(2)
    nearest = [min(distance(subunit, pose, half) for pose in poses[:2]) for half in halves]
    assert max(nearest) < 1.5
    assert verdict.n_ambiguous == 2 and verdict.hand is Hand.RIGHT


def test_a_micelle_of_half_the_density_does_not_draw_the_model_away(kinase):
    belt = micelle(kinase.coordinates, len(kinase.coordinates), seed=4)
    atoms, weights = torch.cat([kinase.coordinates, belt]), np.concatenate([kinase.weights, np.full(len(belt), 6.7)])
    density_map = map_of(atoms, weights)
    poses, verdict = docked(kinase, density_map)
    assert distance(kinase, poses[0]) < 2
    assert verdict.is_certain and verdict.hand is Hand.RIGHT
    shares = explained(poses[0].apply(kinase.coordinates.numpy()), density_map, contour(density_map), RESOLUTION)
    assert shares.density < 0.8 and shares.atoms > 0.85


def test_a_domain_that_the_map_lacks_is_missed_and_the_rest_is_found(kinase):
    # The LID domain (residues 118-167) and what follows: more than a third of the molecule.
    kept = slice(0, round(0.62 * len(kinase.coordinates)))
    density_map = map_of(kinase.coordinates[kept], kinase.weights[kept])
    poses, verdict = docked(kinase, density_map)
    assert distance(kinase, poses[0]) < 2
    assert verdict.is_certain and verdict.hand is Hand.RIGHT
    moved = poses[0].apply(kinase.coordinates.numpy())
    (said,) = content_doubts(explained(moved, density_map, contour(density_map), RESOLUTION))
    assert "the map holds less than the model" in said
