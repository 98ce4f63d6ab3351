"""Assembly: a model with a domain elsewhere is put together in the map, where the chain allows it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from classfold import rigid_parts
from classfold.assembled_docking import (
    FITS_WHOLE,
    assemble,
    assembly_notes,
    assembly_record,
    representatives,
)
from classfold.assembly import Assembler, Assembly
from classfold.class_map import ClassMap
from classfold.density import Grid
from classfold.divided_model import REACH_ANGSTROM, DividedModel, Reach, links_between
from classfold.docked_models import Docked
from classfold.docking import dock
from classfold.rotations import random_rotation
from classfold.structure import Model
from tests.stage_folders import RESOLUTION, simulated_map

NMP, LID = (30, 71), (112, 161)


def as_model(coordinates, topology) -> Model:
    return Model(
        coordinates, topology.chain, topology.residue_number, topology.residue_name, topology.atom_name,
        topology.element, "adk",
    )  # fmt: skip


def rmsd(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.sqrt(np.square(first - second).sum(1).mean()))


def inside(topology, bounds) -> np.ndarray:
    return (topology.residue_number >= bounds[0]) & (topology.residue_number <= bounds[1])


def divided(coordinates, topology, part) -> DividedModel:
    links = links_between(coordinates, topology.residue_index, topology.chain, part)
    arrays = (coordinates, topology.atomic_numbers, part, links)
    return DividedModel(*(torch.from_numpy(array) for array in arrays))


@pytest.fixture(scope="module")
def whole_open(adk_closed, adk_open, adk_topology) -> tuple[ClassMap, list[Docked]]:
    """A map of the open structure, and the closed model docked into it."""
    given = ClassMap(simulated_map(adk_open, adk_topology, seed=2), RESOLUTION, {})
    poses = dock(adk_closed, adk_topology.atomic_numbers, given.density_map, RESOLUTION)
    return given, [Docked(Path("closed.cif"), as_model(adk_closed, adk_topology), poses, [])]


@pytest.fixture(scope="module")
def choice(whole_open):
    given, docked = whole_open
    return assemble(docked, given, 1, "cpu")


def test_the_closed_model_is_put_together_in_the_map_of_the_open_one(whole_open, choice, adk_closed, adk_open):
    _, docked = whole_open
    assert rmsd(docked[0].coordinates, adk_open) > 5
    # Its three domains superposed one by one, which no rigid parts can better, are off by 2.0.
    assert rmsd(choice.assembly.apply(adk_closed), adk_open) < 2.3
    assert choice.assembly.score > docked[0].poses[0].score + 0.25


def test_parts_move_rigidly_and_their_seams_stay_in_reach(choice, adk_closed, adk_topology):
    assembly = choice.assembly
    moved = assembly.apply(adk_closed)
    np.testing.assert_allclose(np.linalg.det(assembly.rotation), 1, atol=1e-4)
    for part in range(assembly.n_parts):
        own = assembly.part == part
        before, after = (np.linalg.norm(x[own][:50, None] - x[own][:50], axis=-1) for x in (adk_closed, moved))
        np.testing.assert_allclose(after, before, atol=1e-2)
    links = links_between(adk_closed, adk_topology.residue_index, adk_topology.chain, assembly.part)
    assert len(links) == 4
    assert np.linalg.norm(moved[links[:, 0]] - moved[links[:, 1]], axis=1).max() <= REACH_ANGSTROM


def test_what_is_recorded_and_said(choice, whole_open):
    record = assembly_record(choice)
    assert len(record["parts"]) == choice.assembly.n_parts and record["score"] == choice.assembly.score
    runs = [run for part in record["parts"] for run in part["residues"]]
    assert len(runs) == 5 and all(run.startswith("A ") for run in runs)
    (said,) = assembly_notes(choice, 0.5)
    assert "score 0.50" in said and f"{choice.assembly.score:.2f}" in said and runs[0] in said
    assert assembly_record(None) is None and assembly_notes(None, 0.5) == []


def test_a_model_that_fits_as_a_whole_is_left_alone(adk_closed, adk_topology):
    density_map = simulated_map(adk_closed, adk_topology, seed=2)
    poses = dock(adk_closed, adk_topology.atomic_numbers, density_map, RESOLUTION)
    docked = [Docked(Path("closed.cif"), as_model(adk_closed, adk_topology), poses, [])]
    assert poses[0].score > FITS_WHOLE
    assert assemble(docked, ClassMap(density_map, RESOLUTION, {}), 1, "cpu") is None


def test_the_right_model_in_heavy_noise_is_left_alone(adk_closed, adk_topology, monkeypatch):
    """Its score is low, but no division does better by enough."""
    monkeypatch.setattr(rigid_parts, "MOST_DOMAINS", 2)
    density_map = simulated_map(adk_closed, adk_topology, seed=2)
    noise = np.random.default_rng(3).normal(size=density_map.density.shape)
    density_map.density[:] += (6 * density_map.density.std() * noise).astype(np.float32)
    poses = dock(adk_closed, adk_topology.atomic_numbers, density_map, RESOLUTION)
    docked = [Docked(Path("closed.cif"), as_model(adk_closed, adk_topology), poses, [])]
    assert poses[0].score < FITS_WHOLE
    assert assemble(docked, ClassMap(density_map, RESOLUTION, {}), 1, "cpu") is None


def test_a_part_out_of_the_chain_s_reach_is_not_taken(adk_open, adk_topology):
    """The lid's density stands 35 Å from where the chain could hold it."""
    lid = inside(adk_topology, LID)
    torn = adk_open.copy()
    torn[lid] += 35 * np.array([0.0, 0.0, 1.0])
    model = divided(adk_open, adk_topology, lid.astype(np.int64))
    found = Assembler(model, simulated_map(torn, adk_topology), RESOLUTION, 0, "cpu").assemble()
    if found is not None:
        moved = found.apply(adk_open)
        assert model.gap(torch.from_numpy(moved), [0, 1]) <= REACH_ANGSTROM + 0.01
        assert rmsd(moved[lid], torn[lid]) > 15
    free = DividedModel(model.coordinates, model.weights, model.part, model.links[:0])
    found = Assembler(free, simulated_map(torn, adk_topology), RESOLUTION, 0, "cpu").assemble()
    assert rmsd(found.apply(adk_open), torn) < 1


