"""Docking: it finds the pose, wherever map and model are and whatever the map's scale is."""

import math

import numpy as np
import pytest
import torch

from classfold import rigid_fit
from classfold.density import Grid, gaussian_sigma, simulate_density
from classfold.docking import (
    Pose,
    check_size,
    covering,
    dock,
    in_flipped_map,
    mirrored,
    relative_margin,
    search,
    splat,
)
from classfold.errors import InputError
from classfold.maps import DensityMap
from classfold.rigid_fit import (
    Field,
    Poses,
    ascend,
    blurred,
    distinct,
    interpolate,
    pose_distances,
    rigid_model,
)
from classfold.rotations import random_rotation, rotation_angle
from classfold.superposition import apply_pose, rmsd

RESOLUTION = 6.0


def chain_of_atoms(n_atoms: int = 240, seed: int = 3) -> torch.Tensor:
    """A compact body without symmetry ``(n, 3)``: a random walk pulled to its centre."""
    generator = torch.Generator().manual_seed(seed)
    steps = 3 * torch.randn(n_atoms, 3, generator=generator, dtype=torch.float64)
    atoms, here = [], torch.zeros(3, dtype=torch.float64)
    for step in steps:
        here = 0.93 * here + step
        atoms.append(here)
    return torch.stack(atoms) * torch.tensor([1.0, 1.3, 1.7], dtype=torch.float64)


def map_of(atoms: torch.Tensor, noise: float = 0.0) -> DensityMap:
    voxel = RESOLUTION / 3
    low, high = atoms.amin(0) - 11, atoms.amax(0) + torch.tensor([10.0, 13.0, 12.0])
    n_x, n_y, n_z = (int(n) + 1 for n in ((high - low) / voxel).ceil())
    grid = Grid((n_z, n_y, n_x), voxel, (float(low[0]), float(low[1]), float(low[2])))
    density = simulate_density(atoms[None].float(), torch.full((len(atoms),), 6.0), RESOLUTION, grid)[0]
    grain = torch.randn(density.shape, generator=torch.Generator().manual_seed(1))
    return DensityMap((density + noise * density.std() * grain).numpy(), voxel, low.numpy())


def docked(model: torch.Tensor, density_map: DensityMap) -> list[Pose]:
    return dock(model.numpy(), np.full(len(model), 6.0), density_map, RESOLUTION)


@pytest.fixture(scope="module")
def atoms() -> torch.Tensor:
    return chain_of_atoms()


@pytest.fixture(scope="module")
def placed(atoms) -> tuple[torch.Tensor, torch.Tensor]:
    return random_rotation(8, torch.float64), torch.tensor([70.0, -35.0, 12.0], dtype=torch.float64)


@pytest.fixture(scope="module")
def poses(atoms, placed) -> list[Pose]:
    return docked(atoms, map_of(apply_pose(*placed, atoms), noise=0.5))


def test_the_pose_is_found_in_a_noisy_map(atoms, placed, poses):
    found = torch.from_numpy(poses[0].apply(atoms.numpy()))
    assert float(rmsd(found, apply_pose(*placed, atoms))) < 0.3
    assert poses[0].score > 0.8
    assert relative_margin(poses) > 0.05


def test_poses_are_proper_distinct_and_best_first(atoms, poses):
    details = [pose.detail for pose in poses]
    assert details == sorted(details, reverse=True) and len(poses) == 6
    for pose in poses:
        assert np.linalg.det(pose.rotation) == pytest.approx(1, abs=1e-5)
    moved = [torch.from_numpy(pose.apply(atoms.numpy())) for pose in poses]
    assert all(float(rmsd(moved[0], other)) > 7.9 for other in moved[1:])


def test_the_pose_in_which_the_model_is_given_does_not_matter(atoms, placed, poses):
    turned = apply_pose(random_rotation(5, torch.float64), torch.full((3,), 90.0, dtype=torch.float64), atoms)
    again = docked(turned, map_of(apply_pose(*placed, atoms), noise=0.5))[0]
    there = torch.from_numpy(poses[0].apply(atoms.numpy()))
    assert float(rmsd(torch.from_numpy(again.apply(turned.numpy())), there)) < 0.05
    assert again.score == pytest.approx(poses[0].score, abs=1e-3)


def test_scale_and_offset_of_the_map_do_not_matter(atoms, placed, poses):
    density_map = map_of(apply_pose(*placed, atoms), noise=0.5)
    scaled = DensityMap(250 * density_map.density - 40, density_map.voxel_size_angstrom, density_map.origin_angstrom)
    again = docked(atoms, scaled)[0]
    np.testing.assert_allclose(again.apply(atoms.numpy()), poses[0].apply(atoms.numpy()), atol=0.05)
    assert again.score == pytest.approx(poses[0].score, abs=1e-3)


