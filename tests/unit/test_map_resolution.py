"""Which resolution is used, what is said about it, and when there is none to be had."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from trial.half_maps import BLUR_PER_RESOLUTION, spatial_frequency, tight_mask

from classfold.density import simulate_density
from classfold.errors import InputError
from classfold.map_resolution import Resolution, find_resolution
from classfold.map_set import MapSet
from classfold.set_voxels import find_set_voxels
from classfold.single_map_resolution import cut_off
from tests.simulated_half_maps import map_set, open_atoms, open_half_maps, source_map

MASS = 23_600.0


def find(maps: MapSet, claimed: float | None = None) -> Resolution:
    return find_resolution(maps, MASS, claimed, find_set_voxels(maps.source.density), seed=1)


def with_halves(first: np.ndarray, second: np.ndarray, density: np.ndarray | None = None) -> MapSet:
    halves = open_half_maps()._replace(first=first, second=second)
    return map_set(halves.weighted if density is None else density, halves)


def filtered(density: np.ndarray, cut_angstrom: float) -> np.ndarray:
    """The map without what is finer than a resolution."""
    passed = np.clip((1.05 - spatial_frequency(open_half_maps().grid) * cut_angstrom) / 0.05, 0, 1)
    return np.fft.irfftn(np.fft.rfftn(density) * passed, s=density.shape, axes=(0, 1, 2)).astype(np.float32)


def noiseless() -> np.ndarray:
    """What the half maps have in common."""
    atoms, numbers = open_atoms()
    return simulate_density(atoms[None], numbers, BLUR_PER_RESOLUTION * 6.0, open_half_maps().grid)[0].numpy()


@pytest.mark.parametrize("in_micelle", [False, True])
def test_half_maps_come_before_an_estimate_and_the_samplesheet_before_both(in_micelle):
    halves = open_half_maps(in_micelle)
    maps, alone = map_set(halves.weighted, halves), map_set(halves.weighted, halves, with_halves=False)
    assert (find(maps, 6.2).method, find(maps).method, find(alone).method) == ("samplesheet", "half maps", "estimate")
    assert find(maps, 6.2).value_angstrom == 6.2
    assert find(maps).value_angstrom == pytest.approx(halves.resolution_angstrom, rel=0.06)
    assert find(alone).value_angstrom == pytest.approx(halves.resolution_angstrom, rel=0.1)
    assert find(maps, 6.2).warnings == find(maps).warnings == find(alone, 6.2).warnings == ()


@pytest.mark.parametrize("resolution", [4.0, 6.0])
@pytest.mark.parametrize("kind", ["mean", "weighted", "sharpened"])
def test_filters_and_sharpening_do_not_change_the_estimate(kind, resolution):
    halves = open_half_maps(resolution_angstrom=resolution)
    found = find(map_set(getattr(halves, kind), halves, with_halves=False))
    assert found.value_angstrom == pytest.approx(halves.resolution_angstrom, rel=0.1)
    assert "estimate from the map alone" in found.warnings[0] and len(found.warnings) == 1


def test_a_filter_that_cut_the_map_off_is_seen():
    halves = open_half_maps()
    found = find(map_set(filtered(halves.weighted, 9.0), halves, with_halves=False))
    assert found.value_angstrom == pytest.approx(9.0, rel=0.06)
    assert "cut off" in found.evidence


def test_a_spectrum_that_falls_slowly_was_not_cut_off():
    frequency = np.arange(40) / 80
    slow = np.exp(-100 * frequency**2)  # a B factor of 200 Å^2
    assert cut_off(frequency, slow) is None
    assert cut_off(frequency, np.where(frequency > 0.3, 1e-6, 1.0) * slow) == pytest.approx(0.3, abs=0.02)


@pytest.mark.parametrize("claimed", [0.5, 40.0, float("nan")])
def test_an_absurd_claim_is_refused(claimed):
    with pytest.raises(InputError, match="absurd"):
        find(map_set(open_half_maps().weighted, open_half_maps()), claimed)


@pytest.mark.parametrize("what", ["tight mask", "no noise", "nothing but noise"])
def test_where_nothing_can_be_told_an_estimate_is_refused(what):
    halves = open_half_maps()
    density = {
        "tight mask": halves.weighted * tight_mask(open_atoms()[0].numpy(), halves.grid),
        "no noise": noiseless() + 1e-6 * halves.first,
        "nothing but noise": np.random.default_rng(1).standard_normal(halves.weighted.shape).astype(np.float32),
    }[what]
    with pytest.raises(InputError, match=r"cannot be estimated.*give its resolution in the samplesheet, or its half"):
        find(map_set(density, halves, with_halves=False))


def test_a_claim_finer_or_coarser_than_the_half_maps_is_warned_of():
    maps = map_set(open_half_maps().weighted, open_half_maps())
    measured = find(maps).value_angstrom
    for factor, said in ((0.85, "noise"), (0.95, None), (1.0, None), (1.25, None), (1.4, "will not be used")):
        warnings = find(maps, factor * measured).warnings
        assert [said in warning for warning in warnings] == ([True] if said else [])


def test_half_maps_that_are_one_file_tell_nothing():
    halves = open_half_maps()
    found = find(with_halves(halves.first, halves.first), 6.0)
    assert found.curves is None and "the same file" in found.warnings[0]
    assert find(with_halves(halves.first, halves.first)).method == "estimate"


def test_half_maps_that_are_not_independent_are_warned_of():
    first = open_half_maps().weighted
    second = first + 1e-3 * first.std() * np.random.default_rng(1).standard_normal(first.shape).astype(np.float32)
    assert any("too alike" in warning for warning in find(with_halves(first, second)).warnings)


@pytest.mark.parametrize("seed", range(3))
def test_half_maps_of_nothing_in_common_are_warned_of_and_not_used(seed):
    """They are compared where their mean is strongest, which is where both are: there noise agrees."""
    first, second = np.random.default_rng(seed).standard_normal((2, *open_half_maps().first.shape)).astype(np.float32)
    found = find(with_halves(first, second))
    assert found.method == "estimate"
    assert any("do not agree at any resolution" in warning for warning in found.warnings)


def test_half_maps_of_another_class_are_warned_of():
    halves = open_half_maps()
    turned = [np.ascontiguousarray(half[::-1, ::-1, ::-1]) for half in (halves.first, halves.second)]
    found = find(with_halves(*turned), 6.0)
    assert any("do not look like the map" in warning for warning in found.warnings)


def test_masked_half_maps_are_warned_of():
    halves = open_half_maps()
    mask = tight_mask(open_atoms()[0].numpy(), halves.grid).astype(np.float32)
    found = find(with_halves(halves.first * mask, halves.second * mask), 6.0)
    assert any("half maps are masked" in warning for warning in found.warnings)


@pytest.mark.parametrize("is_hard", [False, True])
def test_the_users_mask_is_where_half_maps_are_compared(is_hard):
    halves = open_half_maps()
    mask = tight_mask(open_atoms()[0].numpy(), halves.grid)
    maps = map_set(halves.weighted, halves)
    mask_map = source_map(mask > 0.5 if is_hard else mask, halves.grid, "mask.mrc")
    masked = replace(maps, companions={**maps.companions, "mask": mask_map})
    assert find(masked).value_angstrom == pytest.approx(halves.resolution_angstrom, rel=0.08)
    assert not np.array_equal(find(masked).curves.masked, find(maps).curves.masked)
