"""The table behind a verdict: every criterion with its own limits, what was missed first; groups of samples."""

from classfold.report.verdict import clusters_table, evidence_table
from classfold.verdict import CRITERIA

BY_NAME = {criterion.name: criterion for criterion in CRITERIA}


def test_every_criterion_is_listed_with_its_limits_and_the_missed_ones_first():
    evidence = {"cc_share": 0.9, "clashscore": 130.0, "gain": -0.03, "wrong_hand": None}
    rows = [[cell.text for cell in row] for row in evidence_table(evidence).rows]
    assert {row[0] for row in rows} == {criterion.title for criterion in CRITERIA} and len(rows) == len(CRITERIA)
    clashes, gain = BY_NAME["clashscore"], BY_NAME["gain"]
    assert rows[0][:5] == [clashes.title, "130", f"≤ {clashes.accept:g}", f"> {clashes.reject:g}", "✕ reject"]
    assert rows[1][:5] == [gain.title, "−0.03", f"≥ −{-gain.accept:g}", None, "! inspect"]
    rest = {row[0]: (row[1], row[4]) for row in rows[2:]}
    assert rest[BY_NAME["cc_share"].title] == ("0.9", "✓ accept")
    assert rest[BY_NAME["wrong_hand"].title] == (None, "not measured")
    assert "`" not in "".join(row[5] for row in rows)


def test_groups_of_samples_are_listed_with_their_files_where_there_are_several():
    first = {"representative": 7, "samples": list(range(7, 27)), "cc_mask": 0.812, "file": "model.cif"}
    second = {"representative": 2, "samples": [2], "cc_mask": 0.79, "file": None, "verdict": None}
    assert clusters_table([first | {"verdict": "accept"}]) is None
    table = clusters_table([first | {"verdict": "accept"}, second])
    rows = [[cell.text for cell in row] for row in table.rows]
    assert rows[0] == ["1", "7", "0.812", "✓ accept", "model.cif", "20", ", ".join(map(str, range(7, 19))) + " …"]
    assert rows[1] == ["2", "2", "0.790", None, None, "1", "2"]
