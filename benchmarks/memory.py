#!/usr/bin/env python3
"""Memory: what is estimated before the work beside what the work takes.

Three parts. *Measured on this CPU*: the growth of the process's peak (VmHWM) in the trunk, in the denoiser and in the
denoiser with the gradient through it, each in a process of its own, for the miniature and a model of middle size with
random weights. Blocks are given back to the system when they are freed, so that this is what the tensors take; the
column "as run" is with the C library's own settings, which keep freed blocks. *Counted*: Boltz-1 at its published size,
operation by operation, on tensors without storage. *Measured on the GPU*: the same with 25 samples, in batches as large
as fit, and the time of a trunk cycle and of a step, where there is an NVIDIA GPU.

The last line is the estimate over the measured peak that is farthest from one.

    ./classfold bench memory [--part cpu --part counted --part gpu] [--residues 100 --residues 300]
"""

from __future__ import annotations

import ctypes
import gc
import itertools
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / folder) for folder in ("bin", "demo", ".")]

import click
import torch
from boltz.model.models.boltz1 import Boltz1
from miniature import HYPERPARAMETERS
from torch import Tensor

from classfold.batches import first_batch
from classfold.density import Grid
from classfold.local_energy import LocalEnergy, TargetMap
from classfold.memory import (
    Dimensions,
    Footprint,
    GuidanceKind,
    Problem,
    guided_footprint,
    trunk_footprint,
    unguided_footprint,
)
from classfold.prior import BoltzPrior, Embedding, Features, featurise, load_components, parse_target
from tests.live_tensors import LiveTensors

SCORE = HYPERPARAMETERS["score_model_args"]
MIDDLE = HYPERPARAMETERS | {
    "atom_s": 64,
    "token_s": 128,
    "token_z": 64,
    "atoms_per_window_keys": 128,
    "score_model_args": SCORE | {"token_transformer_depth": 8, "token_transformer_heads": 8},
}
FULL = HYPERPARAMETERS | {
    "atom_s": 128,
    "atom_z": 16,
    "token_s": 384,
    "token_z": 128,
    "atoms_per_window_keys": 128,
    "embedder_args": {"atom_encoder_depth": 3, "atom_encoder_heads": 4},
    "msa_args": {"msa_s": 64, "msa_blocks": 4, "msa_dropout": 0.0, "z_dropout": 0.0},
    "pairformer_args": {"num_blocks": 48, "num_heads": 16, "dropout": 0.0},
    "score_model_args": SCORE
    | {
        "dim_fourier": 256,
        "atom_encoder_depth": 3,
        "token_transformer_depth": 24,
        "token_transformer_heads": 16,
        "atom_decoder_depth": 3,
        "conditioning_transition_layers": 2,
        "activation_checkpointing": True,
    },
}
"""Boltz-1 as it is published, without the confidence head."""
PARTS = ("cpu", "counted", "gpu")
MODELS = {"miniature": HYPERPARAMETERS, "middle": MIDDLE, "full": FULL}
SEQUENCE = "MKVLAEGTRQDNSPIFHYWC"
SIGMA_ANGSTROM = 1.0
VOXEL_ANGSTROM, RESOLUTION_ANGSTROM = 1.0, 4.0
RETURN_FREED_BLOCKS = {"MALLOC_MMAP_THRESHOLD_": "16384"}
THROUGH_NETWORK = GuidanceKind(through_network=True, published=False)
STAGES = (("trunk", 1), ("free", 1), ("free", 4), ("guided", 1), ("guided", 4))


def random_model(name: str, device: str) -> Boltz1:
    """A model with random weights that keep activations near one."""
    with torch.device("meta"):
        model = Boltz1(**MODELS[name])
    model = model.to_empty(device=device).eval().requires_grad_(False)
    for weight in model.parameters():
        if weight.dim() == 2:
            torch.nn.init.normal_(weight, std=weight.shape[1] ** -0.5)
        else:
            weight.fill_(0.5)
    return model


def make_features(n_residues: int) -> Features:
    """Features of one chain without an alignment."""
    sequence = (SEQUENCE * math.ceil(n_residues / len(SEQUENCE)))[:n_residues]
    with tempfile.TemporaryDirectory() as folder:
        fasta = Path(folder) / "chain.fasta"
        fasta.write_text(f">A|protein\n{sequence}\n")
        target = parse_target(fasta, load_components(ROOT / "assets/demo/weights/ccd.pkl"))
        return featurise(target, {}, seed=1)


def random_embedding(prior: BoltzPrior) -> Embedding:
    """An embedding of the right shape for measurements that begin after the trunk."""
    model, n = prior.model, prior.features["token_pad_mask"].shape[1]
    token_s, n_inputs = model.s_init.weight.shape
    pairs = [torch.randn(1, n, n, len(model.z_norm.weight), device=prior.device) for _ in range(2)]
    singles = [torch.randn(1, n, width, device=prior.device) for width in (n_inputs, token_s)]
    return Embedding(*singles, *pairs)


