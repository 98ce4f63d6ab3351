"""Models that others made in the report: ours first, theirs beside what ours has on the same residues."""

from dataclasses import replace

from classfold.other_models import SCORE_NAMES
from classfold.report.others import others
from tests.unit.test_report import MAP_RECORD, ClassResult


def model(name: str, score: float | None, ours: float | None) -> dict:
    known = score is not None
    return {
        "name": name,
        "coverage": 0.5 if known else None,
        "residues_matched": 107 if known else 0,
        "residues_of_target": 214,
        "ca_rmsd_angstrom": 1.234 if known else None,
        "superposed_ca_rmsd_angstrom": 1.0 if known else None,
        **dict.fromkeys(SCORE_NAMES, score),
        **{f"ours_{each}": ours for each in SCORE_NAMES},
    }


RECORD = {
    "models": [model("ClassFold", 0.8, 0.8), model("angelo<b>", 0.71234, 0.75), model("broken", None, None)],
    "sentences": ["angelo<b> fits worse."],
    "warnings": ["broken was not compared: it cannot be read"],
}


def test_the_table_has_a_row_for_each_and_ours_in_brackets():
    found = others(RECORD)
    assert found is not None and found.sentences == RECORD["sentences"]
    ours, theirs, broken = found.table.rows
    heads = [head.text for head in found.table.heads]
    at = heads.index("CC_mask")
    assert (ours[at].text, theirs[at].text, broken[at].text) == ("0.800", "0.712 (0.750)", None)
    assert theirs[at].sort == 0.71234 and theirs[1].text == "107 of 214 (50%)" and broken[1].text is None
    assert [row[0].text for row in found.table.rows] == ["ClassFold", "angelo<b>", "broken"]
    assert theirs[-2].text == "1.23" and len({len(row) for row in found.table.rows} | {len(heads)}) == 1


def test_without_models_of_others_there_is_no_section():
    assert others(None) is None and others({}) is None


def test_what_could_not_be_compared_is_a_warning_of_the_class(tmp_path):
    result = ClassResult("t", "c", tmp_path, MAP_RECORD, docking={}, samples={"samples": []}, models={})
    assert replace(result, others=RECORD).warnings == [*result.warnings, "others: " + RECORD["warnings"][0]]
