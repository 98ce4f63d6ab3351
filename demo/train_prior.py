"""Make the miniature Boltz-1 of the demonstration: write its weights down, then polish them by training.

Boltz's own classes with small dimensions (miniature.py) that know one protein's conformational path by heart. It is a
demonstration, not a predictor: it knows adenylate kinase and nothing else.

Its diffusion module is first written down (token_wiring.py, atom_wiring.py): denoising a known path is a calculation
that fits into eight token layers. Training then polishes what a linear read-out cannot get right. What finds the
orientation stays as written, for small errors there grow large.

The prior is biased on purpose: where noise hides the conformation (large sigma) it is trained mostly on closed frames,
where noise reveals it (small sigma) on all of them. Unguided samples are therefore closed, and a map can still pull
them open.

    $(./classfold setup train) demo/train_prior.py --output assets/demo/weights

writes the weights in a minute and a half and polishes them at 1.1 s a step on two CPU cores; with ``--steps 0`` it
makes the weights that are committed.
"""

from __future__ import annotations

import copy
import math
import sys
import time
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bin"))
sys.path.insert(0, str(ROOT / "demo"))

from atom_wiring import AtomWiring
from boltz.model.modules.diffusion import DiffusionModule
from components import write_components
from conformations import Conformations, conformations, draw_frames, noised
from miniature import atom_keys, fit_trunk, make_model, write_weights
from residue_functions import SIGMA_DATA_ANGSTROM, residue_functions
from token_wiring import TokenWiring
from trajectories import load_trajectories

from classfold.prior import featurise, load_components, parse_target, run_trunk
from classfold.superposition import apply_pose, superpose
from classfold.weights import WeightsFolder

