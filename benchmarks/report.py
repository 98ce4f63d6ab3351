#!/usr/bin/env python3
"""The report: how large its file is and how long a browser takes to load it, for ten classes beside one.

Runs of one and of ten classes are imitated (tests/report_fixture.py), their reports written, and each opened in a
headless Chromium without a GPU, the two in turn, so that what else the machine does falls on both. The time is the
browser's own, from the start of the navigation to the end of the load event; maps and models are unpacked later, when
they are opened. The last line is the median of ten classes over that of one.

    ./classfold bench report [--repeats 5]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bin"))
sys.path.insert(0, str(ROOT))

import click

from classfold.errors import InputError, run_stage
from tests.chromium import PROGRAM, Browser
from tests.report_pages import write_page

PAGES = {"one": 1, "ten": 10}
LOADED = "performance.getEntriesByType('navigation')[0].loadEventEnd / 1000"


@click.command(help=__doc__, context_settings={"show_default": True})
@click.option("--repeats", type=click.IntRange(min=1), default=5, help="Times that each page is opened.")
def main(repeats: int) -> None:
    """Write, open in turn, print."""
    if PROGRAM is None:
        raise InputError("there is no Chromium on this machine; install chromium")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pages = {page: write_page(folder / page, page) for page in PAGES}
        seconds: dict[str, list[float]] = {page: [] for page in PAGES}
        for turn in range(repeats):
            for page, path in pages.items():
                browser = Browser(PROGRAM, folder / f"profile_{page}_{turn}")
                browser.open(path.as_uri())
                seconds[page].append(browser.evaluate(LOADED))
                browser.close()
        click.echo("classes  MB    loaded in s, median (all)")
        for page, n_classes in PAGES.items():
            found = ", ".join(f"{value:.2f}" for value in seconds[page])
            size = pages[page].stat().st_size / 1e6
            click.echo(f"{n_classes:7d}  {size:4.1f}  {statistics.median(seconds[page]):.2f} ({found})")
    ratio = statistics.median(seconds["ten"]) / statistics.median(seconds["one"])
    click.echo(f"report: {ratio:.2f}")


if __name__ == "__main__":
    run_stage(main)
