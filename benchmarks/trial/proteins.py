"""The molecules of the docking trials: adenylate kinase's path, and three other proteins from the Protein Data Bank.

proteins.npz holds heavy atoms of PDB entries (CC0): 1HVR (HIV-1 protease, a homodimer), 1A28 chain A
(progesterone receptor, all helices) and 1BD2 chain D (T-cell receptor, all strands), in 0.01 Å about the
centroid.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import gemmi
import numpy as np
import torch
from scipy.spatial import cKDTree

from classfold.mmcif import Model
from classfold.rotations import random_rotation

ADK_PATH = Path(__file__).resolve().parents[2] / "assets/demo/adk_path.npz"
OTHERS = ("1hvr", "1a28", "1bd2")
CONTACT_ANGSTROM = 3.5


class Protein(NamedTuple):
    """Heavy atoms of a molecule."""

    coordinates: torch.Tensor
    """(n_atoms, 3) float64, Å."""
    weights: np.ndarray
    """(n_atoms,) atomic numbers."""
    chain: np.ndarray
    """(n_atoms,)"""

    def model(self) -> Model:
        """As a model file is read, every atom named by its place in its chain."""
        number = np.concatenate([np.arange((self.chain == name).sum()) for name in dict.fromkeys(self.chain.tolist())])
        unknown = np.full(len(number), "UNK")
        element = np.array([gemmi.Element(int(z)).name for z in self.weights])
        return Model(self.coordinates.numpy(), self.chain, number, unknown, number.astype(str), element, "trial")

    def moved_to(self, coordinates: torch.Tensor) -> Protein:
        """The same atoms elsewhere."""
        return self._replace(coordinates=coordinates)


def other_protein(name: str) -> Protein:
    """One of :data:`OTHERS`."""
    with np.load(Path(__file__).with_name("proteins.npz")) as stored:
        coordinates = torch.from_numpy(stored[f"{name}_coordinates"] * 0.01).double()
        return Protein(coordinates, stored[f"{name}_atomic_number"].astype(float), stored[f"{name}_chain"])


def kinase_path() -> list[Protein]:
    """Held-out frames of one of adenylate kinase's two transitions, from closed to open."""
    with np.load(ADK_PATH) as stored:
        held_out = np.flatnonzero(stored["held_out"] & (stored["frame"] < 98))
        weights = np.array([gemmi.Element(str(symbol)).atomic_number for symbol in stored["element"]], float)
        chain = np.full(len(weights), "A")
        return [
            Protein(torch.from_numpy(stored["coordinates"][frame] * 0.01).double(), weights, chain)
            for frame in held_out
        ]


def joined(first: Protein, second: Protein) -> Protein:
    """Two molecules as one, their chains named anew."""
    names = np.concatenate([np.char.add("1", first.chain), np.char.add("2", second.chain)])
    coordinates = torch.cat([first.coordinates, second.coordinates])
    return Protein(coordinates, np.concatenate([first.weights, second.weights]), names)


def beside(molecule: torch.Tensor, other: torch.Tensor, seed: int) -> torch.Tensor:
    """The other molecule, turned at random, in contact with the first in a random direction."""
    generator = torch.Generator().manual_seed(seed)
    direction = torch.randn(3, generator=generator, dtype=torch.float64)
    direction /= direction.norm()
    turned = (other - other.mean(0)) @ random_rotation(seed, torch.float64).mT + molecule.mean(0)
    tree, distance = cKDTree(molecule.numpy()), 0.0
    while tree.query((turned + distance * direction).numpy())[0].min() < CONTACT_ANGSTROM:
        distance += 0.5
    return turned + distance * direction


def ring(subunit: Protein, count: int) -> Protein:
    """A cyclic assembly of a subunit about the z axis, its copies in contact."""
    centred = subunit.coordinates - subunit.coordinates.mean(0)
    angle = torch.tensor(2 * np.pi / count, dtype=torch.float64)
    turn = torch.tensor([[angle.cos(), -angle.sin(), 0], [angle.sin(), angle.cos(), 0], [0, 0, 1]], dtype=torch.float64)
    radius = 0.0
    while True:
        first = centred + torch.tensor([radius, 0.0, 0.0], dtype=torch.float64)
        if cKDTree(first.numpy()).query((first @ turn.mT).numpy())[0].min() >= CONTACT_ANGSTROM:
            break
        radius += 0.5
    copies = [first @ torch.linalg.matrix_power(turn, k).mT for k in range(count)]
    chain = np.concatenate([np.char.add(subunit.chain, str(k)) for k in range(count)])
    return Protein(torch.cat(copies), np.tile(subunit.weights, count), chain)


def micelle(molecule: torch.Tensor, n_atoms: int, seed: int) -> torch.Tensor:
    """A belt ``(n_atoms, 3)`` around one end of a molecule's long axis: a torus of atoms at random places."""
    generator = torch.Generator().manual_seed(seed)
    centre = molecule.mean(0)
    axes = torch.linalg.svd(molecule - centre, full_matrices=False).Vh
    along = (molecule - centre) @ axes.mT
    end = along[along[:, 0] > along[:, 0].quantile(0.6)]
    inner = end[:, 1:].norm(dim=1).quantile(0.95)
    angle = 2 * np.pi * torch.rand(n_atoms, generator=generator, dtype=torch.float64)
    radius = inner + 4 + 12 * torch.rand(n_atoms, generator=generator, dtype=torch.float64)
    height = end[:, 0].mean() + 16 * (torch.rand(n_atoms, generator=generator, dtype=torch.float64) - 0.5)
    belt = torch.stack([height, radius * angle.cos(), radius * angle.sin()], dim=1)
    return belt @ axes + centre
