"""Poses of symmetric assemblies: those that only exchange identical chains are one."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from trial.proteins import joined, other_protein, ring

from classfold.chain_symmetry import exchanged, identical_chains, without_equivalents
from classfold.docking import Pose


def turned_about_z(degrees: float, detail: float = 0.8) -> Pose:
    return Pose(Rotation.from_euler("z", degrees, degrees=True).as_matrix(), np.zeros(3), detail, detail)


@pytest.mark.parametrize("count", [2, 3, 6])
def test_turns_of_a_ring_by_its_own_symmetry_are_one_pose(count):
    model = ring(other_protein("1a28"), count).model()
    groups = identical_chains(model)
    assert [len(chains) for chains in groups] == [count]
    step = 360 / count
    poses = [turned_about_z(0), turned_about_z(step), turned_about_z(step / 2), turned_about_z(-step)]
    kept = without_equivalents(poses, model.coordinates, groups)
    assert kept == [poses[0], poses[2]]


def test_an_exchange_brings_every_chain_to_its_place():
    model = ring(other_protein("1a28"), 3).model()
    groups, moved = identical_chains(model), turned_about_z(120).apply(model.coordinates)
    index = exchanged(moved, model.coordinates, groups)
    np.testing.assert_allclose(moved[index], model.coordinates, atol=1e-9)
    assert sorted(index.tolist()) == list(range(len(index)))


def test_chains_of_other_sequences_are_not_exchanged():
    first, second = other_protein("1a28"), other_protein("1bd2")
    model = joined(first, second).model()
    assert identical_chains(model) == []
    far = Pose(np.eye(3), np.array([50.0, 0, 0]), 0.8, 0.8)
    both = [turned_about_z(0), far]
    assert without_equivalents(both, model.coordinates, []) == both
    assert without_equivalents([far, far], model.coordinates, []) == [far]
