"""Weights and components are read without running anything that their pickles ask for."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from omegaconf import OmegaConf

from classfold.errors import InputError
from classfold.prior import load_components, load_model
from classfold.weights import WeightsFolder, sha256_of, write_digests

WEIGHTS = Path(__file__).resolve().parents[2] / "assets/demo/weights"
CHECKPOINT = WEIGHTS / WeightsFolder.CHECKPOINT


class Payload:
    """A pickle of it makes a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture(scope="module")
def stored() -> dict:
    return torch.load(CHECKPOINT, weights_only=False)


def test_a_checkpoint_of_a_training_with_hydra_gives_the_same_model(tmp_path, stored) -> None:
    """Boltz's trainings keep their settings as OmegaConf, and states of Lightning and NumPy that nobody needs here."""
    settings = {
        name: OmegaConf.create(value) if isinstance(value, dict) else value
        for name, value in stored["hyper_parameters"].items()
    }
    extra = {"callbacks": {"best": np.float64(1.5), "folder": Path("/runs"), "version": torch.__version__}}
    other = {"loops": torch.optim.Adam, **extra}
    torch.save({**stored, **other, "hyper_parameters": settings}, tmp_path / "hydra.ckpt")
    model, expected = load_model(tmp_path / "hydra.ckpt").state_dict(), load_model(CHECKPOINT).state_dict()
    assert model.keys() == expected.keys() == stored["state_dict"].keys()
    assert all(torch.equal(model[name], stored["state_dict"][name]) for name in model)


def test_a_checkpoint_that_asks_for_more_is_refused_and_runs_nothing(tmp_path, stored) -> None:
    torch.save({**stored, "callbacks": Payload(tmp_path / "ran")}, tmp_path / "hostile.ckpt")
    with pytest.raises(InputError, match=r"asks for posix\.mkdir, which does not belong in it and was not run"):
        load_model(tmp_path / "hostile.ckpt")
    assert not (tmp_path / "ran").exists()
    torch.load(tmp_path / "hostile.ckpt", weights_only=False)
    assert (tmp_path / "ran").exists(), "read without restriction it does its work: the file was hostile indeed"


def test_components_that_ask_for_more_are_refused_and_run_nothing(tmp_path) -> None:
    (tmp_path / "ccd.pkl").write_bytes(pickle.dumps({"ALA": Payload(tmp_path / "ran")}))
    with pytest.raises(InputError, match=r"posix\.mkdir"):
        load_components(tmp_path / "ccd.pkl")
    assert not (tmp_path / "ran").exists()
    assert set(load_components(WEIGHTS / "ccd.pkl")) >= {"ALA", "GLY"}


@pytest.mark.parametrize("name", ["builtins.eval", "omegaconf.omegaconf.os.system", "rdkit.Chem.rdchem.Atom"])
def test_nothing_else_can_be_named(tmp_path, name) -> None:
    module, _, attribute = name.rpartition(".")
    (tmp_path / "ccd.pkl").write_bytes(f"\x80\x02c{module}\n{attribute}\n.".encode("latin-1"))
    with pytest.raises(InputError):
        load_components(tmp_path / "ccd.pkl")


@pytest.mark.parametrize("cut", [None, 1000])
def test_digests_come_before_any_unpickling(tmp_path, cut) -> None:
    """A stage that is given other components than were recorded, or half of them, does not begin to read them."""
    import prepare_sequence

    weights = tmp_path / "weights"
    weights.mkdir()
    for name in WeightsFolder.FILES:
        (weights / name).write_bytes((WEIGHTS / name).read_bytes())
    write_digests(weights, {name: sha256_of(weights / name) for name in WeightsFolder.FILES})
    if cut is None:
        (weights / "ccd.pkl").write_bytes(pickle.dumps({"ALA": Payload(tmp_path / "ran")}))
    else:
        os.truncate(weights / "ccd.pkl", cut)
    options = ["--target", "adk", "--sequence", str(WEIGHTS.parent / "adk.fasta"), "--weights", str(weights)]
    result = CliRunner().invoke(prepare_sequence.main, [*options, "--seed", "1", "--output", str(tmp_path / "out")])
    assert isinstance(result.exception, InputError) and "ccd.pkl is damaged or was changed" in str(result.exception)
    assert not (tmp_path / "ran").exists() and not (tmp_path / "out").exists()
