"""What tells two classes apart: what maps show of models' difference, its verdict, moving parts and their order."""

import itertools
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.spatial.transform import Rotation
from trial.maps import simulated_halves
from trial.plot import Axes, drawn_lines

from classfold.class_comparison import Comparison, Pair
from classfold.comparison import Superposition
from classfold.difference_verdict import Shown, Verdict, judge_pair, shown
from classfold.distance_differences import distance_differences, write_distance_differences
from classfold.half_maps import HalfMaps
from classfold.main_motion import MainMotion, main_motion
from classfold.maps import DensityMap
from classfold.moving_parts import MovingParts, body_of_atoms, find_moving_parts, screw
from classfold.shown_difference import NoisyMap, Place, places
from classfold.topology import ChainRecord, Topology

RESOLUTION = 8.0


def noisy_map(atoms: np.ndarray, numbers: np.ndarray, seed: int, noise: float = 0.5) -> NoisyMap:
    weights = torch.from_numpy(numbers).float()
    first, second = simulated_halves(torch.from_numpy(atoms).float(), weights, RESOLUTION, noise, seed)
    mean = DensityMap(0.5 * (first.density + second.density), first.voxel_size_angstrom, first.origin_angstrom)
    return NoisyMap(mean, RESOLUTION, HalfMaps(first, second).noise.density)


def asked(adk_topology, models, truths, seed: int, noise: float = 0.5) -> Shown:
    """Two maps of two truths asked where they lie between two models in the same frame."""
    numbers, everything = adk_topology.atomic_numbers, [np.arange(adk_topology.n_atoms)]
    answers = [
        places(noisy_map(truth, numbers, seed + k, noise), [models[0]], [models[1]], numbers, everything)[0]
        for k, truth in enumerate(truths)
    ]
    ca = adk_topology.ca_indices()
    apart = float(np.sqrt(np.square(models[0][ca] - models[1][ca]).sum(1).mean()))
    return shown(*answers, apart)


def test_maps_of_the_models_show_all_of_their_difference(adk_topology, adk_closed, adk_frames):
    found = asked(adk_topology, (adk_closed, adk_frames[10]), (adk_closed, adk_frames[10]), 1)
    assert found.motion_angstrom == pytest.approx(found.model_angstrom, rel=0.08)
    assert judge_pair(("a", "b"), found, []).verdict is Verdict.DIFFERENT


def test_maps_of_one_structure_show_nothing_of_the_difference_of_wrong_models(adk_topology, adk_closed, adk_frames):
    found = asked(adk_topology, (adk_closed, adk_frames[4]), (adk_frames[2], adk_frames[2]), 5)
    assert found.model_angstrom > 1
    assert abs(found.motion_angstrom) < 4 * found.error_angstrom
    assert judge_pair(("a", "b"), found, []).verdict is Verdict.SAME


def test_the_error_is_how_far_the_noise_moves_the_place(adk_topology, adk_closed, adk_frames):
    numbers, everything = adk_topology.atomic_numbers, [np.arange(adk_topology.n_atoms)]
    found = [
        places(noisy_map(adk_closed, numbers, seed, 1.0), [adk_closed], [adk_frames[3]], numbers, everything)[0]
        for seed in range(12)
    ]
    spread = np.std([place.value for place in found], ddof=1)
    assert 0.5 < np.mean([place.error for place in found]) / spread < 2
    assert np.mean([place.value for place in found]) == pytest.approx(-0.5, abs=0.2)


def test_a_share_above_one_is_no_motion():
    assert shown(Place(-3.0, 0.1), Place(3.0, 0.1), 0.03).motion_angstrom == pytest.approx(0.03)


@pytest.mark.parametrize(
    ("motion", "error", "verdict"),
    [
        (2.0, 0.1, Verdict.DIFFERENT),
        (0.2, 0.1, Verdict.SAME),
        (0.2, 0.5, Verdict.UNDECIDED),
        (2.0, 0.6, Verdict.UNDECIDED),
        (-2.0, 0.1, Verdict.UNDECIDED),
        (float("nan"), float("nan"), Verdict.UNDECIDED),
    ],
)
def test_verdicts(motion, error, verdict):
    judged = judge_pair(("a", "b"), Shown(motion, error, 2.5), [])
    assert judged.verdict is verdict and "a and b" in judged.reason


def test_one_moving_part_is_enough():
    part = ("A30-67", Shown(3.0, 0.2, 3.2))
    judged = judge_pair(("a", "b"), Shown(0.3, 0.1, 0.6), [part])
    assert judged.verdict is Verdict.DIFFERENT and "A30-67" in judged.reason and judged.evidence == part[1]


def test_the_lid_and_the_amp_domain_of_adenylate_kinase_move(adk_topology, adk_closed, adk_open):
    ca = adk_topology.ca_indices()
    turned = Rotation.from_euler("xyz", [30, 100, -60], degrees=True).apply(adk_open) + 20
    parts = find_moving_parts(adk_closed[ca], turned[ca], adk_topology.chain[ca])
    # Müller & Schulz (1992): NMP 30-59, LID 122-159.
    assert parts.n_parts == 2
    assert set(parts.label[34:59]) == {1} and set(parts.label[122:158]) == {2}
    assert set(parts.label[:25]) | set(parts.label[75:112]) | set(parts.label[168:]) == {0}
    assert all(35 < each.degrees < 60 for each in parts.screws)
    assert len(parts.hinges) == 4


def test_models_of_one_conformation_have_no_moving_parts(adk_topology, adk_closed):
    ca = adk_topology.ca_indices()
    rng = np.random.default_rng(1)
    noised = adk_closed[ca] + rng.normal(scale=0.4, size=(len(ca), 3))
    assert find_moving_parts(adk_closed[ca], noised, adk_topology.chain[ca]).n_parts == 0


