"""The table of scores: one name for each, and the documentation says the same."""

from pathlib import Path

from classfold.report.summary import COLUMNS
from classfold.report.tables import RANKING_HEADS
from classfold.scores.table import BY_NAME, SCORES

ROOT = Path(__file__).resolve().parents[2]


def test_every_score_has_a_name_and_a_title_of_its_own():
    assert len(BY_NAME) == len({score.title for score in SCORES}) == len(SCORES)
    assert all(score.meaning and score.source and score.better in ("higher", "lower", "") for score in SCORES)


def test_documentation_has_the_same_rows():
    lines = (ROOT / "docs/scores.md").read_text().splitlines()
    documented = [line for line in lines if line.startswith("| `") and line.count("|") == 8]
    expected = [
        f"| `{score.name}` | {score.title} | {score.unit} | {score.better} | {score.cost} | {score.meaning} "
        f"| {score.source} |"
        for score in SCORES
    ]
    assert documented == expected


def test_glossary_explains_what_the_ranking_points_to():
    glossary = (ROOT / "bin/classfold/report/glossary.html.j2").read_text()
    anchors = {score.explained for score in SCORES if score.explained}
    assert anchors and all(f'id="explained.{anchor}"' in glossary for anchor in anchors)
    assert {"cc_mask", "clashes"} <= RANKING_HEADS.keys() & BY_NAME.keys()


def test_summary_has_every_score_once():
    names = [column.name for column in COLUMNS]
    assert len(set(names)) == len(names) and set(BY_NAME) <= set(names)