class Network:
    """The denoiser with all samples of a batch at once, on a CPU too, as on a GPU."""

    def __init__(self, prior: BoltzPrior, energy: LocalEnergy | None) -> None:
        self.prior, self.energy = prior, energy
        self.embedding = random_embedding(prior)
        self.cache: dict[str, object] = {}

    def noise(self, n_samples: int) -> Tensor:
        """Coordinates to begin with."""
        return torch.randn(n_samples, self.prior.features["ref_pos"].shape[1], 3, device=self.prior.device)

    def __call__(self, noisy: Tensor) -> Tensor:
        """Denoised coordinates."""
        condition = {
            "s_inputs": self.embedding.s_inputs,
            "s_trunk": self.embedding.s,
            "z_trunk": self.embedding.z,
            "relative_position_encoding": self.embedding.relative_position_encoding,
            "feats": self.prior.features,
            "multiplicity": len(noisy),
            "model_cache": self.cache,
        }
        forward = self.prior.model.structure_module.preconditioned_network_forward
        return forward(noisy, SIGMA_ANGSTROM, training=False, network_condition_kwargs=condition)[0]

    def free(self, n_samples: int) -> None:
        """A step without guidance."""
        with torch.no_grad():
            self(self.noise(n_samples))

    def guided(self, n_samples: int) -> None:
        """A step with the gradient of the energy through the network; without a map, of the coordinates' squares."""
        noisy = self.noise(n_samples).requires_grad_()
        denoised = self(noisy)
        gradient = denoised.detach()
        if self.energy is not None:
            maps = torch.zeros(n_samples, dtype=torch.long, device=noisy.device)
            n_atoms = len(self.energy.weights)
            _, by_atoms = self.energy.value_and_gradient(gradient[:, :n_atoms], maps)
            gradient = torch.nn.functional.pad(by_atoms, (0, 0, 0, gradient.shape[1] - n_atoms))
        # Layers that are computed again in the backward pass forbid torch.autograd.grad.
        denoised.backward(gradient)


def make_energy(prior: BoltzPrior) -> LocalEnergy:
    """A map of noise, as large as a globular molecule wants it."""
    n_atoms = int(prior.atom_mask.sum())
    edge = math.ceil(4.0 * n_atoms ** (1 / 3) / VOXEL_ANGSTROM)
    grid = Grid((edge,) * 3, VOXEL_ANGSTROM, (-edge / 2 * VOXEL_ANGSTROM,) * 3)
    target = TargetMap(torch.randn(grid.shape_zyx, device=prior.device), grid, RESOLUTION_ANGSTROM)
    return LocalEnergy([target], torch.full((n_atoms,), 6.0, device=prior.device))


class Work(NamedTuple):
    """A piece of work and what it is estimated to take beyond what it finds."""

    footprint: Footprint
    run: Callable[[int], object]
    """Takes the number of samples."""
    n_runs: int
    """The denoiser's first call makes what later ones find."""


def make_work(stage: str, prior: BoltzPrior, energy: LocalEnergy | None = None) -> Work:
    """Prepare the trunk, a step without guidance (free), or one guided through the network."""
    dimensions = Dimensions.of_model(prior.model)
    if stage == "trunk":
        problem = Problem.of_features(prior.features)
        return Work(trunk_footprint(dimensions, problem), lambda n_samples: prior.embed(0), 1)
    network = Network(prior, energy)
    size = {} if energy is None else {"n_maps": 1, "map_voxels": len(energy.voxels)}
    problem = Problem.of_features(prior.features, **size)
    if stage == "free":
        return Work(unguided_footprint(dimensions, problem, one_by_one=False), network.free, 2)
    return Work(guided_footprint(dimensions, problem, THROUGH_NETWORK, one_by_one=False), network.guided, 2)


def status_bytes(field: str) -> int:
    """A size of this process, VmRSS or VmHWM."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) * 1024


def peak_bytes(device: torch.device, run: Callable[[], object]) -> int:
    """Peak of a call beyond what was held before it: of resident memory on a CPU, of PyTorch's on a GPU."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        return torch.cuda.max_memory_allocated(device) - before
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = status_bytes("VmRSS")
    run()
    return status_bytes("VmHWM") - before


class Measured(NamedTuple):
    """What one case gave."""

    n_samples: int
    """In one batch."""
    estimate: int
    peak: int
    seconds: float
    """Of the last run."""


def measure_case(name: str, n_residues: int, stage: str, n_samples: int, device_name: str) -> Measured:
    """Measure one case in this process."""
    torch.set_num_threads(1)
    device = torch.device(device_name)
    model = random_model(name, device_name)
    # What libraries take at their first use is not the work's.
    first = make_work(stage, BoltzPrior(model, make_features(8), device))
    first.run(n_samples)
    prior = BoltzPrior(model, make_features(n_residues), device)
    work = make_work(stage, prior, make_energy(prior) if name == "full" and stage == "guided" else None)
    if name == "full":
        n_samples = first_batch(n_samples, 0, device, work.footprint)
    seconds = []

    def run_all() -> None:
        for _ in range(work.n_runs):
            started = time.monotonic()
            work.run(n_samples)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            seconds.append(time.monotonic() - started)

    peak = peak_bytes(device, run_all)
    return Measured(n_samples, work.footprint.at(n_samples), peak, seconds[-1])


