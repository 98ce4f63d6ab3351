"""Shells hold every coefficient once, whatever the box, and curves cross where they cross."""

import numpy as np
import pytest

from classfold.shells import first_crossing, make_shells


@pytest.mark.parametrize(
    ("shape", "voxel"), [((20, 20, 20), (1.0, 1.0, 1.0)), ((18, 24, 31), (1.5, 1.2, 1.0))], ids=["cube", "box"]
)
def test_a_wave_lies_in_the_shell_of_its_frequency(shape, voxel):
    shells = make_shells(shape, np.array(voxel))
    assert shells.frequency[-1] == pytest.approx(1 / (2 * max(voxel)), abs=shells.frequency[1] / 2)
    for axis in range(3):
        k = 3
        index = np.indices(shape)[axis]
        transform = np.fft.rfftn(np.cos(2 * np.pi * k * index / shape[axis]))
        power = shells.sums(np.abs(transform) ** 2)
        expected = k / (shape[axis] * voxel[axis])
        assert shells.frequency[np.argmax(power)] == pytest.approx(expected, abs=0.51 * shells.frequency[1])
        assert power.max() == pytest.approx(power.sum())


def test_every_coefficient_up_to_nyquist_is_counted_once():
    shells = make_shells((16, 16, 16), np.ones(3))
    counts = shells.sums(np.ones(shells.index.shape))
    assert counts.sum() == (shells.index < shells.n).sum()
    assert counts[0] == 1
    # All of a half space beyond Nyquist is left out: corners.
    assert counts.sum() == pytest.approx(2 / 3 * np.pi * 8.5**3, rel=0.1)


def test_a_crossing_is_interpolated_and_the_mean_is_not_looked_at():
    frequency = np.arange(5) * 0.1
    assert first_crossing(frequency, np.array([0.0, 0.9, 0.5, 0.1, 0.8]), 0.3) == pytest.approx(0.25)
    assert first_crossing(frequency, np.array([0.0, 0.9, 0.8, 0.7, 0.6]), 0.3) is None
    assert first_crossing(frequency, np.array([1.0, 0.2, 0.8, 0.7, 0.6]), 0.3) is None