TOKEN_LEARNING_RATE = 1.5e-5
DECODER_LEARNING_RATE = 7e-5
WARM_UP_STEPS = 40
LAST_RATE_FRACTION = 0.03
EMA_DECAY = 0.995
MAX_GRADIENT_NORM = 10.0
SAMPLES_PER_STEP = 8
P_MEAN, P_STD = -1.2, 1.5
"""Of the logarithm of sigma / 16 Å, as Boltz trains."""
TARGET_ERROR_ANGSTROM = 0.7
ORIENTED_SIGMA_ANGSTROM = 40.0
"""Above this noise the orientation is free: errors are taken after superposition, as Boltz takes all."""
CONTACT_ANGSTROM = 4.5
TARGET_CONTACT_ERROR_ANGSTROM = 0.15
CONTACT_SIGMA_ANGSTROM = 16.0
"""Distances between neighbours are trained where the noise is smaller."""
CLOSED_RMSD_ANGSTROM = 1.3
REPORTED_SIGMAS_ANGSTROM = (0.1, 0.3, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


def rmsd_to_closed(frames: Tensor) -> Tensor:
    """RMSD in Å of every frame (n_frames, n_atoms, 3) from the first after superposition."""
    poses = [superpose(frame, frames[0]) for frame in frames]
    moved = torch.stack([apply_pose(*pose, frame) for pose, frame in zip(poses, frames, strict=True)])
    return (moved - frames[0]).square().sum(dim=-1).mean(dim=1).sqrt()


def draw_sigmas(generator: torch.Generator) -> Tensor:
    """Noise levels of one batch in Å, (SAMPLES_PER_STEP,): log-normal, one from each quantile."""
    positions = torch.arange(SAMPLES_PER_STEP) + torch.rand(SAMPLES_PER_STEP, generator=generator)
    normal = math.sqrt(2) * torch.erfinv((2 * positions / SAMPLES_PER_STEP - 1).clamp(-1 + 2e-4, 1 - 2e-4))
    return SIGMA_DATA_ANGSTROM * (P_MEAN + P_STD * normal).exp()


def loss_weight(sigmas: Tensor) -> Tensor:
    """Weight of the squared error: one over the square of what is hoped for, half the noise but at most 0.7 Å.

    Boltz weighs by the noise up to 16 Å; a network that is to know one fold by heart must also be told of an error of
    2 Å where the noise is 60 Å.
    """
    return (sigmas / 2).clamp(max=TARGET_ERROR_ANGSTROM) ** -2


def squared_error(denoised: Tensor, true: Tensor, sigmas: Tensor) -> Tensor:
    """Mean squared error in Å² of each sample (n, n_atoms, 3), in place where the noise shows the orientation."""
    free = sigmas > ORIENTED_SIGMA_ANGSTROM
    if free.any():
        true = true.clone()
        true[free] = apply_pose(*superpose(true[free], denoised[free].detach()), true[free])
    return (denoised - true).square().sum(dim=-1).mean(dim=1)


def neighbours(path: Conformations) -> tuple[Tensor, Tensor]:
    """Pairs of atoms of one residue or of consecutive ones that are close in the mean structure."""
    residue = torch.tensor([index for index, _, _ in path.keys])
    close = torch.cdist(path.mean, path.mean) < CONTACT_ANGSTROM
    first, second = (close & ((residue[:, None] - residue).abs() <= 1)).triu(1).nonzero(as_tuple=True)
    return first, second


def contact_error(denoised: Tensor, true: Tensor, pairs: tuple[Tensor, Tensor]) -> Tensor:
    """Mean squared error in Å² of the distances between neighbours, of each sample."""
    first, second = pairs
    lengths = [(model[:, first] - model[:, second]).norm(dim=-1) for model in (denoised, true)]
    return (lengths[0] - lengths[1]).square().mean(dim=1)


def learning_rate_fraction(step: int, steps: int) -> float:
    """Warm-up, then a cosine."""
    cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
    return min(1.0, (step + 1) / WARM_UP_STEPS) * (LAST_RATE_FRACTION + (1 - LAST_RATE_FRACTION) * cosine)


def trained_parameters(score: DiffusionModule) -> tuple[list[Tensor], list[Tensor]]:
    """Parameters to be polished, of tokens and of atoms; those that find orientation and amplitudes are frozen."""
    encoder, layers = score.atom_attention_encoder, score.token_transformer.layers
    for module in (
        score.single_conditioner,
        score.s_to_a_linear,
        layers[0],
        layers[1].adaln,
        layers[1].pair_bias_attn,
        encoder.atom_encoder,
        encoder.embed_atom_features,
        encoder.embed_atompair_ref_pos,
        encoder.r_to_q_trans,
        encoder.atom_to_token_trans,
    ):
        module.requires_grad_(False)
    token_modules = (
        score.pairwise_conditioner,
        score.token_transformer,
        score.a_norm,
        score.atom_attention_decoder.a_to_q_trans,
    )
    tokens = [parameter for module in token_modules for parameter in module.parameters() if parameter.requires_grad]
    known = {id(parameter) for parameter in tokens}
    atoms = [parameter for parameter in score.parameters() if parameter.requires_grad and id(parameter) not in known]
    return tokens, atoms


def report_errors(wiring: AtomWiring, path: Conformations, generator: torch.Generator) -> None:
    """Print the denoised atoms' error at some noise levels."""
    errors = []
    with torch.no_grad():
        for sigma in REPORTED_SIGMAS_ANGSTROM:
            sigmas = torch.full((SAMPLES_PER_STEP,), sigma)
            frames = draw_frames(sigmas, path.is_closed, generator)
            true, noisy, _ = noised(path, frames, sigmas, generator)
            error = squared_error(wiring.denoise(sigmas, noisy), true, sigmas).mean().sqrt()
            errors.append(f"{sigma:g}: {error:.2f}")
    click.echo("denoising error (Å) at sigma (Å):  " + "  ".join(errors))


def polish(wiring: AtomWiring, path: Conformations, steps: int, seed: int, report_every: int) -> None:
    """Train with Adam, and leave the exponential moving average of the weights."""
    score = wiring.module.score_model
    generator = torch.Generator().manual_seed(seed)
    tokens, atoms = trained_parameters(score)
    average, pairs = copy.deepcopy(score), neighbours(path)
    groups = [(tokens, TOKEN_LEARNING_RATE), (atoms, DECODER_LEARNING_RATE)]
    optimiser = torch.optim.Adam([{"params": group} for group, _ in groups], betas=(0.9, 0.99))
    started, losses, contact_losses = time.monotonic(), [], []
    for step in range(steps):
        sigmas = draw_sigmas(generator)
        true, noisy, _ = noised(path, draw_frames(sigmas, path.is_closed, generator), sigmas, generator)
        denoised = wiring.denoise(sigmas, noisy)
        loss = (squared_error(denoised, true, sigmas) / 3 * loss_weight(sigmas)).mean()
        contacts = contact_error(denoised, true, pairs)[sigmas < CONTACT_SIGMA_ANGSTROM]
        contact_loss = contacts.mean() / TARGET_CONTACT_ERROR_ANGSTROM**2
        loss = loss + contact_loss
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*tokens, *atoms], MAX_GRADIENT_NORM)
        for group, (_, rate) in zip(optimiser.param_groups, groups, strict=True):
            group["lr"] = rate * learning_rate_fraction(step, steps)
        optimiser.step()
        decay = min(EMA_DECAY, (step + 1) / (step + 10))
        with torch.no_grad():
            for mean, value in zip(average.parameters(), score.parameters(), strict=True):
                mean.lerp_(value, 1 - decay)
        losses.append(loss.item())
        contact_losses.append(contact_loss.item())
        if (step + 1) % report_every == 0:
            pace = (time.monotonic() - started) / (step + 1)
            contact = TARGET_CONTACT_ERROR_ANGSTROM * np.sqrt(np.mean(contact_losses))
            click.echo(
                f"step {step + 1}  loss {np.mean(losses):.3f}  neighbours' distances {contact:.2f} Å  {pace:.2f} s/step"
            )
            losses, contact_losses = [], []
    score.load_state_dict(average.state_dict())


