"""Whole reports on disk: of one class, of two, of ten and one that failed."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner
from write_report import main

from tests.report_fixture import Case, build

HOSTILE = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>"
TEN = tuple(f"class{number}" for number in range(1, 11))
CASES = {
    "one": Case(classes=("only",), n_samples=1, reference=False, warnings=[HOSTILE], source_map=HOSTILE),
    "two": Case(n_samples=3, confidence=True),
    "ten": Case(classes=TEN, n_samples=2),
}
WHY = "adk, class class11: SAMPLE_GUIDED ran out of memory on the GPU; give it more with --memory."


def write_page(folder: Path, name: str) -> Path:
    """One of the :data:`CASES` in ``folder``; the path of its report.html."""
    case = CASES[name]
    arguments = ["--parameters", build(folder, case), "--folder", folder, "--output", folder / "out"]
    if name == "ten":
        missing = {"target": "adk", "class": "class11"}
        outcome = {"status": "partial", "n_classes": 11, "classes_without_model": [missing]}
        rows = [{"target": "adk", "class": each, "population": 1 / 11} for each in (*TEN, "class11")]
        for option, record in (
            ("failures", outcome | {"failures": [missing | {"sentence": WHY}]}),
            ("samplesheet", {"rows": rows}),
        ):
            path = folder / f"{option}.json"
            path.write_text(json.dumps(record))
            arguments += [f"--{option}", path]
    CliRunner().invoke(main, list(map(str, arguments)), catch_exceptions=False)
    return folder / "out" / "report.html"
