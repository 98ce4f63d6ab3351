"""SAMPLE_GUIDED with a class that has an assembled model: every other sample begins there, later; no other changes."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file
from sample_guided import main, sampling_options

from classfold.class_task import read_class
from classfold.errors import InputError
from classfold.guided_sampling import ASSEMBLED_SIGMA_ANGSTROM, GuidedSampler
from classfold.records import read_json
from classfold.structure import Topology, read_model, write_model
from classfold.target_run import load_run

N_SAMPLES = 6
CHOICES = {
    "guidance": "fast", "early_stop": "off", "match_sharpness": "off", "assembled_start": "auto", "steering": "off",
    "physical_guidance": "off", "precision": "float32", "compiles": "off", "batch_size": 12,
    "half_map_validation": "off",
}  # fmt: skip


@pytest.fixture(scope="module")
def docking(embedded_case, tmp_path_factory) -> Path:
    """Class one's docking with an assembled model: the docked one with its first half 6 Å away."""
    folder = tmp_path_factory.mktemp("assembled") / "small.one.docking"
    shutil.copytree(embedded_case.folder / "small.one.docking", folder)
    coordinates = read_model(folder / "docked.cif").coordinates
    coordinates[: len(coordinates) // 2, 0] += 6.0
    write_model(folder / "assembled.cif", Topology.read(embedded_case.sequence), coordinates, title="assembled")
    return folder


@pytest.fixture(scope="module")
def run(embedded_case, docking, tmp_path_factory):
    """Runs of classes, the first of them with its assembled model; returns the folder."""

    def take(*names: str, options: tuple[str, ...] = ("--early-stop", "off")) -> Path:
        output = tmp_path_factory.mktemp("out")
        given = [*embedded_case.arguments(*names), "--embedding", str(embedded_case.folder / "small.embedding")]
        given = [str(docking) if each.endswith("small.one.docking") else each for each in given]
        arguments = [*given, "--batch-size", "12", "--guidance", "fast", *options, "--output", str(output)]
        result = CliRunner().invoke(main, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return output

    return take


@pytest.fixture(scope="module")
def both(run) -> Path:
    return run("one", "two")


@pytest.fixture(scope="module")
def sampler(embedded_case, docking) -> GuidedSampler:
    folders = embedded_case.sequence, embedded_case.folder / "small.embedding", embedded_case.weights
    target = load_run(*folders, "cpu", sampling_options(**CHOICES))
    mask = target.prior.atom_mask
    return GuidedSampler(
        target, [read_class(embedded_case.folder / "small.one.map", docking, target.topology, mask, False)]
    )


def coordinates(folder: Path, name: str) -> torch.Tensor:
    return load_file(folder / f"small.{name}.samples/samples.safetensors")["coordinates"]


def record(folder: Path, name: str) -> dict:
    return read_json(folder / f"small.{name}.samples/samples.json")


def test_every_other_sample_begins_there_and_later(both, sampler) -> None:
    told, later = record(both, "one")["samples"], sampler.assembled_step.index
    assert [each["start"] for each in told] == ["assembled", "docked"] * 3
    assert [each["first_step"] for each in told] == [later, 9] * 3
    table = pd.read_csv(both / "small.one.samples/losses.csv")
    assert table.groupby("sample")["step"].min().tolist() == [later, 9] * 3
    assert record(both, "one")["evaluations"] == len(table) == 3 * (16 - later) + 3 * 7
    assert {each["start"] for each in record(both, "two")["samples"]} == {"docked"}


def test_the_others_do_not_notice(both, run) -> None:
    """The samples of a class without an assembled model, and those that begin as ever, are the same to the last bit."""
    without = run("one", "two", options=("--early-stop", "off", "--assembled-start", "off"))
    assert torch.equal(coordinates(both, "two"), coordinates(without, "two"))
    assert torch.equal(coordinates(both, "one")[1::2], coordinates(without, "one")[1::2])
    assert (coordinates(both, "one")[0::2] - coordinates(without, "one")[0::2]).abs().amax((1, 2)).min() > 0.1
    assert {each["start"] for each in record(without, "one")["samples"]} == {"docked"}


def test_the_same_seed_gives_the_same_samples_alone_and_among_others(both, run) -> None:
    assert torch.equal(coordinates(run("one"), "one"), coordinates(both, "one"))


def test_a_sample_begins_with_little_noise_in_the_map_s_frame(sampler) -> None:
    first, third, second = (sampler.begin(0, number) for number in (0, 2, 1))
    sigma = sampler.assembled_step.sigma
    assert sigma <= ASSEMBLED_SIGMA_ANGSTROM < sampler.process.steps[sampler.assembled_step.index - 1].sigma
    assembled = sampler.tasks[0].assembled
    noise = torch.stack([each.state.coordinates[0] - assembled for each in (first, third)])
    assert float(noise.std()) == pytest.approx(sigma, rel=0.05)
    assert float((noise[0] - noise[1]).std()) == pytest.approx(2**0.5 * sigma, rel=0.05)
    assert first.state.in_map_frame and not second.state.in_map_frame
    if sampler.run.warm_up.memory is not None:
        assert torch.equal(first.state.memory, sampler.run.warm_up.memory[:1])


def test_the_starts_are_judged_apart(run) -> None:
    """Three of each start are finished in any case, so that both are there to be compared."""
    told = record(run("one", options=("--early-stop", "on")), "one")
    assert len(told["samples"]) == N_SAMPLES and told["stopped"] == []
    steered = record(run("one", options=("--early-stop", "off", "--steering", "on")), "one")
    for event in steered["resamplings"]:
        pairs = zip(event["samples"], event["continued_from"], strict=True)
        assert all(sample % 2 == origin % 2 for sample, origin in pairs)
    steps = [event["step"] for event in steered["resamplings"]]
    assert len(set(steps)) == len(steps)
    assert len(steered["resamplings"][-1]["samples"]) == N_SAMPLES


def test_published_guidance_begins_as_published() -> None:
    assert sampling_options(**CHOICES).assembled_start
    assert not sampling_options(**CHOICES | {"guidance": "published"}).assembled_start
    assert not sampling_options(**CHOICES | {"assembled_start": "off"}).assembled_start


def test_padding_stands_at_the_centre_of_the_assembled_model(embedded_case, docking) -> None:
    topology = Topology.read(embedded_case.sequence)
    mask = torch.cat([torch.ones(topology.n_atoms), torch.zeros(3)])
    assembled = read_class(embedded_case.folder / "small.one.map", docking, topology, mask, False).assembled
    expected = torch.from_numpy(read_model(docking / "assembled.cif").coordinates).float()
    torch.testing.assert_close(assembled[:-3], expected)
    torch.testing.assert_close(assembled[-3:], expected.mean(0).expand(3, 3), atol=1e-3, rtol=0)


def test_an_assembled_model_that_lacks_atoms_is_refused(embedded_case, docking, tmp_path) -> None:
    broken = tmp_path / "small.one.docking"
    shutil.copytree(docking, broken)
    lines = (broken / "assembled.cif").read_text().splitlines(keepends=True)
    atoms = [number for number, line in enumerate(lines) if line.startswith(("ATOM", "HETATM"))]
    del lines[atoms[0]]
    (broken / "assembled.cif").write_text("".join(lines))
    topology = Topology.read(embedded_case.sequence)
    with pytest.raises(InputError, match="atoms of small"):
        read_class(embedded_case.folder / "small.one.map", broken, topology, torch.ones(topology.n_atoms), False)
