"""Train the miniature Boltz-1 of the demonstration.

Boltz's own classes with small dimensions (miniature.py), overfitted on one protein's conformational path. It is a
demonstration, not a predictor: it knows adenylate kinase and nothing else.

The prior is biased on purpose: where noise hides the conformation (large sigma) it is trained mostly on closed frames,
where noise reveals it (small sigma) on all of them. Unguided samples are therefore closed, and a map can still pull
them open.

    $(./classfold setup train) demo/train_prior.py --output assets/demo/weights --compiled

takes about an hour and a half on two CPU cores.
"""

from __future__ import annotations

import copy
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bin"))
sys.path.insert(0, str(ROOT / "demo"))

from boltz.model.models.boltz1 import Boltz1
from boltz.model.modules.diffusion import AtomDiffusion
from components import write_components
from miniature import atom_keys, fit_trunk, make_model, trunk_code, write_weights
from trajectories import FRAMES_OF_FIRST, load_trajectories

from classfold.prior import Embedding, featurise, load_components, load_model, parse_target, run_trunk
from classfold.weights import WeightsFolder

FEATURE_VARIANTS = 24
"""The featuriser turns the reference conformers at random; the network has to see many of these turns."""
LEARNING_RATE = 1.5e-3
WARM_UP_STEPS = 100
DECAY_FRACTION = 0.75
EMA_DECAY = 0.998
MAX_GRADIENT_NORM = 10.0
SAMPLES_PER_STEP = 8
P_MEAN, P_STD = -0.5, 1.5
"""Of the logarithm of sigma / 16 Å."""
TARGET_ERROR_ANGSTROM = 0.7
CLOSED_RMSD_ANGSTROM = 1.3
CLOSED_BIAS = 100.0
"""How much more often than its share a closed frame is drawn where the noise hides the conformation."""
BIAS_SIGMA_ANGSTROM = 8.0


def rmsd_to_closed(frames: np.ndarray) -> np.ndarray:
    """RMSD in Å of every frame from the first after superposition (Kabsch)."""
    centred = frames - frames.mean(axis=1, keepdims=True)
    left, singular, right = np.linalg.svd(np.einsum("nai,aj->nij", centred, centred[0]))
    singular[:, 2] *= np.sign(np.linalg.det(left @ right))
    squared = (centred**2).sum((1, 2)) + (centred[0] ** 2).sum() - 2 * singular.sum(1)
    return np.sqrt(np.clip(squared, 0, None) / frames.shape[1])


def draw_sigmas(generator: torch.Generator) -> Tensor:
    """Noise levels of one batch in Å, (SAMPLES_PER_STEP,): log-normal, one from each quantile."""
    places = torch.arange(SAMPLES_PER_STEP) + torch.rand(SAMPLES_PER_STEP, generator=generator)
    normal = math.sqrt(2) * torch.erfinv((2 * places / SAMPLES_PER_STEP - 1).clamp(-1 + 2e-4, 1 - 2e-4))
    return 16.0 * (P_MEAN + P_STD * normal).exp()


def loss_weight(sigmas: Tensor) -> Tensor:
    """Weight of the squared error: one over the square of what is hoped for, half the noise but at most 0.7 Å.

    Boltz weighs by the noise up to 16 Å; a network that is to know one fold by heart must also be told of an error of
    2 Å where the noise is 60 Å.
    """
    return (sigmas / 2).clamp(max=TARGET_ERROR_ANGSTROM) ** -2


def draw_frames(sigmas: Tensor, is_closed: Tensor, generator: torch.Generator) -> Tensor:
    """Index of the frame that each noise level is trained on."""
    bias = 1 + (CLOSED_BIAS - 1) * torch.sigmoid(2 * torch.log(sigmas / BIAS_SIGMA_ANGSTROM))
    weights = torch.where(is_closed[None], bias[:, None], torch.ones(1, 1))
    return torch.multinomial(weights, 1, generator=generator).squeeze(1)


def learning_rate(step: int, steps: int) -> float:
    """Warm-up, a plateau, and a linear decay to nothing over the last three quarters."""
    decay_steps = DECAY_FRACTION * steps
    return LEARNING_RATE * min(1.0, (step + 1) / WARM_UP_STEPS, max(steps - step, 1) / decay_steps)


@dataclass
class Lessons:
    """What the network learns from: frames of the path, and features whose reference conformers are turned."""

    frames: Tensor
    """(n_frames, n_atoms, 3) in Å."""
    is_closed: Tensor
    """(n_frames,)"""
    variants: list[dict[str, Tensor]]
    embedding: Embedding

    def loss(self, module: AtomDiffusion, generator: torch.Generator) -> Tensor:
        """Boltz's own loss of one batch of noised frames."""
        sigmas = draw_sigmas(generator)
        batch = self.frames[draw_frames(sigmas, self.is_closed, generator)]
        variant = int(torch.randint(len(self.variants), (1,), generator=generator))
        features = dict(self.variants[variant])
        padding = features["atom_pad_mask"].shape[1] - batch.shape[1]
        features["coords"] = torch.nn.functional.pad(batch, (0, 0, 0, padding))[None]
        module.noise_distribution = lambda _: sigmas
        denoised = module(
            s_inputs=self.embedding.s_inputs,
            s_trunk=self.embedding.s,
            z_trunk=self.embedding.z,
            relative_position_encoding=self.embedding.relative_position_encoding,
            feats=features,
            multiplicity=SAMPLES_PER_STEP,
        )
        return module.compute_loss(
            features, denoised, add_smooth_lddt_loss=False, multiplicity=SAMPLES_PER_STEP
        )["loss"]


