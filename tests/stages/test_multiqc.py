"""MultiQC takes up classfold_mqc.json as it lies in the results folder."""

from __future__ import annotations

import shutil
import subprocess

import pandas as pd
import pytest

from tests.report_pages import write_page

COLUMNS = ("verdict", "cc_mask", "unguided_cc_mask", "resolution_angstrom", "n_warnings", "status")


@pytest.mark.skipif(shutil.which("multiqc") is None, reason="there is no MultiQC on this machine: pip install multiqc")
def test_multiqc_shows_a_row_for_each_class(tmp_path):
    page = write_page(tmp_path / "run", "two")
    command = ["multiqc", "--no-ansi", "--no-version-check", "--outdir", str(tmp_path / "out"), str(page.parent)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "out/multiqc_data/multiqc_general_stats.txt", sep="\t", index_col=0)
    assert table.index.tolist() == ["adk.closed", "adk.open"]
    assert [name.rsplit("-", 1)[-1] for name in table.columns] == list(COLUMNS)
    summary = pd.read_csv(page.parent / "summary.csv")
    for name, column in zip(COLUMNS, table.columns, strict=True):
        assert table[column].tolist() == summary[name].tolist()