def test_the_mirror_image_fits_less(atoms, placed, poses):
    other = docked(torch.from_numpy(mirrored(atoms.numpy())), map_of(apply_pose(*placed, atoms), noise=0.5))
    assert other[0].score < 0.95 * poses[0].score
    assert other[0].detail < 0.9 * poses[0].detail


def test_a_pose_in_the_flipped_map_puts_the_model_where_its_mirror_image_was(atoms, poses):
    plane = 13.0
    there = in_flipped_map(poses[0], plane)
    image = poses[0].apply(mirrored(atoms.numpy()))
    expected = image * [1, 1, -1] + [0, 0, 2 * plane]
    np.testing.assert_allclose(there.apply(atoms.numpy()), expected, atol=1e-9)
    assert np.linalg.det(there.rotation) == pytest.approx(1, abs=1e-5)


def test_pure_noise_scores_low(atoms):
    noise = np.random.default_rng(2).normal(size=(30, 34, 32)).astype(np.float32)
    assert docked(atoms, DensityMap(noise, 2.0, np.zeros(3)))[0].score < 0.35


def test_a_map_smaller_than_the_molecule_is_refused():
    small = DensityMap(np.zeros((6, 6, 6), np.float32), 2.0, np.zeros(3))
    with pytest.raises(InputError, match="6 x 6 x 6 voxels"):
        check_size(1655, small)
    check_size(20, small)


def test_the_search_agrees_with_the_overlap_summed_by_hand():
    points = torch.tensor([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 4.0, 2.0]])
    model = rigid_model(points, torch.tensor([1.0, 2.0, 3.0])).to("cpu")
    grid = Grid((6, 7, 8), 2.0, (5.0, 6.0, 7.0))
    values = torch.rand(6, 7, 8, generator=torch.Generator().manual_seed(0))
    found, overlaps = search(model, Field(values, grid), torch.eye(3)[None])
    kernel = splat(model.points[None], model.weights, grid)[0]
    by_hand = {
        shift: float((torch.roll(kernel, shift, (0, 1, 2)) * values).sum()) for shift in np.ndindex(*grid.shape_zyx)
    }
    best = max(by_hand, key=lambda shift: by_hand[shift])
    assert float(overlaps[0]) == pytest.approx(by_hand[best], rel=1e-4)
    torch.testing.assert_close(found.translation[0], torch.tensor([5.0, 6.0, 7.0]) + 2.0 * torch.tensor(best[::-1]))


def test_splatting_keeps_weight_and_centroid():
    points = torch.tensor([[[3.1, 4.2, 5.3], [6.6, 2.5, 7.9]]])
    weights = torch.tensor([2.0, 5.0])
    density = splat(points, weights, Grid((8, 9, 10), 1.5, (0.0, 0.0, 0.0)))[0]
    z, y, x = torch.meshgrid(*(1.5 * torch.arange(n) for n in (8, 9, 10)), indexing="ij")
    centroid = torch.stack([(density * axis).sum() for axis in (x, y, z)]) / density.sum()
    assert float(density.sum()) == pytest.approx(7.0)
    torch.testing.assert_close(centroid, (points[0] * weights[:, None]).sum(0) / 7)


def test_blurring_a_gaussian_adds_the_variances():
    atom = torch.tensor([[[0.4, -0.3, 0.9]]])
    grid, coarse = Grid((33, 33, 33), 1.0, (-16.0,) * 3), Grid((9, 10, 11), 2.0, (-9.0, -8.0, -8.5))
    narrow = simulate_density(atom, torch.ones(1), 6.0, grid)[0]
    variance = gaussian_sigma(10.0) ** 2 - gaussian_sigma(6.0) ** 2
    found = blurred(Field(narrow, grid), coarse, math.sqrt(variance)).values
    # A unit Gaussian keeps its integral, so its height falls with the cube of its width.
    wide = simulate_density(atom, torch.ones(1), 10.0, coarse)[0] * (6.0 / 10.0) ** 3
    torch.testing.assert_close(found, wide, atol=2e-4, rtol=0)


def test_interpolation_is_exact_for_linear_fields_and_zero_outside():
    grid = Grid((4, 5, 6), 2.0, (1.0, 2.0, 3.0))
    z, y, x = torch.meshgrid(*(torch.arange(n) * 2.0 for n in (4, 5, 6)), indexing="ij")
    field = Field(x + 10 * y + 100 * z, grid)
    inside = torch.tensor([[1.7, 4.4, 5.1], [9.0, 8.0, 7.0]])
    offset = inside - torch.tensor(grid.origin_angstrom)
    torch.testing.assert_close(interpolate(field, inside), offset @ torch.tensor([1.0, 10.0, 100.0]))
    assert float(interpolate(field, torch.tensor([[-30.0, 4.0, 5.0]]))) == 0


