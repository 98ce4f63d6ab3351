"""The miniature Boltz-1 of the demonstration: its sizes, its trunk, and how it is written.

Its trunk is random but for its last read-out, which is fitted in one step (ridge regression) to say of each residue
what the diffusion module needs to know of it, as a real trunk would. So the trunk's output can be computed beforehand.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click
import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bin"))
sys.path.insert(0, str(ROOT / "demo"))

from boltz.data.types import Target
from boltz.main import BoltzDiffusionParams
from boltz.model.models.boltz1 import Boltz1
from places import AtomKey

from classfold.prior import atom_table, run_trunk, seeded
from classfold.weights import WeightsFolder, sha256_of, write_digests

HYPERPARAMETERS = {
    "atom_s": 64,
    "atom_z": 8,
    "token_s": 80,
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
        "dim_fourier": 128,
        "atom_encoder_depth": 1,
        "atom_encoder_heads": 4,
        "token_transformer_depth": 9,
        "token_transformer_heads": 4,
        "atom_decoder_depth": 2,
        "atom_decoder_heads": 4,
        "conditioning_transition_layers": 1,
    },
    "diffusion_process_args": asdict(BoltzDiffusionParams()),
}

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
    click.echo(f"trunk fitted: {float((fitted - target).square().mean().sqrt()):.3f} rms from the residue code, of 20")


def write_weights(model: Boltz1, folder: Path) -> None:
    """Write the checkpoint as Lightning writes it, a line that says what it is, and the digests of both files."""
    zero = torch.zeros(())
    # Silent parts are a third of it: they are written as one zero, seen in many shapes.
    state = {name: value if value.any() else zero.expand(value.shape) for name, value in model.state_dict().items()}
    checkpoint = {
        "state_dict": state,
        "hyper_parameters": HYPERPARAMETERS,
        "pytorch-lightning_version": "2.5.0",
    }
    torch.save(checkpoint, folder / WeightsFolder.CHECKPOINT)
    (folder / WeightsFolder.LABEL).write_text(LABEL + "\n")
    write_digests(folder, {name: sha256_of(folder / name) for name in WeightsFolder.FILES})
