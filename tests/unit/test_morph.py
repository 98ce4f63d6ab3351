"""The path between two models: ends, whole bonds and rigid bodies, against a straight line from atom to atom."""

import gemmi
import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.spatial.transform import Rotation

from classfold.bonds import covalent_bonds
from classfold.comparison import CORE_SCALE_ANGSTROM, robust_superposition
from classfold.mmcif import write_frames
from classfold.morph import FRAMES, morph
from classfold.moving_parts import find_moving_parts
from classfold.report.morphs import read_trace

MOTION = Rotation.from_euler("xyz", [30, 100, -60], degrees=True)


@pytest.fixture(scope="module")
def opening(adk_topology, adk_closed, adk_open):
    """Closed to open: the parts, the morph, and a straight line in as many frames."""
    ca = adk_topology.ca_indices()
    opened = MOTION.apply(adk_open) + 20
    parts = find_moving_parts(adk_closed[ca], opened[ca], adk_topology.chain[ca])
    last = robust_superposition(opened[ca], adk_closed[ca], CORE_SCALE_ANGSTROM).apply(opened)
    share = np.linspace(0, 1, FRAMES)[:, None, None]
    return parts, morph(adk_topology, (adk_closed, opened), ca, parts), (1 - share) * adk_closed + share * last


def farthest_between(values: np.ndarray) -> float:
    """By how much values (n_frames, n) leave the straight way from the first to the last frame."""
    share = np.linspace(0, 1, len(values))[:, None]
    return float(np.abs(values - (1 - share) * values[0] - share * values[-1]).max())


def along_the_chain(frames: np.ndarray, ca: np.ndarray) -> np.ndarray:
    return np.linalg.norm(np.diff(frames[:, ca], axis=1), axis=2)


def test_a_morph_begins_and_ends_at_the_two_models(opening, adk_closed, adk_open):
    _, frames, straight = opening
    np.testing.assert_array_equal(frames[0], adk_closed)
    np.testing.assert_allclose(frames[-1], straight[-1], atol=1e-9)
    assert np.allclose(pdist(frames[-1][::50]), pdist(adk_open[::50]))


def test_the_chain_keeps_its_steps(opening, adk_topology):
    ca, (_, frames, straight) = adk_topology.ca_indices(), opening
    assert farthest_between(along_the_chain(frames, ca)) < 0.05
    assert farthest_between(along_the_chain(straight, ca)) > 0.5


def test_bonds_stay_whole(opening, adk_topology):
    (_, frames, straight), (one, other) = opening, covalent_bonds(adk_topology).T
    lengths = [np.linalg.norm(path[:, one] - path[:, other], axis=2) for path in (frames, straight)]
    assert farthest_between(lengths[0]) < 0.1
    assert farthest_between(lengths[1]) > 0.5


def test_bodies_keep_their_shape(opening, adk_topology):
    ca, (parts, frames, straight) = adk_topology.ca_indices(), opening
    assert parts.n_parts == 2
    for body in (1, 2):
        inside = ca[parts.label == body]
        left = [farthest_between(np.stack([pdist(frame[inside]) for frame in path])) for path in (frames, straight)]
        assert left[0] < 0.8 and left[0] < 0.5 * left[1]


def test_every_step_is_about_as_long_as_the_others(opening, adk_topology):
    ca, (_, frames, _) = adk_topology.ca_indices(), opening
    steps = np.sqrt(np.square(np.diff(frames[:, ca], axis=0)).sum(2).mean(1))
    assert steps.max() < 1.3 * steps.min()


def test_a_morph_is_read_as_the_report_reads_it(opening, adk_topology, tmp_path):
    ca, (_, frames, _) = adk_topology.ca_indices(), opening
    write_frames(tmp_path / "morph.cif", adk_topology, frames, title="closed to open")
    residues, trace = read_trace(tmp_path / "morph.cif")
    assert residues == [("A", number) for number in range(1, 215)]
    np.testing.assert_allclose(trace, frames[:, ca], atol=1e-3)
    structure = gemmi.read_structure(str(tmp_path / "morph.cif"))
    assert [model.count_atom_sites() for model in structure] == [adk_topology.n_atoms] * FRAMES


def test_frames_of_other_atoms_are_refused(adk_topology, tmp_path):
    with pytest.raises(ValueError, match="frames must be finite"):
        write_frames(tmp_path / "morph.cif", adk_topology, np.zeros((3, 7, 3)), title="none")