def in_own_process(*case: str | int, **environment: str) -> Measured:
    """:func:`measure_case` in a new process."""
    command = [sys.executable, __file__, "--case", json.dumps(case)]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{case}: {done.stderr}")
    return Measured(*json.loads(done.stdout.splitlines()[-1]))


def ratio_of(estimate: int, peak: int, ratios: list[float]) -> float:
    """Estimate over peak, noted."""
    ratios.append(estimate / peak)
    return ratios[-1]


def measure_on_host(names: tuple[str, ...], residues: tuple[int, ...], ratios: list[float]) -> None:
    """The first part."""
    click.echo("measured on the CPU, MB\nmodel      residues  stage   samples  estimate  measured  ratio    as run")
    for name, n_residues, (stage, n_samples) in itertools.product(names, residues, STAGES):
        case = name, n_residues, stage, n_samples, "cpu"
        found = in_own_process(*case, **RETURN_FREED_BLOCKS)
        as_run = in_own_process(*case)
        click.echo(
            f"{name:9s}  {n_residues:8d}  {stage:6s}  {found.n_samples:7d}  {found.estimate / 1e6:8.1f}  "
            f"{found.peak / 1e6:8.1f}  {ratio_of(found.estimate, found.peak, ratios):5.2f}  {as_run.peak / 1e6:8.1f}"
        )


def count_full_size(residues: tuple[int, ...], ratios: list[float]) -> None:
    """The second part."""
    click.echo("\nBoltz-1 at full size, counted, GB\nresidues  stage   samples  estimate  counted  ratio")
    model = random_model("full", "meta")
    for n_residues in residues:
        prior = BoltzPrior(model, make_features(n_residues), torch.device("meta"))
        for stage, n_samples in STAGES:
            work = make_work(stage, prior)
            with LiveTensors() as live:
                for _ in range(work.n_runs):
                    work.run(n_samples)
            estimate = work.footprint.at(n_samples)
            click.echo(
                f"{n_residues:8d}  {stage:6s}  {n_samples:7d}  {estimate / 1e9:8.2f}  {live.peak_bytes / 1e9:7.2f}  "
                f"{ratio_of(estimate, live.peak_bytes, ratios):5.2f}"
            )


def measure_full_size(residues: tuple[int, ...], ratios: list[float]) -> None:
    """The third part."""
    if not torch.cuda.is_available():
        click.echo("\nthe full-size model's time, and its peak as allocated, need an NVIDIA GPU: not measured")
        return
    click.echo(f"\nBoltz-1 at full size on {torch.cuda.get_device_name()}, GB")
    click.echo("residues  stage   in a batch  estimate  measured  ratio  seconds")
    for n_residues, (stage, n_samples) in itertools.product(residues, (("trunk", 1), ("free", 25), ("guided", 25))):
        found = in_own_process("full", n_residues, stage, n_samples, "cuda")
        click.echo(
            f"{n_residues:8d}  {stage:6s}  {found.n_samples:10d}  {found.estimate / 1e9:8.2f}  "
            f"{found.peak / 1e9:8.2f}  {ratio_of(found.estimate, found.peak, ratios):5.2f}  {found.seconds:7.2f}"
        )


@click.command(context_settings={"show_default": True})
@click.option("--part", "parts", type=click.Choice(PARTS), multiple=True, default=PARTS, help="What is measured.")
@click.option("--model", "names", type=click.Choice(list(MODELS)), multiple=True, default=("miniature", "middle"))
@click.option("--residues", multiple=True, default=(100, 300), help="Sizes that are measured on the CPU.")
@click.option("--full-residues", multiple=True, default=(500, 1000, 2000), help="Sizes of the full-size model.")
@click.option("--case", hidden=True, help="Measure one case in this process.")
def main(
    parts: tuple[str, ...],
    names: tuple[str, ...],
    residues: tuple[int, ...],
    full_residues: tuple[int, ...],
    case: str | None,
) -> None:
    """Estimate beside measurement."""
    if case is not None:
        click.echo(json.dumps(measure_case(*json.loads(case))))
        return
    ratios: list[float] = []
    if "cpu" in parts:
        measure_on_host(names, residues, ratios)
    if "counted" in parts:
        count_full_size(full_residues, ratios)
    if "gpu" in parts:
        measure_full_size(full_residues, ratios)
    if ratios:
        click.echo(f"memory: {max(ratios, key=lambda ratio: abs(math.log(ratio))):.2f}")


if __name__ == "__main__":
    main()
