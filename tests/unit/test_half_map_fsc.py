"""Fourier shell correlation against its closed forms: signal in noise, noise alone, the same twice, a mask alone."""

import numpy as np
import pandas as pd
import pytest

from classfold.half_map_fsc import COLUMNS, correlate, half_map_fsc, write_fsc
from classfold.maps import SourceMap
from classfold.regions import find_windows
from classfold.shells import make_shells
from tests.simulated_half_maps import open_half_maps, source_map

SHAPE, VOXEL_XYZ = (44, 48, 40), (1.4, 1.2, 1.5)
EVERYWHERE = np.ones(SHAPE, np.float32)
VOLUME = 1.21 * 23_600


def source(density: np.ndarray) -> SourceMap:
    return SourceMap(density.astype(np.float32), np.array(VOXEL_XYZ), np.zeros(3), "xyz", 2, "half.mrc")


def white(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(SHAPE)


def tight_mask(radius: int = 9) -> np.ndarray:
    index = np.indices(SHAPE).transpose(1, 2, 3, 0) - np.array(SHAPE) / 2
    return ((index**2).sum(-1) < radius**2).astype(np.float32)


def test_signal_in_noise_correlates_by_their_ratio():
    signal, noise = white(1), 2.0
    curves = half_map_fsc(source(signal + noise * white(2)), source(signal + noise * white(3)), EVERYWHERE, seed=1)
    outer = curves.unmasked[6:]
    assert outer.mean() == pytest.approx(1 / (1 + noise**2), abs=0.02)
    assert curves.masked == pytest.approx(curves.unmasked, abs=1e-5)


def test_scale_and_offset_do_not_matter():
    first, second = source(white(1) + white(2)), source(white(1) + white(3))
    other = source(-7 + 40 * (white(1) + white(3)))
    one, two = half_map_fsc(first, second, tight_mask(), 1), half_map_fsc(first, other, tight_mask(), 1)
    assert one.corrected == pytest.approx(two.corrected, abs=1e-4)


def test_the_same_map_twice_reaches_nyquist_with_one():
    curves = half_map_fsc(source(white(1)), source(white(1)), tight_mask(), seed=1)
    assert curves.corrected == pytest.approx(np.ones(len(curves.frequency)), abs=1e-5)
    assert curves.reaches_nyquist and curves.randomised_from_angstrom is None
    assert curves.resolution_angstrom == curves.nyquist_angstrom == pytest.approx(3.0, rel=0.05)


def test_noise_agrees_nowhere():
    curves = half_map_fsc(source(white(1)), source(white(2)), EVERYWHERE, seed=1)
    assert curves.resolution_angstrom is None and not curves.reaches_nyquist
    assert np.abs(curves.corrected[6:]).max() < 0.1


def test_what_a_mask_makes_alike_is_taken_off():
    """An offset under a sharp mask is the mask in both maps: they agree, and the correction must see through it."""
    index = np.indices(SHAPE).transpose(1, 2, 3, 0) - np.array(SHAPE) / 2
    blob = 40 * np.exp(-(index**2).sum(-1) / (2 * 6.0**2))
    curves = half_map_fsc(source(blob + white(1)), source(blob + white(2)), tight_mask(), seed=1)
    beyond = curves.frequency > 2 / curves.randomised_from_angstrom
    assert curves.masked[beyond].mean() > 0.3
    assert abs(curves.corrected[beyond].mean()) < 0.15
    assert np.abs(curves.unmasked[beyond].mean()) < 0.05


def test_the_resolution_of_simulated_half_maps_is_found():
    halves = open_half_maps()
    first, second = (source_map(half, halves.grid) for half in (halves.first, halves.second))
    mask = find_windows(halves.mean, first.voxel_size_angstrom, VOLUME).molecule
    curves = half_map_fsc(first, second, mask, seed=1)
    assert curves.resolution_angstrom == pytest.approx(halves.resolution_angstrom, rel=0.06)
    assert halves.resolution_angstrom == pytest.approx(6.0, rel=0.05)


def test_the_random_phases_come_from_the_seed():
    first, second = source(white(1) + white(2)), source(white(1) + white(3))
    one, same, other = (half_map_fsc(first, second, tight_mask(), seed).randomised for seed in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other)


def test_shells_without_power_correlate_with_zero():
    shells = make_shells(SHAPE, np.array(VOXEL_XYZ[::-1]))
    nothing = np.zeros(shells.index.shape, complex)
    assert np.array_equal(correlate(nothing, np.fft.rfftn(white(1)), shells), np.zeros(shells.n))


def test_the_table_holds_the_curves(tmp_path):
    curves = half_map_fsc(source(white(1) + white(2)), source(white(1) + white(3)), tight_mask(), seed=1)
    write_fsc(curves, tmp_path / "fsc.csv")
    table = pd.read_csv(tmp_path / "fsc.csv")
    assert tuple(table.columns) == COLUMNS
    assert table["corrected"].to_numpy() == pytest.approx(curves.corrected, abs=1e-6)
