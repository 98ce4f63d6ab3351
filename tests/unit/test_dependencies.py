"""What is installed is locked: a hash for every file, no host, one set of versions; images hold no code."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def read_lock(name: str) -> dict[str, set[str]]:
    """Requirement (name==version and marker) -> its hashes."""
    entries: dict[str, set[str]] = {}
    hashes: set[str] = set()
    for line in (ROOT / "setup" / name).read_text().splitlines():
        words = line.rstrip("\\").strip()
        if words.startswith("--hash=sha256:"):
            hashes.add(words.removeprefix("--hash=sha256:"))
        else:
            hashes = entries[words] = set()
    return entries


LOCKS = sorted(path.name for path in (ROOT / "setup").glob("*.lock"))


def test_every_requirement_file_is_locked() -> None:
    assert sorted(f"{path.stem}.lock" for path in (ROOT / "setup").glob("*.in")) == LOCKS


@pytest.mark.parametrize("name", LOCKS)
def test_lock_names_no_host_and_every_package_has_hashes(name: str) -> None:
    text = (ROOT / "setup" / name).read_text()
    assert "://" not in text
    assert " @ " not in text
    for requirement, hashes in read_lock(name).items():
        assert requirement.split(" ;")[0].count("==") == 1, requirement
        assert hashes, requirement
        assert all(len(digest) == 64 for digest in hashes), requirement


@pytest.mark.parametrize("name", ["requirements-test.lock", "requirements-train.lock"])
def test_other_environments_hold_the_run_time_set(name: str) -> None:
    assert read_lock("requirements.lock").items() <= read_lock(name).items()


@pytest.mark.parametrize("name", LOCKS)
def test_lock_holds_what_its_source_asks_for(name: str) -> None:
    locked = {requirement.split("==")[0] for requirement in read_lock(name)}
    lines = (ROOT / "setup" / name).with_suffix(".in").read_text().splitlines()
    asked = {line.split("=")[0].split(">")[0].strip().lower() for line in lines if line[:1].isalpha()}
    assert asked
    assert asked <= locked


def test_containers_hold_the_locked_packages_and_no_code() -> None:
    docker = (ROOT / "containers" / "Dockerfile").read_text()
    apptainer = (ROOT / "containers" / "apptainer.def").read_text()
    copied = [line.split()[1:-1] for line in docker.splitlines() if line.startswith(("COPY", "ADD"))]
    assert copied == [["setup/build.lock", "setup/requirements.lock"]]
    section = apptainer.split("%files")[1].split("%post")[0]
    assert [line.split()[0] for line in section.strip().splitlines()] == copied[0]
    for recipe in (docker, apptainer):
        assert "python:3.11-slim-bookworm" in recipe
        assert recipe.count("--require-hashes --no-deps") == recipe.count("pip install") == 2
        assert "procps" in recipe
    users = [line.split()[1] for line in docker.splitlines() if line.startswith("USER")]
    assert users
    assert users[-1] not in {"root", "0"}
