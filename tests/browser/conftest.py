"""Reports, a browser to open them in, and a folder for its screenshots."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chromium import PROGRAM, Browser
from tests.report_pages import CASES, write_page

ARTEFACTS = Path(__file__).resolve().parents[1] / "artefacts"


@pytest.fixture(scope="session")
def pages(tmp_path_factory) -> dict[str, Path]:
    """Reports of one, two and ten classes."""
    folder = tmp_path_factory.mktemp("reports")
    return {name: write_page(folder / name, name) for name in CASES}


@pytest.fixture()
def browser(tmp_path) -> Iterator[Browser]:
    if PROGRAM is None:
        if os.environ.get("CI"):
            pytest.fail("there is no Chromium, and CI has to have one: apt-get install chromium")
        pytest.skip("there is no Chromium on this machine: apt-get install chromium")
    running = Browser(PROGRAM, tmp_path / "profile")
    yield running
    running.close()


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Folder of the screenshots, which stay for a person to look at."""
    folder = Path(os.environ.get("CLASSFOLD_SCREENSHOTS", ARTEFACTS))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
