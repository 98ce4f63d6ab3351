"""Train the miniature Boltz-1 of the demonstration.

Boltz's own classes with small dimensions, overfitted on one protein's conformational path. It is a demonstration, not a
predictor: it knows adenylate kinase and nothing else. Its trunk is random but for its last read-out, which is fitted in
one step (ridge regression) to say where each residue stands in the closed and in the open structure, as a real trunk
would. So the trunk's output can be computed beforehand, and the diffusion module is trained on it.

The prior is biased on purpose: where noise hides the conformation (large sigma) it is trained mostly on closed frames,
where noise reveals it (small sigma) on all of them. Unguided samples are therefore closed, and a map can still pull
them open.

    python demo/train_prior.py --output assets/demo/weights --compiled

takes about 90 minutes on two CPU cores. Needs the packages of requirements/train.in beside the pipeline's own.
"""

from __future__ import annotations

import copy
import math
import sys
import time
from dataclasses import asdict
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bin"))
sys.path.insert(0, str(ROOT / "demo"))

from boltz.data.types import Target
from boltz.main import BoltzDiffusionParams
from boltz.model.models.boltz1 import Boltz1
from components import write_components
from trajectories import FRAMES_OF_FIRST, load_trajectories

from classfold.prior import atom_table, featurise, load_components, parse_target, run_trunk, seeded
from classfold.superposition import apply_pose, superpose
from classfold.weights import WeightsFolder, sha256_of, write_digests

HYPERPARAMETERS = {
    "atom_s": 32,
    "atom_z": 8,
    "token_s": 64,
    "token_z": 16,
    "num_bins": 64,
    "atom_feature_dim": 389,
    "atoms_per_window_queries": 32,
    "atoms_per_window_keys": 32,
    "training_args": {},
    "validation_args": {},
    "diffusion_loss_args": {},
    "confidence_model_args": {},
    "embedder_args": {"atom_encoder_depth": 1, "atom_encoder_heads": 4},
    "msa_args": {
        "msa_s": 16,
        "msa_blocks": 1,
        "msa_dropout": 0.0,
        "z_dropout": 0.0,
        "pairwise_head_width": 8,
        "pairwise_num_heads": 2,
    },
    "pairformer_args": {"num_blocks": 1, "num_heads": 4, "dropout": 0.0},
    "score_model_args": {
        "sigma_data": 16,
        "dim_fourier": 64,
        "atom_encoder_depth": 1,
        "atom_encoder_heads": 4,
        "token_transformer_depth": 4,
        "token_transformer_heads": 4,
        "atom_decoder_depth": 1,
        "atom_decoder_heads": 4,
        "conditioning_transition_layers": 1,
    },
    "diffusion_process_args": asdict(BoltzDiffusionParams()),
}

FEATURE_VARIANTS = 24
"""The featuriser turns the reference conformers at random; the network has to see many of these turns."""
LEARNING_RATE = 2e-3
WARM_UP_STEPS = 100
DECAY_FRACTION = 0.75
EMA_DECAY = 0.998
SAMPLES_PER_STEP = 8
P_MEAN, P_STD = -1.0, 1.4
"""Of the logarithm of sigma / 16 Å: where the sample has to find its orientation, 1 to 20 Å, is trained most."""
CLOSED_RMSD_ANGSTROM = 1.3
CLOSED_BIAS = 100.0
"""How much more often than its share a closed frame is drawn where the noise hides the conformation."""
BIAS_SIGMA_ANGSTROM = 8.0
CODE_LENGTH_ANGSTROM = 8.0
CODE_VECTOR_ANGSTROM = 2.0
CORE = [*range(29), *range(67, 117), *range(160, 214)]
"""Residues of the core domain, counted from 0."""
RIDGE = 1e-10
LABEL = "miniature Boltz-1: a demonstration, not a predictor"


def make_model(seed: int) -> Boltz1:
    """A miniature Boltz-1 with a random trunk that tells every residue of the chain from every other.

    The embedder is made blind to the orientation of the reference conformers, which the featuriser turns at random.
    """
    with seeded(seed):
        model = Boltz1(**HYPERPARAMETERS)
        for module in (model.msa_module, model.pairformer_module):
            for parameter in module.parameters():
                if parameter.dim() == 2 and not parameter.any():
                    torch.nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5)
        encoder = model.input_embedder.atom_attention_encoder
        with torch.no_grad():
            encoder.embed_atom_features.weight[:, :3] = 0
            encoder.embed_atompair_ref_pos.weight.zero_()
    return model


