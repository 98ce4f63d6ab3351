"""Verdicts on pairs of classes in the report: few are all told, many are counted and the exceptions named."""

from itertools import combinations

import pytest

from classfold.difference_verdict import Verdict
from classfold.report.differences import differences
from classfold.report.gather import Comparison, TargetResult


def target(n_classes: int, **verdicts: Verdict) -> TargetResult:
    """Classes a, b, c and so on, of which all pairs differ but those of these verdicts."""
    pairs = [
        {"class_a": a, "class_b": b, "verdict": str(verdicts.get(a + b, Verdict.DIFFERENT)), "reason": f"{a} and {b}."}
        for a, b in combinations("abcdef"[:n_classes], 2)
    ]
    comparison = Comparison({"pairs": pairs}, rmsd=None, tm_score=None, cross_fit=None, displacement=None)
    return TargetResult("t", {}, None, [], comparison)


@pytest.mark.parametrize(("n_classes", "n_pairs"), [(2, 1), (4, 6)])
def test_few_pairs_are_told_one_by_one(n_classes, n_pairs):
    found = differences(target(n_classes))
    assert found.summary is None and len(found.sentences) == n_pairs and found.sentences[0] == "a and b."


def test_many_pairs_are_counted_and_those_that_do_not_differ_are_named():
    found = differences(target(5, ab=Verdict.SAME, cd=Verdict.UNDECIDED, ce=Verdict.UNDECIDED))
    assert found.summary == (
        "Of 10 pairs of classes 7 differ, 1 show one conformation (a and b), 2 are undecided (c and d; c and e)."
    )
    assert len(found.sentences) == 10
