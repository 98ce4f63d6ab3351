"""The wrapper takes what works on a machine, and says in one sentence what is missing and how to get it."""

import hashlib
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.machine import ROOT, Run, write_java, write_nextflow, write_program, write_python


@pytest.fixture
def call(run: Run) -> Run:
    """Call one function of the wrapper's parts by itself."""
    prelude = (
        f"set -euo pipefail; root={ROOT}; cache=$CLASSFOLD_HOME; say() {{ echo \"$*\" >&2; }};"
        f" fail() {{ say \"$*\"; exit 2; }}; source {ROOT}/setup/python.sh; source {ROOT}/setup/nextflow.sh; "
    )
    return lambda code, **variables: run("bash", "-c", prelude + code, **variables)


def assert_refused(result: subprocess.CompletedProcess[str], *words: str) -> None:
    last = result.stderr.strip().splitlines()[-1]
    assert result.returncode == 2, result.stderr
    assert last.endswith((".", "?")), last
    for word in words:
        assert word in last


@pytest.mark.parametrize("options", [[], ["--help"], ["-h"]])
def test_help_names_every_command(classfold: Run, options: list[str]) -> None:
    result = classfold(*options)
    assert result.returncode == 0
    for command in ("run", "weights", "import", "doctor", "audit", "setup", "test", "lint", "bench"):
        assert f"./classfold {command}" in result.stdout


def test_unknown_words_are_refused(classfold: Run) -> None:
    assert_refused(classfold("fold"), "unknown command 'fold'", "run", "--help")
    assert_refused(classfold("setup", "everything"), "'everything'", "run, test or train")


def test_import_starts_its_script_in_the_users_folder(classfold: Run, tmp_path: Path) -> None:
    program = '#!/bin/sh\nif [ "$1" = -c ]; then exit; fi\necho "arguments: $*"\necho "folder: $PWD"\n'
    python = write_program(tmp_path / "python", program)
    options = ["relion", "Class3D/job012", "--sequence", "adk.fasta"]
    result = classfold("import", *options, CLASSFOLD_PYTHON=str(python))
    assert f"arguments: {ROOT}/bin/import_classes.py {' '.join(options)}" in result.stdout, result.stderr
    assert f"folder: {tmp_path}" in result.stdout


@pytest.mark.parametrize("name", ["", "no_such_benchmark", "../bin/fetch_weights", "a b", "x;y"])
def test_unknown_benchmark_is_refused(classfold: Run, name: str) -> None:
    assert_refused(classfold("bench", name), f"'{name}'")


def test_no_python_says_how_to_get_one(classfold: Run) -> None:
    assert_refused(classfold("setup"), "no working Python 3.11 or 3.12", "apt-get install python3.11")


def test_python_that_does_not_work_is_passed_over(call: Run, machine: Path) -> None:
    write_program(machine / "python3.11", "#!/bin/sh\necho 'pyenv: command not found' >&2\nexit 127\n")
    write_python(machine / "python3.12", (3, 13))
    write_python(machine / "python3", (3, 10))
    good = write_python(machine / "python", (3, 12))
    result = call('find_interpreter; echo "$interpreter"')
    assert result.stdout.strip() == str(good), result.stderr


def test_later_folder_of_the_path_is_searched(call: Run, machine: Path, tmp_path: Path) -> None:
    write_program(machine / "python3.11", "#!/bin/sh\nexit 127\n")
    (tmp_path / "other").mkdir()
    good = write_python(tmp_path / "other" / "python3.11", (3, 11))
    result = call('find_interpreter; echo "$interpreter"', PATH=f"{machine}:{tmp_path / 'other'}")
    assert result.stdout.strip() == str(good), result.stderr


def test_other_machines_are_sent_to_the_container(classfold: Run, machine: Path) -> None:
    (machine / "uname").unlink()
    write_program(machine / "uname", "#!/bin/sh\necho Darwin arm64\n")
    assert_refused(classfold("setup"), "Darwin arm64", "containers/Dockerfile")