def test_a_screw_is_found_again():
    axis, point, centre = np.array([0.6, 0.0, 0.8]), np.array([3.0, -2.0, 1.0]), np.array([10.0, 5.0, -4.0])
    rotation = Rotation.from_rotvec(np.radians(40) * axis).as_matrix()
    found = screw(Superposition(rotation, point - rotation @ point + 2.5 * axis, 1.0), centre)
    assert found.degrees == pytest.approx(40) and found.along_angstrom == pytest.approx(2.5)
    np.testing.assert_allclose(found.axis, axis, atol=1e-9)
    np.testing.assert_allclose(np.cross(found.point - point, axis), 0, atol=1e-9)


def test_classes_are_ordered_along_the_path(adk_topology, adk_frames):
    ca = adk_topology.ca_indices()
    motion = main_motion([adk_frames[k][ca] + 5 * k for k in (20, 2, 30, 10)])
    assert motion.order == [1, 3, 0, 2] and motion.share > 0.8


def test_a_ligand_goes_with_the_residues_around_it(adk_topology, adk_closed, adk_open):
    ca, n = adk_topology.ca_indices(), adk_topology.n_atoms
    parts = find_moving_parts(adk_closed[ca], adk_open[ca], adk_topology.chain[ca])
    near_the_lid = adk_closed[ca[140]] + np.array([[3.0, 0, 0], [4.0, 1, 0]])
    chain = np.append(adk_topology.chain, ["L", "L"])
    columns = {
        name: np.append(getattr(adk_topology, name), values)
        for name, values in (
            ("residue_number", [1, 1]),
            ("residue_name", ["LIG", "LIG"]),
            ("atom_name", ["C1", "C2"]),
            ("element", ["C", "C"]),
            ("charge", [0, 0]),
            ("token_index", [214, 215]),
        )
    }
    topology = Topology("adk", (*adk_topology.chains, ChainRecord("L", "ligand", 1, None)), chain, **columns)
    body = body_of_atoms(parts, topology, ca, np.concatenate([adk_closed, near_the_lid]))
    assert body[n:].tolist() == [2, 2]
    np.testing.assert_array_equal(body[ca], parts.label)


@pytest.mark.parametrize("n_residues", [20, 501])
def test_distances_are_written_to_a_tenth_and_packed_if_they_are_many(tmp_path, n_residues):
    rng = np.random.default_rng(3)
    first = rng.normal(scale=20, size=(n_residues, 3))
    second = Rotation.from_euler("xyz", [30, 100, -60], degrees=True).apply(first)
    second[7:] += 4
    differences = distance_differences(first, second)
    assert np.abs(differences[:7, :7]).max() < 1e-9 and np.abs(differences[7:, 7:]).max() < 1e-9
    write_distance_differences(tmp_path / "d.csv", [f"A:{k}" for k in range(n_residues)], differences)
    (path,) = tmp_path.iterdir()
    assert path.name == ("d.csv" if n_residues == 20 else "d.csv.gz")
    table = pd.read_csv(path, index_col=0)
    assert table.index[7] == "A:7"
    np.testing.assert_allclose(table.to_numpy(), differences, atol=0.0501)


def pair_of(first: str, second: str) -> Pair:
    parts = MovingParts(np.zeros(3, int), (), np.zeros(3), (), ())
    judged = judge_pair((first, second), Shown(2.0, 0.1, 2.5), [])
    return Pair(first, second, 2.5, 0.8, 0.9, 4.0, judged, parts, ())


def comparison_of(names: str) -> Comparison:
    pairs = tuple(pair_of(*pair) for pair in itertools.combinations(names, 2))
    order = list(range(len(names)))[::-2] + list(range(len(names) - 2, -1, -2))
    matrix, motion = np.zeros((len(names),) * 2), MainMotion(order, np.arange(float(len(names))), 0.9)
    return Comparison(tuple(names), (), pairs, matrix, matrix, matrix, (), np.arange(3), motion, ())


def test_large_files_are_of_all_pairs_if_they_are_few():
    assert len(comparison_of("abcde").leading_pairs) == 10


def test_of_many_classes_large_files_are_of_those_that_follow_in_the_main_motion():
    comparison = comparison_of("abcdef")
    assert comparison.order == ["f", "d", "b", "e", "c", "a"]
    found = {(pair.class_a, pair.class_b) for pair in comparison.leading_pairs}
    assert found == {("d", "f"), ("b", "d"), ("b", "e"), ("c", "e"), ("a", "c")}


def test_a_plot_shows_every_point_that_is_known():
    lines = {"noise <1>": [(4.0, 0.5), (8.0, 1.5), (12.0, float("nan"))], "noise 2": [(4.0, 1.0), (8.0, 2.0)]}
    drawn = ElementTree.fromstring(drawn_lines(Axes("resolution, Å", "motion, Å"), lines))
    tag = "{http://www.w3.org/2000/svg}"
    marks = [(float(mark.get("cx")), float(mark.get("cy"))) for mark in drawn.iter(f"{tag}circle")]
    assert len(marks) == 4 and len(list(drawn.iter(f"{tag}polyline"))) == 2
    # To the right is coarser, above is larger.
    assert marks[0][0] == marks[2][0] < marks[1][0] and marks[3][1] < marks[1][1] < marks[2][1] < marks[0][1]
    assert {"noise <1>", "noise 2", "motion, Å"} <= {each.text for each in drawn.iter(f"{tag}text")}