def prepare_lessons(model: Boltz1, weights: Path) -> Lessons:
    """Fit the model's trunk, and gather what its diffusion module is trained on."""
    target = parse_target(ROOT / "assets/demo/adk.fasta", load_components(weights / WeightsFolder.COMPONENTS))
    coordinates, held_out = load_trajectories(atom_keys(target))
    is_closed = torch.from_numpy(rmsd_to_closed(coordinates)[~held_out] < CLOSED_RMSD_ANGSTROM)
    click.echo(f"{(~held_out).sum()} frames, {int(is_closed.sum())} of them closed; {held_out.sum()} held out")
    variants = [featurise(target, {}, seed=index) for index in range(FEATURE_VARIANTS)]
    ends = torch.from_numpy(coordinates[[0, FRAMES_OF_FIRST - 1]])
    fit_trunk(model, variants[0], trunk_code(ends, atom_keys(target)))
    with torch.no_grad():
        embedding = run_trunk(model, variants[0], recycling_steps=0)
    for features in variants:
        features["atom_resolved_mask"] = features["atom_pad_mask"].bool()
    return Lessons(torch.from_numpy(coordinates[~held_out]), is_closed, variants, embedding)


class Training:
    """Adam with an exponential moving average of the weights; its state is kept on disk, so that it can go on."""

    def __init__(self, module: AtomDiffusion, seed: int, state_file: Path) -> None:
        self.module, self.ema = module, copy.deepcopy(module)
        self.optimiser = torch.optim.Adam(module.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.99))
        self.state_file = state_file
        self.step = 0
        if state_file.exists():
            state = torch.load(state_file, weights_only=True)
            self.module.load_state_dict(state["module"])
            self.ema.load_state_dict(state["ema"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.step = state["step"]
        self.generator = torch.Generator().manual_seed(seed + self.step)
        torch.manual_seed(seed + self.step)

    def take_step(self, lessons: Lessons, rate: float) -> float:
        """One optimiser step; its loss."""
        loss = lessons.loss(self.module, self.generator)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.module.parameters(), MAX_GRADIENT_NORM)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        self.step += 1
        decay = min(EMA_DECAY, self.step / (self.step + 9))
        with torch.no_grad():
            for average, value in zip(self.ema.parameters(), self.module.parameters(), strict=True):
                average.lerp_(value, 1 - decay)
        return loss.item()

    def save(self) -> None:
        """Keep the state."""
        state = {
            "module": self.module.state_dict(),
            "ema": self.ema.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
        }
        torch.save(state, self.state_file)


@click.command(context_settings={"show_default": True})
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder for the weights.")
@click.option("--steps", default=7000, help="Optimiser steps.")
@click.option("--seed", default=1, help="Seed of weights, noise and order.")
@click.option(
    "--compiled", is_flag=True, help="Compile the network first: minutes once, then a third faster."
)
@click.option("--start-from", type=click.Path(path_type=Path), help="Folder of weights to go on from.")
@click.option("--report-every", default=100, help="Steps between two lines of progress.")
def main(
    output: Path, steps: int, seed: int, start_from: Path | None, compiled: bool, report_every: int
) -> None:
    """Train the miniature prior and write its weights as Boltz's release names them."""
    output.mkdir(parents=True, exist_ok=True)
    write_components(output / WeightsFolder.COMPONENTS)
    model = make_model(seed).eval()
    lessons = prepare_lessons(model, output)
    module = model.structure_module.train()
    module.synchronize_sigmas = False
    module.loss_weight = loss_weight
    if start_from is not None:
        module.load_state_dict(load_model(start_from / WeightsFolder.CHECKPOINT).structure_module.state_dict())
    training = Training(module, seed, output / "training_state.pt")
    if compiled:
        module.score_model.compile(dynamic=False)
    started, first_step, losses = time.monotonic(), training.step, []
    while training.step < steps:
        losses.append(training.take_step(lessons, learning_rate(training.step, steps)))
        if training.step % report_every == 0:
            rate = (time.monotonic() - started) / (training.step - first_step)
            click.echo(f"step {training.step}  loss {np.mean(losses):.4f}  {rate:.2f} s/step")
            losses = []
            training.save()
    module.load_state_dict(training.ema.state_dict())
    write_weights(model, output)
    training.state_file.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
