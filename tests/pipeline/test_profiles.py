"""Profiles that no test can run, for want of an account: Nextflow reads them, and they ask for what they should."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FACILITY = (ROOT / "docs/facility.md").read_text()


def site_config(profile: str) -> str:
    """The example of docs/facility.md for a profile: the block that follows its name."""
    found = re.search(rf"\*\*`{profile}`\*\*[\s\S]*?\n\n((?:    .*\n)+)", FACILITY)
    assert found
    return re.sub("^    ", "", found[1], flags=re.MULTILINE)


def settings(folder: Path, profile: str, nextflow: str) -> dict[str, str]:
    """Every setting of a profile with its site's configuration, as `nextflow config -flat` shows it."""
    (folder / "site.config").write_text(site_config(profile))
    command = [nextflow, "-c", "site.config", "config", "-flat", "-profile", profile, str(ROOT)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(line.split(" = ", 1) for line in done.stdout.splitlines() if " = " in line)


@pytest.mark.parametrize(
    ("profile", "executor", "gpu"),
    [
        ("slurm", "slurm", ("clusterOptions", "{ '--gres=gpu:a100:1")),
        ("awsbatch", "awsbatch", ("accelerator", "1")),
        ("google_batch", "google-batch", ("accelerator", "[request:1, type:'nvidia-l4']")),
        ("k8s", "k8s", ("accelerator", "1")),
    ],
)
def test_a_profile_with_the_documented_site_config_is_read(
    tmp_path: Path, nextflow: str, profile: str, executor: str, gpu: tuple[str, str]
) -> None:
    assert len(site_config(profile).strip().splitlines()) <= 10
    found = settings(tmp_path, profile, nextflow)
    assert found["process.executor"] == f"'{executor}'"
    # This machine's limits must not reach a cluster.
    limits = "[cpus:32, memory:'240 GB', time:'2d']" if profile == "slurm" else "[]"
    assert found["process.resourceLimits"] == limits
    assert found["process.'withLabel:gpu'.maxForks"] == "0"
    assert found[f"process.'withLabel:gpu'.{gpu[0]}"].startswith(gpu[1])
