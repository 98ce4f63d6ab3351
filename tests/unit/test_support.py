"""Support of residues: right ones, ones in noise, ones beside their density; with half maps and without."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree
from trial.half_maps import HalfMaps as Made
from trial.half_maps import box_around, half_maps

from classfold.amplitudes import soft_mask
from classfold.half_maps import HalfMaps, sharpened_alike
from classfold.map_fit import fit_to_map
from classfold.maps import DensityMap
from classfold.support import Support, SupportJudge, support_judge, support_of, supported_fraction

LID = (118, 160)
FAR_ANGSTROM = 3.0
"""A residue all of whose atoms are farther from the map's atoms has no density of its own or of others."""


def maps_of(atoms: np.ndarray, numbers: np.ndarray, resolution: float) -> Made:
    box = box_around(torch.from_numpy(atoms).float(), resolution / 3, 14.0)
    return half_maps(torch.from_numpy(atoms).float(), torch.from_numpy(numbers).float(), resolution, box, seed=1)


def judge_in(made: Made, kind: str, atoms: np.ndarray, topology) -> SupportJudge:
    """A judge with the half maps of a map that was weighted by its FSC, or sharpened as well."""
    first, second, density = (
        DensityMap(each, made.grid.voxel_size_angstrom, np.array(made.grid.origin_angstrom))
        for each in (made.first, made.second, getattr(made, kind))
    )
    mask = soft_mask(atoms, topology.atomic_numbers.astype(float), density)
    return support_judge(topology, density, sharpened_alike(HalfMaps(first, second), density, mask), {})


def supports(judge: SupportJudge, model: np.ndarray, topology, resolution: float) -> np.ndarray:
    density = judge.density
    fit = fit_to_map(
        model, topology.atomic_numbers, topology.residue_index, density.density, density.grid, resolution
    )
    return np.array(judge.judge(model, fit.cc_residue))


def far_residues(model: np.ndarray, others: np.ndarray, topology) -> np.ndarray:
    """Residues of a model of which every atom is far from all others (n, 3)."""
    nearest = np.full(len(topology.residue_starts), np.inf)
    np.minimum.at(nearest, topology.residue_index, cKDTree(others).query(model)[0])
    return nearest > FAR_ANGSTROM


@pytest.mark.parametrize("kind", ["weighted", "sharpened"])
@pytest.mark.parametrize("resolution", [3.0, 4.0, 6.0])
def test_right_residues_are_supported_and_lost_ones_have_no_density(adk_open, adk_topology, resolution, kind):
    right = judge_in(maps_of(adk_open, adk_topology.atomic_numbers, resolution), kind, adk_open, adk_topology)
    assert supported_fraction(list(supports(right, adk_open, adk_topology, resolution))) >= 0.9

    moved, outward = adk_open.copy(), adk_open - adk_open.mean(axis=0)
    for stretch in range(0, 24, 4):
        rows = adk_topology.residue_index // 9 == stretch
        direction = outward[rows].mean(axis=0)
        moved[rows] += 12 * direction / np.linalg.norm(direction)
    lost = far_residues(moved, adk_open, adk_topology)
    found = supports(right, moved, adk_topology, resolution)
    assert lost.sum() > 30 and (found[lost] == Support.NO_DENSITY).mean() >= 0.95

    lid = (adk_topology.residue_number >= LID[0]) & (adk_topology.residue_number <= LID[1])
    without = maps_of(adk_open[~lid], adk_topology.atomic_numbers[~lid], resolution)
    # The box has to hold the whole model.
    judge = judge_in(without, kind, adk_open[~lid], adk_topology_without(adk_topology, lid))
    judge = replace(judge, topology=adk_topology)
    lost = far_residues(adk_open, adk_open[~lid], adk_topology)
    found = supports(judge, adk_open, adk_topology, resolution)
    assert lost.sum() > 25 and (found[lost] == Support.NO_DENSITY).mean() >= 0.95


def adk_topology_without(topology, rows):
    """A topology without some atoms, as far as the mask needs it."""
    return replace(
        topology,
        **{
            name: getattr(topology, name)[~rows]
            for name in ("chain", "residue_number", "residue_name", "atom_name", "element", "charge", "token_index")
        },
    )


def test_both_density_and_shape_are_needed():
    assert support_of(5.0, 0.8) == "supported"
    assert support_of(1.6, 0.8) == support_of(5.0, 0.35) == "weak"
    assert support_of(1.4, 0.9) == support_of(9.0, 0.25) == support_of(9.0, -1.0) == "no density"


def test_scale_and_offset_of_the_map_do_not_matter(adk_open, adk_topology):
    judge = judge_in(maps_of(adk_open, adk_topology.atomic_numbers, 5.0), "weighted", adk_open, adk_topology)
    scaled = replace(judge.density, density=30 * judge.density.density - 7)
    other = SupportJudge(adk_topology, scaled, 30 * judge.background - 7, 30 * judge.sigma)
    np.testing.assert_allclose(other.density_sigmas(adk_open), judge.density_sigmas(adk_open), rtol=1e-4)


def test_without_half_maps_the_background_or_else_the_contour_counts(adk_open, adk_topology):
    made = maps_of(adk_open, adk_topology.atomic_numbers, 5.0)
    density = DensityMap(made.weighted, made.grid.voxel_size_angstrom, np.array(made.grid.origin_angstrom))
    record = {"threshold": 0.9, "threshold_blur_angstrom": 0.0, "background_sigma": 0.2, "background_level": 0.1}
    measured = support_judge(adk_topology, density, None, record)
    assert (measured.background, measured.sigma) == (0.1, 0.2)
    for changed in ({"background_sigma": None}, {"threshold_blur_angstrom": 6.0}):
        by_contour = support_judge(adk_topology, density, None, record | changed)
        assert by_contour.sigma == pytest.approx((0.9 - np.median(made.weighted)) / 3)
