"""Points that stand for atoms and maps, each as heavy as the next."""

import torch

from classfold.global_energy import Cloud
from classfold.pseudo_atoms import PseudoAtoms


def uniform(points: torch.Tensor) -> Cloud:
    """A cloud of points (n_points, 3) that share a mass of one, as in the paper."""
    return Cloud(points, points.new_full((len(points),), 1 / len(points)))


def every_atom(n_atoms: int, device: torch.device) -> PseudoAtoms:
    """Each atom for itself, all of the same mass, as in the paper."""
    return PseudoAtoms.of(torch.arange(n_atoms, device=device), torch.ones(n_atoms, device=device))
