"""Parts of the report: display maps keep their place, tables keep names, pictures keep to their frame."""

from __future__ import annotations

import base64
import gzip
import json

import gemmi
import numpy as np
import pandas as pd
import pytest

from classfold.errors import InputError
from classfold.maps import DensityMap
from classfold.mmcif import Model
from classfold.report.display_map import MAX_SIDE, MOST_VOXELS, display_map, display_side
from classfold.report.display_models import mmcif_text, other_samples
from classfold.report.fsc_plot import LEFT, RIGHT, WIDTH, plot_fsc
from classfold.report.gather import ClassResult, Run, TargetResult, _natural, read_matrix, read_table
from classfold.report.map_sentences import map_sentences
from classfold.report.plots import plot_fit
from classfold.report.sentences import docking_sentences, headline, model_sentences
from classfold.report.summary import COLUMNS, summarise, write_summary
from classfold.report.svg import Frame, log_ticks, number, polyline, ticks
from classfold.report.tables import Table, dumbbell, overview_table, ranking_table, score_table

ORIGIN = np.array([-31.0, 12.5, 200.0])
MAP_RECORD = {
    "source_map": "a.mrc",
    "shape_zyx": [10, 20, 30],
    "voxel_size_angstrom": 1.5,
    "resolution_angstrom": 4.0,
    "threshold": 0.02,
    "threshold_method": "user",
    "n_cloud_points": 12,
    "warnings": [],
}


def blob(shape_zyx: tuple[int, int, int], voxel: float, centre: np.ndarray, width: float) -> DensityMap:
    """A Gaussian of ``width`` Å at ``centre`` (xyz, Å)."""
    index = np.moveaxis(np.indices(shape_zyx), 0, -1)
    empty = DensityMap(np.zeros(shape_zyx, np.float32), voxel, ORIGIN)
    distance = ((empty.coordinates_of(index) - centre) ** 2).sum(-1)
    return DensityMap(np.exp(-distance / (2 * width**2)).astype(np.float32), voxel, ORIGIN)


@pytest.mark.parametrize(
    ("shape", "voxel", "width"),
    [((50, 60, 44), 1.0, 5.0), ((210, 190, 200), 1.0, 40.0), ((30, 36, 40), 2.5, 9.0)],
    ids=["as it is", "binned", "refined"],
)
def test_display_map_stays_where_the_model_is(shape, voxel, width):
    centre = ORIGIN + voxel * np.array(shape[::-1]) * [0.45, 0.5, 0.55]
    shown = display_map(blob(shape, voxel, centre, width), threshold=0.3)
    assert max(shown.levels.shape) <= MAX_SIDE
    weights = np.where(shown.levels > 0.3 / shown.step, shown.levels, 0).astype(float)
    index = np.array([(weights * axis).sum() for axis in np.indices(shown.levels.shape)]) / weights.sum()
    found = index[::-1] * shown.voxel_size_angstrom
    assert found == pytest.approx(centre - shown.origin_angstrom, abs=0.5 * shown.voxel_size_angstrom)


def test_display_map_is_unpacked_with_z_fastest():
    density = np.random.default_rng(1).uniform(0.5, 1.0, (6, 7, 8)).astype(np.float32)
    payload = display_map(DensityMap(density, 1.0, ORIGIN), threshold=0.4).payload(ORIGIN - [1.0, 0.0, 2.0])
    levels = np.frombuffer(gzip.decompress(base64.b64decode(payload["levels"])), np.uint8)
    back = levels.reshape(payload["size"]) * payload["step"]
    assert payload["size"] == [8, 7, 6] and payload["origin"] == [1.0, 0.0, 2.0]
    assert back.transpose(2, 1, 0) == pytest.approx(density, abs=payload["step"] / 2 + 1e-6)


def test_specks_beside_the_molecule_are_not_shown_and_do_not_widen_the_crop():
    density = np.zeros((40, 40, 40), np.float32)
    density[14:24, 14:24, 14:24] = 1.0
    density[26:28, 26:28, 26:28] = 1.0
    density[36:38, 36:38, 36:38] = 1.0
    density[2:8, 16:22, 16:22] = 1.0
    shown = display_map(DensityMap(density, 1.0, ORIGIN), threshold=0.5)
    above = shown.levels * shown.step > shown.threshold
    # The second body has a fifth of the first one's voxels and stays; the specks have 8 of 1,000.
    assert above.sum() == 1000 + 216
    assert shown.levels.shape[1:] == (22, 22)
    # At a lower contour the near one is there again.
    assert (shown.levels * shown.step > 0.45).sum() == 1000 + 216 + 8



