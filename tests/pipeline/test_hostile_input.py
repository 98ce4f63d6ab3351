"""Words of the user's are words: no file name, folder or parameter is ever read by a shell; no secret reaches a log.

The run computes in a folder of the node's own (`process.scratch`), as clusters with slow shared disks are set up.
"""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "assets/demo"
QUICK = ("--samples", "1", "--steps", "16")
# In a shell each of these would make the file `pwned`.
NAMES = {
    "map": "op'en \"$(touch pwned)\" `touch pwned`; touch pwned & .mrc",
    "sequence": "a dk|touch pwned>pwned && touch pwned #.fasta",
}
SECRET = "tests-hold-this-to-be-a-secret-0451"


@pytest.fixture(scope="module")
def hostile(new_run):
    """A run whose files and folder of results have names that a shell would act on, beside variables with secrets."""
    run = new_run()
    folder = run.folder / "in $(touch pwned)"
    folder.mkdir()
    shutil.copy(DEMO / "maps/open.mrc", folder / NAMES["map"])
    shutil.copy(DEMO / "adk.fasta", folder / NAMES["sequence"])
    with (run.folder / "sheet.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["target", "class", "map", "resolution", "sequence"])
        rows.writerow(["adk", "open", folder / NAMES["map"], "4", folder / NAMES["sequence"]])
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_SECRET_ACCESS_KEY", "WANDB_API_KEY", "REGISTRY_TOKEN"):
            patch.setenv(name, SECRET)
        (run.folder / "site.config").write_text("process.scratch = true\n")
        options = ("-profile", "test", "-c", "site.config", "--input", "sheet.csv", *QUICK)
        return run, run.start(*options, "--outdir", "res'ults `touch pwned`")


def test_names_that_a_shell_would_act_on_are_only_names(hostile) -> None:
    run, done = hostile
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert not list(run.folder.rglob("pwned"))
    results = run.folder / "res'ults `touch pwned`"
    assert (results / "adk/open/model.cif").is_file()
    # The report tells which file it was.
    assert "touch pwned" in (results / "report.html").read_text()


def test_secrets_of_the_environment_reach_no_file(hostile) -> None:
    run, done = hostile
    assert SECRET not in done.stdout + done.stderr
    files = [path for path in run.folder.rglob("*") if path.is_file()]
    assert len(files) > 100
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []


@pytest.mark.parametrize(
    "option",
    [
        ("--msa_server_url", "https://example.org/$(touch pwned)"),
        ("--container", "image; touch pwned"),
        ("--slurm_queue", "gpu; touch pwned"),
        ("--slurm_account", "$(touch pwned)"),
        ("--seed", "1; touch pwned"),
        ("--guidance", "auto; touch pwned"),
    ],
    ids=lambda option: option[0],
)
def test_parameters_that_reach_a_command_are_refused_unless_harmless(new_run, option: tuple[str, str]) -> None:
    run = new_run()
    done = run.start("-profile", "test", "-stub-run", *option)
    assert done.returncode == 2
    assert option[0].lstrip("-") in done.stderr
    assert not list(run.folder.rglob("pwned"))


def test_no_module_puts_a_file_or_folder_parameter_into_its_script() -> None:
    """Paths come as staged files, whose names Nextflow quotes; of parameters only those whose values are checked."""
    free = ("params.input", "params.outdir", "params.weights", "params.weights_cache", "params.reference_models")
    for module in (ROOT / "modules").glob("*.nf"):
        script = module.read_text().partition("script:")[2]
        assert script and not [name for name in free if name in script], module.name
