"""CC_mask: against a correlation written out by hand, for perfect and damaged models, under motion."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from classfold.density import Grid
from classfold.map_fit import correlation, fit_to_map, mask_radius, simulate, window
from tests.stage_folders import RESOLUTION, VOXEL, simulated_map


@pytest.fixture(scope="module")
def small(adk_topology, adk_open):
    """Forty residues of adenylate kinase: coordinates, atomic numbers, residues."""
    keep = adk_topology.residue_number <= 40
    return adk_open[keep], adk_topology.atomic_numbers[keep], adk_topology.residue_index[keep]


def cube(coordinates: np.ndarray, half_width: float, voxel: float = VOXEL) -> Grid:
    """A cube around the centre of a model, wide enough for every orientation."""
    n = 2 * int(half_width / voxel) + 1
    low = coordinates.mean(axis=0) - (n - 1) / 2 * voxel
    return Grid((n, n, n), voxel, tuple(low.tolist()))


def fit(small, density, grid, coordinates=None):
    own, numbers, residues = small
    points = own if coordinates is None else coordinates
    return fit_to_map(points, numbers, residues, density, grid, RESOLUTION)


@pytest.fixture(scope="module")
def noisy(small):
    grid = cube(small[0], 40)
    density = simulate(small[0], small[1], RESOLUTION, grid)
    return density + np.random.default_rng(4).normal(scale=density.std(), size=density.shape), grid


def test_it_is_the_correlation_within_the_mask_written_out_by_hand(small, noisy):
    density, grid = noisy
    coordinates, numbers, residues = small
    density, grid, _ = window(coordinates, density, grid, 12.0)
    radius, sigma = mask_radius(RESOLUTION), RESOLUTION / (np.sqrt(2) * np.pi)
    z, y, x = np.meshgrid(*map(np.arange, grid.shape_zyx), indexing="ij")
    centres = np.stack([x, y, z], axis=-1).reshape(-1, 3) * VOXEL + np.array(grid.origin_angstrom)
    square = ((centres[:, None, :] - coordinates[None]) ** 2).sum(-1)
    model = (numbers * np.exp(-square / (2 * sigma**2))).sum(axis=1)
    result = fit(small, density, grid)

    near = (square <= radius**2).any(axis=1)
    assert result.cc_mask == pytest.approx(np.corrcoef(model[near], density.ravel()[near])[0, 1], abs=1e-9)
    for residue in (0, 17):
        near = (square[:, residues == residue] <= radius**2).any(axis=1)
        by_hand = np.corrcoef(model[near], density.ravel()[near])[0, 1]
        assert result.cc_residue[residue] == pytest.approx(by_hand, abs=1e-9)


def test_a_perfect_model_fits_a_map_without_noise(adk_topology, adk_open):
    density = simulated_map(adk_open, adk_topology)
    result = fit_to_map(
        adk_open,
        adk_topology.atomic_numbers,
        adk_topology.residue_index,
        density.density,
        density.grid,
        RESOLUTION,
    )
    assert result.cc_mask > 0.9999 and result.cc_residue.min() > 0.9999 and result.fraction_inside == 1


def test_worse_models_fit_worse(small):
    grid = cube(small[0], 40)
    density = simulate(small[0], small[1], RESOLUTION, grid)
    noise = np.random.default_rng(5).normal(size=small[0].shape)
    values = [fit(small, density, grid, small[0] + size * noise).cc_mask for size in (0, 0.3, 0.6, 1.2, 2.4)]
    assert values == sorted(values, reverse=True) and values[0] - values[-1] > 0.3


def test_only_the_displaced_residue_and_what_it_touches_loses_its_fit(small):
    coordinates, _, residues = small
    grid = cube(coordinates, 40)
    density = simulate(coordinates, small[1], RESOLUTION, grid)
    before = fit(small, density, grid).cc_residue
    # The outermost residue moves outwards, where nothing else is.
    arm = np.stack([coordinates[residues == k].mean(axis=0) for k in range(40)]) - coordinates.mean(axis=0)
    outer = int(np.linalg.norm(arm, axis=1).argmax())
    moved = coordinates.copy()
    moved[residues == outer] += 6 * arm[outer] / np.linalg.norm(arm[outer])
    after = fit(small, density, grid, moved).cc_residue
    loss = before - after
    assert loss.argmax() == outer and loss[outer] > 0.3
    gap = np.linalg.norm(coordinates[:, None] - np.concatenate([coordinates, moved])[None], axis=-1)
    touched = np.tile(residues == outer, 2)
    reach = 2 * mask_radius(RESOLUTION) + 5 * RESOLUTION / (np.sqrt(2) * np.pi)
    far = [k for k in range(40) if gap[np.ix_(residues == k, touched)].min() > reach]
    assert len(far) >= 5
    np.testing.assert_allclose(after[far], before[far], atol=1e-6)


@pytest.mark.parametrize(("scale", "offset"), [(1e-3, 0.0), (250.0, -40.0), (1.0, 1e4)])
def test_scale_and_offset_of_the_map_do_not_matter(small, noisy, scale, offset):
    density, grid = noisy
    before, after = fit(small, density, grid), fit(small, density * scale + offset, grid)
    assert after.cc_mask == pytest.approx(before.cc_mask, abs=1e-9)
    np.testing.assert_allclose(after.cc_residue, before.cc_residue, atol=1e-7)


@pytest.mark.parametrize(("axes", "turn"), [((0, 1), "x"), ((2, 0), "y"), ((1, 2), "z")])
def test_quarter_turns_of_map_and_model_together_change_nothing(small, noisy, axes, turn):
    density, grid = noisy
    centre = np.array(grid.origin_angstrom) + (grid.shape_zyx[0] - 1) / 2 * VOXEL
    rotation = Rotation.from_euler(turn, 90, degrees=True)
    turned = rotation.apply(small[0] - centre) + centre
    # rot90 turns from the first axis to the second; z to y is a negative turn about x.
    results = [fit(small, np.rot90(density, k, axes), grid, turned).cc_mask for k in (1, 3)]
    expected = fit(small, density, grid).cc_mask
    assert min(abs(value - expected) for value in results) < 1e-9


def test_shifting_map_and_model_together_changes_nothing(small, noisy):
    density, grid = noisy
    shift = np.array([123.4, -56.7, 8.9])
    moved = grid._replace(origin_angstrom=tuple((np.array(grid.origin_angstrom) + shift).tolist()))
    expected = fit(small, density, grid)
    result = fit(small, density, moved, small[0] + shift)
    assert result.cc_mask == pytest.approx(expected.cc_mask, abs=1e-9)


def test_any_turn_with_the_map_simulated_anew_changes_almost_nothing(small):
    coordinates, numbers, _ = small
    model = coordinates + np.random.default_rng(6).normal(scale=0.5, size=coordinates.shape)
    grid = cube(coordinates, 40, voxel=1.0)
    centre = coordinates.mean(axis=0)
    values = []
    for rotation in (Rotation.identity(), *Rotation.random(2, random_state=7)):
        density = simulate(rotation.apply(coordinates - centre) + centre, numbers, RESOLUTION, grid)
        values.append(fit(small, density, grid, rotation.apply(model - centre) + centre).cc_mask)
    assert np.ptp(values) < 2e-3 and values[0] < 0.97


def test_hanging_out_of_the_box_costs_fit(small):
    coordinates, numbers, _ = small
    grid = cube(coordinates, 40)
    density = simulate(coordinates, numbers, RESOLUTION, grid)
    half = grid.shape_zyx[0] // 2
    cut = grid._replace(shape_zyx=(half, *grid.shape_zyx[1:]))
    result = fit(small, density[:half], cut)
    assert 0.2 < result.fraction_inside < 0.8
    assert result.cc_mask < 0.8


def test_a_model_outside_of_the_box_has_no_fit(small, noisy):
    density, grid = noisy
    result = fit(small, density, grid, small[0] + 1e4)
    assert result.fraction_inside == 0 and np.isnan(result.cc_mask) and np.isnan(result.cc_residue).all()


def test_a_stray_atom_does_not_fill_the_memory(small, noisy):
    density, grid = noisy
    stray = small[0].copy()
    stray[5] = 1e6
    result = fit(small, density, grid, stray)
    assert np.isfinite(result.cc_mask)


def test_a_constant_map_has_no_correlation(small, noisy):
    _, grid = noisy
    assert np.isnan(fit(small, np.full(grid.shape_zyx, 0.1), grid).cc_mask)


def test_correlation_within_groups_is_that_of_numpy():
    random = np.random.default_rng(8)
    first, second = random.normal(size=(2, 60))
    group = np.arange(60) % 3
    values = correlation(first, second, group, 4)
    for k in range(3):
        assert values[k] == pytest.approx(np.corrcoef(first[group == k], second[group == k])[0, 1])
    assert np.isnan(values[3])
