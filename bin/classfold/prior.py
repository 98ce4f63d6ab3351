"""Boltz as a prior: parsing, features, weights, trunk, denoiser and confidence. The only module that imports Boltz.

Nothing here changes a number of Boltz's: the classes, the checkpoint's keys and the inference hyperparameters are those
of boltz 2.2.1. Boltz-1 is described by Wohlwend et al., bioRxiv 2024.11.19.624167.
"""

from __future__ import annotations

import contextlib
import pickle
import random
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from boltz.data import const
from boltz.data.feature.featurizer import BoltzFeaturizer
from boltz.data.module.inference import collate
from boltz.data.parse.a3m import parse_a3m
from boltz.data.parse.csv import parse_csv
from boltz.data.parse.fasta import parse_fasta
from boltz.data.parse.yaml import parse_yaml
from boltz.data.tokenize.boltz import BoltzTokenizer
from boltz.data.types import MSA, Input, Target
from boltz.main import (
    BOLTZ1_URL_WITH_FALLBACK,
    CCD_URL,
    BoltzDiffusionParams,
    BoltzSteeringParams,
    MSAModuleArgs,
    PairformerArgs,
    compute_msa,
)
from boltz.model.models.boltz1 import Boltz1
from rdkit import Chem
from torch import Tensor

from .sampler import Denoise, NoiseProcess, NoiseStep

Features = dict[str, Tensor]

STEP_SCALE = 1.638
"""Boltz-1's default, which ``boltz predict`` sets in its own body."""


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the three global generators that Boltz draws from, and put them back afterwards."""
    python_state, numpy_state = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)


def load_components(path: Path) -> Mapping[str, Any]:
    """Boltz's dictionary of chemical components, ``{code: rdkit.Chem.Mol}``; verify its digest before calling this."""
    with path.open("rb") as stream:
        return pickle.load(stream)


def parse_target(sequence: Path, components: Mapping[str, Any]) -> Target:
    """Parse a FASTA in Boltz's form (``>A|protein``) or a Boltz YAML."""
    parse = parse_yaml if sequence.suffix.lower() in (".yaml", ".yml") else parse_fasta
    return parse(sequence, components, None, False)


def featurise(target: Target, alignments: Mapping[int, MSA], seed: int) -> Features:
    """Boltz's features of one target, as a batch of one.

    Parameters
    ----------
    target : boltz.data.types.Target
        What :func:`parse_target` returned.
    alignments : mapping of int to boltz.data.types.MSA
        Alignment of each chain by chain index; chains without one are used as single sequences.
    seed : int
        The featuriser turns and shifts the reference conformers at random.
    """
    tokenized = BoltzTokenizer().tokenize(
        Input(target.structure, dict(alignments), target.record, target.residue_constraints)
    )
    options = target.record.inference_options
    binder, pocket = (
        options.pocket_constraints[0][:2] if options and options.pocket_constraints else (None, None)
    )
    with seeded(seed):
        features = BoltzFeaturizer().process(
            tokenized,
            training=False,
            max_atoms=None,
            max_tokens=None,
            max_seqs=const.max_msa_seqs,
            pad_to_max_seqs=False,
            symmetries={},
            compute_symmetries=False,
            inference_binder=binder,
            inference_pocket=pocket,
            compute_constraint_features=True,
        )
    return collate([features])


@dataclass(frozen=True)
class Embedding:
    """What the trunk computes once per target; the denoiser is conditioned on it."""

    s_inputs: Tensor
    """(1, n_tokens, d_inputs) embedded inputs."""
    s: Tensor
    """(1, n_tokens, token_s) single representation."""
    z: Tensor
    """(1, n_tokens, n_tokens, token_z) pair representation."""
    relative_position_encoding: Tensor
    """(1, n_tokens, n_tokens, token_z)"""


