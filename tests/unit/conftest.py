"""Priors for the tests: the demonstration's weights, and a random Boltz-1 with a confidence head. A bare machine."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from classfold.prior import BoltzPrior, featurise, load_components, load_model, parse_target
from tests.machine import TOOLS, Run
from tests.random_prior import random_model

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = ROOT / "assets/demo/weights"
PriorFactory = Callable[[torch.dtype], BoltzPrior]


def make_prior(model: torch.nn.Module, features: dict[str, torch.Tensor], dtype: torch.dtype) -> BoltzPrior:
    """The model and its features in one precision."""
    cast = {
        name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in features.items()
    }
    return BoltzPrior(model.to(dtype), cast, torch.device("cpu"))


@pytest.fixture(scope="session")
def adk_features() -> dict[str, torch.Tensor]:
    target = parse_target(ROOT / "assets/demo/adk.fasta", load_components(WEIGHTS / "ccd.pkl"))
    return featurise(target, {}, seed=1)


@pytest.fixture(scope="session")
def peptide_features(tmp_path_factory) -> dict[str, torch.Tensor]:
    fasta = tmp_path_factory.mktemp("peptide") / "peptide.fasta"
    fasta.write_text(">A|protein\nMRIILLGAPGAGKGTQAQFI\n>B|protein\nWYHKDE\n")
    return featurise(parse_target(fasta, load_components(WEIGHTS / "ccd.pkl")), {}, seed=1)


@pytest.fixture()
def miniature_prior(adk_features) -> PriorFactory:
    return lambda dtype: make_prior(load_model(WEIGHTS / "boltz1_conf.ckpt"), adk_features, dtype)


@pytest.fixture()
def random_prior(peptide_features) -> PriorFactory:
    """Random weights of other dimensions than the miniature's, with every optional part switched on."""
    return lambda dtype: make_prior(random_model(), peptide_features, dtype)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """The only folder on PATH: the tools every Linux has, but no Python, Java, Nextflow, Maven or curl."""
    folder = tmp_path / "machine"
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, f"{tool} is missing on the machine that runs the tests"
        (folder / tool).symlink_to(found)
    return folder


@pytest.fixture
def run(machine: Path, tmp_path: Path) -> Run:
    environment = {"PATH": str(machine), "HOME": str(tmp_path), "CLASSFOLD_HOME": str(tmp_path / "cache")}

    def start(*command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(part) for part in command],
            env=environment | variables,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return start


@pytest.fixture
def classfold(run: Run) -> Run:
    return lambda *options, **variables: run(ROOT / "classfold", *options, **variables)
