"""What DOCK_MODEL leaves of a map's sharpness, and how the report tells it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from classfold.maps import DensityMap, read_canonical
from classfold.report.gather import ClassResult
from classfold.report.sharpness import plot_spectra, sharpness_sentences
from classfold.sharpness import COARSEST_ANGSTROM, match_sharpness
from tests.stage_folders import RESOLUTION, simulated_map


@pytest.fixture(scope="module")
def open_map(adk_open, adk_topology) -> DensityMap:
    return simulated_map(adk_open, adk_topology, seed=2)


def test_the_matched_map_and_the_spectra_are_written(open_map, adk_open, adk_topology, tmp_path):
    record = match_sharpness(open_map, adk_open, adk_topology.atomic_numbers, RESOLUTION, tmp_path)
    assert record["matched"] and abs(record["b_factor_angstrom2"]) < 60
    matched = read_canonical(tmp_path / "matched.mrc")
    assert matched.density.shape == open_map.density.shape
    np.testing.assert_allclose(matched.origin_angstrom, open_map.origin_angstrom, atol=1e-4)
    assert np.corrcoef(matched.density.ravel(), open_map.density.ravel())[0, 1] > 0.9
    table = pd.read_csv(tmp_path / "spectra.csv")
    assert table["frequency_per_angstrom"].is_monotonic_increasing and (table > 0).all(axis=None)
    end = table.iloc[(1 / table["frequency_per_angstrom"] - record["matched_to_angstrom"]).abs().argmin()]
    assert end["gain"] == pytest.approx(record["gain_at_end"])
    # Up to the ringing of the mask's edge, the spectrum times the gain is the matched one.
    product = table["map_amplitude"] * table["gain"]
    np.testing.assert_allclose(table["matched_amplitude"], product, rtol=0.3)


def test_a_coarse_map_is_kept_and_nothing_older_remains(open_map, adk_open, adk_topology, tmp_path):
    for name in ("matched.mrc", "spectra.csv"):
        (tmp_path / name).write_text("of an earlier run")
    record = match_sharpness(open_map, adk_open, adk_topology.atomic_numbers, COARSEST_ANGSTROM + 0.1, tmp_path)
    assert record["matched"] is False and "coarser than 7 Å" in record["reason"]
    assert list(tmp_path.iterdir()) == []


def test_a_map_that_ends_before_its_resolution_is_said_to(open_map, adk_open, adk_topology, tmp_path):
    transform = np.fft.fftn(open_map.density)
    axes = [np.fft.fftfreq(n, open_map.voxel_size_angstrom) for n in transform.shape]
    squared = sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij", sparse=True))
    short = np.fft.ifftn(np.where(squared < 1 / 7**2, transform, 0)).real.astype(np.float32)
    cut = DensityMap(short, open_map.voxel_size_angstrom, open_map.origin_angstrom)
    record = match_sharpness(cut, adk_open, adk_topology.atomic_numbers, RESOLUTION, tmp_path)
    assert record["matched"] and 6.9 < record["matched_to_angstrom"] < 7.6
    assert "holds no signal" in record["reason"] and "given as 5 Å" in record["reason"]


def class_result(sharpness: dict | None, is_used: bool | None = True) -> ClassResult:
    docking = {} if sharpness is None else {"sharpness": sharpness}
    samples = {} if is_used is None else {"sharpness_matched": is_used}
    return ClassResult("adk", "open", Path(), {}, docking=docking, samples=samples)


def found(b_factor: float, gain: float) -> dict:
    reason = "brought to the amplitudes of the docked model down to its resolution"
    return {"matched": True, "reason": reason, "b_factor_angstrom2": b_factor, "gain_at_end": gain}


@pytest.mark.parametrize(
    ("sharpness", "is_used", "words"),
    [
        (found(101.7, 3.69), True, ["blurred (B factor +102 Å²)", "guided the samples was brought", "times 3.69"]),
        (found(-57.8, 0.52), True, ["sharpened too far (B factor -58 Å²)", "times 0.52"]),
        (found(4.0, 1.06), True, ["about as sharp as it should be (B factor +4 Å²)"]),
        (found(101.7, 3.69), False, ["blurred", "guided by the map as it is"]),
        (found(101.7, 3.69), None, ["blurred", "a map of the same sharpness was brought"]),
        ({"matched": False, "reason": "coarser than 7 Å"}, False, ["left as it is: coarser than 7 Å"]),
    ],
)
def test_one_sentence_tells_it(sharpness, is_used, words):
    (said,) = sharpness_sentences(class_result(sharpness, is_used))
    assert all(word in said for word in words) and said.endswith(".")


def test_a_docking_of_before_tells_nothing():
    assert sharpness_sentences(class_result(None)) == []


def test_the_plot_shows_three_spectra_and_reads_them_out():
    frequency = np.linspace(0.01, 0.3, 30)
    model = np.exp(-16 * frequency**2)
    table = pd.DataFrame({"frequency_per_angstrom": frequency, "map_amplitude": model**2, "matched_amplitude": model})
    table["model_amplitude"], table["gain"] = 1.1 * model, 1 / model
    # A shell that a filter emptied.
    table.loc[20, "map_amplitude"] = 1e-12
    drawn = str(plot_spectra(table, 4.0))
    assert drawn.count("<polyline") == 3 and "4 Å" in drawn and "nan" not in drawn
    assert "docked model" in drawn and "0 0 1000" in drawn
