"""Comparison of two models: superpositions, TM-score against biotite, displacement about a hinge."""

import biotite.structure as struc
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from classfold.comparison import (
    ca_rmsd,
    cross_fit,
    displacement,
    lddt,
    rigid_superposition,
    robust_superposition,
    tm_scale,
    tm_score,
)

MOTION = Rotation.from_euler("xyz", [30, 100, -60], degrees=True)
SHIFT = np.array([12.0, -30.0, 8.0])


@pytest.fixture(scope="module")
def ca(adk_topology, adk_closed, adk_open):
    rows = adk_topology.ca_indices()
    return adk_closed[rows], adk_open[rows]


def hinged(points: np.ndarray, degrees: float, first: int) -> np.ndarray:
    """The points from ``first`` on turned about one of them."""
    moved = points.copy()
    turn = Rotation.from_euler("z", degrees, degrees=True)
    moved[first:] = turn.apply(points[first:] - points[first]) + points[first]
    return moved


def test_rmsd_is_that_of_biotite(ca):
    closed, opened = ca
    fitted, _ = struc.superimpose(closed, opened)
    expected = np.sqrt(((fitted - closed) ** 2).sum(-1).mean())
    assert ca_rmsd(opened, closed) == pytest.approx(expected, abs=1e-4)
    assert ca_rmsd(closed, opened) == pytest.approx(expected, abs=1e-4)


def test_a_moved_copy_is_the_same(ca):
    closed, _ = ca
    moved = MOTION.apply(closed) + SHIFT
    assert ca_rmsd(moved, closed) < 1e-6
    assert tm_score(moved, closed) == pytest.approx(1, abs=1e-9)
    assert displacement(moved, closed).max() < 1e-6


def test_a_mirror_image_is_not_the_same(ca):
    closed, _ = ca
    assert ca_rmsd(closed * [1, 1, -1], closed) > 5 and tm_score(closed * [1, 1, -1], closed) < 0.5


def test_tm_score_is_that_of_biotite_in_the_same_superposition(ca):
    closed, opened = ca
    pose = robust_superposition(opened, closed, tm_scale(len(closed)))
    rows = np.arange(len(closed))
    atoms = [struc.AtomArray(len(closed)) for _ in range(2)]
    for array, points in zip(atoms, (closed, pose.apply(opened)), strict=True):
        array.coord = points
        array.atom_name[:], array.res_name[:], array.element[:] = "CA", "GLY", "C"
        array.res_id = rows + 1
    expected = struc.tm_score(*atoms, rows, rows)
    assert tm_score(opened, closed) == pytest.approx(expected, abs=1e-5)


def test_tm_score_is_symmetric_and_blind_to_rigid_motion(ca):
    closed, opened = ca
    value = tm_score(opened, closed)
    assert tm_score(closed, opened) == pytest.approx(value, abs=1e-6)
    assert tm_score(MOTION.apply(opened) + SHIFT, closed) == pytest.approx(value, abs=1e-6)
    # No superposition scores better: neither that of all residues nor slightly different ones.
    pose = robust_superposition(opened, closed, tm_scale(len(closed)))
    for vector in np.random.default_rng(2).normal(scale=0.02, size=(20, 3)):
        centre = closed.mean(axis=0)
        nearby = Rotation.from_rotvec(vector).apply(pose.apply(opened) - centre) + centre
        square = ((nearby - closed) ** 2).sum(-1)
        assert (1 / (1 + square / tm_scale(len(closed)) ** 2)).mean() < value


def test_the_rigid_part_stays_and_the_arm_moves(ca):
    closed, _ = ca
    moved = MOTION.apply(hinged(closed, 50, 140)) + SHIFT
    found = displacement(moved, closed)
    expected = np.linalg.norm(hinged(closed, 50, 140) - closed, axis=1)
    assert found[:140].max() < 0.2
    np.testing.assert_allclose(found, expected, atol=0.3)
    assert rigid_superposition(moved, closed).score < robust_superposition(moved, closed, 1.0).score


def test_displacement_is_symmetric(ca):
    closed, opened = ca
    np.testing.assert_allclose(displacement(opened, closed), displacement(closed, opened), atol=1e-3)


def test_fewer_than_three_points_have_no_superposition():
    with pytest.raises(ValueError, match="three or more"):
        robust_superposition(np.zeros((2, 3)), np.zeros((2, 3)), 1.0)


def test_cross_fit_takes_the_placement_that_fits_better(ca):
    closed, _ = ca
    moved = hinged(closed, 50, 140)
    anchors = np.arange(len(closed))
    seen = []

    def core_fit(placed: np.ndarray) -> float:
        seen.append(placed)
        return float(-np.abs(placed[:140] - closed[:140]).max())

    assert cross_fit(moved, closed, anchors, core_fit) > -0.2
    assert len(seen) == 2
    assert np.isnan(cross_fit(moved, closed, anchors, lambda placed: float("nan")))


def test_lddt_counts_the_distances_that_are_kept(ca):
    closed, opened = ca
    near = [np.linalg.norm(points[:, None] - points, axis=-1) for points in ca]
    counted = np.triu((near[0] <= 15) | (near[1] <= 15), 1)
    kept = [(np.abs(near[0] - near[1]) < limit)[counted].mean() for limit in (0.5, 1, 2, 4)]
    assert lddt(opened, closed) == pytest.approx(np.mean(kept), abs=2e-3)
    assert lddt(closed, opened) == pytest.approx(lddt(opened, closed), abs=1e-6)


def test_lddt_is_blind_to_rigid_motion_and_mild_to_a_turned_tail(ca):
    closed, _ = ca
    assert lddt(MOTION.apply(closed) + SHIFT, closed) == pytest.approx(1)
    assert 0.9 < lddt(hinged(closed, 50, 200), closed) < 0.99
    assert lddt(np.random.default_rng(1).permutation(closed), closed) < 0.3
