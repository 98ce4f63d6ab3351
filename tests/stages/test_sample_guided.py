"""SAMPLE_GUIDED with a small real Boltz-1 and its confidence head."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file
from sample_guided import main, sampling_options

from classfold.class_task import HALF_MAP_SAMPLES, MASS_RANGE, read_class
from classfold.docking import Pose
from classfold.errors import InputError
from classfold.maps import read_canonical, write_map
from classfold.records import read_json, write_json
from classfold.rotations import random_rotation
from classfold.structure import Topology, read_model
from tests.random_prior import write_random_weights
from tests.stage_folders import write_docking_record
from tests.stages.conftest import CENTRE, CLASSES

N_SAMPLES = 6
AUTOMATIC = {"warm_up": 9, "global": 3, "local": 2, "relaxation": 2}
EXPERIMENTAL = {"warm_up": 8, "global": 4, "local": 2, "relaxation": 2}
"""Steps of the stages, of 16."""
ALL_AT_ONCE = ("--batch-size", "12")
"""Samples of both classes in one batch."""


def arguments(case, output: Path, *names: str, options: tuple[str, ...] = (), embedding: str = "small") -> list[str]:
    given = [*case.arguments(*names), "--embedding", str(case.folder / f"{embedding}.embedding"), *options]
    return [*given, "--output", str(output)]


def run(case, output: Path, *names: str, options: tuple[str, ...] = (), embedding: str = "small") -> Path:
    given = arguments(case, output, *names, options=options, embedding=embedding)
    result = CliRunner().invoke(main, given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return output


def samples(folder: Path, name: str) -> torch.Tensor:
    return load_file(folder / f"small.{name}.samples/samples.safetensors")["coordinates"]


def record(folder: Path, name: str) -> dict:
    return read_json(folder / f"small.{name}.samples/samples.json")


def losses(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / f"small.{name}.samples/losses.csv")


@pytest.fixture(scope="module")
def stopped(embedded_case, tmp_path_factory) -> Path:
    """Both classes as they are run by default: with early stopping."""
    return run(embedded_case, tmp_path_factory.mktemp("stopped"), "one", "two", options=ALL_AT_ONCE)


@pytest.fixture(scope="module")
def whole(embedded_case, tmp_path_factory) -> Path:
    """Both classes with all samples to their ends."""
    options = (*ALL_AT_ONCE, "--early-stop", "off")
    return run(embedded_case, tmp_path_factory.mktemp("whole"), "one", "two", options=options)


@pytest.fixture(scope="module")
def steered(embedded_case, tmp_path_factory) -> Path:
    """Both classes with steering, and with all samples to their ends."""
    options = (*ALL_AT_ONCE, "--early-stop", "off", "--steering", "on")
    return run(embedded_case, tmp_path_factory.mktemp("steered"), "one", "two", options=options)


@pytest.mark.parametrize("name", CLASSES)
def test_samples_losses_and_confidence_of_every_class(embedded_case, whole, name) -> None:
    topology = Topology.read(embedded_case.sequence)
    tensors = load_file(whole / f"small.{name}.samples/samples.safetensors")
    assert tensors["coordinates"].shape == (N_SAMPLES, topology.n_atoms, 3)
    assert torch.isfinite(tensors["coordinates"]).all()
    assert tensors["plddt"].shape == (N_SAMPLES, 16 + 23)
    assert ((tensors["plddt"] > 0) & (tensors["plddt"] < 1)).all()
    told = record(whole, name)
    assert told["class"] == name and [s["replicate"] for s in told["samples"]] == [1] * 3 + [2] * 3
    assert [s["index"] for s in told["samples"]] == [1, 2, 3] * 2
    table = losses(whole, name)
    guided = table[table["stage"].isin(["global", "local"])]
    assert len(table) == N_SAMPLES * 7 and set(table["step"]) == set(range(9, 16))
    assert guided["loss"].notna().all() and table.drop(guided.index)["loss"].isna().all()
    is_global = guided["stage"] == "global"
    assert guided[is_global]["guidance_strength"].isna().all() and (guided[~is_global]["guidance_strength"] > 0).all()
    assert (table.drop(guided.index)["guidance_strength"] == 0).all()


@pytest.mark.parametrize("name", CLASSES)
def test_the_record_says_how_the_samples_were_drawn(whole, name) -> None:
    told = record(whole, name)
    assert {key: told["schedule"][key] for key in AUTOMATIC} == AUTOMATIC and told["schedule"]["name"] == "auto"
    # Of coarse maps, guidance auto means mixed.
    assert (told["target"], told["n_samples"], told["steps"], told["guidance"]) == ("small", N_SAMPLES, 16, "mixed")
    assert not told["early_stop"] and not told["steering"] and not told["physical_guidance"]
    assert told["stopped"] == told["resamplings"] == told["warnings"] == []
    assert told["sharpness_matched"] is False  # these dockings hold no matched map
    assert told["classes_together"] == ["one", "two"] and told["device"] == "cpu"
    assert told["weights_label"] == "random weights"
    assert told["precision"] == {"matmul": "float32", "compile": False, "kernels": False}
    assert min(told["memory"]["fixed_bytes"], told["memory"]["bytes_per_sample"]) > 0


@pytest.mark.parametrize(
    ("volume_share", "mass"), [(0.8, 0.8), (1.1, 1.1), (0.01, MASS_RANGE[0]), (40.0, MASS_RANGE[1])]
)
def test_what_a_map_shows_of_the_molecule_is_the_mass_of_its_cloud(embedded_case, tmp_path, volume_share, mass) -> None:
    folder = tmp_path / "small.one.map"
    shutil.copytree(embedded_case.folder / "small.one.map", folder)
    told = read_json(folder / "map.json")
    enclosed = volume_share * told["expected_volume_angstrom3"]
    write_json(told | {"enclosed_volume_angstrom3": enclosed}, folder / "map.json")
    topology = Topology.read(embedded_case.sequence)
    docking = embedded_case.folder / "small.one.docking"
    task = read_class(folder, docking, topology, torch.ones(topology.n_atoms + 2), match_sharpness=True)
    assert float(task.cloud.mass.sum()) == pytest.approx(mass)
    assert task.n_independent == pytest.approx(enclosed / 6.0**3)
    assert task.target_map.mask is None
    assert task.docked_atoms.sum() == topology.n_atoms and task.docked.shape == (1, topology.n_atoms + 2, 3)
    assert task.docked[:, -2:].abs().max() == 0


def test_a_users_mask_goes_with_the_map(embedded_case, tmp_path) -> None:
    folder = tmp_path / "small.one.map"
    shutil.copytree(embedded_case.folder / "small.one.map", folder)
    whole_map = read_canonical(folder / "map.mrc")
    soft = np.linspace(-0.1, 1.2, whole_map.density.size, dtype=np.float32).reshape(whole_map.density.shape)
    write_map(folder / "mask.mrc", replace(whole_map, density=soft))
    topology = Topology.read(embedded_case.sequence)
    docking = embedded_case.folder / "small.one.docking"
    mask = read_class(folder, docking, topology, torch.ones(topology.n_atoms), match_sharpness=True).target_map.mask
    torch.testing.assert_close(mask, torch.from_numpy(soft).clip(0, 1))


def test_the_matched_map_guides_where_there_is_one_and_it_is_wanted(embedded_case, tmp_path) -> None:
    docking = tmp_path / "small.one.docking"
    shutil.copytree(embedded_case.folder / "small.one.docking", docking)
    map_folder, topology = embedded_case.folder / "small.one.map", Topology.read(embedded_case.sequence)
    kept = read_canonical(map_folder / "map.mrc")
    without = read_class(map_folder, docking, topology, torch.ones(topology.n_atoms), match_sharpness=True)
    write_map(docking / "matched.mrc", replace(kept, density=kept.density[::-1].copy()))
    atoms = torch.ones(topology.n_atoms)
    tasks = [read_class(map_folder, docking, topology, atoms, choice) for choice in (True, False)]
    assert [task.is_matched for task in (without, *tasks)] == [False, True, False]
    assert torch.equal(tasks[0].target_map.density, torch.tensor(kept.density).flip(0))
    for task in (without, tasks[1]):
        assert torch.equal(task.target_map.density, torch.tensor(kept.density))
    assert tasks[0].target_map.grid == tasks[1].target_map.grid


@pytest.mark.parametrize(
    ("guidance", "choice", "matches"),
    [
        ("fast", "auto", True),
        ("mixed", "auto", True),
        ("published", "auto", False),
        ("fast", "off", False),
        ("published", "on", True),
    ],
)
def test_published_guidance_takes_the_map_as_it_is(guidance, choice, matches) -> None:
    options = sampling_options(guidance, "off", choice, "auto", "off", "off", "float32", "off", 0, "off")
    assert options.match_sharpness is matches and not options.selection.early_stop


@pytest.fixture()
def two_poses(embedded_case, tmp_path) -> Path:
    """A docking whose second pose is turned by half about the z axis through the middle of the map, and 14 Å higher."""
    docking = tmp_path / "small.one.docking"
    shutil.copytree(embedded_case.folder / "small.one.docking", docking)
    first = Pose(random_rotation(3, torch.float64).numpy(), np.array([5.0, -8.0, 2.0]), 0.8, 0.8)
    turn = np.diag([-1.0, -1.0, 1.0])
    shift = np.array([2 * CENTRE[0], 2 * CENTRE[1], 14.0])
    second = Pose(turn @ first.rotation, turn @ first.translation_angstrom + shift, 0.8, 0.8)
    write_docking_record(docking, "small", "one", [first, second])
    return docking


def test_poses_that_the_map_does_not_tell_apart_are_the_docked_model_moved(embedded_case, two_poses) -> None:
    topology = Topology.read(embedded_case.sequence)
    map_folder, atoms = embedded_case.folder / "small.one.map", torch.ones(topology.n_atoms)
    task = read_class(map_folder, two_poses, topology, atoms, match_sharpness=True)
    docked = torch.from_numpy(read_model(two_poses / "docked.cif").coordinates).float()
    there = docked * torch.tensor([-1, -1, 1]) + torch.tensor([2 * CENTRE[0], 2 * CENTRE[1], 14.0])
    torch.testing.assert_close(task.docked, torch.stack([docked, there]), atol=1e-3, rtol=0)
    torch.testing.assert_close(task.place(2), task.docked[0])
    torch.testing.assert_close(task.place(5), task.docked[1])


def test_samples_are_spread_over_poses_that_fit_equally_well(embedded_case, two_poses, tmp_path) -> None:
    given = arguments(embedded_case, tmp_path, "one", options=("--early-stop", "off"))
    given[given.index("--docking") + 1] = str(two_poses)
    CliRunner().invoke(main, given, catch_exceptions=False)
    height = samples(tmp_path, "one").mean(1)[:, 2]
    # The map pulls those of the second pose back, but not all the way in so few steps.
    assert height[1::2].min() > height[0::2].max() + 3


def test_samples_are_in_the_frame_of_their_map(whole) -> None:
    for name in CLASSES:
        assert (samples(whole, name).mean(dim=(0, 1)) - torch.tensor(CENTRE)).norm() < 8


def test_maps_make_the_difference_between_classes(whole) -> None:
    assert (samples(whole, "one") - samples(whole, "two")).abs().max() > 0.5


@pytest.mark.parametrize("name", CLASSES)
def test_the_worse_half_is_stopped_once_and_three_are_finished(stopped, name) -> None:
    """Of six samples three go on after the first checkpoint, and no fewer after the others."""
    told = record(stopped, name)
    assert told["early_stop"] and len(told["stopped"]) == len(told["samples"]) == len(samples(stopped, name)) == 3
    assert {each["step"] for each in told["stopped"]} == {9}
    assert all(each["fit"] <= each["least_kept"] for each in told["stopped"])
    numbers = [each["sample"] for each in told["samples"]]
    assert numbers == sorted(numbers)
    assert sorted(numbers + [each["sample"] for each in told["stopped"]]) == list(range(1, 7))
    assert [3 * (each["replicate"] - 1) + each["index"] for each in told["samples"]] == numbers


@pytest.mark.parametrize("name", CLASSES)
def test_losses_of_stopped_samples_remain(stopped, name) -> None:
    told, last = record(stopped, name), losses(stopped, name).groupby("sample")["step"].max()
    assert {each["sample"]: each["step"] for each in told["stopped"]} == last[last < 15].to_dict()
    assert last[last == 15].index.tolist() == [each["sample"] for each in told["samples"]]


@pytest.mark.parametrize("name", CLASSES)
def test_samples_that_go_on_end_where_they_end_without_stopping(stopped, whole, name) -> None:
    kept = [each["sample"] - 1 for each in record(stopped, name)["samples"]]
    assert torch.equal(samples(stopped, name), samples(whole, name)[kept])


@pytest.mark.parametrize("which", ["whole", "stopped", "steered"])
@pytest.mark.parametrize("name", CLASSES)
def test_a_class_alone_and_in_smaller_batches_is_the_same(request, embedded_case, tmp_path, which, name) -> None:
    """To the bit, though the other class has a map of another size, voxel and resolution, and another cloud."""
    together = request.getfixturevalue(which)
    early_stop, steering = "on" if which == "stopped" else "off", "on" if which == "steered" else "off"
    options = ("--batch-size", "4", "--early-stop", early_stop, "--steering", steering)
    run(embedded_case, tmp_path, name, options=options)
    assert torch.equal(samples(tmp_path, name), samples(together, name))
    pd.testing.assert_frame_equal(losses(tmp_path, name), losses(together, name))
    for key in ("samples", "stopped", "resamplings", "evaluations"):
        assert record(tmp_path, name)[key] == record(together, name)[key]


@pytest.mark.parametrize("name", CLASSES)
def test_steering_records_who_went_on_from_whom(steered, name) -> None:
    told = record(steered, name)
    assert told["steering"] and [each["step"] for each in told["resamplings"]] == [9, 10, 11]
    for each in told["resamplings"]:
        assert each["samples"] == list(range(1, 7))
        # A sample that others go on from goes on itself.
        continued = dict(zip(each["samples"], each["continued_from"], strict=True))
        assert all(continued[origin] == origin for origin in continued.values())
    assert any(each["continued_from"] != each["samples"] for each in told["resamplings"])
    assert [each["sample"] for each in told["samples"]] == list(range(1, 7)) and told["stopped"] == []


@pytest.mark.parametrize("name", CLASSES)
def test_copies_go_on_as_samples_of_their_own(steered, name) -> None:
    """A copy keeps its place and its random numbers, so that no two models are the same and no loss is lost."""
    models = samples(steered, name)
    distances = torch.cdist(models.flatten(1), models.flatten(1)) + 1e3 * torch.eye(len(models))
    assert distances.min() > 0.1
    table = losses(steered, name)
    assert not table.duplicated(["sample", "step"]).any() and len(table) == N_SAMPLES * 7


def test_steering_together_with_early_stopping(embedded_case, tmp_path) -> None:
    told = record(run(embedded_case, tmp_path, "one", options=("--steering", "on")), "one")
    assert told["steering"] and told["early_stop"] and len(told["stopped"]) == len(told["samples"]) == 3
    assert [len(each["samples"]) for each in told["resamplings"]] == [3, 3, 3]
    assert {each["sample"] for each in told["samples"]} == set(told["resamplings"][-1]["samples"])


def test_evaluations_are_counted(stopped, whole) -> None:
    """One for each step of each sample after the warm-up and, in coarse maps, one more for each of the two local ones.

    The warm-up's are the target's.
    """
    for name in CLASSES:
        assert record(whole, name)["evaluations"] == N_SAMPLES * (7 + 2)
        assert len(losses(stopped, name)) == N_SAMPLES + 3 * 6
        assert record(stopped, name)["evaluations"] == N_SAMPLES + 3 * (6 + 2)
        assert record(whole, name)["shared_evaluations"] == N_SAMPLES * 9


@pytest.mark.parametrize(
    ("guidance", "through_network", "early_stop"), [("fast", 0, True), ("mixed", 2, True), ("published", 6, False)]
)
def test_guidance_of_each_kind(published_case, tmp_path, guidance, through_network, early_stop) -> None:
    """A gradient through the network counts as one more evaluation; the published way stops no sample."""
    run(published_case, tmp_path, "one", options=("--guidance", guidance), embedding="small.published")
    told, table = record(tmp_path, "one"), losses(tmp_path, "one")
    assert (told["guidance"], told["early_stop"]) == (guidance, early_stop)
    assert {key: told["schedule"][key] for key in EXPERIMENTAL} == EXPERIMENTAL
    finished = table[table["sample"] == told["samples"][0]["sample"]]
    stages = ["global"] * 4 + ["local"] * 2 + ["relaxation"] * 2
    assert finished["stage"].tolist() == stages and finished["step"].tolist() == list(range(8, 16))
    strengths = finished["guidance_strength"].iloc[[0, 3, 4, 5]]
    expected = [0.25, 0.05, 0.5, 0.5] if guidance == "published" else [np.nan, np.nan, 0.5, 0.5]
    np.testing.assert_equal(strengths.to_numpy(), expected)
    stages_through = {0: [], 2: ["local"], 6: ["global", "local"]}[through_network]
    assert told["evaluations"] == len(table) + table["stage"].isin(stages_through).sum()
    assert np.isfinite(samples(tmp_path, "one")).all()


def test_published_guidance_needs_a_published_schedule(embedded_case, tmp_path) -> None:
    given = arguments(embedded_case, tmp_path / "out", "one", options=("--guidance", "published"))
    with pytest.raises(InputError) as refusal:
        main.main(given, standalone_mode=False)
    said = str(refusal.value)
    assert "automatic schedule" in said and "--schedule experimental or synthetic" in said and "\n" not in said
    assert not (tmp_path / "out").exists()


def test_physical_guidance_changes_what_is_sampled_and_is_recorded(embedded_case, whole, tmp_path) -> None:
    """AMP has bonds and chirality that Boltz's potentials know."""
    run(embedded_case, tmp_path, "one", options=("--physical-guidance", "on", "--early-stop", "off"))
    assert record(tmp_path, "one")["physical_guidance"]
    assert (samples(tmp_path, "one") - samples(whole, "one")).abs().max() > 1e-2