def atom_keys(target: Target) -> list[tuple[int, str, str]]:
    """Residue index, residue name and atom name of every atom of a target."""
    table = atom_table(target)
    return list(zip(table["residue_number"] - 1, table["residue_name"], table["atom_name"], strict=True))


def residue_vectors(model: Tensor, keys: list[tuple[int, str, str]]) -> tuple[Tensor, Tensor]:
    """CA of a model (n_atoms, 3), and N, C, O, CB and side-chain end relative to them: (n, 3), (n, 5, 3) in Å."""
    residues: dict[int, dict[str, Tensor]] = {}
    for (residue, _, name), position in zip(keys, model, strict=True):
        residues.setdefault(residue, {})[name] = position
    ca, vectors = [], []
    for atoms in residues.values():
        last = list(atoms.values())[-1]
        ends = [atoms["N"], atoms["C"], atoms["O"], atoms.get("CB", atoms["CA"]), last]
        ca.append(atoms["CA"])
        vectors.append(torch.stack(ends) - atoms["CA"])
    return torch.stack(ca), torch.stack(vectors)


def residue_code(ca: Tensor, vectors: Tensor, n_waves: int) -> Tensor:
    """Where residues stand and how they are turned: position, waves of it, and their vectors, in unit scale."""
    scaled = (ca - ca.mean(dim=0)) / CODE_LENGTH_ANGSTROM
    waves = [wave(scaled * (1 + i)) for i in range(n_waves) for wave in (torch.sin, torch.cos)]
    return torch.cat([scaled, *waves, vectors.flatten(1) / CODE_VECTOR_ANGSTROM], dim=1)


def trunk_code(ends: Tensor, keys: list[tuple[int, str, str]]) -> Tensor:
    """What the trunk is to say of every residue, (n, 64): its place in both end structures (2, n_atoms, 3)."""
    closed, closed_vectors = residue_vectors(ends[0], keys)
    opened, opened_vectors = residue_vectors(ends[1], keys)
    rotation, translation = superpose(opened[CORE], closed[CORE])
    place = torch.arange(len(closed))[:, None] / len(closed) * 2 * math.pi * 2.0 ** torch.arange(5)
    code = [
        residue_code(closed, closed_vectors, n_waves=2),
        residue_code(apply_pose(rotation, translation, opened), opened_vectors @ rotation.mT, n_waves=1),
        place.sin(),
        place.cos(),
    ]
    return torch.cat(code, dim=1)[:, : HYPERPARAMETERS["token_s"]]


def fit_trunk(model: Boltz1, features: dict[str, Tensor], target: Tensor) -> None:
    """Fit the read-out of the trunk's single representation to a target (n, token_s) by ridge regression."""
    transition = model.pairformer_module.layers[-1].transition_s
    seen: dict[str, Tensor] = {}
    with torch.no_grad():
        transition.fc3.weight.zero_()
        hook = transition.fc3.register_forward_pre_hook(lambda _, args: seen.update(hidden=args[0][0]))
        single = run_trunk(model, features, recycling_steps=0).s[0]
        hook.remove()
        hidden = seen["hidden"].double()
        normal = hidden.mT @ hidden
        ridge = RIDGE * normal.diagonal().mean() * torch.eye(len(normal), dtype=torch.float64)
        wanted = (target - single).double()
        transition.fc3.weight.copy_(torch.linalg.solve(normal + ridge, hidden.mT @ wanted).mT)
        fitted = run_trunk(model, features, recycling_steps=0).s[0]
    click.echo(f"trunk fitted: {float((fitted - target).square().mean().sqrt()):.3f} rms of unit waves")


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


def draw_frames(sigmas: Tensor, is_closed: Tensor, generator: torch.Generator) -> Tensor:
    """Index of the frame that each noise level is trained on."""
    bias = 1 + (CLOSED_BIAS - 1) * torch.sigmoid(2 * torch.log(sigmas / BIAS_SIGMA_ANGSTROM))
    weights = torch.where(is_closed[None], bias[:, None], torch.ones(1, 1))
    return torch.multinomial(weights, 1, generator=generator).squeeze(1)


def learning_rate(step: int, steps: int) -> float:
    """Warm-up, a plateau, and a linear decay to nothing over the last three quarters."""
    decay_steps = DECAY_FRACTION * steps
    return LEARNING_RATE * min(1.0, (step + 1) / WARM_UP_STEPS, max(steps - step, 1) / decay_steps)


