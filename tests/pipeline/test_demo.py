"""The demonstration, as the README starts it: both conformations are found, and only the maps tell them apart."""

import csv

import pytest

BEST_MODEL_ANGSTROM = 1.2
UNGUIDED_FROM_OPEN_ANGSTROM = 4.0


@pytest.fixture(scope="module")
def demonstration(new_run):
    run = new_run()
    run.succeed("-profile", "demo")
    return run


def test_the_best_models_are_the_known_structures(demonstration):
    with (demonstration.folder / "results/summary.csv").open() as stream:
        rows = {row["class"]: row for row in csv.DictReader(stream)}
    rmsd = {name: float(row["best_ca_rmsd_angstrom"]) for name, row in rows.items()}
    assert set(rmsd) == {"closed", "open"}
    assert all(value <= BEST_MODEL_ANGSTROM for value in rmsd.values()), rmsd
    unguided = float(rows["open"]["unguided_ca_rmsd_angstrom"])
    assert unguided >= UNGUIDED_FROM_OPEN_ANGSTROM


def test_the_report_is_there_and_says_what_the_weights_are(demonstration):
    report = (demonstration.folder / "results/report.html").read_text()
    assert "demonstration, not a predictor" in report
