"""Boltz's physical potentials as a guide: what Boltz itself does in a step, and molecules that get better by it."""

from pathlib import Path

import boltz.model.modules.diffusion as boltz_diffusion
import pytest
import torch
from boltz.main import BoltzSteeringParams
from boltz.model.potentials.potentials import PoseBustersPotential, VDWOverlapPotential, get_potentials

from classfold.features import load_features, save_features
from classfold.prior import BoltzPrior, PhysicalGuide, featurise, load_components, parse_target
from tests.random_prior import random_model

WEIGHTS = Path(__file__).resolve().parents[2] / "assets/demo/weights"
TARGET = """
sequences:
  - protein: {id: [A, B], sequence: MRIILLGAPG, msa: empty}
  - protein: {id: C, sequence: KGTSQ, msa: empty, modifications: [{position: 4, ccd: SEP}]}
  - ligand: {id: D, smiles: 'C[C@H](N)C(=O)O[C@@H](F)/C=C/C(Cl)Br'}
  - ligand: {id: E, ccd: MG}
"""
STEERING = vars(BoltzSteeringParams(fk_steering=False, physical_guidance_update=True))
N_STEPS = 12
LATE = N_STEPS - 2
"""A step in which every potential counts."""


@pytest.fixture(scope="module")
def features(tmp_path_factory) -> dict[str, torch.Tensor]:
    """Two copies of a chain, a chain with a modified residue, a ligand with chiral atoms and a double bond, an ion."""
    yaml = tmp_path_factory.mktemp("target") / "target.yaml"
    yaml.write_text(TARGET)
    return featurise(parse_target(yaml, load_components(WEIGHTS / "ccd.pkl")), {}, seed=1)


def crowded(features: dict[str, torch.Tensor], n_samples: int, size_angstrom: float = 4.0) -> torch.Tensor:
    """Atoms at random in a space that is too small for them, (n_samples, n_atoms, 3)."""
    shape = (n_samples, features["atom_pad_mask"].shape[1], 3)
    return size_angstrom * torch.randn(shape, generator=torch.Generator().manual_seed(2))


def apart(features: dict[str, torch.Tensor], conformers: torch.Tensor) -> torch.Tensor:
    """Conformers (1, n_atoms, 3) of the residues and ligands in a row, each in its own place."""
    return conformers + 20.0 * features["ref_space_uid"][..., None] * torch.tensor([1.0, 0.0, 0.0])


def energy(name: str, model: torch.Tensor, features: dict[str, torch.Tensor]) -> torch.Tensor:
    """Boltz's own energy of models by one of its potentials, (n_models,)."""
    (potential,) = [p for p in get_potentials(STEERING, boltz2=False) if type(p).__name__ == f"{name}Potential"]
    return potential.compute(model, features, potential.compute_parameters(0.0))


def test_every_step_is_boltz(features, monkeypatch) -> None:
    """Boltz's own sampling, looked at before and after its physical update of every step."""
    prior = BoltzPrior(random_model(), features, torch.device("cpu"))
    embedding = prior.embed(recycling_steps=0)
    before, after = [], []
    forward, align = boltz_diffusion.AtomDiffusion.preconditioned_network_forward, boltz_diffusion.weighted_rigid_align

    def seen_forward(*args, **kwargs):
        denoised, token_activation = forward(*args, **kwargs)
        before.append(denoised.clone())
        return denoised, token_activation

    def seen_align(noisy, denoised, *masks):
        after.append(denoised.clone())
        return align(noisy, denoised, *masks)

    monkeypatch.setattr(boltz_diffusion.AtomDiffusion, "preconditioned_network_forward", seen_forward)
    monkeypatch.setattr(boltz_diffusion, "weighted_rigid_align", seen_align)
    torch.manual_seed(3)
    with torch.no_grad():
        prior.model.structure_module.sample(
            s_trunk=embedding.s,
            z_trunk=embedding.z,
            s_inputs=embedding.s_inputs,
            feats=prior.features,
            relative_position_encoding=embedding.relative_position_encoding,
            num_sampling_steps=N_STEPS,
            atom_mask=prior.features["atom_pad_mask"],
            multiplicity=2,
            max_parallel_samples=2,
            steering_args=STEERING,
        )
    guide = prior.physical_guide(N_STEPS)
    assert len(before) == len(after) == N_STEPS
    for step, (denoised, expected) in enumerate(zip(before, after, strict=True)):
        assert torch.equal(guide(denoised, step), expected), step
        assert torch.equal(denoised, expected) == (step == N_STEPS - 1), step