def run_trunk(model: Boltz1, features: Features, recycling_steps: int) -> Embedding:
    """The trunk of ``Boltz1.forward``, apart from its diffusion (Algorithm 1 of AlphaFold 3, lines 1-14)."""
    s_inputs = model.input_embedder(features)
    s_init = model.s_init(s_inputs)
    relative_position_encoding = model.rel_pos(features)
    z_init = (
        model.z_init_1(s_inputs)[:, :, None]
        + model.z_init_2(s_inputs)[:, None, :]
        + relative_position_encoding
        + model.token_bonds(features["token_bonds"].float())
    )
    mask = features["token_pad_mask"].float()
    pair_mask = mask[:, :, None] * mask[:, None, :]
    s, z = torch.zeros_like(s_init), torch.zeros_like(z_init)
    for _ in range(recycling_steps + 1):
        s = s_init + model.s_recycle(model.s_norm(s))
        z = z_init + model.z_recycle(model.z_norm(z))
        if not model.no_msa:
            z = z + model.msa_module(z, s_inputs, features, use_kernels=model.use_kernels)
        s, z = model.pairformer_module(s, z, mask=mask, pair_mask=pair_mask, use_kernels=model.use_kernels)
    return Embedding(s_inputs, s, z, relative_position_encoding)


@dataclass(frozen=True)
class Confidence:
    """What the confidence head says of a batch of samples."""

    plddt: Tensor
    """(b, n_tokens), 0 to 1."""
    complex_plddt: Tensor
    """(b,)"""
    ptm: Tensor
    """(b,)"""
    iptm: Tensor
    """(b,) zero where there is one chain."""


def load_model(checkpoint: Path) -> Boltz1:
    """Load a Boltz-1 checkpoint as ``boltz predict`` does, on the CPU and ready for inference.

    The sampler's parameters are Boltz's inference defaults, not the checkpoint's. The sizes of the trunk are the
    checkpoint's own, which for the published weights are Boltz's defaults. Verify the file's digest before: it is
    unpickled.
    """
    sizes = torch.load(checkpoint, map_location="cpu", mmap=True, weights_only=False)["hyper_parameters"]
    pairformer_args = asdict(PairformerArgs())
    pairformer_args |= {key: sizes["pairformer_args"][key] for key in ("num_blocks", "num_heads")}
    msa_args = asdict(MSAModuleArgs(use_paired_feature=False))
    msa_sizes = ("msa_s", "msa_blocks", "pairwise_head_width", "pairwise_num_heads")
    msa_args |= {key: sizes["msa_args"][key] for key in msa_sizes if key in sizes["msa_args"]}
    model = Boltz1.load_from_checkpoint(
        checkpoint,
        strict=True,
        map_location="cpu",
        predict_args={},
        diffusion_process_args=asdict(BoltzDiffusionParams(step_scale=STEP_SCALE)),
        ema=False,
        use_kernels=False,
        pairformer_args=pairformer_args,
        msa_args=msa_args,
        steering_args=asdict(BoltzSteeringParams()),
    )
    return model.eval().requires_grad_(False)


