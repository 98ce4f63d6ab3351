"""The doctor says of everything what was found and how to mend it, before anything is installed; and the audit."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.machine import ROOT, Run, write_java, write_nextflow, write_program, write_python

Diagnosis = dict[str, tuple[str, str]]
MORE_TOOLS = ["awk", "df", "head", "ls", "paste", "sort", "timeout", "wc"]


@pytest.fixture
def doctor(classfold: Run, machine: Path) -> Callable[..., tuple[int, Diagnosis]]:
    """Exit code, and subject -> (verdict, sentence); the last one of a subject counts."""
    for tool in MORE_TOOLS:
        found = shutil.which(tool)
        assert found
        (machine / tool).symlink_to(found)

    def ask(*options: str, **variables: str) -> tuple[int, Diagnosis]:
        result = classfold("doctor", *options, **variables)
        lines = [line.split(maxsplit=2) for line in result.stdout.splitlines()]
        assert lines, result.stderr
        assert all(sentence.endswith(".") for _, _, sentence in lines), result.stdout
        return result.returncode, {subject: (verdict, sentence) for verdict, subject, sentence in lines}

    return ask


def network(machine: Path, *, answers: bool) -> None:
    write_program(machine / "curl", f"#!/bin/sh\nexit {0 if answers else 6}\n")


def test_a_bare_machine_is_told_what_to_install(doctor, machine: Path, tmp_path: Path) -> None:
    network(machine, answers=True)
    before = sorted(tmp_path.rglob("*"))
    code, found = doctor()
    assert code == 1
    assert list(found) == ["containers", "Python", "Java", "Nextflow", "GPU", "weights", "disk", "network"]
    assert found["Python"][0] == "PROBLEM" and "apt-get install python3.11" in found["Python"][1]
    assert found["Java"][0] == "PROBLEM" and "openjdk-17-jre-headless" in found["Java"][1]
    assert {name: found[name][0] for name in ("containers", "GPU", "weights")} == dict.fromkeys(
        ("containers", "GPU", "weights"), "note"
    )
    assert sorted(tmp_path.rglob("*")) == before


def test_a_python_is_enough_where_there_is_a_network(doctor, machine: Path) -> None:
    write_python(machine / "python3.11", (3, 11))
    network(machine, answers=True)
    code, found = doctor()
    assert code == 0, found
    assert str(machine / "python3.11") in found["Python"][1]
    assert found["network"] == ("ok", "pypi.org, get.nextflow.io, huggingface.co answer.")


def test_without_a_network_what_cannot_be_fetched_is_named(doctor, machine: Path) -> None:
    write_python(machine / "python3.11", (3, 11))
    network(machine, answers=False)
    code, found = doctor(PIP_INDEX_URL="https://me:secret@mirror.example/simple")
    assert code == 1
    verdict, sentence = found["network"]
    assert verdict == "PROBLEM" and "mirror.example," in sentence and "secret" not in sentence
    assert "Python packages, Java, Nextflow, weights" in sentence and "docs/facility.md" in sentence


def test_a_complete_machine_needs_no_network(doctor, machine: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256((ROOT / "setup/requirements.lock").read_bytes()).hexdigest()[:12]
    environment = tmp_path / "cache" / f"python-{digest}"
    (environment / "bin").mkdir(parents=True)
    write_program(environment / "bin/python", "#!/bin/sh\n[ -z \"$2\" ] || echo 3.12.1\n")
    (environment / ".complete").touch()
    write_java(machine / "java", "21")
    write_nextflow(machine / "nextflow", "25.04.2")
    network(machine, answers=False)
    code, found = doctor("--weights", str(ROOT / "assets/demo/weights"))
    assert code == 0, found
    assert found["Python"][1].startswith("3.12.1 with all locked packages")
    assert "25.04.2" in found["Nextflow"][1] and "/opt/java" in found["Java"][1]
    assert found["weights"][0] == "ok" and "demonstration" in found["weights"][1]
    assert found["network"][0] == "ok"


def test_changed_weights_are_noticed(doctor, tmp_path: Path) -> None:
    folder = shutil.copytree(ROOT / "assets/demo/weights", tmp_path / "weights")
    with (folder / "ccd.pkl").open("ab") as stream:
        stream.write(b"x")
    assert doctor("--weights", str(folder))[1]["weights"][0] == "PROBLEM"
    (folder / "SHA256SUMS").unlink()
    assert "has no SHA256SUMS" in doctor("--weights", str(folder))[1]["weights"][1]
    (folder / "ccd.pkl").unlink()
    assert "does not hold" in doctor("--weights", str(folder))[1]["weights"][1]


def test_an_engine_without_its_service_is_told_from_one_that_works(doctor, machine: Path) -> None:
    write_program(machine / "docker", "#!/bin/sh\n[ $1 = --version ] && echo 'Docker version 27.1'\n")
    verdict, sentence = doctor()[1]["containers"]
    assert verdict == "note" and sentence.startswith("docker: on PATH, but without an answer")
    write_program(machine / "docker", "#!/bin/sh\n[ $1 = image ] && exit 1\necho 'Docker version 27.1'\n")
    found = doctor()[1]
    assert found["containers"][0] == "ok"
    assert "docker 27.1, where `./classfold image build --engine docker`" in found["containers"][1]
    assert found["Python"][0] == "note" and "-profile docker" in found["Python"][1]
    write_program(machine / "docker", "#!/bin/sh\necho 'Docker version 27.1'\n")
    assert "docker 27.1 with the image classfold:" in doctor()[1]["containers"][1]


def test_a_gpu_that_pytorch_cannot_use_is_a_problem(doctor, machine: Path, tmp_path: Path) -> None:
    write_program(machine / "nvidia-smi", "#!/bin/sh\nfor i in 1 2; do echo 'NVIDIA A100, 81920 MiB, 550.54'; done\n")
    verdict, sentence = doctor()[1]["GPU"]
    assert verdict == "ok" and sentence.startswith("2 x NVIDIA A100 with 81920 MiB, driver 550.54")
    python = tmp_path / "python"
    for usable, expected in (("2 12.8", "ok"), ("0 12.8", "PROBLEM")):
        write_program(python, f"#!/bin/sh\necho '{usable}'\n")
        verdict, sentence = doctor(CLASSFOLD_PYTHON=str(python))[1]["GPU"]
        assert verdict == expected and "CUDA 12.8" in sentence


def test_slurm_is_asked_for_its_partitions(doctor, machine: Path) -> None:
    assert "SLURM" not in doctor()[1]
    write_program(machine / "sbatch", "#!/bin/sh\n")
    assert doctor()[1]["SLURM"][0] == "PROBLEM"
    write_program(machine / "sinfo", "#!/bin/sh\necho 'cpu (null)'\necho 'long gpu:a100:4'\n")
    assert doctor()[1]["SLURM"] == ("ok", "partitions with GPUs: long (gpu:a100:4); name one with --slurm_gpu_queue.")


def test_a_full_disk_and_a_folder_that_cannot_be_made(doctor, machine: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    verdict, sentence = doctor("--outdir", str(tmp_path / "file/results"))[1]["disk"]
    assert verdict == "PROBLEM" and f"results {tmp_path}/file/results: no folder can be made" in sentence
    (machine / "df").unlink()
    for free, expected in ((2 * 1024**2, "ok"), (1024**2 - 1, "PROBLEM")):  # in kB
        write_program(machine / "df", f"#!/bin/sh\necho Filesystem\necho /dev/sda 1 1 {free} 99% /\n")
        assert doctor()[1]["disk"][0] == expected


def test_wrong_options_are_refused(classfold: Run) -> None:
    for options in (["--folder"], ["--weights"]):
        result = classfold("doctor", *options)
        assert result.returncode == 2 and options[0] in result.stderr


@pytest.fixture
def audit(classfold: Run, tmp_path: Path) -> Callable[[str], object]:
    """The audit with a stand-in for pip-audit that does what it is told to."""
    digest = hashlib.sha256((ROOT / "setup/audit.lock").read_bytes()).hexdigest()[:12]
    program = tmp_path / "cache" / f"audit-{digest}" / "bin/python"
    program.parent.mkdir(parents=True)
    (program.parents[1] / ".complete").touch()

    def start(does: str):
        write_program(program, f'#!/bin/sh\n[ "$1" = -c ] && exit\n{does}\n')
        return classfold("audit")

    return start


def test_the_audit_asks_about_every_locked_file(audit) -> None:
    done = audit("echo No known vulnerabilities found")
    assert done.returncode == 0, done.stderr
    for name in ("requirements", "build", "java"):
        assert f"{name}.lock: " in done.stderr
    assert "no known vulnerabilities." in done.stderr


def test_the_audit_shows_what_it_found(audit) -> None:
    table = "echo Found 1 known vulnerability in 1 package >&2; echo torch 2.9.1 PYSEC-2026-1 2.9.2; exit 1"
    done = audit(table)
    assert done.returncode == 1
    assert "torch 2.9.1 PYSEC-2026-1" in done.stdout and "./setup/lock --upgrade" in done.stderr


def test_an_audit_that_asked_nobody_is_no_clean_one(audit) -> None:
    done = audit("echo \"requests.exceptions.ConnectionError: HTTPSConnectionPool(host='pypi.org')\" >&2; exit 1")
    assert done.returncode == 2 and "nothing was audited" in done.stderr and "pypi.org" in done.stderr
    done = audit('echo "torch Dependency not found on PyPI and could not be audited: torch (2.9.1)"')
    assert done.returncode == 2 and "3 packages could not be audited" in done.stderr
