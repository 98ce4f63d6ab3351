"""Scores of a model in a map: perfect models, damaged ones, scale and offset, closed forms."""

import numpy as np
import pytest
from scipy import fft

from classfold.density import Grid
from classfold.map_fit import Overlay, lay_over, simulate
from classfold.maps import DensityMap
from classfold.scores.atom_inclusion import included_atoms
from classfold.scores.correlations import correlate, score_correlations, strongest
from classfold.scores.every_sample import SampleJudge
from classfold.scores.model_map_fsc import resolution_at, score_fsc, soft_mask
from classfold.scores.q_score import N_PROBES, probe_directions, q_scores
from classfold.scores.table import SCORES, Cost

RESOLUTION, VOXEL = 4.0, 1.0
HIGHER = ("cc_mask", "cc_volume", "cc_peaks", "cc_box", "atom_inclusion")
LOWER = ("d_fsc_05_angstrom", "d_fsc_0143_angstrom")


@pytest.fixture(scope="module")
def noisy(adk_topology, adk_open) -> DensityMap:
    """A 4 Å map of the open state with noise of three quarters of its standard deviation."""
    low = adk_open.min(axis=0) - 8
    n_x, n_y, n_z = np.ceil((adk_open.max(axis=0) + 8 - low) / VOXEL).astype(int).tolist()
    density = simulate(adk_open, adk_topology.atomic_numbers, RESOLUTION, Grid((n_z, n_y, n_x), VOXEL, tuple(low)))
    density += np.random.default_rng(1).normal(scale=0.75 * density.std(), size=density.shape)
    return DensityMap(density.astype(np.float32), VOXEL, low)


def threshold(density: DensityMap) -> float:
    return float(density.density.mean() + 1.5 * density.density.std())


def scores_of(coordinates, topology, density) -> dict[str, float]:
    return SampleJudge(topology, density, RESOLUTION, threshold(density)).judge(coordinates).scores


def test_every_sample_gets_the_scores_of_the_table_but_confidence(adk_topology, adk_open, noisy):
    elsewhere = {"confidence", "plddt", "ptm", "iptm", "residues_supported"}
    expected = {score.name for score in SCORES if score.cost == Cost.EVERY_SAMPLE} - elsewhere
    found = scores_of(adk_open, adk_topology, noisy)
    assert set(found) == expected
    assert all(np.isfinite(value) for value in found.values())


def test_a_shifted_model_scores_worse_the_farther_it_is(adk_topology, adk_open, noisy):
    found = [scores_of(adk_open + np.array([shift, 0, 0]), adk_topology, noisy) for shift in (0, 1, 3)]
    for name in HIGHER:
        values = [each[name] for each in found]
        assert values == sorted(values, reverse=True) and values[0] - values[2] > 0.05, name
    for name in LOWER:
        values = [each[name] for each in found]
        assert values == sorted(values) and values[2] - values[0] > 0.5, name
    assert found[0]["bond_rmsd_angstrom"] == pytest.approx(found[2]["bond_rmsd_angstrom"])


def test_the_other_conformation_scores_worse(adk_topology, adk_open, adk_closed, noisy):
    placed = adk_closed - adk_closed.mean(axis=0) + adk_open.mean(axis=0)
    right, wrong = (scores_of(model, adk_topology, noisy) for model in (adk_open, placed))
    assert all(right[name] > wrong[name] + 0.1 for name in HIGHER)
    assert all(right[name] < wrong[name] for name in LOWER)


@pytest.mark.parametrize(("scale", "offset"), [(1e-3, 0.0), (250.0, -40.0), (1.0, 300.0)])
def test_scale_and_offset_of_the_map_do_not_matter(adk_topology, adk_open, noisy, scale, offset):
    model = adk_open + np.random.default_rng(2).normal(scale=0.4, size=adk_open.shape)
    changed = DensityMap((noisy.density * scale + offset).astype(np.float32), VOXEL, noisy.origin_angstrom)
    before, after = (scores_of(model, adk_topology, density) for density in (noisy, changed))
    for name in HIGHER + LOWER:
        assert after[name] == pytest.approx(before[name], rel=1e-3), name


def test_map_and_model_shifted_together_score_the_same(adk_topology, adk_open, noisy):
    shift = np.array([100.0, -31.5, 7.25])
    moved = DensityMap(noisy.density, VOXEL, noisy.origin_angstrom + shift)
    before, after = scores_of(adk_open, adk_topology, noisy), scores_of(adk_open + shift, adk_topology, moved)
    for name, value in before.items():
        assert after[name] == pytest.approx(value, rel=1e-5), name


