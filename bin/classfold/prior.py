"""Boltz as a prior: parsing, features, weights, trunk, denoiser and confidence. The only module that imports Boltz.

Nothing here changes a number of Boltz's: the classes, the checkpoint's keys and the inference hyperparameters are those
of boltz 2.2.1. Boltz-1 is described by Wohlwend et al., bioRxiv 2024.11.19.624167.
"""

from __future__ import annotations

import contextlib
import pickle
import random
from collections.abc import Callable, Iterator, Mapping
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
from boltz.main import BoltzDiffusionParams, MSAModuleArgs, PairformerArgs
from boltz.model.models.boltz1 import Boltz1
from torch import Tensor

Features = dict[str, Tensor]


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
        s, z = model.pairformer_module(
            s, z, mask=mask, pair_mask=pair_mask, use_kernels=model.use_kernels
        )
    return Embedding(s_inputs, s, z, relative_position_encoding)