def test_display_map_shows_a_map_without_density_above_the_threshold():
    shown = display_map(blob((20, 20, 20), 1.0, ORIGIN + 10, 3.0), threshold=7.0)
    assert shown.levels.max() > 0


def test_short_mmcif_keeps_names_that_need_quotes():
    model = Model(
        coordinates=np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]),
        chain=np.array(["A", "A", "B"]),
        residue_number=np.array([1, 1, 1]),
        residue_name=np.array(["DA", "DA", "ATP"]),
        atom_name=np.array(["O5'", "C2", "N9"]),
        element=np.array(["O", "C", "N"]),
        name="model",
    )
    text = mmcif_text(model, model.coordinates)
    found = gemmi.cif.read_string(text).sole_block().find("_atom_site.", ["auth_atom_id", "auth_asym_id", "Cartn_z"])
    assert [row.str(0) for row in found] == ["O5'", "N9"]
    assert [row[2] for row in found] == ["3.00", "9.00"]


def test_many_classes_and_large_molecules_leave_room_for_each_other():
    assert [display_side(n) for n in (1, 2, 5)] == [MAX_SIDE] * 3
    assert all(n * display_side(n) ** 3 <= MOST_VOXELS for n in (6, 10, 50))
    assert [other_samples(*case) for case in ((2, 1655), (10, 1655), (10, 8_000), (10, 23_000))] == [3, 3, 2, 0]
    shown = display_map(blob((90, 80, 70), 1.0, ORIGIN + 40, 15.0), threshold=0.3, most_voxels=display_side(10))
    assert max(shown.levels.shape) <= display_side(10) < MAX_SIDE


def test_tables_keep_names_as_they_are(tmp_path):
    path = tmp_path / "residues.csv"
    path.write_text("chain,residue_number,residue_name,cc,plddt\n1,1,NA,0.5,\n01,2,ALA,,\n")
    table = read_table(path)
    assert table["chain"].tolist() == ["1", "01"]
    assert table["residue_name"].tolist() == ["NA", "ALA"]
    assert table["cc"].tolist() == [0.5, pytest.approx(np.nan, nan_ok=True)]
    path.write_text("sample,loss\n1,0.5\n2,nan\n")
    assert read_table(path)["loss"].tolist() == [0.5, pytest.approx(np.nan, nan_ok=True)]
    path.write_text("chain,cc\nA,high\n")
    with pytest.raises(InputError, match="column cc"):
        read_table(path)


def test_matrices_have_the_same_rows_and_columns(tmp_path):
    path = tmp_path / "rmsd.csv"
    path.write_text("class,1,2\n1,0,3.5\n2,3.5,0\n")
    assert read_matrix(path).loc["1", "2"] == 3.5
    path.write_text("class,1,2\n1,0,3.5\n3,3.5,0\n")
    with pytest.raises(InputError, match="rows"):
        read_matrix(path)
    assert read_matrix(tmp_path / "none.csv") is None


def test_classes_are_in_the_order_a_person_counts():
    names = ["class10", "class2", "class1", "apo", "2", "10"]
    assert sorted(names, key=_natural) == ["2", "10", "apo", "class1", "class2", "class10"]


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-0.3, 0.9), (0, 12345), (1e-5, 3e-5), (2, 2)])
def test_ticks_are_round_and_inside(low, high):
    found = ticks(low, high)
    assert 1 <= len(found) <= 11
    assert all(low - 1e-9 <= value <= high + 1e-9 for value in found)
    assert all(float(f"{value:.2g}") == pytest.approx(value) for value in np.diff(found))


@pytest.mark.parametrize(("low", "high"), [(3.0, 700.0), (0.31, 0.34), (1e-4, 8e7), (2.0, 2.0), (0.9, 12.0)])
def test_ticks_of_ratios_are_round_and_inside(low, high):
    found = log_ticks(low, high)
    assert 1 <= len(found) <= 13 and found == sorted(set(found))
    assert all(low * (1 - 1e-9) <= value <= high * (1 + 1e-9) for value in found)
    assert all(float(f"{value:.3g}") == pytest.approx(value) for value in found)


def test_equal_ratios_are_equally_far_apart_in_a_logarithmic_frame():
    frame = Frame(0, 10, 100, 60, (0, 1), (0.1, 100.0), is_log=True)
    assert [frame.y(value) for value in (100.0, 10.0, 1.0, 0.1)] == pytest.approx([10, 30, 50, 70])
    assert frame.y(-3.0) == frame.y(0.0) == 70 and frame.y(1e6) == 10


