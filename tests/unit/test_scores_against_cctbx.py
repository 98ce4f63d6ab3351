"""Correlations, FSC and Q-score are cctbx's own where it computes the same, on forty residues in a noisy map."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import fft

from classfold.density import Grid
from classfold.half_map_fsc import correlate as shell_correlation
from classfold.map_fit import cc_mask, lay_over, simulate
from classfold.maps import DensityMap
from classfold.scores.correlations import correlate
from classfold.scores.model_map_fsc import resolution_at
from classfold.scores.q_score import q_scores
from classfold.shells import make_shells
from classfold.structure import write_model
from tests.cctbx_reference import ask_cctbx

VOXEL, RESOLUTION, N_RESIDUES = 1.2, 4.0, 40


@pytest.fixture(scope="module")
def case(tmp_path_factory, adk_topology, adk_open):
    """Topology and coordinates of the residues, a map with their density and noise, and what cctbx says of them."""
    keep = adk_topology.residue_number <= N_RESIDUES
    names = ("chain", "residue_number", "residue_name", "atom_name", "element", "charge", "token_index")
    chain = replace(adk_topology.chains[0], sequence=adk_topology.chains[0].sequence[:N_RESIDUES])
    part = replace(adk_topology, chains=(chain,), **{name: getattr(adk_topology, name)[keep] for name in names})
    coordinates = adk_open[keep]
    low = coordinates.min(axis=0) - 6
    n_x, n_y, n_z = np.ceil((coordinates.max(axis=0) + 6 - low) / VOXEL).astype(int).tolist()
    grid = Grid((n_z, n_y, n_x), VOXEL, tuple(low.tolist()))
    density = simulate(coordinates, part.atomic_numbers, RESOLUTION, grid)
    noise = np.random.default_rng(0).normal(scale=density.std(), size=density.shape)
    noisy = DensityMap((density + noise).astype(np.float32), VOXEL, low)
    folder = tmp_path_factory.mktemp("cctbx")
    np.save(folder / "map.npy", noisy.density)
    np.save(folder / "model.npy", density)
    write_model(folder / "model.cif", part, coordinates - low, title="part")
    (folder / "voxel.json").write_text(json.dumps(VOXEL))
    return part, coordinates, noisy, density, ask_cctbx(folder)


def test_correlations_are_those_of_five_cc(case):
    part, coordinates, noisy, density, theirs = case
    # Of n cctbx takes the n + 1 strongest voxels.
    ours = correlate(noisy.density.astype(float).ravel(), density.ravel(), theirs["n_inside"] + 1)
    assert ours.box == pytest.approx(theirs["cc_box"], abs=1e-9)
    assert ours.volume == pytest.approx(theirs["cc_volume"], abs=1e-9)
    assert ours.peaks == pytest.approx(theirs["cc_peaks"], abs=1e-9)
    # Its mask is made of other radii.
    overlay = lay_over(coordinates, part.atomic_numbers, noisy.density, noisy.grid, RESOLUTION)
    assert cc_mask(overlay) == pytest.approx(theirs["cc_mask"], abs=0.02)


def test_resolutions_are_those_of_its_shell_correlation(case):
    _, _, noisy, density, theirs = case
    shells = make_shells(density.shape, np.full(3, VOXEL))
    curve = shell_correlation(fft.rfftn(noisy.density.astype(float)), fft.rfftn(density), shells)
    ours = [resolution_at(shells.frequency, curve, level) for level in (0.5, 0.143)]
    assert ours == pytest.approx(theirs["resolutions"], rel=0.05)


def test_q_scores_are_its_own_atom_by_atom(case):
    _, coordinates, noisy, _, theirs = case
    ours = q_scores(coordinates, noisy, [0.6])[0]
    # It rounds to four digits.
    np.testing.assert_allclose(ours, theirs["q_score"], atol=1e-4)
    assert 0.2 < ours.mean() < 0.9 and ours.std() > 0.02
