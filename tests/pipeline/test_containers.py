"""The pipeline in containers of real engines: an ordinary user, a read-only root, no network, the same models.

`./classfold image build` makes the image once; that takes minutes and 9 GB. Docker's profile runs through
podman-docker, or through Docker's client on Podman's service.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.pipeline.container_user import UserRun, user_home
from tests.slurm_cluster import Cluster, missing_programs

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "containers/Dockerfile").read_text()
BASE = re.search(r"^FROM (\S+)", DOCKERFILE, re.M)[1]
IMAGE = "localhost/classfold:tested"
SAME_ANGSTROM = 1e-3
N_CHECKS = 7
STUB = '    stub:\n    """\n'
NO_CAPABILITIES = "0" * 16


def lacking() -> str:
    """Why no image can be made or run here; empty if it can."""
    if not shutil.which("podman"):
        return "podman is missing: `sudo apt-get install podman` mends it"
    if podman("image", "exists", BASE).returncode != 0 and podman("pull", "-q", BASE).returncode != 0:
        return f"the image {BASE} is not here, and no registry that has it is reached"
    tried = podman("run", "--rm", BASE, "true")
    if tried.returncode == 0:
        return ""
    return f"podman cannot start a container here: {' '.join(tried.stderr.split()[-40:]) or 'it takes too long'}"


def podman(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["timeout", "60", "podman", *words], capture_output=True, text=True)


DOCKER = pytest.mark.skipif(
    not shutil.which("docker"), reason="docker is missing: `sudo apt-get install podman-docker` mends it"
)
pytestmark = pytest.mark.containers


def image_command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(ROOT / "classfold"), "image", *words], capture_output=True, text=True)


@pytest.fixture(scope="module")
def image() -> str:
    """Of this very Dockerfile and lock files, made anew only where they changed."""
    if reason := lacking():
        pytest.skip(reason)
    done = image_command("build", "--engine", "podman", "--tag", IMAGE)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return IMAGE


@pytest.fixture(scope="module")
def user(image: str) -> Iterator[UserRun]:
    with user_home() as run:
        yield run


def test_the_image_is_fit_for_the_tasks(image: str) -> None:
    done = image_command("test", "--engine", "podman", "--tag", image)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert len(re.findall("^ok ", done.stdout, re.M)) == N_CHECKS


def test_another_image_is_refused(image: str) -> None:
    """The base has no user, and none of the packages."""
    done = image_command("test", "--engine", "podman", "--tag", BASE)
    assert done.returncode == 2
    assert "runs as root" in done.stderr


@pytest.fixture(scope="module")
def in_podman(user: UserRun) -> UserRun:
    user.succeed("-profile", "test,podman", "--container", IMAGE, "--outdir", "podman")
    return user


@pytest.mark.parametrize("name", ["closed", "open"])
def test_models_in_podman_are_those_without(in_podman: UserRun, finished, name: str) -> None:
    found = in_podman.model("adk", name, results="podman")
    assert np.abs(found - finished.model("adk", name)).max() <= SAME_ANGSTROM


@DOCKER
def test_docker_runs_the_same_commands(in_podman: UserRun, finished) -> None:
    in_podman.succeed("-profile", "test,docker", "--container", IMAGE, "--outdir", "docker")
    scripts = [path.read_text() for path in in_podman.folder.glob("work/*/*/.command.run")]
    assert any(re.search(r"^ +docker run ", script, re.M) for script in scripts)
    for name in ("closed", "open"):
        found = in_podman.model("adk", name, results="docker")
        assert np.abs(found - finished.model("adk", name)).max() <= SAME_ANGSTROM


def test_a_folder_of_the_image_serves_charliecloud(in_podman: UserRun, finished) -> None:
    if not shutil.which("ch-run"):
        pytest.skip("ch-run is missing: `sudo apt-get install charliecloud-runtime` mends it")
    folder = in_podman.folder.parent / "image"
    done = image_command("export", str(folder), "--engine", "podman", "--tag", IMAGE)
    assert done.returncode == 0, done.stderr
    in_podman.succeed("-profile", "test,charliecloud", "--container", str(folder), "--outdir", "charliecloud")
    for name in ("closed", "open"):
        found = in_podman.model("adk", name, results="charliecloud")
        assert np.abs(found - finished.model("adk", name)).max() <= SAME_ANGSTROM


@pytest.mark.slurm
def test_slurm_starts_the_containers(image: str, new_run, finished, monkeypatch: pytest.MonkeyPatch) -> None:
    if absent := ", ".join(missing_programs()):
        pytest.skip(f"{absent} missing: `sudo apt-get install slurm-wlm munge` mends it")
    run = new_run()
    (run.folder / "quick.config").write_text("executor { pollInterval = '1s'; queueStatInterval = '2s' }\n")
    with Cluster() as cluster:
        monkeypatch.setenv("SLURM_CONF", str(cluster.configuration))
        run.succeed("-profile", "test,slurm,podman", "--container", image, "-c", "quick.config")
        jobs = cluster.jobs()
    assert len(jobs) == len(run.trace()) == 12
    assert {job.gres for job in jobs if re.search("EMBED_SEQUENCE|SAMPLE_GUIDED", job.name)} == {"gres:gpu:1"}
    assert {job.gres for job in jobs if not re.search("EMBED_SEQUENCE|SAMPLE_GUIDED", job.name)} == {None}
    for name in ("closed", "open"):
        assert np.abs(run.model("adk", name) - finished.model("adk", name)).max() <= SAME_ANGSTROM