def test_a_model_outside_of_the_map_has_no_fit_but_a_geometry(adk_topology, adk_open, noisy):
    found = scores_of(adk_open + 1e3, adk_topology, noisy)
    assert found["inside_map"] == found["atom_inclusion"] == 0
    assert "cc_box" not in found and found["clashes"] is not None


def test_the_strongest_are_the_strongest():
    values = np.array([3.0, -1.0, 5.0, 4.0, 0.0])
    assert strongest(values, 2).tolist() == [False, False, True, True, False]
    assert strongest(values, 0).sum() == 0 and strongest(values, 9).all()


def test_correlations_look_at_their_own_voxels():
    model = np.array([9.0, 8, 7, 6, 0, 0, 0, 0, 0, 0])
    left_over = np.array([9.0, 8, 7, 6, 0, 0, 0, 9, 9, 0])
    found = correlate(left_over, model, 4)
    # The model's own voxels are explained; what is left over counts among the peaks and in the box.
    assert found.volume == pytest.approx(1)
    assert found.peaks == pytest.approx(np.corrcoef(model[[0, 1, 2, 7, 8]], left_over[[0, 1, 2, 7, 8]])[0, 1], abs=0.2)
    assert found.box == pytest.approx(np.corrcoef(model, left_over)[0, 1])
    assert found.peaks < found.volume


def test_correlations_leave_out_what_lies_beyond_the_box(adk_topology, adk_open, noisy):
    half = noisy.density.shape[2] // 2
    cut = DensityMap(noisy.density[:, :, :half], VOXEL, noisy.origin_angstrom)
    overlay = lay_over(adk_open, adk_topology.atomic_numbers, cut.density, cut.grid, RESOLUTION)
    np.testing.assert_array_equal(overlay.experimental[overlay.box], cut.density)
    inside = overlay.simulated[overlay.box].ravel()
    expected = np.corrcoef(inside, cut.density.ravel())[0, 1]
    assert score_correlations(overlay).box == pytest.approx(expected, abs=1e-6)


def overlay_of(experimental: np.ndarray, simulated: np.ndarray, mask: np.ndarray) -> Overlay:
    whole = tuple(slice(0, n) for n in mask.shape)
    voxel = np.flatnonzero(mask)
    return Overlay(experimental, simulated, Grid(mask.shape, 1.0, (0, 0, 0)), whole, np.zeros_like(voxel), voxel)


