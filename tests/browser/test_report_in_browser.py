"""The report in a real Chromium: it draws, its links lead somewhere, nothing is wrong, nothing is fetched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from write_report import main

from tests.chromium import Browser
from tests.report_fixture import Case, build

pytestmark = pytest.mark.browser

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
HOSTILE = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>"
# How many different colours the 3D canvas shows; an empty one shows the background alone.
COLOURS = """(() => {
  const canvas = document.querySelector('.stage.drawn canvas');
  const copy = document.createElement('canvas');
  [copy.width, copy.height] = [canvas.width, canvas.height];
  const context = copy.getContext('2d');
  return new Promise((resolve) => requestAnimationFrame(() => {
    context.drawImage(canvas, 0, 0);
    const pixels = new Uint32Array(context.getImageData(0, 0, copy.width, copy.height).data.buffer);
    resolve(new Set(pixels).size);
  }));
})()"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    """Reports of one, two and ten classes."""
    folder = tmp_path_factory.mktemp("reports")
    cases = {
        "one": Case(classes=("only",), n_samples=1, reference=False, warnings=[HOSTILE], source_map=HOSTILE),
        "two": Case(n_samples=3, confidence=True),
        "ten": Case(classes=tuple(f"class{i}" for i in range(1, 11)), n_samples=1),
    }
    found = {}
    for name, case in cases.items():
        parameters = build(folder / name, case)
        arguments = ["--folder", folder / name, "--parameters", parameters, "--output", folder / name / "out"]
        CliRunner().invoke(main, list(map(str, arguments)), catch_exceptions=False)
        found[name] = folder / name / "out" / "report.html"
    return found


@pytest.fixture()
def browser(tmp_path) -> Iterator[Browser]:
    if PROGRAM is None:
        if os.environ.get("CI"):
            pytest.fail("there is no Chromium, and CI has to have one: apt-get install chromium")
        pytest.skip("there is no Chromium on this machine: apt-get install chromium")
    running = Browser(PROGRAM, tmp_path / "profile")
    yield running
    running.close()


def check_quiet(browser: Browser) -> None:
    """Nothing to complain of, and nothing asked for but the page itself."""
    assert browser.problems == []
    assert [
        address for address in browser.requests if not address.startswith(("file:", "data:", "blob:"))
    ] == []
    assert sum(address.startswith("file:") for address in browser.requests) == 1


def test_two_classes_are_drawn_and_every_link_works(pages, browser, tmp_path):
    browser.open(pages["two"].as_uri())
    browser.wait_for("document.querySelector('.stage.drawn canvas')")
    assert browser.evaluate(COLOURS) > 20
    browser.screenshot(tmp_path / "two_classes.png")
    broken = browser.evaluate(
        """[...document.querySelectorAll('a[href]')].filter((link) => {
          link.click();
          const target = document.getElementById(decodeURIComponent(link.hash.slice(1)));
          return !target || target.getClientRects().length === 0;
        }).map((link) => link.outerHTML)"""
    )
    assert broken == []
    check_quiet(browser)


def test_the_view_moves_to_the_class_that_is_asked_for(pages, browser):
    browser.open(pages["two"].as_uri())
    browser.wait_for("document.querySelector('.stage.drawn canvas')")
    browser.evaluate("document.querySelector('.comparison .show').click()")
    browser.wait_for("document.querySelector('.comparison .stage.drawn canvas')")
    assert browser.evaluate("document.querySelectorAll('canvas').length") == 1
    assert browser.evaluate(COLOURS) > 20
    browser.evaluate(
        """(() => {
          const form = document.querySelectorAll('.class .view form')[1];
          for (const [name, value] of [['surface', 'mesh'], ['colouring', 'plddt']]) {
            form[name].value = value;
            form[name].dispatchEvent(new Event('change', { bubbles: true }));
          }
          form.contour.value = 2;
          form.contour.dispatchEvent(new Event('input', { bubbles: true }));
          form.querySelectorAll('[name=model]').forEach((box) => box.click());
        })()"""
    )
    browser.wait_for("document.querySelectorAll('.class .view')[1].querySelector('.drawn canvas')")
    browser.wait_for("document.querySelectorAll('.class .view output')[1].textContent.startsWith('2 ×')")
    assert "pLDDT" in browser.evaluate("document.querySelectorAll('.class .legend')[1].textContent")
    assert browser.evaluate(COLOURS) > 20
    check_quiet(browser)


def test_tables_sort_and_plots_are_read_with_the_keyboard(pages, browser):
    browser.open(pages["two"].as_uri())
    order = (
        "[...document.querySelectorAll('.overview-table tbody tr')].map((row) => row.cells[1].textContent)"
    )
    browser.evaluate("document.querySelectorAll('.overview-table th button')[1].click()")
    assert browser.evaluate(order) == ["closed", "open"]
    browser.evaluate("document.querySelectorAll('.overview-table th button')[1].click()")
    assert browser.evaluate(order) == ["open", "closed"]
    browser.evaluate("document.querySelector('.plot svg').focus()")
    for _ in range(2):
        browser.send("Input.dispatchKeyEvent", type="keyDown", key="ArrowRight")
    assert "ARG 2" in browser.evaluate("document.querySelector('.plot .readout').textContent")
    check_quiet(browser)


def test_hostile_words_are_only_words(pages, browser):
    browser.open(pages["one"].as_uri())
    browser.wait_for("document.querySelector('.stage.drawn canvas')")
    assert browser.evaluate("window.hacked") is None
    assert HOSTILE in browser.evaluate("document.querySelector('.warnings').textContent")
    check_quiet(browser)


def test_ten_classes_fit_a_phone_and_open_when_asked(pages, browser, tmp_path):
    browser.resize(390, 844, mobile=True)
    browser.open(pages["ten"].as_uri())
    assert browser.evaluate("document.documentElement.scrollWidth") <= 390
    assert browser.evaluate("document.querySelectorAll('canvas').length") == 0
    browser.evaluate("document.querySelector('a[href=\"#class.adk.class10\"]').click()")
    browser.wait_for("document.getElementById('class.adk.class10').querySelector('.drawn canvas')")
    assert browser.evaluate(COLOURS) > 20
    browser.screenshot(tmp_path / "ten_classes_phone.png")
    assert pages["ten"].stat().st_size < 15e6
    check_quiet(browser)
