"""What Boltz reads: its dictionary of chemical components, a target, and the target's features."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from boltz.data import const
from boltz.data.feature.featurizer import BoltzFeaturizer
from boltz.data.module.inference import collate
from boltz.data.parse.fasta import parse_fasta
from boltz.data.parse.yaml import parse_yaml
from boltz.data.tokenize.boltz import BoltzTokenizer
from boltz.data.types import MSA, Input, Target
from torch import Tensor

from ..safe_pickle import restricted_unpickler

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
    """Boltz's dictionary of chemical components, ``{code: rdkit.Chem.Mol}``; verify its digest before calling this.

    Raises
    ------
    InputError
        If the pickle asks for anything but molecules.
    """
    with path.open("rb") as stream:
        return restricted_unpickler({("rdkit.Chem.rdchem", "Mol")})(stream).load()


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