def test_running_again_gives_the_same_models(embedded_case, stopped, tmp_path) -> None:
    run(embedded_case, tmp_path, "one", "two")
    for name in CLASSES:
        assert torch.equal(samples(tmp_path, name), samples(stopped, name))


def test_other_weights_than_the_embedding_was_made_with_are_refused(embedded_case, tmp_path) -> None:
    other = write_random_weights(tmp_path / "other", embedded_case.weights / "ccd.pkl", seed=9)
    given = arguments(embedded_case, tmp_path / "out", "one")
    given[given.index("--weights") + 1] = str(other)
    with pytest.raises(InputError, match="made with other weights"):
        main.main(given, standalone_mode=False)


def test_corrupted_weights_are_refused_before_they_are_read(embedded_case, tmp_path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(embedded_case.weights, broken)
    with (broken / "boltz1_conf.ckpt").open("r+b") as stream:
        stream.seek(1000)
        stream.write(b"corrupted")
    given = arguments(embedded_case, tmp_path / "out", "one")
    given[given.index("--weights") + 1] = str(broken)
    with pytest.raises(InputError, match=r"boltz1_conf\.ckpt"):
        main.main(given, standalone_mode=False)


def test_map_and_docking_of_different_classes_are_refused(embedded_case, tmp_path) -> None:
    given = arguments(embedded_case, tmp_path / "out", "one")
    given[given.index("--docking") + 1] = str(embedded_case.folder / "small.two.docking")
    with pytest.raises(InputError, match="not of one class"):
        main.main(given, standalone_mode=False)


def test_a_class_that_cannot_be_read_is_left_out_and_told_of(embedded_case, stopped, tmp_path) -> None:
    given = arguments(embedded_case, tmp_path, "one", "two", options=ALL_AT_ONCE)
    first, second = (place + 1 for place, word in enumerate(given) if word == "--docking")
    given[second] = str(embedded_case.folder / "small.one.docking")
    result = CliRunner().invoke(main, given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "are not of one class" in (tmp_path / "small.two.failure").read_text()
    assert not (tmp_path / "small.two.samples").exists()
    assert torch.equal(samples(tmp_path, "one"), samples(stopped, "one"))
    given[first] = str(embedded_case.folder / "small.two.docking")
    with pytest.raises(InputError, match="none of 2 classes of small can be sampled"):
        CliRunner().invoke(main, given, catch_exceptions=False)


def test_a_docking_for_every_map_is_needed(embedded_case, tmp_path) -> None:
    given = [*arguments(embedded_case, tmp_path / "out", "one")]
    given += ["--map", str(embedded_case.folder / "small.two.map")]
    with pytest.raises(InputError, match="2 maps and 1 dockings"):
        main.main(given, standalone_mode=False)


def test_half_map_validation_guides_a_few_more_samples_by_the_first_half_map(embedded_case, stopped, tmp_path) -> None:
    """Those of the map are the same to the bit; a half map without noise, as sharp as the map, leads to the same."""
    topology = Topology.read(embedded_case.sequence)
    case = replace(embedded_case, folder=tmp_path)
    for name in CLASSES:
        for stage in ("map", "docking"):
            shutil.copytree(embedded_case.folder / f"small.{name}.{stage}", tmp_path / f"small.{name}.{stage}")
    whole = read_canonical(tmp_path / "small.one.map/map.mrc")
    blank = replace(whole, density=-3 * whole.density)
    for number, half in ((1, replace(whole, density=5 * whole.density)), (2, blank)):
        write_map(tmp_path / f"small.one.map/half_map_{number}.mrc", half)
    (tmp_path / "small.embedding").symlink_to(embedded_case.folder / "small.embedding")
    run(case, tmp_path, "one", "two", options=("--half-map-validation", "on", *ALL_AT_ONCE))
    for name in CLASSES:
        assert torch.equal(samples(tmp_path, name), samples(stopped, name))
    assert "no half maps" in record(tmp_path, "two")["warnings"][0] and record(tmp_path, "one")["warnings"] == []
    assert not (tmp_path / "small.two.samples/half_map_1").exists()
    folder = tmp_path / "small.one.samples/half_map_1"
    told, drawn = read_json(folder / "samples.json"), load_file(folder / "samples.safetensors")["coordinates"]
    assert told["n_samples"] == HALF_MAP_SAMPLES and told["classes_together"] == ["one", "two"]
    assert drawn.shape == (3, topology.n_atoms, 3) and len(told["stopped"]) == 1
    finished = {each["sample"]: index for index, each in enumerate(record(stopped, "one")["samples"])}
    common = [(index, finished[e["sample"]]) for index, e in enumerate(told["samples"]) if e["sample"] in finished]
    assert common
    for of_half, of_whole in common:
        # The same random numbers and a density that differs by its scale alone.
        assert (drawn[of_half] - samples(stopped, "one")[of_whole]).abs().max() < 0.2