class BoltzPrior:
    """Boltz-1 as the functions that the stages need.

    Parameters
    ----------
    model : Boltz1
        In evaluation mode.
    features : dict of Tensor
        Of one target, as :func:`featurise` makes them.
    device : torch.device
        Where everything runs.
    """

    def __init__(self, model: Boltz1, features: Features, device: torch.device) -> None:
        self.model = model.to(device)
        self.features = {name: tensor.to(device) for name, tensor in features.items()}
        self.device = device

    @property
    def atom_mask(self) -> Tensor:
        """(n_atoms,) 1 for real atoms, 0 for padding."""
        return self.features["atom_pad_mask"][0].float()

    @property
    def has_confidence(self) -> bool:
        """Whether the weights have a confidence head."""
        return bool(self.model.confidence_prediction)

    def embed(self, recycling_steps: int) -> Embedding:
        """Run the trunk."""
        with torch.no_grad():
            return run_trunk(self.model, self.features, recycling_steps)

    def noise_process(self, n_steps: int) -> NoiseProcess:
        """Boltz's own noise schedule."""
        diffusion = self.model.structure_module
        sigmas = diffusion.sample_schedule(n_steps)
        gammas = torch.where(sigmas > diffusion.gamma_min, diffusion.gamma_0, 0.0)[1:].tolist()
        steps = [
            NoiseStep(index, sigma, sigma_next, gamma)
            for index, (sigma, sigma_next, gamma) in enumerate(
                zip(sigmas[:-1].tolist(), sigmas[1:].tolist(), gammas, strict=True)
            )
        ]
        return NoiseProcess(tuple(steps), diffusion.noise_scale, diffusion.step_scale)

    def denoiser(self, embedding: Embedding) -> Denoise:
        """The denoiser conditioned on an embedding.

        What depends on the embedding alone is computed once for each batch size (Boltz's own cache holds it repeated
        for the batch, and must not be used with another size). The memory is the accumulated token representation
        that the confidence head reads.

        On a CPU, where a batch gains nothing, samples are denoised one by one: rounding depends on a batch's size, and
        a sample is to be the same alone and among others.
        """
        diffusion = self.model.structure_module
        caches: dict[int, dict[str, Any]] = {}

        def denoise(noisy: Tensor, sigma: float, memory: Tensor | None) -> tuple[Tensor, Tensor | None]:
            if noisy.device.type == "cpu" and len(noisy) > 1:
                memories = [None] * len(noisy) if memory is None else memory.split(1)
                singles = [denoise(one, sigma, own) for one, own in zip(noisy.split(1), memories, strict=True)]
                parts = [own for _, own in singles if own is not None]
                return torch.cat([one for one, _ in singles]), torch.cat(parts) if parts else None
            denoised, token_activation = diffusion.preconditioned_network_forward(
                noisy,
                sigma,
                training=False,
                network_condition_kwargs={
                    "s_inputs": embedding.s_inputs,
                    "s_trunk": embedding.s,
                    "z_trunk": embedding.z,
                    "relative_position_encoding": embedding.relative_position_encoding,
                    "feats": self.features,
                    "multiplicity": len(noisy),
                    "model_cache": caches.setdefault(len(noisy), {}),
                },
            )
            if diffusion.accumulate_token_repr:
                with torch.no_grad():
                    times = diffusion.c_noise(noisy.new_full((len(noisy),), sigma))
                    accumulated = torch.zeros_like(token_activation) if memory is None else memory
                    memory = diffusion.out_token_feat_update(
                        times=times, acc_a=accumulated, next_a=token_activation
                    )
            return denoised, memory

        return denoise

    def confidence(self, embedding: Embedding, coordinates: Tensor, memory: Tensor | None) -> Confidence:
        """Judge samples (b, n_atoms, 3), padding included, with the confidence head."""
        head = self.model.confidence_module
        with torch.no_grad():
            out = head(
                s_inputs=embedding.s_inputs,
                s=embedding.s,
                z=embedding.z,
                s_diffusion=memory if head.use_s_diffusion else None,
                x_pred=coordinates,
                feats=self.features,
                pred_distogram_logits=self.model.distogram_module(embedding.z),
                multiplicity=len(coordinates),
                run_sequentially=True,
                use_kernels=False,
            )
        zero = torch.zeros_like(out["complex_plddt"])
        return Confidence(out["plddt"], out["complex_plddt"], out.get("ptm", zero), out.get("iptm", zero))


HYDROGEN_DALTON = 1.008
WATER_DALTON = 18.015
MAX_ALIGNMENT_ROWS = 8192
"""Boltz's own default for the rows it reads of an alignment."""


