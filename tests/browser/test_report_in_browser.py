"""The report in a real Chromium: it draws, its links lead somewhere, nothing is wrong, nothing is fetched."""

from __future__ import annotations

import pytest

from tests.chromium import Browser
from tests.report_pages import HOSTILE

pytestmark = pytest.mark.browser

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


def check_quiet(browser: Browser) -> None:
    """Nothing to complain of, and nothing asked for but the page itself."""
    assert browser.problems == []
    assert [
        address for address in browser.requests if not address.startswith(("file:", "data:", "blob:"))
    ] == []
    assert sum(address.startswith("file:") for address in browser.requests) == 1


def look(browser: Browser) -> None:
    """Bring the 3D view before the reader and wait until it is drawn."""
    browser.evaluate("document.querySelector('.view').scrollIntoView({ behavior: 'instant' })")
    browser.wait_for("document.querySelector('.stage.drawn canvas')")


def choose(browser: Browser, **values: str) -> None:
    """Set controls of the 3D view, as a reader would."""
    for name, value in values.items():
        browser.evaluate(
            f"""(() => {{
              const control = document.querySelector('.view form')['{name}'];
              control.value = '{value}';
              control.dispatchEvent(new Event('change', {{ bubbles: true }}));
            }})()"""
        )


def test_two_classes_are_drawn_and_every_link_works(pages, browser, pictures):
    browser.open(pages["two"].as_uri())
    browser.screenshot(pictures / "two_classes_top.png")
    look(browser)
    assert browser.evaluate(COLOURS) > 20
    browser.screenshot(pictures / "two_classes.png")
    broken = browser.evaluate(
        """[...document.querySelectorAll('a[href]')].filter((link) => {
          link.click();
          const target = document.getElementById(decodeURIComponent(link.hash.slice(1)));
          return !target || target.getClientRects().length === 0;
        }).map((link) => link.outerHTML)"""
    )
    assert broken == []
    check_quiet(browser)


def test_the_view_shows_the_class_that_is_asked_for_and_another_over_it(pages, browser, pictures):
    browser.open(pages["two"].as_uri())
    look(browser)
    browser.evaluate("document.querySelectorAll('.look')[1].click()")
    browser.wait_for("document.querySelector('.view').dataset.shown === 'open'")
    assert browser.evaluate("document.querySelectorAll('canvas').length") == 1
    choose(browser, overlay="closed", surface="mesh", colouring="plddt")
    browser.wait_for("document.querySelector('.legend').textContent.includes('pLDDT')")
    assert browser.evaluate("document.querySelector('.legend .numbers').textContent") == "507090"
    choose(browser, placed="core", colouring="moved:closed")
    browser.wait_for("document.querySelector('.legend').textContent.includes('from closed')")
    assert browser.evaluate(COLOURS) > 20
    browser.screenshot(pictures / "laid_over.png")
    check_quiet(browser)


def test_tables_sort_and_plots_are_read_with_the_keyboard(pages, browser):
    browser.open(pages["two"].as_uri())
    order = (
        "[...document.querySelectorAll('.overview-table tbody tr')].map((row) => row.cells[1].textContent)"
    )
    browser.evaluate("document.querySelectorAll('.overview-table th button')[1].focus()")
    for sorting, names in (("ascending", ["closed", "open"]), ("descending", ["open", "closed"])):
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
        browser.send("Input.dispatchKeyEvent", type="keyDown", text="\r", **key)
        browser.send("Input.dispatchKeyEvent", type="keyUp", **key)
        assert browser.evaluate(order) == names
        assert browser.evaluate("document.activeElement.closest('th').ariaSort") == sorting
    browser.evaluate("document.querySelector('.plot svg').focus()")
    for _ in range(2):
        browser.send("Input.dispatchKeyEvent", type="keyDown", key="ArrowRight")
    assert "ARG 2" in browser.evaluate("document.querySelector('.plot .readout').textContent")
    browser.evaluate("document.querySelector('.plot .values').open = true")
    browser.wait_for("document.querySelectorAll('.plot .values li').length === 214")
    check_quiet(browser)


def test_hostile_words_are_only_words(pages, browser, pictures):
    browser.open(pages["one"].as_uri())
    browser.screenshot(pictures / "one_class_top.png")
    look(browser)
    browser.screenshot(pictures / "one_class.png")
    assert browser.evaluate("window.hacked") is None
    assert HOSTILE in browser.evaluate("document.querySelector('.warnings').textContent")
    check_quiet(browser)


def test_ten_classes_fit_a_phone_and_open_when_asked(pages, browser, pictures):
    browser.resize(360, 800, mobile=True)
    browser.open(pages["ten"].as_uri())
    loaded = browser.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd / 1000")
    print(f"ten classes: {pages['ten'].stat().st_size / 1e6:.1f} MB, loaded in {loaded:.2f} s")
    assert browser.evaluate("document.documentElement.scrollWidth") <= 360
    assert browser.evaluate("document.querySelectorAll('.card img').length") == 10
    chips = browser.evaluate("[...document.querySelectorAll('.card .chip')].map((chip) => chip.classList[1])")
    assert set(chips) == {"accept", "inspect", "reject", "failed"} and len(chips) == 11
    browser.screenshot(pictures / "ten_classes_phone.png")
    browser.evaluate("document.getElementById('class.adk.class10').querySelector('.look').click()")
    browser.wait_for("document.querySelector('.stage.drawn canvas')")
    assert browser.evaluate("document.querySelector('.view').dataset.shown") == "class10"
    assert browser.evaluate(COLOURS) > 20
    browser.screenshot(pictures / "ten_classes_phone_3d.png")
    assert pages["ten"].stat().st_size < 15e6
    check_quiet(browser)


def test_a_morph_moves_and_its_legend_says_how_far(pages, browser, pictures):
    browser.open(pages["two"].as_uri())
    look(browser)
    choose(browser, morph="0")
    browser.wait_for("document.querySelector('.legend').textContent.includes('first to the last frame')")
    browser.evaluate(
        """(() => {
          const slider = document.querySelector('.view form').frame;
          slider.value = 0.5;
          slider.dispatchEvent(new Event('input', { bubbles: true }));
        })()"""
    )
    browser.screenshot(pictures / "morph_halfway.png")
    browser.evaluate("document.querySelector('[name=play]').click()")
    browser.wait_for("Number(document.querySelector('.view form').frame.value) > 0.6")
    browser.evaluate("document.querySelector('[name=play]').click()")
    assert browser.evaluate("document.querySelector('[name=play]').ariaPressed") == "false"
    check_quiet(browser)


def test_the_page_prints_whole(pages, browser, pictures):
    browser.open(pages["ten"].as_uri())
    browser.screenshot(pictures / "ten_classes_top.png")
    browser.evaluate("dispatchEvent(new Event('beforeprint'))")
    browser.send("Emulation.setEmulatedMedia", media="print")
    closed = "[...document.querySelectorAll('details.class')].filter((each) => !each.open).length"
    assert browser.evaluate(closed) == 0
    for hidden in ("nav", ".controls", ".view", ".show"):
        assert browser.evaluate(f"document.querySelector('{hidden}').getClientRects().length") == 0
    browser.screenshot(pictures / "ten_classes_print.png")
    browser.evaluate("dispatchEvent(new Event('afterprint'))")
    assert browser.evaluate(closed) == 10
    assert len(browser.send("Page.printToPDF", printBackground=True)["data"]) > 100_000
    check_quiet(browser)