@pytest.mark.parametrize("size_angstrom", [2.0, 6.0])
def test_clashes_are_boltz_to_the_bit_without_its_list_of_all_pairs(features, size_angstrom) -> None:
    model = crowded(features, 2, size_angstrom)
    guide = PhysicalGuide(features, N_STEPS)
    (clashes,) = [p for p in guide.potentials if isinstance(p, VDWOverlapPotential)]
    boltz = VDWOverlapPotential(clashes.parameters)
    parameters = clashes.compute_parameters(0.0)
    all_pairs = boltz.compute_args(features, parameters)[0]
    assert 0 < clashes.near_pairs(model, parameters["buffer"]).shape[1] < all_pairs.shape[1]
    expected = boltz.compute_gradient(model, features, parameters)
    assert expected.abs().max() > 0
    assert torch.equal(clashes.compute_gradient(model, features, parameters), expected)


@pytest.mark.parametrize("name", ["PoseBusters", "ChiralAtom", "StereoBond"])
def test_shaken_molecules_get_their_geometry_back(features, name) -> None:
    """Bonds and angles, chirality, double bonds."""
    shaken = apart(features, features["ref_pos"]) + crowded(features, 8, size_angstrom=1.0)
    better = shaken
    for _ in range(5):
        better = PhysicalGuide(features, N_STEPS)(better, LATE)
    assert better.isfinite().all()
    assert energy(name, shaken, features).sum() > 1
    assert energy(name, better, features).sum() < 0.1 * energy(name, shaken, features).sum()


def test_chains_on_top_of_each_other_come_apart(features) -> None:
    model = crowded(features, 3)
    better = PhysicalGuide(features, N_STEPS)(model, LATE)
    assert better.isfinite().all()
    assert (energy("VDWOverlap", better, features) < 0.5 * energy("VDWOverlap", model, features)).all()


def test_a_mirrored_ligand_gets_its_hand_back(features) -> None:
    right, mirrored = (
        apart(features, features["ref_pos"] * torch.tensor([1.0, 1.0, side])) for side in (1.0, -1.0)
    )
    assert energy("ChiralAtom", right, features) == 0
    assert energy("ChiralAtom", mirrored, features) > 1
    turned = PhysicalGuide(features, N_STEPS)(mirrored, LATE)
    assert energy("ChiralAtom", turned, features) == 0


def test_a_sample_is_the_same_alone_in_a_batch_and_again(features) -> None:
    model = crowded(features, 3)
    guide = PhysicalGuide(features, N_STEPS)
    together = guide(model, LATE)
    assert torch.equal(guide(model, LATE), together)
    assert torch.equal(torch.cat([guide(one, LATE) for one in model.split(1)]), together)


def test_turned_samples_are_turned_after_it(features) -> None:
    model = crowded(features, 1)
    rotation = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(4)))[0]
    rotation *= torch.linalg.det(rotation)
    guide = PhysicalGuide(features, N_STEPS)
    torch.testing.assert_close(guide(model @ rotation, LATE), guide(model, LATE) @ rotation, atol=1e-3, rtol=0)


def test_a_single_chain_of_standard_residues_stays_as_it_is(adk_features) -> None:
    guide = PhysicalGuide(adk_features, N_STEPS)
    model = crowded(adk_features, 1)
    assert guide.is_idle
    assert all(guide(model, step) is model for step in range(N_STEPS))


def test_constraints_come_back_from_disk_as_they_were(features, tmp_path) -> None:
    save_features(features, tmp_path / "features.safetensors")
    read = load_features(tmp_path / "features.safetensors")
    named = ("rdkit", "chiral", "stereo", "planar", "connected", "symmetric")
    constraints = {name for name in features if name.startswith(named)}
    assert any(type(p) is PoseBustersPotential for p in PhysicalGuide(read, N_STEPS).potentials)
    assert len(constraints) == 17
    for name in constraints:
        assert read[name].dtype == features[name].dtype
        assert torch.equal(read[name], features[name])
    model = crowded(features, 1)
    assert torch.equal(PhysicalGuide(read, N_STEPS)(model, LATE), PhysicalGuide(features, N_STEPS)(model, LATE))
