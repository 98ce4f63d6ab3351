"""EMBED_SEQUENCE with a small real Boltz-1."""

import pytest
import torch
from click.testing import CliRunner
from embed_sequence import main
from safetensors.torch import load_file

from classfold.errors import InputError
from classfold.records import read_json
from classfold.structure import Topology, read_model


def test_outputs_belong_to_the_target(embedded_case) -> None:
    folder = embedded_case.folder / "small.embedding"
    topology = Topology.read(embedded_case.sequence)
    record = read_json(folder / "embedding.json")
    assert (record["samples"], record["replicates"], record["weights_label"]) == (3, 2, "random weights")
    assert load_file(folder / "embedding.safetensors")["s"].shape[:2] == (1, 16 + 23)
    warm = load_file(folder / "warm_up.safetensors")
    assert warm["coordinates"].shape[0] == warm["memory"].shape[0] == 6
    unguided = load_file(folder / "unguided.safetensors")["coordinates"]
    assert unguided.shape == (2, topology.n_atoms, 3) and torch.isfinite(unguided).all()
    model = read_model(folder / "unguided/model_002.cif")
    torch.testing.assert_close(torch.from_numpy(model.coordinates).float(), unguided[1], atol=2e-3, rtol=0)


def test_warm_up_depends_on_the_sample_alone(embedded_case, tmp_path) -> None:
    arguments = [*embedded_case.arguments(), "--steps", "16", "--samples", "2", "--replicates", "1"]
    arguments += ["--unguided-models", "1", "--recycling-steps", "1", "--batch-size", "1"]
    result = CliRunner().invoke(main, [*arguments, "--output", str(tmp_path / "again")])
    assert result.exit_code == 0, result.output
    first = load_file(embedded_case.folder / "small.embedding/warm_up.safetensors")["coordinates"]
    again = load_file(tmp_path / "again/warm_up.safetensors")["coordinates"]
    # At this point sigma is tens of Å, so that coordinates are hundreds of Å.
    torch.testing.assert_close(again, first[:2], atol=1e-2, rtol=1e-4)
    assert (first[0] - first[3]).abs().max() > 1


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--samples", "0"], "each has to be 1 or more"), (["--steps", "4"], "too few for the four stages")],
)
def test_impossible_numbers_are_refused(network_case, tmp_path, options, message) -> None:
    arguments = [*network_case.arguments(), *options, "--output", str(tmp_path / "out")]
    with pytest.raises(InputError, match=message):
        main.main(arguments, standalone_mode=False)
    assert not (tmp_path / "out").exists()
