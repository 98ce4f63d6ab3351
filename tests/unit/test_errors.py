"""How a stage ends: its exit code decides whether it is tried again, its last words are told to a person."""

import click
import pytest
import torch

from classfold.errors import InputError, run_stage


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (InputError("the map is <not> a map; give one"), 2, "prepare_map: the map is <not> a map; give one"),
        (torch.OutOfMemoryError("CUDA out of memory.\n Tried 2 GiB"), 137, "CUDA out of memory. Tried 2 GiB"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 8 bytes"), 137, "DefaultCPUAllocator"),
        (MemoryError(), 137, "prepare_map: out of memory: the host's memory is used up"),
    ],
)
def test_what_is_no_fault_of_the_program_ends_with_one_sentence(error, code, said, monkeypatch, capsys) -> None:
    @click.command()
    def main() -> None:
        raise error

    monkeypatch.setattr("sys.argv", ["/pipeline/bin/prepare_map.py"])
    with pytest.raises(SystemExit) as ended:
        run_stage(main)
    assert ended.value.code == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("prepare_map: ") and said in line


def test_a_fault_of_the_program_shows_itself(monkeypatch) -> None:
    @click.command()
    def main() -> None:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr("sys.argv", ["prepare_map.py"])
    with pytest.raises(RuntimeError, match="shapes"):
        run_stage(main)
