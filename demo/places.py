"""Where a residue's atoms are: its CA, and a place for every class of atom relative to it."""

from __future__ import annotations

import torch
from torch import Tensor

AtomKey = tuple[int, str, str]
"""Residue index from 0, residue name, atom name."""

CLASSES = ("N", "C", "O", "B", "G1", "G2", "D1", "D2", "E1", "E2", "Z", "H1", "H2")
"""Backbone and side chain by remoteness and branch (CG and CG1 are G1)."""
N_PLACES = 1 + len(CLASSES)


def atom_class(name: str) -> str | None:
    """The class of an atom, one of ``CLASSES``; None for CA."""
    if name in ("N", "C", "O"):
        return name
    if name == "CA":
        return None
    if name == "OXT":
        return "O"
    return name[1] if name[1] in "BZ" else name[1] + ("2" if name[2:3] == "2" else "1")


def places_of(model: Tensor, keys: list[AtomKey]) -> Tensor:
    """Places (n_residues, N_PLACES, 3) in Å of a model (n_atoms, 3): CA, then every class relative to it.

    A class that a residue lacks is zero. The terminal OXT is taken to be where O is.
    """
    ca = model[[name == "CA" for _, _, name in keys]]
    places = model.new_zeros(len(ca), N_PLACES, 3)
    places[:, 0] = ca
    for position, (residue, _, name) in zip(model, keys, strict=True):
        where = atom_class(name)
        if where is not None and name != "OXT":
            places[residue, 1 + CLASSES.index(where)] = position - ca[residue]
    return places


def atoms_of(places: Tensor, keys: list[AtomKey]) -> Tensor:
    """Atoms (..., n_atoms, 3) at places (..., n_residues, N_PLACES, 3)."""
    residues = torch.tensor([residue for residue, _, _ in keys])
    classes = [atom_class(name) for _, _, name in keys]
    where = torch.tensor([0 if name is None else 1 + CLASSES.index(name) for name in classes])
    relative = places[..., residues, where, :] * (where > 0)[:, None]
    return places[..., residues, 0, :] + relative