def test_numbers_are_short():
    assert [number(value) for value in (0, 0.12345, 3.0, 28_556, 1e-7)] == [
        "0",
        "0.1235",
        "3",
        "28\u202f556",
        "1.00e-07",
    ]


def test_lines_break_at_gaps_and_stay_in_the_frame():
    frame = Frame(0, 0, 100, 50, (0, 10), (0, 1))
    drawn = str(polyline(frame, [(0, 0.5), (1, float("nan")), (2, 5.0), (3, -2.0)], "line"))
    assert drawn.count("<polyline") == 2
    assert "20.0,0.0 30.0,50.0" in drawn


def test_fit_plot_names_weak_residues_and_skips_missing_ones():
    residues = pd.DataFrame(
        {
            "chain": ["A", "A", "A", "B"],
            "residue_number": [1, 2, 4, 1],
            "residue_name": ["MET", "<b>", "GLY", "ALA"],
            "cc": [0.9, 0.2, np.nan, 0.7],
            "plddt": [np.nan] * 4,
        }
    )
    plots = dict(plot_fit(residues))
    assert list(plots) == ["A", "B"]
    assert "weakly supported" in plots["A"] and plots["A"].count("×") == 1
    assert "<b>" not in plots["A"] and "GLY" not in plots["A"]


def first_cell(table: Table, head: str) -> object:
    """Text of the first row under a head."""
    return table.rows[0][[each.text for each in table.heads].index(head)].text


def class_result(**records) -> ClassResult:
    folder = records.pop("folder")
    return ClassResult("t", "c", folder, MAP_RECORD | records.pop("map", {}), **records)


def test_what_is_far_from_the_expected_volume_or_mirrored_is_said(tmp_path):
    volumes = {"enclosed_volume_angstrom3": 9000.0, "expected_volume_angstrom3": 30000.0}
    docking = {"model": "m", "score": 0.5, "margin": 0.01, "poses": [], "hand": "mirrored", "hand_lead": -4.2}
    docking |= {"flipped": True, "explained_density": 0.55, "atoms_in_density": 0.98}
    result = class_result(folder=tmp_path, map=volumes, docking=docking)
    assert any("look at the contour" in sentence for sentence in map_sentences(result))
    said = docking_sentences(result)
    assert "The map's hand is wrong (4.2 standard errors between model and mirror image)." in said
    assert any("flipped along z" in sentence for sentence in said)
    assert any("explains 55 % of the density above the contour, and 98 % of its atoms" in sentence for sentence in said)


def test_parts_that_were_docked_one_by_one_are_named(tmp_path):
    parts = [{"residues": ["A 1-29", "A 72-214"]}, {"residues": ["A 30-71"]}]
    docking = {"model": "m", "score": 0.5, "poses": [], "assembly": {"score": 0.87, "parts": parts}}
    said = docking_sentences(class_result(folder=tmp_path, docking=docking))
    assert any("2 parts (A 1-29 and A 72-214; A 30-71) it has a score of 0.87" in sentence for sentence in said)
    assert len(docking_sentences(class_result(folder=tmp_path, docking=docking | {"assembly": None}))) == len(said) - 1



MEASURED = {"resolution_by_half_maps_angstrom": 3.9, "half_maps_reach_nyquist": False}


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({}, "Resolution 4 Å, as the samplesheet says; no half maps tell it."),
        (MEASURED, "the half maps agree to 3.9 Å (FSC 0.143, corrected for the mask)."),
        (MEASURED | {"half_maps_reach_nyquist": True}, "up to the limit of their voxels, 3.9 Å"),
        ({"resolution_method": "half maps", "resolution_evidence": "the FSC falls there"}, "4 Å: the FSC falls there."),
        (
            {"resolution_method": "estimate", "resolution_evidence": "it drowns"},
            "4 Å, an estimate from the map alone: it drowns.",
        ),
        ({"threshold_blur_angstrom": 8.0}, "drawn in the map blurred to 8 Å"),
        ({"is_masked": True, "background_level": 0.0}, "noise was measured on the rest"),
        (
            {
                "enclosed_volume_angstrom3": 30000.0,
                "expected_volume_angstrom3": 30000.0,
                "significant_volume_angstrom3": 66000.0,
            },
            "no noise fills 2.20 times that volume",
        ),
    ],
)
def test_what_the_resolution_and_the_contour_rest_on_is_said(tmp_path, record, said):
    assert any(said in sentence for sentence in map_sentences(class_result(folder=tmp_path, map=record)))