def test_named_python_without_the_packages_is_refused(classfold: Run, tmp_path: Path) -> None:
    empty = write_program(tmp_path / "python", "#!/bin/sh\nexit 1\n")
    assert_refused(classfold("setup", CLASSFOLD_PYTHON=str(empty)), str(empty), "requirements.lock")


def test_only_a_stamped_environment_is_used(classfold: Run, call: Run, tmp_path: Path) -> None:
    digest = hashlib.sha256((ROOT / "setup" / "requirements.lock").read_bytes()).hexdigest()[:12]
    environment = tmp_path / "cache" / f"python-{digest}"
    (environment / "bin").mkdir(parents=True)
    write_program(environment / "bin" / "python", "#!/bin/sh\nexit 0\n")
    assert_refused(classfold("setup"), "no working Python")
    (environment / ".complete").touch()
    result = call('find_environment run; echo "$python"')
    assert result.stdout.strip() == f"{environment}/bin/python", result.stderr
    write_program(environment / "bin" / "python", "#!/bin/sh\nexit 127\n")
    assert_refused(call("find_environment run"), "no working Python")


def test_cache_that_cannot_be_made_is_named(classfold: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = classfold("setup", CLASSFOLD_HOME=str(tmp_path / "file" / "cache"))
    assert_refused(refused, f"{tmp_path}/file/cache", "export CLASSFOLD_HOME=")


def test_failed_installation_leaves_no_stamp(call: Run, machine: Path, tmp_path: Path) -> None:
    """The interpreter that is found makes an environment whose pip fails."""
    write_program(
        machine / "python3.11",
        '#!/bin/sh\nif [ "$1" = -c ]; then echo 3.11.0; exit; fi\nmkdir -p "$3/bin"\n'
        "printf '#!/bin/sh\\necho No space left on device\\nexit 1\\n' > \"$3/bin/python\"\n"
        'chmod +x "$3/bin/python"\n',
    )
    result = call("find_environment run")
    assert_refused(result, "installing build.lock failed", "run the same command again")
    assert "No space left on device" in result.stderr
    assert not list((tmp_path / "cache").glob("*/.complete"))


def test_two_setups_at_once_make_one_environment(call: Run, machine: Path, tmp_path: Path) -> None:
    """The first holds the lock until the second has said that it waits."""
    made, waiting = tmp_path / "made", tmp_path / "waiting"
    program = '#!/bin/sh\nif [ "$1" = -c ]; then echo 3.11.0; exit; fi\nmkdir -p "$3/bin"\n'
    program += 'printf "#!/bin/sh\\n" > "$3/bin/python"\nchmod +x "$3/bin/python"\n'
    write_program(
        machine / "python3.11",
        f"{program}echo made >> {made}\nwhile [ ! -e {waiting} ]; do {shutil.which('sleep')} 0.05; done\n",
    )
    with ThreadPoolExecutor() as pool:
        first = pool.submit(call, "find_environment run")
        second = pool.submit(call, f'say() {{ echo "$*" >&2; touch {waiting}; }}; find_environment run')
        results = [first.result(timeout=300), second.result(timeout=300)]
    assert [result.returncode for result in results] == [0, 0], results
    assert made.read_text().splitlines() == ["made"]


@pytest.mark.parametrize(
    ("version", "accepted"), [("1.8", False), ("11", False), ("17", True), ("23", True), ("25", False)]
)
def test_java_is_asked_for_its_version(call: Run, machine: Path, version: str, accepted: bool) -> None:
    write_java(machine / "java", version)
    result = call("supported_java java")
    assert (result.returncode == 0) == accepted
    assert result.stdout.strip() == ("/opt/java" if accepted else "")


@pytest.mark.parametrize(
    ("version", "accepted"), [("23.10.4", False), ("24.04.9", False), ("24.10.0", True), ("26.04.1", True)]
)
def test_nextflow_is_asked_for_its_version(call: Run, machine: Path, version: str, accepted: bool) -> None:
    write_nextflow(machine / "nextflow", version)
    assert (call("is_new_enough nextflow").returncode == 0) == accepted


def test_run_starts_nextflow_in_the_users_folder(classfold: Run, machine: Path, tmp_path: Path) -> None:
    write_nextflow(machine / "nextflow", "25.04.2")
    python = write_program(tmp_path / "python", "#!/bin/sh\nexit 0\n")
    options = ["run", "-profile", "demo", "--seed", "3"]
    result = classfold(*options, CLASSFOLD_PYTHON=str(python), PYTHONPATH="/x", PYTHONSAFEPATH="1")
    lines = result.stdout.splitlines()
    assert f"arguments: run {ROOT} -profile demo --seed 3" in lines, result.stderr
    assert f"folder: {tmp_path}" in lines
    assert f"PATH={tmp_path}:{machine}:{machine}" in lines
    for setting in ("PYTHONDONTWRITEBYTECODE=1", "NXF_DISABLE_CHECK_LATEST=true", "NXF_ANSI_LOG=false"):
        assert setting in lines
    assert not [line for line in lines if line.startswith(("PYTHONPATH", "PYTHONSAFEPATH"))]


@pytest.mark.parametrize("options", ["--help", "-profile slurm,singularity", "-profile docker", "-profile k8s"])
def test_help_and_containers_need_no_python(classfold: Run, machine: Path, options: str) -> None:
    write_nextflow(machine / "nextflow", "24.10.6")
    result = classfold("run", *options.split())
    assert result.returncode == 0, result.stderr
    assert f"arguments: run {ROOT} {options}" in result.stdout
    assert_refused(classfold("run", "-profile", "slurm"), "no working Python")


def test_no_way_to_nextflow_says_how_to_get_it(classfold: Run, machine: Path) -> None:
    write_java(machine / "java", "17")
    write_nextflow(machine / "nextflow", "22.10.1")
    result = classfold("run", "--help")
    assert_refused(result, "Nextflow 24.10 or newer", "apt-get install maven")
    assert "is older than 24.10" in result.stderr


def test_launcher_comes_before_maven(classfold: Run, machine: Path, tmp_path: Path) -> None:
    write_java(machine / "java", "17")
    launcher = write_nextflow(tmp_path / "launcher", "24.10.0")
    # As curl is called here, the file to write follows -o.
    write_program(
        machine / "curl", f'#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\ncp {launcher} "$2"\n'
    )
    result = classfold("run", "--help")
    assert f"arguments: run {ROOT} --help" in result.stdout, result.stderr
    assert "NXF_VER=24.10.0" in result.stdout
    (machine / "curl").unlink()
    assert classfold("run", "--help").returncode == 0, "the launcher is fetched once"


def test_changed_jar_is_refused(classfold: Run, machine: Path, tmp_path: Path) -> None:
    write_java(machine / "java", "17")
    names = [line.split()[1] for line in (ROOT / "setup" / "nextflow.sha256").read_text().splitlines()]
    # As Maven is called here, the last option names the folder.
    folder = '#!/bin/sh\nfor option; do :; done\ncd "${option#-DoutputDirectory=}"\n'
    write_program(machine / "mvn", folder + "".join(f"echo x > {name}\n" for name in names))
    assert_refused(classfold("run", "--help"), "a jar of Nextflow is not the one", "nextflow.sha256")
    assert not list((tmp_path / "cache").glob("nextflow-*/nextflow"))


def test_shell_scripts_parse() -> None:
    scripts = [ROOT / "classfold", ROOT / ".ci" / "run", *(ROOT / "setup").glob("*.sh")]
    scripts += [ROOT / "setup" / "lock", ROOT / "setup" / "nextflow-from-jars"]
    for script in scripts:
        result = subprocess.run(["bash", "-n", script], capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        assert os.access(script, os.X_OK) or script.suffix == ".sh", f"{script.name} is not executable"
