"""The pipeline through a real SLURM: what it asks for, what it does when a job is lost, and that nothing is."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator

import numpy as np
import pytest

from tests.slurm_cluster import Cluster, Job, missing_programs, wait_until

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(
        bool(missing_programs()),
        reason=f"a real SLURM needs {', '.join(missing_programs())}: `sudo apt-get install slurm-wlm munge` brings them",
    ),
]
REAL_SECONDS, STUB_SECONDS = 900, 240
QUICK = "executor { pollInterval = '1s'; queueStatInterval = '2s'; exitReadTimeout = '20s' }\n"
SAME_ANGSTROM = 1e-3


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as cluster, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(cluster.configuration))
        yield cluster


def start(run, *options: str, config: str = ""):
    """In the background, on the cluster."""
    (run.folder / "quick.config").write_text(QUICK + config)
    return run.background("-profile", "test,slurm", "-c", "quick.config", *options)


def test_models_are_those_of_one_machine_and_gpus_are_asked_for(cluster: Cluster, new_run, finished) -> None:
    run = new_run()
    with start(run) as started:
        assert started.end(REAL_SECONDS) == 0, started.said()[-4000:]
    for name in ("closed", "open"):
        assert np.abs(run.model("adk", name) - finished.model("adk", name)).max() <= SAME_ANGSTROM
    asked = {job.name.removeprefix("nf-CLASSFOLD_").rpartition("_(")[0] or job.name: job.gres for job in cluster.jobs()}
    print(asked)
    assert len(asked) == 9