def test_reach_is_a_ball_around_where_the_end_would_touch():
    rotation = random_rotation(4)[None]
    ends, target = torch.tensor([[3.0, -1.0, 2.0]]), torch.tensor([[20.0, 24.0, 28.0]])
    grid = Grid((12, 13, 14), 4.0, (1.0, 2.0, 3.0))
    allowed = Reach(ends, target).allows(rotation, grid)
    assert allowed.shape == (1, 12, 13, 14)
    z, y, x = torch.meshgrid(*(torch.arange(n) * 4.0 for n in grid.shape_zyx), indexing="ij")
    places = torch.stack([x + 1, y + 2, z + 3], dim=-1)
    gaps = (places + ends[0] @ rotation[0].mT - target[0]).norm(dim=-1)
    torch.testing.assert_close(allowed[0], gaps <= REACH_ANGSTROM)
    assert 0 < int(allowed.sum()) < allowed.numel() / 10


def test_links_are_the_bonds_between_parts(adk_open, adk_topology):
    part = inside(adk_topology, NMP).astype(np.int64)
    links = links_between(adk_open, adk_topology.residue_index, adk_topology.chain, part)
    assert adk_topology.residue_number[links].tolist() == [[29, 30], [71, 72]]
    assert adk_topology.atom_name[links].tolist() == [["C", "N"], ["C", "N"]]
    two_chains = np.where(adk_topology.residue_number < 30, "A", "B")
    assert len(links_between(adk_open, adk_topology.residue_index, two_chains, part)) == 1


def test_the_largest_part_comes_first_then_what_hangs_on_it():
    sizes = [30, 60, 40, 50]
    part = torch.arange(4).repeat_interleave(torch.tensor(sizes))
    starts = [0, 30, 90, 130]
    links = torch.tensor([[starts[1], starts[0]], [starts[0], starts[2]]])
    model = DividedModel(torch.randn(180, 3).double(), torch.ones(180).double(), part, links)
    assert model.order == [1, 0, 2, 3]


def test_each_part_moves_by_its_own_pose():
    rotation = np.stack([np.eye(3), random_rotation(3).numpy()])
    translation = np.array([[1.0, 2.0, 3.0], [-4.0, 0.0, 9.0]])
    atoms = np.arange(12.0).reshape(4, 3)
    moved = Assembly(np.array([0, 1, 1, 0]), rotation, translation, 0.9).apply(atoms)
    np.testing.assert_allclose(moved[[0, 3]], atoms[[0, 3]] + translation[0])
    np.testing.assert_allclose(moved[1], rotation[1] @ atoms[1] + translation[1], atol=1e-6)


def test_a_residue_is_represented_by_its_ca_or_its_first_atom():
    model = Model(
        np.zeros((5, 3)), np.array(list("AAABB")), np.array([1, 1, 2, 1, 1]), np.array(["GLY"] * 3 + ["LIG"] * 2),
        np.array(["N", "CA", "CA", "O1", "C2"]), np.array(list("NCCOC")), "x",
    )  # fmt: skip
    assert representatives(model).tolist() == [1, 2, 3]
