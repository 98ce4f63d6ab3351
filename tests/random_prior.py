"""A Boltz-1 of random weights and small dimensions, with every optional part switched on."""

from pathlib import Path

import torch
from boltz.model.models.boltz1 import Boltz1
from miniature import HYPERPARAMETERS

from classfold.prior import seeded
from classfold.weights import WeightsFolder, sha256_of, write_digests

SIZES = HYPERPARAMETERS | {
    "atom_s": 16,
    "atom_z": 12,
    "token_s": 24,
    "token_z": 20,
    "score_model_args": HYPERPARAMETERS["score_model_args"] | {"dim_fourier": 64, "token_transformer_depth": 8},
    "atoms_per_window_keys": 64,
    "pairformer_args": {"num_blocks": 2, "num_heads": 4, "dropout": 0.0},
    "confidence_prediction": True,
    "alpha_pae": 1.0,
    "confidence_imitate_trunk": True,
    "confidence_model_args": {
        "num_dist_bins": 64,
        "max_dist": 22,
        "add_s_to_z_prod": True,
        "add_s_input_to_s": True,
        "use_s_diffusion": True,
        "add_z_input_to_z": True,
        "confidence_args": {"num_plddt_bins": 50, "num_pde_bins": 64, "num_pae_bins": 64},
    },
}


def random_model(seed: int = 3) -> Boltz1:
    """A model whose outputs depend on all of its inputs (Boltz's own initial values silence many of them)."""
    with seeded(seed):
        model = Boltz1(**SIZES)
        for parameter in model.parameters():
            if parameter.dim() == 2:
                torch.nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5)
    return model.eval().requires_grad_(False)


def write_random_weights(folder: Path, components: Path, seed: int = 3) -> Path:
    """A folder of weights with a random checkpoint and the components of another one."""
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = {
        "state_dict": random_model(seed).state_dict(),
        "hyper_parameters": SIZES,
        "pytorch-lightning_version": "2.5.0",
    }
    torch.save(checkpoint, folder / WeightsFolder.CHECKPOINT)
    (folder / WeightsFolder.COMPONENTS).write_bytes(components.read_bytes())
    (folder / WeightsFolder.LABEL).write_text("random weights\n")
    write_digests(folder, {name: sha256_of(folder / name) for name in WeightsFolder.FILES})
    return folder
