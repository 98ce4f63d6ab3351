"""What the report says and draws of the differences between classes."""

import base64
from io import BytesIO

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from classfold.distance_differences import distance_differences, write_distance_differences
from classfold.mmcif import write_frames
from classfold.records import write_json
from classfold.report.differences import differences
from classfold.report.distance_map import binned, distance_map
from classfold.report.gather import ClassResult, TargetResult, gather_run
from classfold.report.morphs import display_morphs
from classfold.report.page import render
from classfold.report.summary import summarise
from classfold.topology import ChainRecord, Topology
from tests.report_fixture import Case, build


def pair(first: str, second: str, **values) -> dict:
    numbers = {"ca_rmsd_angstrom": 6.43, "tm_score": 0.7081, "lddt": 0.7388, "max_displacement_angstrom": 25.31}
    told = {"verdict": "different", "margin": 61.2, "reason": f"{first} and {second} differ: they moved."}
    return {"class_a": first, "class_b": second} | numbers | told | values


@pytest.fixture(scope="module")
def stages(tmp_path_factory, adk_topology, adk_frames, adk_open):
    """A run of three classes with all that COMPARE_CLASSES writes of them."""
    root = tmp_path_factory.mktemp("report") / "stages"
    build(root, Case(classes=("a", "b", "c"), n_samples=2))
    folder = root / "adk.comparison"
    for path in (*folder.glob("morph_*"), *folder.glob("distance_difference_*")):
        path.unlink()
    undecided = "whether b and c differ cannot be told: <noise>."
    record = {
        "target": "adk",
        "classes": ["a", "b", "c"],
        "pairs": [pair("a", "b"), pair("a", "c"), pair("b", "c", verdict="undecided", reason=undecided, lddt=None)],
        "order": ["b", "a", "c"],
        "main_motion": {"share_of_variance": 0.87, "position_angstrom": {"a": 0.1, "b": -2.25, "c": 2.15}},
        "warnings": [],
    }
    write_json(record, folder / "comparison.json")
    (folder / "moving_parts.csv").write_text(
        "class_a,class_b,part,residues,hinges,moved_angstrom,shown_angstrom,error_angstrom,turn_degrees,"
        "along_axis_angstrom,axis_x,axis_y,axis_z,point_x,point_y,point_z\n"
        'a,b,1,"A30-59, A62-70",A60-61,9.31,9.05,0.14,42.17,1.58,1,0,0,2,3,4\n'
        "a,b,2,A122-159,,13.00,,,47.03,0.86,1,0,0,2,3,4\n"
    )
    frames = np.stack([adk_frames[0], adk_frames[10], adk_open])
    write_frames(folder / "morph_a.b.cif", adk_topology, frames, title="a to b")
    names = {"residue_name": "LIG", "atom_name": "C1", "element": "C"}
    columns = {name: np.array([word]) for name, word in names.items()}
    columns |= {name: np.array([1]) for name in ("residue_number", "charge", "token_index")}
    ligand = Topology("adk", (ChainRecord("L", "ligand", 0, None),), chain=np.array(["L"]), **columns)
    write_frames(folder / "morph_a.c.cif", ligand, np.zeros((3, 1, 3)), title="no residues")
    ca = adk_topology.ca_indices()
    moved = distance_differences(adk_frames[0][ca], adk_open[ca])
    write_distance_differences(folder / "distance_difference_a.b.csv", [f"A:{k + 1}" for k in range(len(ca))], moved)
    return root


@pytest.fixture(scope="module")
def target(stages) -> TargetResult:
    return gather_run(stages, {}).targets[0]


def test_verdicts_stand_in_sentences(target):
    said = differences(target).sentences
    assert said == ["a and b differ: they moved.", "a and c differ: they moved.", "W" + said[2][1:]]
    assert said[2].startswith("Whether b and c differ cannot be told")


def test_every_pair_has_its_row_with_lddt_beside_tm_score(target):
    table = differences(target).pairs
    assert table is not None
    column = {head.text: k for k, head in enumerate(table.heads)}
    assert column["lDDT (Cα)"] == column["TM-score"] + 1
    assert [cell.text for cell in table.rows[0]] == ["a to b", "different", "61", "6.43", "0.708", "0.739", "25.3"]
    assert table.rows[2][column["lDDT (Cα)"]].text is None


def test_classes_stand_in_the_order_of_their_motion(target):
    table = differences(target).order
    assert table is not None and [row[0].text for row in table.rows] == ["b", "a", "c"]
    assert "87 % of the variance" in table.heads[1].text


def test_parts_have_their_motion_with_its_error(target):
    table = differences(target).parts
    assert table is not None and len(table.rows) == 2
    assert [cell.text for cell in table.rows[0]] == [
        *("a to b", "A30-59, A62-70", "A60-61", "9.3", "9.1 ± 0.1", "42.2", "1.6"),
    ]
    assert table.rows[1][2].text is None and table.rows[1][4].text is None


def test_an_older_record_without_verdicts_leaves_all_of_it_out(target):
    record = {"classes": ["a", "b"], "pairs": [{"class_a": "a", "class_b": "b", "ca_rmsd_angstrom": 1.0}]}
    comparison = type(target.comparison)(record, None, None, None, None)
    found = differences(TargetResult("adk", {}, None, target.classes, comparison))
    assert (found.sentences, found.pairs, found.order, found.parts) == ([], None, None, None)
    assert differences(TargetResult("adk", {}, None, target.classes, None)).sentences == []


def test_populations_stand_beside_the_order(target):
    classes = [ClassResult(**{**vars(result), "population": 0.25}) for result in target.classes]
    table = differences(TargetResult("adk", {}, None, classes, target.comparison)).order
    assert table is not None and [row[2].text for row in table.rows] == ["25.0 %"] * 3


def test_the_picture_of_distances_is_blue_where_residues_come_closer(target, adk_topology, adk_frames, adk_open):
    drawn = distance_map(target.comparison.folder, "a", "b")
    assert drawn is not None and "A:1 to A:214" in drawn.caption
    pixels = matplotlib.image.imread(BytesIO(base64.b64decode(drawn.address.split(",")[1])))
    ca = adk_topology.ca_indices()
    values = binned(distance_differences(adk_frames[0][ca], adk_open[ca]), 100)
    assert pixels.shape[:2] == values.shape == (72, 72)
    redder = pixels[..., 0] - pixels[..., 2]
    assert (redder[values > 3] > 0.1).all() and (redder[values < -3] < -0.1).all()
    assert distance_map(target.comparison.folder, "a", "c") is None


def test_blocks_are_averaged():
    values = np.arange(25.0).reshape(5, 5)
    np.testing.assert_array_equal(binned(values, 5), values)
    np.testing.assert_allclose(binned(values, 3), [[3, 5, 6.5], [13, 15, 16.5], [20.5, 22.5, 24]])


def test_morphs_are_packed_for_the_page_and_one_without_residues_is_not(target, stages, adk_topology):
    (found,) = display_morphs(target, np.zeros(3))
    assert (found.class_a, found.class_b) == ("a", "b") and found.data["shape"] == [3, 214]


def test_the_page_holds_all_of_it_and_escapes_it(stages):
    run = gather_run(stages, {})
    text = render(run, summarise(run))
    for said in ("Pairs of classes", "lDDT (Cα)", "Parts that move against the rigid core", "Differences of distances"):
        assert said in text
    assert "&lt;noise&gt;" in text and "<noise>" not in text
    assert text.count('class="distances"') == 1
    assert pd.read_csv(stages / "adk.comparison/displacement.csv").shape[0] == 3 * 214
