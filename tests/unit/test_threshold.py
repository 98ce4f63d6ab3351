"""The threshold finds the molecule, noisy or not, masked or not, and says what it rests on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree
from trial.half_maps import distance_to_atoms, tight_mask

from classfold.automatic_threshold import Search, automatic_threshold
from classfold.density import Grid, gaussian_sigma, simulate_density
from classfold.errors import InputError
from classfold.maps import DensityMap
from classfold.point_cloud import remove_dust
from classfold.set_voxels import find_set_voxels
from classfold.threshold import (
    VOLUME_PER_DALTON_ANGSTROM3,
    Molecule,
    Threshold,
    threshold_warnings,
    user_threshold,
)
from tests.simulated_half_maps import RESOLUTION_ANGSTROM, open_atoms, open_half_maps

ADK = Molecule(1655, 23_600.0)
MARGIN_ANGSTROM = 25.0


def adk_map(coordinates, topology, resolution: float, voxel: float, noise: float) -> DensityMap:
    """Density of a model, with filtered noise relative to the signal's deviation within its mask."""
    origin = coordinates.min(axis=0) - MARGIN_ANGSTROM
    shape = np.ceil((np.ptp(coordinates, axis=0) + 2 * MARGIN_ANGSTROM) / voxel).astype(int)[::-1]
    grid = Grid(tuple(int(size) for size in shape), voxel, tuple(origin))
    signal = simulate_density(torch.tensor(coordinates[None]), torch.tensor(topology.atomic_numbers), resolution, grid)[
        0
    ].numpy()
    white = np.random.default_rng(8).standard_normal(signal.shape)
    filtered = gaussian_filter(white, gaussian_sigma(resolution) / voxel, mode="wrap")
    amplitude = noise * signal[signal > 0.1 * signal.max()].std() / filtered.std()
    return DensityMap((signal + amplitude * filtered).astype(np.float32), voxel, origin)


def canonical(density: np.ndarray, grid: Grid) -> DensityMap:
    return DensityMap(density.astype(np.float32), grid.voxel_size_angstrom, np.array(grid.origin_angstrom))


def find(density: np.ndarray, molecule: Molecule = ADK) -> tuple[Threshold, np.ndarray]:
    """Threshold of a 6 Å map of the open end, and the kept voxels."""
    density_map = canonical(density, open_half_maps().grid)
    volume = molecule.volume_angstrom3(RESOLUTION_ANGSTROM)
    search = Search(volume, RESOLUTION_ANGSTROM, None, find_set_voxels(density_map.density))
    threshold = automatic_threshold(density_map, search)
    return threshold, remove_dust(threshold.contour_map.density > threshold.value, threshold.min_voxels).kept


def inclusion_and_false_volume(kept: np.ndarray) -> tuple[float, float]:
    """Share of atoms in kept voxels of a 6 Å map, share of these that are more than 4.5 Å from any atom."""
    atoms, grid = open_atoms()[0].numpy(), open_half_maps().grid
    index = np.rint(canonical(kept, grid).index_of(atoms)).astype(int)
    return kept[tuple(index.T)].mean(), (distance_to_atoms(atoms, grid)[kept] > 4.5).mean()


@pytest.mark.parametrize("noise", [0.0, 0.3, 0.5])
@pytest.mark.parametrize(("resolution", "voxel"), [(4.0, 1.6), (6.0, 2.0), (8.0, 2.6667)])
def test_the_threshold_includes_the_atoms_and_leaves_out_the_noise(adk_open, adk_topology, resolution, voxel, noise):
    """Noise that is filtered like the signal, which no half maps of an experiment have."""
    density_map = adk_map(adk_open, adk_topology, resolution, voxel, noise)
    set_voxels = find_set_voxels(density_map.density)
    threshold = automatic_threshold(density_map, Search(ADK.volume_angstrom3(resolution), resolution, None, set_voxels))
    kept = remove_dust(threshold.contour_map.density > threshold.value, threshold.min_voxels).kept
    index = np.rint(density_map.index_of(adk_open)).astype(int)
    assert kept[tuple(index.T)].mean() >= 0.9
    distance = cKDTree(adk_open).query(density_map.coordinates_of(np.argwhere(kept)))[0]
    assert (distance > max(3.0, 0.75 * resolution)).mean() <= 0.1
    if noise == 0:
        assert threshold.method == "volume" and threshold.background is None
        assert "no noise around the molecule" in threshold.evidence or "density" in threshold.hidden
    else:
        assert threshold.value == max(threshold.volume_level, threshold.fdr_level)


@pytest.mark.parametrize("kind", ["mean", "weighted", "sharpened"])
def test_maps_of_half_maps_are_contoured_at_the_molecule(kind):
    threshold, kept = find(getattr(open_half_maps(), kind))
    included, false = inclusion_and_false_volume(kept)
    assert included >= 0.95 and false <= 0.02
    assert threshold.hidden is None
    assert threshold.value == max(threshold.volume_level, threshold.fdr_level)
    # No more than the stated share of what is significant is noise, were the threshold there.
    significant = threshold.contour_map.density > threshold.fdr_level
    distance = distance_to_atoms(open_atoms()[0].numpy(), open_half_maps().grid)
    assert (distance[significant] > 20).mean() <= 0.01


@pytest.mark.parametrize("kind", ["weighted", "sharpened"])
def test_a_tight_mask_leaves_the_volume_to_decide_and_says_so(kind):
    halves = open_half_maps()
    threshold, kept = find(getattr(halves, kind) * tight_mask(open_atoms()[0].numpy(), halves.grid))
    included, false = inclusion_and_false_volume(kept)
    assert included >= 0.95 and false <= 0.02
    assert threshold.method == "volume" and threshold.fdr_level is None and threshold.background is None
    assert "it was masked, so closely that its noise cannot be told" in threshold.evidence
    (warning,) = threshold_warnings(threshold, 1.0, 1.0)
    assert "no error rate" in warning and "masked" in warning


