"""axe-core finds nothing to complain of in the report, wide or narrow, with everything open."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.axe_core import CHECK, NoAxeCore, axe_core

pytestmark = pytest.mark.browser

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "classfold" / "axe-core"


@pytest.fixture(scope="module")
def script() -> str:
    try:
        return axe_core(CACHE)
    except NoAxeCore as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("width", [1280, 360])
def test_nothing_breaks_the_rules_of_wcag(pages, browser, script, width):
    browser.resize(width, 900, mobile=width < 600)
    browser.open(pages["two"].as_uri())
    browser.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    browser.evaluate("document.querySelector('.show').click()")
    browser.wait_for("document.querySelector('.stage.drawn canvas')")
    browser.evaluate(f"{script}; true")
    assert browser.evaluate(CHECK) == []
