"""What stands for the atoms in the global energy, and that energy with it."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from classfold.density import Grid, simulate_density
from classfold.global_energy import ANNEALING, Cloud, GlobalEnergy
from classfold.maps import DensityMap
from classfold.point_cloud import place_points
from classfold.pseudo_atoms import PseudoAtoms, halves_of_residues
from classfold.published_energy import PublishedGlobalEnergy
from classfold.rotations import random_rotation
from classfold.superposition import apply_pose, superpose
from classfold.topology import ChainRecord, Topology
from tests.clouds import every_atom, uniform

CPU = torch.device("cpu")
ATOMS = """
A protein 1 MET N CA C O CB CG SD CE
A protein 2 GLY N CA C O
A protein 3 SEP N CA C O CB OG P O1P O2P O3P
A protein 4 TRP N CA C O OXT CB CG CD1 CD2
B rna 1 G P OP1 OP2 O5' C5' C4' O4' C3' O3' C2' O2' C1' N9 C8 N7
B rna 2 U P OP1 OP2 O5' C5' C4' O4' C3' O3' C2' O2' C1' N1 C2 O2
C dna 1 DA O5' C5' C4' O4' C3' O3' C2' C1' N9 C8
D ligand 1 ATP PG O1G O2G O3G PB O1B O2B O3B PA
E ligand 1 MG MG
"""
"""Chain, its type, number and name of the residue, atoms."""


def topology() -> Topology:
    rows = [
        (chain, kind, int(number), name, atom)
        for chain, kind, number, name, *atoms in (line.split() for line in ATOMS.strip().splitlines())
        for atom in atoms
    ]
    table = pd.DataFrame(rows, columns=["chain", "type", "number", "residue", "atom"])
    kinds = dict(zip(table.chain, table.type, strict=True))
    return Topology(
        target="all kinds",
        chains=tuple(ChainRecord(name, kind, i, None) for i, (name, kind) in enumerate(kinds.items())),
        chain=table.chain.to_numpy(str),
        residue_number=table.number.to_numpy(),
        residue_name=table.residue.to_numpy(str),
        atom_name=table.atom.to_numpy(str),
        element=np.array(["MG" if atom == "MG" else atom[0] for atom in table.atom]),
        charge=np.zeros(len(table), np.int64),
        token_index=np.arange(len(table)),
    )


def test_groups_of_every_kind_of_residue() -> None:
    atoms = topology()
    group = halves_of_residues(atoms, CPU).group.numpy()
    found = {tuple(atoms.atom_name[group == number]) for number in range(group.max() + 1)}
    sugar = ("O5'", "C5'", "C4'", "O4'", "C3'", "O3'", "C2'", "O2'", "C1'")
    assert found == {
        ("N", "CA", "C", "O"),  # of three residues; glycine has nothing else
        ("CB", "CG", "SD", "CE"),
        ("CB", "OG", "P", "O1P", "O2P", "O3P"),
        ("N", "CA", "C", "O", "OXT"),
        ("CB", "CG", "CD1", "CD2"),
        ("P", "OP1", "OP2", *sugar),  # of two residues
        ("N9", "C8", "N7"),
        ("N1", "C2", "O2"),
        tuple(name for name in sugar if name != "O2'"),
        ("N9", "C8"),
        ("PG", "O1G", "O2G", "O3G"),
        ("PB", "O1B", "O2B", "O3B"),
        ("PA",),
        ("MG",),
    }
    assert group.max() + 1 == len(found) + 3
    assert len(np.unique(np.stack([group, atoms.residue_index]), axis=1).T) == group.max() + 1


def test_masses_are_the_atomic_numbers_and_sum_to_one() -> None:
    atoms = topology()
    halves = halves_of_residues(atoms, CPU)
    numbers = torch.from_numpy(atoms.atomic_numbers).float()
    assert float(halves.mass.sum()) == pytest.approx(1, abs=1e-6)
    torch.testing.assert_close(halves.share * halves.mass[halves.group], numbers / numbers.sum())
    magnesium = halves.mass[halves.group[atoms.atom_name == "MG"]]
    assert float(magnesium) == pytest.approx(12 / float(numbers.sum()))


def test_a_centre_is_the_mean_of_its_atoms_by_weight() -> None:
    group, weights = torch.tensor([0, 1, 0]), torch.tensor([6.0, 8.0, 2.0])
    model = torch.tensor([[[0.0, 0, 0], [5, 5, 5], [4, 0, -8]]])
    expected = torch.tensor([[[1.0, 0, -2], [5, 5, 5]]])
    torch.testing.assert_close(PseudoAtoms.of(group, weights).centres(model), expected)


def test_spread_is_the_transpose_of_centres() -> None:
    halves = halves_of_residues(topology(), CPU)
    generator = torch.Generator().manual_seed(1)
    model = torch.randn(2, len(halves.group), 3, generator=generator)
    at_centres = torch.randn(2, len(halves.mass), 3, generator=generator)
    by_centres = (halves.centres(model) * at_centres).sum()
    torch.testing.assert_close((model * halves.spread(at_centres)).sum(), by_centres)


def small_cloud(seed: int = 2, n_points: int = 12) -> Tensor:
    return 5 * torch.randn(n_points, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pairs() -> PseudoAtoms:
    """Twelve atoms in pairs, of different weights."""
    return PseudoAtoms.of(torch.arange(12) // 2, torch.linspace(6, 17, 12, dtype=torch.float64))


@pytest.mark.parametrize("kind", ["published", "fast"])
def test_global_energy_vanishes_on_its_cloud_and_grows_with_the_distance(kind) -> None:
    cloud = small_cloud()
    fast = GlobalEnergy([uniform(cloud)], every_atom(len(cloud), CPU))
    energy = PublishedGlobalEnergy([cloud]) if kind == "published" else fast
    values = [float(energy((cloud + shift)[None])) for shift in (0.0, 1.0, 2.0)]
    assert abs(values[0]) < 1e-2 * values[1] and values[1] < values[2]


def test_with_every_atom_and_the_papers_blur_it_is_the_published_energy() -> None:
    cloud, models = small_cloud(3, 30), torch.stack([small_cloud(4, 40), small_cloud(5, 40)])
    first = torch.zeros(2, dtype=torch.long)
    published, published_gradient = PublishedGlobalEnergy([cloud]).value_and_gradient(models, first)
    every = GlobalEnergy([uniform(cloud)], every_atom(40, CPU), ANNEALING._replace(start=20.0, blur=0.05))
    value, gradient = every.value_and_gradient(models, first)
    torch.testing.assert_close(value, published, rtol=5e-3, atol=0)
    assert torch.cosine_similarity(gradient.flatten(1), published_gradient.flatten(1)).min() > 0.999


def test_turning_model_and_cloud_together_turns_the_global_gradient_with_them() -> None:
    rotation, shift = random_rotation(3, torch.float64), torch.tensor([3.0, -20.0, 7.0], dtype=torch.float64)
    cloud, models = small_cloud(3), torch.stack([small_cloud(4), small_cloud(5)])
    first = torch.zeros(2, dtype=torch.long)
    value, gradient = GlobalEnergy([uniform(cloud)], pairs()).value_and_gradient(models, first)
    moved = GlobalEnergy([uniform(cloud @ rotation.mT + shift)], pairs())
    moved_value, moved_gradient = moved.value_and_gradient(models @ rotation.mT + shift, first)
    torch.testing.assert_close(moved_value, value, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(moved_gradient, gradient @ rotation.mT, rtol=1e-7, atol=1e-9)


def test_global_gradient_is_the_slope_of_the_value() -> None:
    """By the envelope theorem, at the optimum, which slow annealing approaches."""
    slow = ANNEALING._replace(scaling=0.999)
    energy, model = GlobalEnergy([uniform(small_cloud(3))], pairs(), slow), small_cloud(4)[None]
    _, gradient = energy.value_and_gradient(model, torch.zeros(1, dtype=torch.long))
    direction = torch.randn(model.shape, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    step = 1e-3
    slope = (energy(model + step * direction) - energy(model - step * direction)) / (2 * step)
    assert float(slope) == pytest.approx(float((gradient * direction).sum()), rel=1e-2)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_clouds_of_different_sizes_in_one_batch_give_each_row_what_it_gives_alone(dtype) -> None:
    half = Cloud(small_cloud(6, 31).to(dtype), torch.full((31,), 0.5 / 31, dtype=dtype))
    clouds = [uniform(small_cloud(3).to(dtype)), half]
    models = torch.stack([small_cloud(seed) for seed in (4, 5, 7)]).to(dtype)
    maps = torch.tensor([1, 0, 1])
    value, gradient = GlobalEnergy(clouds, pairs()).value_and_gradient(models, maps)
    for row, index in enumerate(maps.tolist()):
        alone = GlobalEnergy([clouds[index]], pairs())
        own_value, own_gradient = alone.value_and_gradient(models[[row]], torch.zeros(1, dtype=torch.long))
        torch.testing.assert_close(value[[row]], own_value)
        torch.testing.assert_close(gradient[[row]], own_gradient)


def test_atoms_are_pulled_as_the_published_energy_pulls_them(adk_topology, adk_frames) -> None:
    """Adenylate kinase, closed, in the cloud of a 4 Å map of the open one: gradients summed per residue."""
    weights = torch.from_numpy(adk_topology.atomic_numbers).float()
    opened = torch.from_numpy(adk_frames[-1]).float()
    cloud = open_cloud(opened, weights)
    closed = torch.from_numpy(adk_frames[0]).float()
    closed = apply_pose(*superpose(closed, opened), closed)[None]
    first = torch.zeros(1, dtype=torch.long)
    _, fast = GlobalEnergy([cloud], halves_of_residues(adk_topology, CPU)).value_and_gradient(closed, first)
    _, published = PublishedGlobalEnergy([cloud.points]).value_and_gradient(closed, first)
    residue = torch.from_numpy(adk_topology.residue_index)
    sums = [torch.zeros(214, 3).index_add_(0, residue, gradient[0]).flatten() for gradient in (fast, published)]
    assert float(torch.cosine_similarity(*sums, dim=0)) >= 0.9


def open_cloud(model: Tensor, weights: Tensor) -> Cloud:
    """413 points (the paper's number for voxels of 1 Å) within the protein's volume, 1.21 Å³/Da."""
    low = (model.amin(0) - 12).floor()
    n_x, n_y, n_z = (model.amax(0) + 12 - low).ceil().int().tolist()
    x, y, z = low.tolist()
    density = simulate_density(model[None], weights, 4.0, Grid((n_z, n_y, n_x), 1.0, (x, y, z)))[0].numpy()
    level = np.sort(density, axis=None)[-28_500]
    points = place_points(DensityMap(density, 1.0, np.array([x, y, z])), density > level, 413, seed=1)
    return Cloud(torch.from_numpy(points.coordinates).float(), torch.from_numpy(points.weight).float())