def write_weights(model: Boltz1, folder: Path) -> None:
    """Write the checkpoint as Lightning writes it, a line that says what it is, and the digests of both files."""
    checkpoint = {
        "state_dict": model.state_dict(),
        "hyper_parameters": HYPERPARAMETERS,
        "pytorch-lightning_version": "2.5.0",
    }
    torch.save(checkpoint, folder / WeightsFolder.CHECKPOINT)
    (folder / WeightsFolder.LABEL).write_text(LABEL + "\n")
    write_digests(folder, {name: sha256_of(folder / name) for name in WeightsFolder.FILES})


@click.command(context_settings={"show_default": True})
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder for the weights.")
@click.option("--steps", default=7500, help="Optimiser steps.")
@click.option("--seed", default=1, help="Seed of weights, noise and order.")
@click.option(
    "--compiled", is_flag=True, help="Compile the network first: minutes once, then a third faster."
)
@click.option("--report-every", default=100, help="Steps between two lines of progress.")
def main(output: Path, steps: int, seed: int, compiled: bool, report_every: int) -> None:
    """Train the miniature prior and write boltz1_conf.ckpt and ccd.pkl as Boltz's release names them."""
    output.mkdir(parents=True, exist_ok=True)
    write_components(output / "ccd.pkl")
    target = parse_target(ROOT / "assets/demo/adk.fasta", load_components(output / "ccd.pkl"))
    coordinates, held_out = load_trajectories(atom_keys(target))
    frames = torch.from_numpy(coordinates[~held_out])
    is_closed = torch.from_numpy(rmsd_to_closed(coordinates)[~held_out] < CLOSED_RMSD_ANGSTROM)
    click.echo(f"{len(frames)} frames, {int(is_closed.sum())} of them closed; {held_out.sum()} held out")

    model = make_model(seed).eval()
    with torch.no_grad():
        variants = [featurise(target, {}, seed=index) for index in range(FEATURE_VARIANTS)]
        ends = torch.from_numpy(coordinates[[0, FRAMES_OF_FIRST - 1]])
        fit_trunk(model, variants[0], trunk_code(ends, atom_keys(target)))
        embedding = run_trunk(model, variants[0], recycling_steps=0)
    for features in variants:
        features["atom_resolved_mask"] = features["atom_pad_mask"].bool()
    click.echo("trunk computed")

    module = model.structure_module.train()
    ema = copy.deepcopy(module)
    if compiled:
        module.score_model.compile(dynamic=False)
    optimiser = torch.optim.Adam(module.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.99))
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    n_atoms = frames.shape[1]
    padding = variants[0]["atom_pad_mask"].shape[1] - n_atoms
    state_file = output / "training_state.pt"
    first_step = 0
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        module.load_state_dict(state["module"])
        ema.load_state_dict(state["ema"])
        optimiser.load_state_dict(state["optimiser"])
        first_step = state["step"]
        generator.manual_seed(seed + first_step)
        torch.manual_seed(seed + first_step)

    started, running = time.monotonic(), []
    for step in range(first_step, steps):
        sigmas = draw_sigmas(generator)
        batch = frames[draw_frames(sigmas, is_closed, generator)]
        batch = torch.nn.functional.pad(batch, (0, 0, 0, padding))
        variant = int(torch.randint(FEATURE_VARIANTS, (1,), generator=generator))
        features = dict(variants[variant])
        features["coords"] = batch[None]
        module.noise_distribution = lambda _, sigmas=sigmas: sigmas
        module.synchronize_sigmas = False
        output_dict = module(
            s_inputs=embedding.s_inputs,
            s_trunk=embedding.s,
            z_trunk=embedding.z,
            relative_position_encoding=embedding.relative_position_encoding,
            feats=features,
            multiplicity=SAMPLES_PER_STEP,
        )
        loss = module.compute_loss(
            features, output_dict, add_smooth_lddt_loss=False, multiplicity=SAMPLES_PER_STEP
        )["loss"]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 10.0)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, steps)
        optimiser.step()
        decay = min(EMA_DECAY, (step + 1) / (step + 10))
        with torch.no_grad():
            for average, value in zip(ema.parameters(), module.parameters(), strict=True):
                average.lerp_(value, 1 - decay)
        running.append(loss.item())
        if (step + 1) % report_every == 0:
            rate = (time.monotonic() - started) / (step + 1 - first_step)
            click.echo(f"step {step + 1}  loss {np.mean(running):.4f}  {rate:.2f} s/step")
            running = []
            torch.save(
                {
                    "module": module.state_dict(),
                    "ema": ema.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "step": step + 1,
                },
                state_file,
            )

    model.structure_module.load_state_dict(ema.state_dict())
    write_weights(model, output)
    state_file.unlink()


if __name__ == "__main__":
    main()
