"""The miniature Boltz-1 of the demonstration: its sizes, its trunk, and how it is written.

Its trunk is random but for its last read-out, which is fitted in one step (ridge regression) to say where each residue
stands and how it is turned in the closed and in the open structure, as a real trunk would. So the trunk's output can be
computed beforehand, and only the diffusion module is trained.
"""

from __future__ import annotations

import math
import sys
from dataclasses import asdict
from pathlib import Path

import click
import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bin"))

from boltz.data.types import Target
from boltz.main import BoltzDiffusionParams
from boltz.model.models.boltz1 import Boltz1

from classfold.prior import atom_table, run_trunk, seeded
from classfold.superposition import apply_pose, superpose
from classfold.weights import WeightsFolder, sha256_of, write_digests

AtomKey = tuple[int, str, str]
"""Residue index from 0, residue name, atom name."""

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


def atom_keys(target: Target) -> list[AtomKey]:
    """Residue index, residue name and atom name of every atom of a target."""
    table = atom_table(target)
    return list(zip(table["residue_number"] - 1, table["residue_name"], table["atom_name"], strict=True))


def residue_vectors(model: Tensor, keys: list[AtomKey]) -> tuple[Tensor, Tensor]:
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


def trunk_code(ends: Tensor, keys: list[AtomKey]) -> Tensor:
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