def test_a_map_cut_off_at_zero_is_told_from_a_masked_one():
    threshold, kept = find(open_half_maps().weighted.clip(min=0))
    assert "its lowest: it was cut off there" in threshold.evidence
    assert inclusion_and_false_volume(kept)[0] >= 0.95


def test_noise_that_hides_the_molecule_is_blurred_away_for_the_contour_only():
    halves = open_half_maps()
    threshold, _ = find(halves.sharpened)
    assert threshold.blur_angstrom > RESOLUTION_ANGSTROM
    assert "because of its noise" in threshold.evidence
    weighed = threshold.weight_map(canonical(halves.sharpened, halves.grid)).density
    assert weighed.min() == 0
    assert weighed.max() == pytest.approx(halves.sharpened.max() - threshold.outside_level, rel=1e-5)


def test_the_level_in_the_map_itself_encloses_as_much_near_the_contour():
    halves = open_half_maps()
    threshold, kept = find(halves.sharpened)
    density_map = canonical(halves.sharpened, halves.grid)
    level = threshold.level_in(density_map, kept)
    assert level != threshold.value
    distance = cKDTree(np.argwhere(kept)).query(np.argwhere(density_map.density > level))[0]
    assert (2.0 * distance <= threshold.blur_angstrom).sum() == pytest.approx(kept.sum(), abs=1)
    user = user_threshold(density_map, level)
    assert user.level_in(density_map, kept) == level


def test_the_volume_decides_where_more_is_significant_and_a_micelle_is_warned_of():
    halves = open_half_maps(in_micelle=True)
    threshold, kept = find(halves.weighted)
    expected = ADK.volume_angstrom3(RESOLUTION_ANGSTROM)
    assert threshold.method == "volume"
    assert (threshold.contour_map.density > threshold.value).sum() * 2.0**3 == pytest.approx(expected, rel=1e-3)
    (warning,) = threshold_warnings(threshold, kept.sum() * 8.0, expected)
    assert "something else may be in the map" in warning
    alone, _ = find(open_half_maps().weighted)
    assert threshold_warnings(alone, expected, expected) == []


def test_a_sequence_much_too_long_is_warned_of():
    molecule = Molecule(3 * 1655, 3 * 23_600.0)
    threshold, _ = find(open_half_maps().sharpened, molecule)
    expected = molecule.volume_angstrom3(RESOLUTION_ANGSTROM)
    (warning,) = threshold_warnings(threshold, threshold.significant_angstrom3, expected)
    assert "a part of the molecule may be missing" in warning


@pytest.mark.parametrize(("factor", "offset"), [(1.0, 100.0), (0.001, 0.0), (50.0, -7.0)])
def test_the_threshold_follows_the_maps_scale_and_offset(factor, offset):
    weighted = open_half_maps().weighted
    scale = factor / weighted.std()
    expected = find(weighted)[0].value * scale + offset
    assert find(weighted * scale + offset)[0].value == pytest.approx(expected, abs=0.01 * factor)


def test_the_volume_is_that_of_the_mass_and_grows_with_the_blur():
    assert Molecule(100, 1000.0).volume_angstrom3(0) == 1000 * VOLUME_PER_DALTON_ANGSTROM3
    assert Molecule(100, 1000.0).volume_angstrom3(10) == pytest.approx(1.3 * 1210)


def test_the_volume_is_sought_inside_the_users_mask():
    halves = open_half_maps()
    density = halves.weighted.copy()
    density[2:10, 2:10, 2:10] = 10 * density.max()  # something else in the box, stronger than the molecule
    inside = np.ones(density.shape, bool)
    inside[:14, :14, :14] = False
    volume = ADK.volume_angstrom3(RESOLUTION_ANGSTROM)
    threshold = automatic_threshold(canonical(density, halves.grid), Search(volume, RESOLUTION_ANGSTROM, inside))
    enclosed = (threshold.contour_map.density[inside] > threshold.value).sum() * 8.0
    assert enclosed == pytest.approx(volume, rel=0.01)


def test_the_users_contour_is_taken_if_the_map_has_it():
    density_map = canonical(open_half_maps().weighted, open_half_maps().grid)
    level = 0.3 * float(density_map.density.max())
    assert user_threshold(density_map, level).value == level
    assert user_threshold(density_map, level).method == "user"
    for contour in (1e9, -1e9, float("nan"), float("inf")):
        with pytest.raises(InputError, match="outside the map's densities"):
            user_threshold(density_map, contour)


def test_a_molecule_that_the_box_cannot_hold_is_refused():
    with pytest.raises(InputError, match="check the pixel size and the number of copies"):
        find(open_half_maps().weighted, Molecule(1, 1e7))


def test_a_map_of_nothing_but_noise_is_refused():
    noise = np.random.default_rng(9).standard_normal(open_half_maps().weighted.shape)
    with pytest.raises(InputError, match="No density stands out of the noise"):
        find(noise)


@pytest.mark.parametrize(("ratio", "warns"), [(0.4, True), (0.6, False), (1.0, False), (1.9, False), (2.1, True)])
def test_volumes_that_differ_twofold_are_worth_a_warning(ratio, warns):
    density_map = canonical(open_half_maps().weighted, open_half_maps().grid)
    threshold = user_threshold(density_map, 0.3 * float(density_map.density.max()))
    found = threshold_warnings(threshold, ratio * 1000.0, 1000.0)
    assert [f"{ratio:.2g} times" in warning for warning in found] == [True] * warns