def test_the_plot_of_half_maps_shows_every_curve_and_the_resolution():
    frequency = np.arange(6) * 0.05
    curves = pd.DataFrame({"frequency_per_angstrom": frequency, "unmasked": [1, 0.9, 0.5, 0.1, 0, -0.3]})
    curves = curves.assign(masked=curves["unmasked"], randomised=0.25, corrected=[1, 0.9, 0.8, 0.7, 0.3, 0.1])
    plot = str(plot_fsc(curves, {"resolution_angstrom": 4.5}))
    assert plot.count("<polyline") == 5 and "resolution used: 4.5 Å" in plot
    # The mean, at frequency 0, has no size; the finest shell is at 1 / 0.25.
    assert "inf" not in plot and "4 Å: corrected for the mask 0.10, under the mask -0.30" in plot
    x_used = LEFT + (WIDTH - LEFT - RIGHT) * (1 / 4.5) / 0.25
    assert f'class="decision" x1="{x_used:.1f}"' in plot


def test_a_class_without_models_has_its_row_and_its_reasons(tmp_path):
    result = class_result(folder=tmp_path)
    target = TargetResult("t", {"n_residues": 5, "n_atoms": 40, "warnings": []}, None, [result], None)
    run = Run([target])
    rows = write_summary(run, tmp_path)
    assert rows == summarise(run)
    assert rows[0]["cc_mask"] is None and rows[0]["n_warnings"] == 3
    assert "no models were made" in headline(run, rows)
    assert first_cell(overview_table(run, rows), "CC_mask") is None
    table = pd.read_csv(tmp_path / "summary.csv")
    record = json.loads((tmp_path / "summary.json").read_text())
    assert list(table.columns) == list(record["columns"]) == [column.name for column in COLUMNS]
    assert record["classes"][0]["threshold"] == 0.02


@pytest.mark.parametrize(
    ("samples", "models", "words", "cell"),
    [
        ({"n_samples": 25, "samples": [{}] * 4}, {"n_samples": 25}, "4 finished samples (25 drawn)", "4 of 25"),
        (None, {"n_samples": 25, "n_finished": 1}, "1 finished sample (25 drawn)", "1 of 25"),
        (None, {"n_samples": 6}, "6 samples", "6"),
        ({"n_samples": 1, "samples": [{}]}, None, "1 sample", "1"),
    ],
    ids=["stopped", "without samples.json", "of before", "without models"],
)
def test_drawn_and_finished_samples_are_told_apart(tmp_path, samples, models, words, cell):
    numbers = {"best_sample": 1, "cc_mask": 0.5, "ranking_rule": "rule"}
    result = class_result(folder=tmp_path, samples=samples, models=models and models | numbers)
    assert result.samples_in_words == words
    run = Run([TargetResult("t", {"n_residues": 5, "n_atoms": 40, "warnings": []}, None, [result], None)])
    rows = summarise(run)
    assert first_cell(overview_table(run, rows), "Samples") == cell
    assert (rows[0]["n_samples"], rows[0]["n_finished"]) == (result.n_samples, result.n_finished)
    if models:
        assert f"ranks first of {words}: CC_mask 0.500" in model_sentences(result)[0]


def test_ranking_leaves_out_what_is_empty_and_marks_the_best():
    scores = pd.DataFrame(
        {"rank": [1, 2], "sample": [7, 3], "cc_mask": [0.8, np.nan], "confidence": [np.nan] * 2, "q": [1, 2]}
    )
    table = ranking_table(scores, best=7)
    assert [head.text for head in table.heads] == ["Rank", "Sample", "CC_mask", "q"]
    assert table.marked == 0
    assert table.rows[1][2].text is None


def test_ranking_leaves_further_scores_to_the_table_of_all_scores():
    scores = pd.DataFrame({"rank": [1], "sample": [7], "cc_mask": [0.8], "cc_box": [0.5], "clashscore": [2.0]})
    heads = [head.text for head in ranking_table(scores, best=7).heads]
    assert heads == ["Rank", "Sample", "CC_mask", "Clashscore"]


def test_table_of_all_scores_leaves_out_what_is_not_defined_and_old_records_have_none():
    table = score_table(
        {"scores": {"cc_box": 0.51234, "emringer": None, "clashes": 3}, "unguided": {"scores": {"cc_box": 0.2}}}
    )
    assert [[cell.text for cell in row[:4]] for row in table.rows] == [
        ["CC_box", "0.512", "0.200", "-1 to 1"],
        ["Clashes", "3", None, "pairs"],
    ]
    assert score_table({"best_sample": 1}) is None and score_table(None) is None


def test_dumbbell_says_what_it_shows():
    assert "from 0.12 to 0.98" in dumbbell(0.12, 0.98)
    assert dumbbell(0.5, None) is None
    assert 'class="open"' not in dumbbell(None, 0.5)