def test_ascent_comes_back_from_a_small_move(atoms):
    density_map = map_of(atoms)
    source = Field(torch.from_numpy(density_map.density), density_map.grid)
    shape, _, origin = density_map.grid
    fine = Grid((2 * shape[0], 2 * shape[1], 2 * shape[2]), density_map.voxel_size_angstrom / 2, origin)
    field = blurred(source, fine, gaussian_sigma(RESOLUTION))
    model = rigid_model(atoms, torch.ones(len(atoms), dtype=torch.float64)).to("cpu")
    home = Poses(model.frame.float()[None], model.centroid.float()[None])
    small = torch.tensor([[0.996195, -0.087156, 0.0], [0.087156, 0.996195, 0.0], [0.0, 0.0, 1.0]])
    moved = Poses(small @ home.rotation, home.translation + 1.0)
    steps = torch.linspace(0.3, 0.003, 60)
    found, overlaps = ascend(model, moved, field, steps)
    assert float(pose_distances(model, found, home)) < 0.05
    assert float(overlaps) > float(ascend(model, moved, field, steps[:0])[1])


def test_distances_between_poses_are_those_of_the_atoms(atoms):
    model = rigid_model(atoms, torch.ones(len(atoms), dtype=torch.float64))
    first = Poses(random_rotation(1, torch.float64)[None], torch.zeros(1, 3, dtype=torch.float64))
    second = Poses(random_rotation(2, torch.float64)[None], torch.full((1, 3), 4.0, dtype=torch.float64))
    by_hand = rmsd(apply_pose(*first, model.points), apply_pose(*second, model.points))
    torch.testing.assert_close(pose_distances(model, first, second)[0], by_hand)


def test_near_poses_count_once(atoms):
    model = rigid_model(atoms, torch.ones(len(atoms), dtype=torch.float64))
    places = torch.tensor([[0.0, 0, 0], [1.0, 0, 0], [20.0, 0, 0], [21.0, 0, 0]], dtype=torch.float64)
    poses = Poses(torch.eye(3, dtype=torch.float64).expand(4, 3, 3), places)
    assert distinct(model, poses, torch.tensor([0.1, 0.4, 0.3, 0.2]), 5.0, 9).tolist() == [1, 2]


def test_a_model_has_one_frame_of_its_own(atoms):
    weights = torch.ones(len(atoms), dtype=torch.float64)
    turned = apply_pose(random_rotation(6, torch.float64), torch.ones(3, dtype=torch.float64), atoms)
    here, there = rigid_model(atoms, weights), rigid_model(turned, weights)
    torch.testing.assert_close(here.points, there.points)
    torch.testing.assert_close(torch.linalg.det(here.frame), torch.tensor(1.0, dtype=torch.float64))
    angle = rotation_angle(there.frame, random_rotation(6, torch.float64) @ here.frame)
    assert float(angle) < 1e-6


def test_larger_molecules_are_searched_with_more_rotations_then_more_blur(atoms):
    weights = torch.ones(len(atoms), dtype=torch.float64)
    unit = atoms / rigid_model(atoms, weights).radius_of_gyration
    found = [covering(rigid_model(radius * unit, weights), 8.0) for radius in (15, 25, 60)]
    assert found[0] == (8.0, 2304)
    assert found[1][0] == 8.0 and 2304 < found[1][1] < 9216
    assert found[2][0] > 15 and found[2][1] == 9216


def test_margin_of_one_pose_and_of_hopeless_ones():
    def pose(detail: float) -> Pose:
        return Pose(np.eye(3), np.zeros(3), 0.5, detail)

    assert relative_margin([pose(0.8)]) == 1
    assert relative_margin([pose(0.8), pose(0.6)]) == pytest.approx(0.25)
    assert relative_margin([pose(-0.1), pose(-0.2)]) == 0


def test_the_density_of_a_model_does_not_depend_on_the_portions_it_is_made_in(atoms, monkeypatch):
    model = rigid_model(atoms, torch.ones(len(atoms), dtype=torch.float64)).to("cpu")
    points, values = rigid_fit.model_density(model, RESOLUTION, 2.0)
    monkeypatch.setattr(rigid_fit, "VALUES_PER_PORTION", 5000)
    again, others = rigid_fit.model_density(model, RESOLUTION, 2.0)
    torch.testing.assert_close(points, again)
    torch.testing.assert_close(values, others)
