"""Priors for the tests: the demonstration's weights, and a random Boltz-1 of other dimensions with a confidence head."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from classfold.prior import BoltzPrior, featurise, load_components, load_model, parse_target, seeded

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = ROOT / "assets/demo/weights"
PriorFactory = Callable[[torch.dtype], BoltzPrior]


def make_prior(model: torch.nn.Module, features: dict[str, torch.Tensor], dtype: torch.dtype) -> BoltzPrior:
    """The model and its features in one precision."""
    cast = {
        name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in features.items()
    }
    return BoltzPrior(model.to(dtype), cast, torch.device("cpu"))


@pytest.fixture(scope="session")
def adk_features() -> dict[str, torch.Tensor]:
    target = parse_target(ROOT / "assets/demo/adk.fasta", load_components(WEIGHTS / "ccd.pkl"))
    return featurise(target, {}, seed=1)


@pytest.fixture(scope="session")
def peptide_features(tmp_path_factory) -> dict[str, torch.Tensor]:
    fasta = tmp_path_factory.mktemp("peptide") / "peptide.fasta"
    fasta.write_text(">A|protein\nMRIILLGAPGAGKGTQAQFI\n>B|protein\nWYHKDE\n")
    return featurise(parse_target(fasta, load_components(WEIGHTS / "ccd.pkl")), {}, seed=1)


@pytest.fixture()
def miniature_prior(adk_features) -> PriorFactory:
    return lambda dtype: make_prior(load_model(WEIGHTS / "boltz1_conf.ckpt"), adk_features, dtype)


@pytest.fixture()
def random_prior(peptide_features) -> PriorFactory:
    """Random weights of other dimensions than the miniature's, with every optional part switched on."""
    from boltz.model.models.boltz1 import Boltz1
    from train_prior import HYPERPARAMETERS

    sizes = HYPERPARAMETERS | {
        "atom_s": 16,
        "atom_z": 12,
        "token_s": 24,
        "token_z": 20,
        "atoms_per_window_keys": 64,
        "pairformer_args": {"num_blocks": 2, "num_heads": 4, "dropout": 0.0},
        "confidence_prediction": True,
        "alpha_pae": 1.0,
        "confidence_model_args": {
            "num_dist_bins": 64,
            "max_dist": 22,
            "add_s_to_z_prod": True,
            "add_s_input_to_s": True,
            "use_s_diffusion": True,
            "add_z_input_to_z": True,
            "confidence_args": {"num_plddt_bins": 50, "num_pde_bins": 64, "num_pae_bins": 64},
        },
        "confidence_imitate_trunk": True,
    }

    def make(dtype: torch.dtype) -> BoltzPrior:
        with seeded(3):
            model = Boltz1(**sizes)
            for parameter in model.parameters():
                if parameter.dim() == 2:
                    torch.nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5)
        return make_prior(model.eval().requires_grad_(False), peptide_features, dtype)

    return make
