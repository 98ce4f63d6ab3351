"""Whether a model that fits a map badly as a whole fits it in parts, and in which."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch

from classfold.assembly import Assembler, Assembly
from classfold.class_map import ClassMap
from classfold.divided_model import DividedModel, links_between
from classfold.docked_models import Docked, atomic_numbers
from classfold.rigid_parts import affinity, divisions
from classfold.structure import Model, residue_index

FITS_WHOLE = 0.8
"""Score from which a model is left as it is; half-way along adenylate kinase's path it is 0.6 to 0.7."""
LEAST_GAIN = 0.1
"""Of the score, by which an assembly has to be better than the whole."""
LEAST_SCORE = 0.5
"""Of an assembly. In maps of noise three or four parts find up to 0.4, where they belong 0.58 and more."""
GAIN_PER_PART = 0.02
"""Of the score, by which a division has to be better than one of a part less: six parameters more always fit better."""
REPRESENTATIVES = ("CA", "C1'")


class Choice(NamedTuple):
    """The parts that fit better than the whole, and how the model's residues are divided."""

    assembly: Assembly
    residues: list[list[str]]
    """Residues of each part, as ``A 30-72``."""


def representatives(model: Model) -> np.ndarray:
    """Index (n_residues,) of the atom that stands for each residue: CA, C1', or else its first."""
    index = residue_index(model.chain, model.residue_number)
    chosen = np.unique(index, return_index=True)[1]
    main = np.flatnonzero(np.isin(model.atom_name, REPRESENTATIVES))
    chosen[index[main]] = main
    return chosen


def assemble(docked: Sequence[Docked], given: ClassMap, seed: int, device: str) -> Choice | None:
    """Dock the best model in parts, if as a whole it does not fit.

    Parameters
    ----------
    docked : sequence of Docked
        Models of the same atoms, the best first; what varies between them is not rigid.
    given : ClassMap
    seed : int
    device : str

    Returns
    -------
    Choice or None
        None where the whole fits, or no division fits better by enough.
    """
    model, whole = docked[0].model, docked[0].poses[0].score
    if whole >= FITS_WHOLE:
        return None
    chosen = representatives(model)
    ensemble = np.stack([each.model.coordinates[chosen] for each in docked])
    index = residue_index(model.chain, model.residue_number)
    best, least = None, max(whole + LEAST_GAIN, LEAST_SCORE)
    for labels in divisions(affinity(ensemble), model.chain[chosen]):
        part = labels[index]
        links = links_between(model.coordinates, index, model.chain, part)
        divided = DividedModel(
            *(torch.from_numpy(array) for array in (model.coordinates, atomic_numbers(model), part, links))
        )
        found = Assembler(divided, given.density_map, given.resolution_angstrom, seed, device).assemble()
        worth = found.score - GAIN_PER_PART * (found.n_parts - 2) if found is not None else 0.0
        if found is not None and worth > least:
            best, least = Choice(found, part_residues(model, chosen, labels)), worth
    return best


def part_residues(model: Model, chosen: np.ndarray, labels: np.ndarray) -> list[list[str]]:
    """Runs of residues of each part, as ``A 30-72``, from representatives (n,) and their labels (n,)."""
    chain, number = model.chain[chosen], model.residue_number[chosen]
    ends = np.flatnonzero((labels[1:] != labels[:-1]) | (chain[1:] != chain[:-1])) + 1
    runs: list[list[str]] = [[] for _ in range(labels.max() + 1)]
    for first, end in pairwise([0, *ends.tolist(), len(labels)]):
        runs[labels[first]].append(f"{chain[first]} {number[first]}-{number[end - 1]}")
    return runs


def assembly_record(choice: Choice | None) -> dict[str, Any] | None:
    """What docking.json says of an assembly."""
    if choice is None:
        return None
    parts = zip(choice.residues, choice.assembly.rotation, choice.assembly.translation_angstrom, strict=True)
    return {
        "score": choice.assembly.score,
        "parts": [
            {"residues": residues, "rotation": rotation, "translation_angstrom": translation}
            for residues, rotation, translation in parts
        ],
    }


def assembly_notes(choice: Choice | None, whole: float) -> list[str]:
    """The sentence that a person should read about an assembly."""
    if choice is None:
        return []
    parts = "; ".join(" and ".join(runs) for runs in choice.residues)
    return [
        f"as a whole the model fits badly (score {whole:.2f}), docked in {choice.assembly.n_parts} parts it fits "
        f"{choice.assembly.score:.2f} ({parts}): every other sample begins at the parts put together (assembled.cif)"
    ]
