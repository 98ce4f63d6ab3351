"""EMBED_SEQUENCE with a small real Boltz-1."""

import pytest
import torch
from embed_sequence import main
from safetensors.torch import load_file

from classfold.errors import InputError
from classfold.records import read_json
from classfold.structure import Topology, read_model


def warm_up(folder) -> torch.Tensor:
    return load_file(folder / "warm_up.safetensors")["coordinates"]


def test_outputs_belong_to_the_target(embedded_case) -> None:
    folder = embedded_case.folder / "small.embedding"
    topology = Topology.read(embedded_case.sequence)
    record = read_json(folder / "embedding.json")
    assert (record["samples"], record["replicates"], record["weights_label"]) == (3, 2, "random weights")
    assert (record["schedule"], record["steps"], record["physical_guidance"]) == ("auto", 16, False)
    assert load_file(folder / "embedding.safetensors")["s"].shape[:2] == (1, 16 + 23)
    warm = load_file(folder / "warm_up.safetensors")
    assert warm["coordinates"].shape[0] == warm["memory"].shape[0] == 6
    unguided = load_file(folder / "unguided.safetensors")["coordinates"]
    assert unguided.shape == (2, topology.n_atoms, 3) and torch.isfinite(unguided).all()
    model = read_model(folder / "unguided/model_002.cif")
    torch.testing.assert_close(torch.from_numpy(model.coordinates).float(), unguided[1], atol=2e-3, rtol=0)


def test_warm_up_depends_on_the_sample_alone(embedded_case, tmp_path) -> None:
    """To the bit on a CPU, where samples are denoised one by one."""
    options = ("--samples", "2", "--replicates", "1", "--unguided-models", "1", "--batch-size", "1")
    again = warm_up(embedded_case.embed(tmp_path / "again", *options))
    first = warm_up(embedded_case.folder / "small.embedding")
    assert torch.equal(again, first[:2])
    assert (first[0] - first[3]).abs().max() > 1


def test_the_schedule_decides_how_long_the_warm_up_is(embedded_case, published_case) -> None:
    folder = published_case.folder / "small.published.embedding"
    assert read_json(folder / "embedding.json")["schedule"] == "experimental"
    assert not torch.equal(warm_up(folder), warm_up(published_case.folder / "small.embedding"))


def test_physical_guidance_corrects_warm_up_and_unguided_models(embedded_case, tmp_path) -> None:
    """AMP has bonds and chirality that Boltz's potentials know."""
    folder = embedded_case.embed(tmp_path / "physical", "--physical-guidance", "on", "--samples", "1")
    plain = embedded_case.folder / "small.embedding"
    assert read_json(folder / "embedding.json")["physical_guidance"]
    assert (warm_up(folder)[0] - warm_up(plain)[0]).abs().max() > 1e-2
    models = [load_file(each / "unguided.safetensors")["coordinates"][0] for each in (folder, plain)]
    assert (models[0] - models[1]).abs().max() > 1e-2


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--samples", "0"], "each has to be 1 or more"), (["--steps", "4"], "too few for the four stages")],
)
def test_impossible_numbers_are_refused(network_case, tmp_path, options, message) -> None:
    arguments = [*network_case.arguments(), *options, "--output", str(tmp_path / "out")]
    with pytest.raises(InputError, match=message):
        main.main(arguments, standalone_mode=False)
    assert not (tmp_path / "out").exists()
