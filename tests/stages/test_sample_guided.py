"""SAMPLE_GUIDED with a small real Boltz-1 and its confidence head."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file
from sample_guided import main

from classfold.errors import InputError
from classfold.records import read_json
from classfold.structure import Topology
from classfold.superposition import rmsd
from tests.random_prior import write_random_weights


def run(case, output: Path, *names: str, options: tuple[str, ...] = ()) -> None:
    arguments = [*case.arguments(*names), "--embedding", str(case.folder / "small.embedding"), *options]
    result = CliRunner().invoke(main, [*arguments, "--output", str(output)], catch_exceptions=False)
    assert result.exit_code == 0, result.output


def coordinates(folder: Path, name: str) -> torch.Tensor:
    return load_file(folder / f"small.{name}.samples/samples.safetensors")["coordinates"]


@pytest.fixture(scope="module")
def both(embedded_case, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("both")
    run(embedded_case, output, "one", "two")
    return output


def test_samples_losses_and_confidence_of_every_class(embedded_case, both) -> None:
    topology = Topology.read(embedded_case.sequence)
    for name in ("one", "two"):
        folder = both / f"small.{name}.samples"
        tensors = load_file(folder / "samples.safetensors")
        assert tensors["coordinates"].shape == (6, topology.n_atoms, 3)
        assert torch.isfinite(tensors["coordinates"]).all()
        assert tensors["plddt"].shape == (6, 16 + 23)
        assert ((tensors["plddt"] > 0) & (tensors["plddt"] < 1)).all()
        record = read_json(folder / "samples.json")
        assert record["class"] == name and [s["replicate"] for s in record["samples"]] == [1] * 3 + [2] * 3
        losses = pd.read_csv(folder / "losses.csv")
        guided = losses[losses["stage"].isin(["global", "local"])]
        assert len(losses) == 6 * 8 and set(losses["step"]) == set(range(8, 16))
        assert guided["loss"].notna().all() and losses.drop(guided.index)["loss"].isna().all()


def test_samples_are_in_the_frame_of_their_map(both) -> None:
    centre = torch.tensor([106.0, -4.0, 31.0])
    for name in ("one", "two"):
        assert (coordinates(both, name).mean(dim=(0, 1)) - centre).norm() < 8


def test_a_class_alone_and_in_smaller_batches_gives_the_same_models(embedded_case, both, tmp_path) -> None:
    run(embedded_case, tmp_path, "two", options=("--batch-size", "1"))
    # Random weights amplify rounding; tests/unit/test_sampler.py holds the miniature's to 1e-3 Å.
    assert rmsd(coordinates(tmp_path, "two"), coordinates(both, "two")).max() < 0.05


def test_running_again_gives_the_same_models(embedded_case, both, tmp_path) -> None:
    run(embedded_case, tmp_path, "one")
    torch.testing.assert_close(coordinates(tmp_path, "one"), coordinates(both, "one"), atol=0, rtol=0)


def test_maps_make_the_difference_between_classes(both) -> None:
    assert (coordinates(both, "one") - coordinates(both, "two")).abs().max() > 0.5


def test_other_weights_than_the_embedding_was_made_with_are_refused(embedded_case, tmp_path) -> None:
    other = write_random_weights(tmp_path / "other", embedded_case.weights / "ccd.pkl", seed=9)
    arguments = embedded_case.arguments("one")
    arguments[arguments.index("--weights") + 1] = str(other)
    arguments += ["--embedding", str(embedded_case.folder / "small.embedding")]
    with pytest.raises(InputError, match="made with other weights"):
        main.main([*arguments, "--output", str(tmp_path / "out")], standalone_mode=False)


def test_corrupted_weights_are_refused_before_they_are_read(embedded_case, tmp_path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(embedded_case.weights, broken)
    with (broken / "boltz1_conf.ckpt").open("r+b") as stream:
        stream.seek(1000)
        stream.write(b"corrupted")
    arguments = embedded_case.arguments("one")
    arguments[arguments.index("--weights") + 1] = str(broken)
    arguments += ["--embedding", str(embedded_case.folder / "small.embedding")]
    with pytest.raises(InputError, match=r"boltz1_conf\.ckpt"):
        main.main([*arguments, "--output", str(tmp_path / "out")], standalone_mode=False)


def test_map_and_docking_of_different_classes_are_refused(embedded_case, tmp_path) -> None:
    arguments = embedded_case.arguments("one")
    arguments[arguments.index("--docking") + 1] = str(embedded_case.folder / "small.two.docking")
    arguments += ["--embedding", str(embedded_case.folder / "small.embedding")]
    with pytest.raises(InputError, match="not of one class"):
        main.main([*arguments, "--output", str(tmp_path / "out")], standalone_mode=False)