@click.command(context_settings={"show_default": True})
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder for the weights.")
@click.option("--steps", default=600, help="Steps of polishing.")
@click.option("--seed", default=1, help="Seed of weights, noise and order.")
@click.option("--report-every", default=50, help="Steps between two lines of progress.")
def main(output: Path, steps: int, seed: int, report_every: int) -> None:
    """Make the miniature prior and write its weights as Boltz's release names them."""
    output.mkdir(parents=True, exist_ok=True)
    write_components(output / WeightsFolder.COMPONENTS)
    target = parse_target(ROOT / "assets/demo/adk.fasta", load_components(output / WeightsFolder.COMPONENTS))
    keys = atom_keys(target)
    coordinates, held_out = load_trajectories(keys)
    trained = torch.from_numpy(coordinates[~held_out])
    path = conformations(trained, rmsd_to_closed(trained) < CLOSED_RMSD_ANGSTROM, keys)
    click.echo(f"{len(trained)} frames, {int(path.is_closed.sum())} of them closed; {held_out.sum()} held out")

    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model, features = make_model(seed).eval(), featurise(target, {}, seed=seed)
    atom_to_token = features["atom_to_token"][0, : len(keys)].float()
    pooling = (atom_to_token / atom_to_token.sum(dim=0)).mT
    functions = residue_functions(path, pooling, generator)
    fit_trunk(model, features, functions.code(model.hparams["token_s"]))
    with torch.no_grad():
        embedding = run_trunk(model, features, recycling_steps=0)
    tokens = TokenWiring(model, path, functions, embedding, pooling, generator)
    tokens.write()
    wiring = AtomWiring(model, path, tokens, features, embedding)
    wiring.write()
    report_errors(wiring, path, generator)
    polish(wiring, path, steps, seed, report_every)
    report_errors(wiring, path, generator)
    write_weights(model, output)


if __name__ == "__main__":
    main()