def atom_table(target: Target) -> dict[str, np.ndarray]:
    """The columns of a topology for all atoms of a target, each (n_atoms,), in Boltz's order.

    Boltz writes an atom's name as four numbers, each the character's code less 32, and counts residues
    from 0. A standard residue is one token; of any other residue every atom is one.
    """
    structure = target.structure
    elements = Chem.GetPeriodicTable()
    columns: dict[str, list[Any]] = {
        name: []
        for name in (
            "chain",
            "residue_number",
            "residue_name",
            "atom_name",
            "element",
            "charge",
            "token_index",
        )
    }
    token = -1
    for chain in structure.chains:
        for residue in structure.residues[chain["res_idx"] : chain["res_idx"] + chain["res_num"]]:
            atoms = structure.atoms[residue["atom_idx"] : residue["atom_idx"] + residue["atom_num"]]
            for position, atom in enumerate(atoms):
                token += position == 0 or not residue["is_standard"]
                columns["chain"].append(str(chain["name"]))
                columns["residue_number"].append(int(residue["res_idx"]) + 1)
                columns["residue_name"].append(str(residue["name"]))
                columns["atom_name"].append("".join(chr(code + 32) for code in atom["name"] if code))
                columns["element"].append(elements.GetElementSymbol(int(atom["element"])))
                columns["charge"].append(int(atom["charge"]))
                columns["token_index"].append(token)
    return {name: np.array(values) for name, values in columns.items()}


def chain_table(target: Target) -> list[dict[str, Any]]:
    """Name, type, entity, full sequence (none for a ligand) and number of residues of every chain."""
    types = {number: name.lower() for name, number in const.chain_type_ids.items()}
    types[const.chain_type_ids["NONPOLYMER"]] = "ligand"
    return [
        {
            "name": str(chain["name"]),
            "type": types[int(chain["mol_type"])],
            "entity": int(chain["entity_id"]),
            "sequence": target.sequences.get(int(chain["entity_id"])),
            "n_residues": int(chain["res_num"]),
        }
        for chain in target.structure.chains
    ]


def molecular_mass(target: Target, components: Mapping[str, Any]) -> float:
    """Mass of all chains in dalton with hydrogens, one water less for every bond between two residues."""

    def mass_of(name: str) -> float:
        molecule = Chem.Mol(target.extra_mols.get(name) or components[name])
        molecule.UpdatePropertyCache(strict=False)
        return sum(atom.GetMass() + atom.GetTotalNumHs() * HYDROGEN_DALTON for atom in molecule.GetAtoms())

    residues = target.structure.residues
    names, counts = np.unique(residues["name"], return_counts=True)
    total = sum(mass_of(str(name)) * int(count) for name, count in zip(names, counts, strict=True))
    polymers = target.structure.chains["mol_type"] != const.chain_type_ids["NONPOLYMER"]
    bonds = int((target.structure.chains["res_num"][polymers] - 1).sum())
    return total - bonds * WATER_DALTON


def read_boltz_alignment(path: Path) -> MSA:
    """An alignment (``.a3m``, or Boltz's ``.csv`` with the columns key and sequence) as Boltz reads it."""
    if path.suffix == ".csv":
        return parse_csv(path, max_seqs=MAX_ALIGNMENT_ROWS)
    return parse_a3m(path, taxonomy=None, max_seqs=MAX_ALIGNMENT_ROWS)


def request_alignments(sequences: Mapping[str, str], folder: Path, server_url: str) -> None:
    """Send protein sequences to a ColabFold server and write ``folder/<name>.csv`` for each, as Boltz does.

    Blocks until the server has answered; Boltz raises bare exceptions where it fails.
    """
    compute_msa(
        data=dict(sequences),
        target_id="target",
        msa_dir=folder,
        msa_server_url=server_url,
        msa_pairing_strategy="greedy",
    )


def boltz1_urls() -> dict[str, tuple[str, ...]]:
    """Where Boltz's release of Boltz-1 lies: file name to addresses, in the order in which to try them."""
    return {"ccd.pkl": (CCD_URL,), "boltz1_conf.ckpt": tuple(BOLTZ1_URL_WITH_FALLBACK)}
