"""Memory before it is asked for: the estimate beside what is counted, what is free, and how many samples fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from boltz.model.models.boltz1 import Boltz1
from miniature import HYPERPARAMETERS
from torch.utils._pytree import tree_leaves

from classfold.density import Grid
from classfold.errors import InputError
from classfold.global_energy import PAIRS_AT_ONCE, GlobalEnergy
from classfold.local_energy import LocalEnergy, TargetMap
from classfold.memory import (
    TENSOR_SHARE,
    Dimensions,
    Footprint,
    GuidanceKind,
    Problem,
    call_bytes,
    check_room,
    conditioning_bytes,
    conditioning_bytes_per_sample,
    confidence_peak_bytes,
    free_host_bytes,
    global_bytes,
    graph_call_bytes,
    guided_footprint,
    largest_batch,
    limits,
    local_bytes,
    published_global_bytes,
    sampling_inputs_bytes,
    trunk_footprint,
    trunk_peak_bytes,
    unguided_footprint,
    used_peak_bytes,
    weights_bytes,
)
from classfold.prior import BoltzPrior, run_trunk
from classfold.pseudo_atoms import PseudoAtoms
from tests.clouds import uniform
from tests.live_tensors import LiveTensors
from tests.random_prior import SIZES, random_model

BOLTZ1 = Dimensions()
THOUSAND = Problem(
    n_atoms=8352, n_tokens=1000, n_msa_rows=512, n_maps=2, map_voxels=150**3, n_points=900, n_pseudo_atoms=2000
)
FAST, MIXED, PUBLISHED = (GuidanceKind(False, False), GuidanceKind(True, False), GuidanceKind(True, True))
GIGABYTE = 10**9


def everything(dimensions: Dimensions, problem: Problem, n_samples: int) -> list[int]:
    """Every estimate of a problem."""
    footprints = [
        trunk_footprint(dimensions, problem),
        *(unguided_footprint(dimensions, problem, one_by_one) for one_by_one in (True, False)),
        *(guided_footprint(dimensions, problem, kind, False) for kind in (FAST, MIXED, PUBLISHED)),
    ]
    return [sampling_inputs_bytes(dimensions, problem), *(footprint.at(n_samples) for footprint in footprints)]


@pytest.mark.parametrize("field", ["n_atoms", "n_tokens", "n_msa_rows", "map_voxels", "n_points", "n_pseudo_atoms"])
def test_nothing_shrinks_when_the_problem_grows(field: str) -> None:
    sizes = [replace(THOUSAND, **{field: round(getattr(THOUSAND, field) * scale)}) for scale in (0.3, 0.5, 1, 2, 4)]
    columns = zip(*(everything(BOLTZ1, problem, 4) for problem in sizes), strict=True)
    assert all(list(column) == sorted(column) for column in columns)


def test_nothing_shrinks_when_samples_are_added() -> None:
    columns = zip(*(everything(BOLTZ1, THOUSAND, n) for n in (1, 2, 8, 75)), strict=True)
    assert all(list(column) == sorted(column) for column in columns)


def test_dimensions_are_read_off_a_model() -> None:
    model = random_model()
    found = Dimensions.of_model(model)
    assert found.n_weights == sum(weight.numel() for weight in model.parameters())
    assert weights_bytes(found) == sum(weight.nbytes for weight in model.parameters())
    assert found == Dimensions.of_hyperparameters(SIZES, found.n_weights)
    assert (found.token_s, found.token_z, found.token_depth) == (SIZES["token_s"], SIZES["token_z"], 8)
    assert found.has_confidence and not found.recomputes


def test_a_problem_is_read_off_features(adk_features) -> None:
    problem = Problem.of_features(adk_features, n_maps=2, map_voxels=64**3)
    assert problem.n_tokens == 214
    assert problem.n_atoms == adk_features["ref_pos"].shape[1]
    assert problem.feature_bytes == sum(tensor.nbytes for tensor in adk_features.values())
    assert (problem.n_maps, problem.map_voxels) == (2, 64**3)


def counted_without_values(sizes: dict, features: dict[str, torch.Tensor]) -> BoltzPrior:
    """A prior on tensors without storage."""
    with torch.device("meta"):
        model = Boltz1(**sizes).eval().requires_grad_(False)
    return BoltzPrior(model, features, torch.device("meta"))


def peak_of_denoiser(prior: BoltzPrior, n_samples: int, through_network: bool) -> tuple[int, int]:
    """Bytes that two calls of the denoiser take at their peak, and bytes that are held afterwards for the next."""
    model, problem = prior.model, Problem.of_features(prior.features)
    n, token_z = problem.n_tokens, len(model.z_norm.weight)
    token_s, n_inputs = model.s_init.weight.shape
    condition = {
        "s_inputs": torch.zeros(1, n, n_inputs, device=prior.device),
        "s_trunk": torch.zeros(1, n, token_s, device=prior.device),
        "z_trunk": torch.zeros(1, n, n, token_z, device=prior.device),
        "relative_position_encoding": torch.zeros(1, n, n, token_z, device=prior.device),
        "feats": prior.features,
        "multiplicity": n_samples,
        "model_cache": {},
    }
    forward = model.structure_module.preconditioned_network_forward
    with LiveTensors() as live, torch.set_grad_enabled(through_network):
        for _ in range(2):
            noisy = torch.zeros(n_samples, problem.n_atoms, 3, device=prior.device, requires_grad=through_network)
            denoised, _ = forward(noisy, 1.0, training=False, network_condition_kwargs=condition)
            if through_network:
                denoised.backward(torch.ones_like(denoised))
    kept = [each.untyped_storage() for each in tree_leaves(condition["model_cache"]) if torch.is_tensor(each)]
    return live.peak_bytes, sum({storage._cdata: storage.nbytes() for storage in kept}.values())


FULL = HYPERPARAMETERS | {
    "atom_s": 128,
    "atom_z": 16,
    "token_s": 384,
    "token_z": 128,
    "atoms_per_window_keys": 128,
    "embedder_args": {"atom_encoder_depth": 3, "atom_encoder_heads": 4},
    "msa_args": {"msa_s": 64, "msa_blocks": 1, "msa_dropout": 0.0, "z_dropout": 0.0},
    "pairformer_args": {"num_blocks": 1, "num_heads": 16, "dropout": 0.0},
    "score_model_args": HYPERPARAMETERS["score_model_args"]
    | {
        "dim_fourier": 256,
        "atom_encoder_depth": 3,
        "token_transformer_depth": 24,
        "token_transformer_heads": 16,
        "atom_decoder_depth": 3,
        "conditioning_transition_layers": 2,
    },
}
"""Boltz-1 as published, with fewer blocks in its trunk, which need the same memory one after the other."""


def with_rows(features: dict[str, torch.Tensor], n_rows: int) -> dict[str, torch.Tensor]:
    """The same target with an alignment of so many rows."""
    names = ("msa", "msa_paired", "deletion_value", "has_deletion", "msa_mask")
    return features | {name: features[name].expand(1, n_rows, *features[name].shape[2:]) for name in names}


@pytest.mark.parametrize("sizes", [HYPERPARAMETERS, FULL], ids=["miniature", "full size"])
@pytest.mark.parametrize("n_rows", [1, 2048])
def test_estimate_of_the_trunk_is_near_what_is_counted(adk_features, sizes: dict, n_rows: int) -> None:
    prior = counted_without_values(sizes, with_rows(adk_features, n_rows))
    with LiveTensors() as live:
        prior.embed(recycling_steps=1)
    estimate = trunk_peak_bytes(Dimensions.of_model(prior.model), Problem.of_features(prior.features))
    assert 0.95 < estimate / live.peak_bytes < 1.1


@pytest.mark.parametrize("recomputes", [False, True])
@pytest.mark.parametrize("sizes", [HYPERPARAMETERS, FULL], ids=["miniature", "full size"])
def test_estimate_of_the_denoiser_is_near_what_is_counted(adk_features, sizes: dict, recomputes: bool) -> None:
    score = sizes["score_model_args"] | {"activation_checkpointing": recomputes}
    prior = counted_without_values(sizes | {"score_model_args": score}, adk_features)
    dimensions, problem = Dimensions.of_model(prior.model), Problem.of_features(prior.features)
    assert dimensions.recomputes == recomputes
    for n_samples in (1, 4):
        free, held = peak_of_denoiser(prior, n_samples, through_network=False)
        assert 0.95 < unguided_footprint(dimensions, problem, one_by_one=False).at(n_samples) / free < 1.15
        guided, _ = peak_of_denoiser(prior, n_samples, through_network=True)
        assert 0.95 < guided_footprint(dimensions, problem, MIXED, one_by_one=False).at(n_samples) / guided < 1.15
        kept = conditioning_bytes(dimensions, problem)
        kept += n_samples * conditioning_bytes_per_sample(dimensions, problem)
        assert kept == pytest.approx(held, rel=0.02)


def test_estimate_is_near_what_a_real_trunk_takes_on_this_cpu(peptide_features) -> None:
    model = random_model()
    with LiveTensors() as live, torch.no_grad():
        run_trunk(model, peptide_features, recycling_steps=1)
    estimate = trunk_peak_bytes(Dimensions.of_model(model), Problem.of_features(peptide_features))
    assert 0.8 < estimate / live.peak_bytes < 1.25


def counted_energy(energy: LocalEnergy | GlobalEnergy, coordinates: torch.Tensor) -> int:
    """Bytes that an energy takes at its peak for a batch (b, n_atoms, 3) of one class."""
    with LiveTensors() as live:
        energy.value_and_gradient(coordinates, torch.zeros(len(coordinates), dtype=torch.long))
    return live.peak_bytes


def test_estimates_of_the_energies_are_near_what_is_counted(monkeypatch) -> None:
    """Of samples that are worked on together; on a CPU, the global energy otherwise takes them a few at a time."""
    monkeypatch.setitem(PAIRS_AT_ONCE, "cpu", 1 << 30)
    n_samples, n_atoms, edge, n_points = 8, 1200, 64, 300
    generator = torch.Generator().manual_seed(1)
    # Groups as dense as a protein's half residues, a group in 70 Å³.
    coordinates = 10 + 27.6 * torch.rand(n_samples, n_atoms // 4, 3, generator=generator).repeat_interleave(4, dim=1)
    grid = Grid((edge,) * 3, 1.0, (0.0, 0.0, 0.0))
    mask = torch.ones(grid.shape_zyx)
    target = TargetMap(torch.randn(grid.shape_zyx, generator=generator), grid, 4.0, mask)
    groups = PseudoAtoms.of(torch.arange(n_atoms) // 4, torch.ones(n_atoms))
    problem = Problem(
        n_atoms, 150, n_maps=1, map_voxels=edge**3, n_points=n_points, n_pseudo_atoms=len(groups.mass)
    )
    for estimate, energy in (
        (local_bytes, LocalEnergy([target], torch.ones(n_atoms))),
        (global_bytes, GlobalEnergy([uniform(10 + 27.6 * torch.rand(n_points, 3, generator=generator))], groups)),
    ):
        fixed, per_sample = estimate(problem)
        assert 0.95 < (fixed + n_samples * per_sample) / counted_energy(energy, coordinates) < 1.4


def test_the_gradient_through_the_network_costs_most_of_the_memory() -> None:
    kept, passing = graph_call_bytes(replace(BOLTZ1, recomputes=False), THOUSAND)
    again, working = graph_call_bytes(BOLTZ1, THOUSAND)
    assert kept + passing > 10 * call_bytes(BOLTZ1, THOUSAND)
    assert again + working < (kept + passing) / 5


def test_samples_one_by_one_share_the_memory_of_a_call() -> None:
    alone = unguided_footprint(BOLTZ1, THOUSAND, one_by_one=True)
    together = unguided_footprint(BOLTZ1, THOUSAND, one_by_one=False)
    assert alone.at(1) == pytest.approx(together.at(1), rel=1e-6)
    assert alone.per_sample_bytes < together.per_sample_bytes / 10


def test_published_global_energy_grows_with_the_square_of_the_atoms() -> None:
    twice = replace(THOUSAND, n_atoms=2 * THOUSAND.n_atoms)
    (fixed, per_sample), (twice_fixed, twice_per_sample) = map(published_global_bytes, (THOUSAND, twice))
    assert twice_fixed > 3.5 * fixed
    assert twice_per_sample > 3.5 * per_sample
    assert global_bytes(twice) == global_bytes(THOUSAND)


def test_without_maps_no_memory_is_set_aside_for_them() -> None:
    assert local_bytes(Problem(n_atoms=864, n_tokens=100)) == (0, 0)


def test_confidence_is_counted_once_for_all_samples() -> None:
    small = replace(BOLTZ1, has_confidence=False)
    assert confidence_peak_bytes(small, THOUSAND) == 0
    judged, unjudged = (guided_footprint(each, THOUSAND, FAST, False) for each in (BOLTZ1, small))
    assert judged.once_bytes > unjudged.once_bytes
    assert judged.per_sample_bytes == unjudged.per_sample_bytes


def test_as_many_samples_as_fit_are_taken() -> None:
    footprint = Footprint(4 * GIGABYTE, 2 * GIGABYTE)
    assert largest_batch(40 * GIGABYTE, footprint, 75, "cuda") == (TENSOR_SHARE["cuda"] * 40 - 4) // 2
    assert largest_batch(40 * GIGABYTE, footprint, 3, "cuda") == 3
    assert largest_batch(40 * GIGABYTE, footprint.beside(10 * GIGABYTE), 75, "cuda") == 11
    assert largest_batch(40 * GIGABYTE, footprint, 75, "cpu") == (TENSOR_SHARE["cpu"] * 40 - 4) // 2


def test_one_sample_that_fits_with_nothing_to_spare_is_tried() -> None:
    assert largest_batch(7 * GIGABYTE, Footprint(4 * GIGABYTE, 3 * GIGABYTE), 75, "cuda") == 1


def test_one_sample_that_does_not_fit_is_refused_with_figures_and_ways_out() -> None:
    footprint = trunk_footprint(BOLTZ1, THOUSAND)
    with pytest.raises(InputError) as refusal:
        largest_batch(8 * GIGABYTE, footprint, 25, "cuda")
    assert str(refusal.value) == (
        "1,000 tokens and 8,352 atoms need 9.2 GB of memory on the GPU, even one sample at a time, and 8.0 GB are "
        "free; use a GPU with more memory, give fewer residues or chains, or run on the CPU (--device cpu)"
    )
    with pytest.raises(InputError, match=r"on the CPU.* allow the process more memory"):
        largest_batch(8 * GIGABYTE, footprint, 25, "cpu")


def test_a_part_of_the_work_that_does_not_fit_is_refused_too() -> None:
    with pytest.raises(InputError, match=r"need 20\.0 GB"):
        largest_batch(10 * GIGABYTE, Footprint(GIGABYTE, GIGABYTE, once_bytes=20 * GIGABYTE), 25, "cuda")


def test_room_is_checked_before_anything_is_put_on_a_device(monkeypatch) -> None:
    footprint = Footprint(4 * GIGABYTE, GIGABYTE, subject=str(THOUSAND))
    monkeypatch.setattr(limits, "free_bytes", lambda device: 6 * GIGABYTE)
    check_room(footprint, GIGABYTE, torch.device("cuda"))
    with pytest.raises(InputError, match=r"need 7\.0 GB of memory on the GPU"):
        check_room(footprint, 2 * GIGABYTE, torch.device("cuda"))
    check_room(footprint, 2 * GIGABYTE, torch.device("cpu"))


def test_the_peak_in_use_holds_a_tensor_that_is_gone() -> None:
    torch.ones(2 * 10**8 // 4).sum()
    assert used_peak_bytes(torch.device("cpu")) > 2 * 10**8


def host(root: Path, cgroup: str, **files: str) -> Path:
    """A machine with 100 GB available, as its files say it; underscores twice stand for slashes."""
    contents = {"proc__meminfo": "MemTotal: 200000000 kB\nMemAvailable: 100000000 kB\n", "proc__self__cgroup": cgroup}
    for name, text in (contents | files).items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_without_a_limit_what_is_available_is_free(tmp_path: Path) -> None:
    root = host(tmp_path, "0::/\n", **{"sys__fs__cgroup__memory.max": "max\n"})
    assert free_host_bytes(root) == 102_400_000_000


def test_a_limit_of_any_group_above_the_process_counts(tmp_path: Path) -> None:
    group = "sys__fs__cgroup__slurm__job_7"
    root = host(
        tmp_path,
        "0::/slurm/job_7/step_0\n",
        **{
            f"{group}__memory.max": "16000000000\n",
            f"{group}__memory.current": "6000000000\n",
            f"{group}__memory.stat": "anon 4000000000\ninactive_file 1500000000\n",
            f"{group}__step_0__memory.max": "max\n",
        },
    )
    assert free_host_bytes(root) == 16_000_000_000 - 4_500_000_000


def test_a_limit_of_the_first_version_of_control_groups_counts(tmp_path: Path) -> None:
    group = "sys__fs__cgroup__memory__slurm__uid_5"
    root = host(
        tmp_path,
        "9:cpu,cpuacct:/\n4:memory:/slurm/uid_5\n0::/\n",
        **{
            f"{group}__memory.limit_in_bytes": "8000000000\n",
            f"{group}__memory.usage_in_bytes": "3000000000\n",
            f"{group}__memory.stat": "cache 9\ntotal_inactive_file 1000000000\n",
            "sys__fs__cgroup__memory__memory.limit_in_bytes": "9223372036854771712\n",
        },
    )
    assert free_host_bytes(root) == 6_000_000_000


def test_in_a_container_the_limit_at_the_top_counts(tmp_path: Path) -> None:
    root = host(
        tmp_path,
        "0::/docker/0123456789\n",
        **{"sys__fs__cgroup__memory.max": "4000000000\n", "sys__fs__cgroup__memory.current": "5000000000\n"},
    )
    assert free_host_bytes(root) == 0


def test_this_machine_has_memory() -> None:
    assert free_host_bytes() > 10**8
