"""Classes in one frame, and classes apart."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from trial.proteins import other_protein, ring

from classfold.chain_symmetry import identical_chains
from classfold.register import motion_between, register_warnings

TURN = Rotation.from_euler("xyz", [0, 0, 90], degrees=True)


def apart(models: list[np.ndarray], anchors: np.ndarray) -> list[str]:
    return register_warnings([f"c{k}" for k in range(len(models))], models, anchors, [])


def test_conformations_in_one_frame_are_in_register(adk_closed, adk_open, adk_topology):
    anchors = adk_topology.ca_indices()
    assert apart([adk_closed, adk_open], anchors) == []
    assert apart([adk_closed], anchors) == []


def test_the_motion_is_that_of_the_rigid_core(adk_closed, adk_open, adk_topology):
    anchors = adk_topology.ca_indices()
    centred = adk_open - adk_open[anchors].mean(0)
    motion = motion_between(centred, TURN.apply(centred) + np.array([0, 0, 30]), anchors, [])
    xy = np.square(centred[anchors, :2]).sum(1).mean()
    assert motion == pytest.approx((np.sqrt(2 * xy + 900), 90), rel=1e-3)


def test_one_class_apart_is_named_with_its_siblings(adk_closed, adk_open, adk_topology):
    models = [adk_closed, TURN.apply(adk_closed), adk_open]
    (said,) = apart(models, adk_topology.ca_indices())
    assert "class c1 is out of register with its siblings (c0, c2)" in said and "90 degrees" in said


def test_two_classes_apart_accuse_no_one(adk_closed, adk_topology):
    (said,) = apart([adk_closed, adk_closed + 40], adk_topology.ca_indices())
    assert "classes c0, c1 are not in register" in said and "up to 69 Å" in said


def test_chains_of_a_homomer_that_were_exchanged_are_in_register():
    assembly = ring(other_protein("1a28"), 3).model()
    turned = Rotation.from_euler("z", 120, degrees=True).apply(assembly.coordinates)
    anchors, groups = np.arange(0, len(turned), 8), identical_chains(assembly)
    assert motion_between(turned, assembly.coordinates, anchors, groups).rms_angstrom < 1e-6
    assert not motion_between(turned, assembly.coordinates, anchors, []).in_register