@pytest.mark.parametrize("engine", ["podman", pytest.param("docker", marks=DOCKER)])
def test_tasks_are_confined(user: UserRun, engine: str) -> None:
    """What a task is and may do, as it finds out itself; stubs, for none of it depends on what is computed."""
    probe = """    {
      echo user \\$(id -u)
      echo capabilities \\$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)
      touch /usr/probe 2>/dev/null && echo root writable || echo root read-only
      echo network \\$(ls /sys/class/net)
    } > $workflow.launchDir/$engine.${task.process.tokenize(':').last()}
"""
    stages = ("check_input", "prepare_sequence", "embed_sequence", "sample_guided", "write_report")
    with user.edited({f"modules/{stage}.nf": (STUB, STUB + probe.replace("$engine", engine)) for stage in stages}):
        user.succeed("-profile", f"test,{engine}", "--container", IMAGE, "-stub-run", "--outdir", "confined")
    for stage in stages:
        lines = (user.folder / f"{engine}.{stage.upper()}").read_text().splitlines()
        said = dict(line.split(maxsplit=1) for line in lines)
        assert said == {
            "user": str(user.uid),
            "capabilities": NO_CAPABILITIES,
            "root": "read-only",
            "network": "lo",
        }, stage


def test_memory_that_is_exceeded_is_granted_again(user: UserRun) -> None:
    """The engine's own limit kills the task (137); the second attempt has twice the memory."""
    greedy = "    python3 -c 'held = b\"x\" * 400 * 2**20'\n"
    limit = "process { withName: DOCK_MODEL { memory = { 300.MB * task.attempt } } }\n"
    (user.folder / "little.config").write_text(limit)
    options = ("-profile", "test,podman", "--container", IMAGE, "-stub-run", "-c", "little.config")
    with user.edited({"modules/dock_model.nf": (STUB, STUB + greedy)}):
        user.succeed(*options, "--outdir", "little")
    tried = [(line["status"], line["exit"]) for line in user.trace("little") if "DOCK_MODEL" in line["name"]]
    assert sorted(tried) == [("COMPLETED", "0")] * 2 + [("FAILED", "137")] * 2


def test_another_image_is_another_task(user: UserRun) -> None:
    """-resume keeps nothing that another image made."""
    assert podman("tag", IMAGE, IMAGE + "-other").returncode == 0
    options = ("-profile", "test,podman", "-stub-run", "--outdir", "images", "-work-dir", "work-images")
    runs = (((), IMAGE, "COMPLETED"), (("-resume",), IMAGE, "CACHED"), (("-resume",), IMAGE + "-other", "COMPLETED"))
    for resume, tag, expected in runs:
        user.succeed(*options, *resume, "--container", tag)
        assert {line["status"] for line in user.trace("images")} == {expected}
    # Without a second name all of them would go.
    assert podman("untag", IMAGE, IMAGE + "-other").returncode == 0


@pytest.mark.parametrize(
    ("engine", "option"),
    [
        pytest.param("docker", "--gpus", marks=DOCKER),
        ("podman", "--device nvidia.com/gpu="),
        ("singularity", " --nv "),
        ("apptainer", " --nv "),
    ],
)
def test_only_the_gpu_label_is_given_a_gpu(user: UserRun, engine: str, option: str) -> None:
    """By the commands that Nextflow writes; Singularity and Apptainer are stood in for by Podman."""
    work = user.folder / f"work-{engine}"
    container = IMAGE
    if engine in {"singularity", "apptainer"}:
        container = stand_in(user, engine)
    user.succeed("-profile", f"test,{engine}", "--device", "cuda", "--container", container, "-stub-run",
                 "--outdir", f"gpu-{engine}", "-work-dir", str(work))  # fmt: skip
    texts = [path.read_text() for path in work.glob("*/*/.command.run")]
    scripts = {re.search(r"### name: 'CLASSFOLD:(\w+)", text)[1]: text for text in texts}
    assert len(scripts) == len({line["name"].split()[0] for line in user.trace(f"gpu-{engine}")}) == 9
    for stage, text in scripts.items():
        assert (option in text) == (stage in {"EMBED_SEQUENCE", "SAMPLE_GUIDED"}), stage


def stand_in(user: UserRun, engine: str) -> str:
    """A program of this name that has Podman run what it is given; the path of an image for it."""
    image = user.folder / "image.sif"
    image.touch()
    program = user.folder.parent / "programs" / engine
    program.parent.mkdir(exist_ok=True)
    home, socket = user.folder.parent, user.variables.get("CONTAINER_HOST")
    podman = f"podman --url {socket}" if socket else "podman"
    # The engine's environment begins anew; it takes over what is named so.
    folder = f"NXF_TASK_WORKDIR=${engine.upper()}ENV_NXF_TASK_WORKDIR"
    program.write_text(
        f"#!/bin/bash\nuntil [ $1 = {image} ]; do shift; done\nshift\n"
        f'exec {podman} run --rm -i -v {home}:{home} -u $(id -u):$(id -g) -e "{folder}" {IMAGE} "$@"\n'
    )
    program.chmod(0o755)
    if str(program.parent) not in user.variables.get("PATH", ""):
        user.variables["PATH"] = f"{program.parent}:{user.environment()['PATH']}"
    return str(image)
