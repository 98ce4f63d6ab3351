"""WRITE_REPORT on whole runs: complete, partial, hostile, empty."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from write_report import main

from classfold.errors import InputError
from classfold.other_models import SCORE_NAMES
from classfold.report.summary_schema import summary_schema
from tests.report_fixture import Case, build

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = '</script><script>window.hacked = 1</script><img src=x onerror="window.hacked=1">\'&amp;'


class Page(HTMLParser):
    """Elements of a page with their attributes, and the text of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[str, str]] = []
        self._in_script: str | None = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self._in_script = dict(attrs).get("id") or "code"

    def handle_data(self, data):
        if self._in_script:
            self.scripts.append((self._in_script, data))

    def handle_endtag(self, tag):
        if tag == "script":
            self._in_script = None


def report(folder: Path, output: Path) -> str:
    result = CliRunner().invoke(
        main,
        ["--folder", str(folder), "--parameters", str(folder / "params.json"), "--output", str(output)],
        catch_exceptions=False,
    )
    assert result.exit_code == 0, result.output
    return (output / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def two_classes(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("two") / "stages"
    build(folder, Case(n_samples=2))
    return folder


def test_models_of_others_have_their_part_in_the_class_that_they_were_given_for(two_classes, tmp_path):
    folder = tmp_path / "stages"
    shutil.copytree(two_classes, folder)
    row = {"name": HOSTILE, "coverage": 0.5, "residues_matched": 107, "residues_of_target": 214}
    scores = {f"{prefix}{name}": 0.625 for name in SCORE_NAMES for prefix in ("", "ours_")}
    row |= scores | {"ca_rmsd_angstrom": 1.5, "superposed_ca_rmsd_angstrom": None}
    models = [row | {"name": "ClassFold"}, row]
    record = {"models": models, "sentences": ["One of them fits."], "warnings": ["Not all."]}
    (folder / "adk.open.models/others.json").write_text(json.dumps(record))
    text = report(folder, tmp_path)
    assert text.count("Who fits best") == 1 and text.count("One of them fits.") == 1
    assert text.index('id="class.adk.open"') < text.index("Who fits best") and "0.625 (0.625)" in text
    assert HOSTILE not in text and "others: Not all." in text


def test_two_classes(two_classes, tmp_path):
    text = report(two_classes, tmp_path)
    page = Page(text)
    table = pd.read_csv(tmp_path / "summary.csv")
    assert table["class"].tolist() == ["closed", "open"]
    models = json.loads((two_classes / "adk.open.models" / "models.json").read_text())
    assert table["cc_mask"][1] == pytest.approx(models["cc_mask"])
    assert f"{models['cc_mask']:.3f}" in text
    assert text.count("All scores of the best model (3)") == 2 and table["q_score_06"].tolist() == [0.45, 0.45]
    assert "demonstration, not a predictor" in text
    data = {name: json.loads(content) for name, content in page.scripts if name.startswith("data.")}
    views = {"data.class.adk.closed", "data.class.adk.open", "data.view.adk", "data.morph.adk.closed.open"}
    assert set(data) == views
    numbers = json.loads(gzip.decompress(base64.b64decode(data["data.class.adk.open"]["numbers"])))
    assert len(numbers["displacement"]["closed"]) == 214 and len(numbers["residues"]) == 214
    kinds = [model["kind"] for model in data["data.class.adk.open"]["models"]]
    assert kinds == ["best", "sample", "unguided"]


def test_the_page_holds_all_it_needs(two_classes, tmp_path):
    page = Page(report(two_classes, tmp_path))
    identifiers = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    for _tag, attributes in page.elements:
        for name in ("href", "src"):
            address = attributes.get(name)
            assert address is None or address.startswith(("#", "data:")), address
            if address and address.startswith("#"):
                assert address[1:] in identifiers


def test_the_same_run_gives_the_same_page(two_classes, tmp_path):
    assert report(two_classes, tmp_path / "a") == report(two_classes, tmp_path / "b")


def test_a_single_class_with_hostile_words(tmp_path):
    case = Case(
        targets=("a_-9",),
        classes=("only",),
        n_samples=1,
        reference=False,
        weights_label=HOSTILE,
        warnings=[HOSTILE],
        source_map=HOSTILE,
    )
    build(tmp_path / "stages", case)
    parameters = tmp_path / "stages" / "params.json"
    parameters.write_text(json.dumps({HOSTILE: [HOSTILE, {"x": HOSTILE}], "nothing": None}))
    text = report(tmp_path / "stages", tmp_path)
    page = Page(text)
    assert not [element for element in page.elements if element[1].get("src") == "x"]
    code = [content for name, content in page.scripts if name == "code"]
    assert not any("window.hacked" in content for content in code)
    assert "<script>window.hacked" not in text
    assert "RMSD to known" not in text and 'class="comparison"' not in text


def test_stages_that_left_nothing_are_named(two_classes, tmp_path):
    folder = tmp_path / "stages"
    shutil.copytree(two_classes, folder)
    for name in ("adk.open.models", "adk.open.docking", "adk.comparison", "adk.embedding"):
        shutil.rmtree(folder / name)
    text = report(folder, tmp_path)
    assert "docking: no result" in text and "models: no result" in text
    table = pd.read_csv(tmp_path / "summary.csv")
    assert table["cc_mask"].notna().tolist() == [True, False]


def tables_of_stopped(page: Page) -> list[dict[str, str | None]]:
    """Attributes of the elements that open and close, each before a table of stopped samples."""
    found = []
    for (tag, attributes), (_, region) in pairwise(e for e in page.elements if e[0] in ("details", "div")):
        if tag == "details" and "that were stopped" in (region.get("aria-label") or ""):
            found.append(attributes)
    return found


@pytest.mark.parametrize(("n_samples", "is_open"), [(14, True), (25, False)])
def test_stopped_samples_are_drawn_told_and_listed(tmp_path, n_samples, is_open):
    folder = tmp_path / "stages"
    build(folder, Case(classes=("only",), n_samples=n_samples))
    text = report(folder, tmp_path)
    record = json.loads((folder / "adk.only.samples" / "samples.json").read_text())
    stopped, finished = record["stopped"], record["samples"]
    assert len(stopped) + len(finished) == n_samples
    assert f"{n_samples} samples were drawn; " in text and f"; {len(finished)} were finished." in text
    assert f"best of {len(finished)} finished samples ({n_samples} drawn)" in text
    assert ["open" in attributes for attributes in tables_of_stopped(Page(text))] == [is_open]
    assert f"{sum(entry['step'] == stopped[0]['step'] for entry in stopped)} samples stopped after this step" in text
    table = pd.read_csv(tmp_path / "summary.csv")
    assert table[["n_samples", "n_finished"]].to_numpy().tolist() == [[n_samples, len(finished)]]
    assert f"adk / only: evaluations</td>\n<td>{record['evaluations']}" in text


def test_results_of_before_samples_were_stopped_are_still_shown(tmp_path):
    folder = tmp_path / "stages"
    build(folder, Case(classes=("only",), n_samples=3, is_old=True, schedule="experimental", guidance="published"))
    text = report(folder, tmp_path)
    assert "best of 3 samples" in text and "3 samples were drawn and all of them were finished." in text
    assert tables_of_stopped(Page(text)) == [] and "Cost:" not in text
    assert "global from step 100 to 149" in text


def test_populations_of_the_samplesheet_are_shown(two_classes, tmp_path):
    checked = tmp_path / "checked.json"
    shares = {"closed": 0.731, "open": None}
    rows = [{"target": "adk", "class": name, "population": share} for name, share in shares.items()]
    checked.write_text(json.dumps({"rows": rows}))
    assert "of the particles." not in report(two_classes, tmp_path / "without")
    arguments = ["--folder", str(two_classes), "--samplesheet", str(checked), "--output", str(tmp_path)]
    assert CliRunner().invoke(main, arguments, catch_exceptions=False).exit_code == 0
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.count("73.1 %") == 4 and "The class holds 73.1 % of the particles." in text
    table = pd.read_csv(tmp_path / "summary.csv").set_index("class")["population"]
    assert table["closed"] == 0.731 and pd.isna(table["open"])
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert [entry["population"] for entry in summary["classes"]] == [0.731, None]


def test_what_failed_is_told_first(two_classes, tmp_path):
    failures = tmp_path / "failures.json"
    sentence = "adk.third, PREPARE_MAP: the map <b>third.mrc</b> is empty"
    missing = [{"target": "adk", "class": "third"}]
    record = {"status": "partial", "n_classes": 3, "classes_without_model": missing}
    failures.write_text(json.dumps(record | {"failures": [{"target": "adk", "class": "third", "sentence": sentence}]}))
    assert "without a model" not in report(two_classes, tmp_path / "without")
    arguments = ["--folder", str(two_classes), "--failures", str(failures), "--output", str(tmp_path)]
    assert CliRunner().invoke(main, arguments, catch_exceptions=False).exit_code == 0
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    title = text.index("This run is partial: 1 of 3 classes without a model")
    told = text.index("adk.third, PREPARE_MAP: the map &lt;b&gt;third.mrc&lt;/b&gt; is empty")
    assert title < told < text.index("Target adk")
    table = pd.read_csv(tmp_path / "summary.csv").set_index("class")
    assert table["status"].to_dict() == {"closed": "modelled", "open": "modelled", "third": "failed"}
    assert table["reason"]["third"] == sentence and pd.isna(table["cc_mask"]["third"])
    assert 'class="chip failed"' in text and "1 class accepted, 1 to be inspected, 1 failed." in text


def breaches(value: object, schema: dict, where: str = "") -> list[str]:
    """What in a value is not as the schema says, for the keywords that assets/summary_schema.json uses."""
    names = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
    kind = "null" if value is None else names[type(value)]
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    found = [] if kind in kinds or (kind == "integer" and "number" in kinds) else [f"{where}: {kind}, not {kinds}"]
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where}: {value!r}")
    if isinstance(value, list):
        found += [text for i, item in enumerate(value) for text in breaches(item, schema["items"], f"{where}[{i}]")]
    if isinstance(value, dict):
        own, other = schema.get("properties", {}), schema.get("additionalProperties", True)
        found += [f"{where}: lacks {name}" for name in schema.get("required", []) if name not in value]
        for name, item in value.items():
            if name in own or isinstance(other, dict):
                found += breaches(item, own.get(name, other), f"{where}.{name}")
            elif other is False:
                found.append(f"{where}: {name} is unknown")
    return found


def test_the_summary_is_as_its_schema_says(two_classes, tmp_path):
    report(two_classes, tmp_path)
    schema = json.loads((ROOT / "assets" / "summary_schema.json").read_text())
    assert schema == summary_schema()
    record = json.loads((tmp_path / "summary.json").read_text())
    assert breaches(record, schema) == []
    record["classes"][0] |= {"cc_mask": "high", "status": "lost"}
    assert breaches(record, schema) == [
        ".classes[0].status: 'lost'",
        ".classes[0].cc_mask: string, not ['number', 'null']",
    ]
    assert record["known_as"]["population"] == ["rlnClassDistribution", "ParticleClassification.classDistribution"]


def test_multiqc_is_given_a_row_per_class(two_classes, tmp_path):
    report(two_classes, tmp_path)
    given = json.loads((tmp_path / "classfold_mqc.json").read_text())
    rows = json.loads((tmp_path / "summary.json").read_text())["classes"]
    assert given["plot_type"] == "generalstats"
    assert {name: row["cc_mask"] for name, row in given["data"].items()} == {
        f"adk.{row['class']}": row["cc_mask"] for row in rows
    }
    headers = {name for header in given["pconfig"] for name in header}
    assert all(set(row) <= headers for row in given["data"].values())


def test_nothing_to_report_is_refused(tmp_path):
    with pytest.raises(InputError, match=re.escape(str(tmp_path))):
        main.callback(tmp_path, None, tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_a_broken_record_is_refused(two_classes, tmp_path):
    folder = tmp_path / "stages"
    shutil.copytree(two_classes, folder)
    (folder / "adk.open.map" / "map.json").write_text("{")
    with pytest.raises(InputError, match=r"map\.json"):
        main.callback(folder, None, tmp_path)
    parameters = tmp_path / "params.json"
    parameters.write_text("not JSON")
    with pytest.raises(InputError, match=r"params\.json"):
        main.callback(two_classes, parameters, tmp_path)