def test_a_map_that_ends_at_a_frequency_agrees_up_to_it():
    """White noise as model; the map is the same up to 1/5 Å and other noise beyond, whose FSC is 0."""
    random = np.random.default_rng(3)
    first, second = random.normal(size=(2, 48, 48, 48))
    axes = [np.fft.fftfreq(48), np.fft.fftfreq(48), np.fft.rfftfreq(48)]
    frequency = np.sqrt(sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij")))
    mixed = fft.irfftn(np.where(frequency < 0.2, fft.rfftn(first), fft.rfftn(second)), s=first.shape)
    found = score_fsc(overlay_of(mixed, first, np.ones(first.shape, dtype=bool)))
    assert found.d_05_angstrom == pytest.approx(5.0, abs=0.2)
    assert found.d_0143_angstrom == pytest.approx(5.0, abs=0.4)
    np.testing.assert_allclose(found.curve[1:9], 1, atol=1e-9)


def test_fsc_with_white_noise_is_its_closed_form():
    """Of a signal and the same with as much noise, FSC is sqrt(1 / (1 + N / S))."""
    random = np.random.default_rng(4)
    signal, noise = random.normal(size=(2, 64, 64, 64))
    found = score_fsc(overlay_of(signal + 2 * noise, signal, np.ones(signal.shape, dtype=bool)))
    assert found.curve[10:].mean() == pytest.approx(np.sqrt(1 / 5), abs=0.01)


def test_a_perfect_map_agrees_to_its_last_shell(adk_topology, adk_open):
    low = adk_open.min(axis=0) - 12
    n = np.ceil((adk_open.max(axis=0) + 12 - low) / 1.5).astype(int)[::-1].tolist()
    grid = Grid(tuple(n), 1.5, tuple(low))
    density = simulate(adk_open, adk_topology.atomic_numbers, RESOLUTION, grid)
    found = score_fsc(lay_over(adk_open, adk_topology.atomic_numbers, density, grid, RESOLUTION))
    assert found.d_05_angstrom == found.d_0143_angstrom == pytest.approx(3.0, abs=0.1)


def test_resolution_at_a_level():
    frequency = np.array([0, 0.1, 0.2, 0.3])
    assert resolution_at(frequency, np.array([1, 0.9, 0.6, 0.4]), 0.5) == pytest.approx(4.0)
    assert resolution_at(frequency, np.array([1, 0.9, 0.6, 0.5]), 0.143) == pytest.approx(1 / 0.3)
    assert resolution_at(frequency, np.array([1, 0.1, 0.6, 0.5]), 0.143) is None


def test_a_mask_falls_off_within_five_angstrom():
    inside = np.zeros((1, 1, 20), dtype=bool)
    inside[0, 0, :5] = True
    weight = soft_mask(inside, 2.0)[0, 0]
    assert (weight[:5] == 1).all() and (weight[8:] == 0).all()
    assert weight[5] == pytest.approx(0.5 + 0.5 * np.cos(np.pi * 2 / 5))


def test_atoms_are_included_where_the_density_is_above_the_contour():
    density = np.zeros((4, 4, 4), dtype=np.float32)
    density[1, 2, 3] = 1.0
    box = DensityMap(density, 2.0, np.array([10.0, 20, 30]))
    at_peak, half_way, far, outside = np.array([[16, 24, 32], [15, 24, 32], [10, 20, 30], [100, 24, 32]])
    found = included_atoms(np.array([at_peak, half_way, far, outside]), box, 0.4)
    assert found.tolist() == [True, True, False, False]
    assert included_atoms(half_way[None], box, 0.6).tolist() == [False]
    # A contour below nothing includes all but what lies beyond the box.
    assert included_atoms(np.array([far, outside]), box, -1.0).tolist() == [True, False]


def lone_atoms(sigma: float) -> tuple[np.ndarray, DensityMap]:
    """Carbons eight Å apart in a fine map, each a Gaussian."""
    coordinates = np.stack(np.meshgrid([8, 16], [8, 16], [8, 16]), axis=-1).reshape(-1, 3) + 0.13
    grid = Grid((72, 72, 72), 1 / 3, (0.0, 0.0, 0.0))
    resolution = sigma * np.sqrt(2) * np.pi
    density = simulate(coordinates, np.full(len(coordinates), 6.0), resolution, grid)
    return coordinates, DensityMap(density.astype(np.float32), 1 / 3, np.zeros(3))


def test_q_score_of_an_atom_as_wide_as_the_reference_is_one():
    """The definition: a Gaussian of the reference's width correlates fully; wider and narrower ones less."""
    found = {width: q_scores(*lone_atoms(width), [0.4, 0.6]).mean(axis=1) for width in (0.4, 0.6, 1.2)}
    # What is missing is the linear interpolation's.
    assert found[0.4][0] == pytest.approx(1, abs=0.005) and found[0.6][1] == pytest.approx(1, abs=0.005)
    assert found[0.6][0] < 0.98 and found[0.4][1] < 0.98
    assert found[1.2][1] < found[0.6][1] - 0.05 and found[1.2][0] < found[1.2][1]


def test_q_score_falls_where_an_atom_is_moved_and_nowhere_else():
    coordinates, density = lone_atoms(0.6)
    moved = coordinates.copy()
    moved[3, 0] += 1.0
    before, after = (q_scores(model, density, [0.6])[0] for model in (coordinates, moved))
    others = np.arange(len(coordinates)) != 3
    np.testing.assert_allclose(after[others], before[others], atol=1e-12)
    assert after[3] < before[3] - 0.4


def test_q_score_of_a_constant_map_is_not_defined():
    coordinates, density = lone_atoms(0.6)
    flat = DensityMap(np.full(density.density.shape, 3.7, dtype=np.float32), 1 / 3, np.zeros(3))
    assert np.isnan(q_scores(coordinates, flat)).all()


def test_probes_are_spread_over_the_sphere():
    directions = probe_directions(N_PROBES)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    assert np.linalg.norm(directions.mean(axis=0)) < 0.05
    gap = np.linalg.norm(directions[:, None] - directions, axis=-1) + 9 * np.eye(N_PROBES)
    assert gap.min() > 0.35
