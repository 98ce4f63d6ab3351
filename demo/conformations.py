"""The path's frames in a few collective coordinates.

The miniature network knows the path as a mean structure and its first principal modes, in as few functions of the
residue as its trunk can tell; its frames are the trained frames projected on these. Held-out frames are never part of
it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from places import AtomKey, atoms_of, places_of
from torch import Tensor

from classfold.random_draws import quaternion_to_matrix
from classfold.superposition import apply_pose, superpose

N_MODES = 6
N_LOCAL_MODES = 1
"""Modes that also move a residue's atoms relative to its CA; the others only shift residues."""
CORE = [*range(29), *range(67, 117), *range(160, 214)]
"""Residues of the core domain, counted from 0."""
CA_WEIGHT = 3.0
"""CA and its modes count more than the other places where the number of functions falls short."""


@dataclass(frozen=True)
class Conformations:
    """Frames of a path as mean + amplitudes · modes, all superposed on the core, their centre at the origin."""

    mean: Tensor
    """(n_residues, N_PLACES, 3) in Å."""
    modes: Tensor
    """(N_MODES, n_residues, N_PLACES, 3) in Å at an amplitude of one."""
    amplitudes: Tensor
    """(n_frames, N_MODES), of unit variance."""
    is_closed: Tensor
    """(n_frames,)"""
    keys: list[AtomKey]

    def places(self, amplitudes: Tensor) -> Tensor:
        """Places (n, n_residues, N_PLACES, 3) at amplitudes (n, N_MODES)."""
        return self.mean + torch.einsum("fk,knpd->fnpd", amplitudes, self.modes)

    @property
    def closed_amplitudes(self) -> Tensor:
        """(N_MODES,) mean of the closed frames."""
        return self.amplitudes[self.is_closed].mean(dim=0)


def conformations(coordinates: Tensor, is_closed: Tensor, keys: list[AtomKey], n_functions: int) -> Conformations:
    """Principal modes of trained frames (n_frames, n_atoms, 3), of no more functions of the residue than given."""
    is_core_ca = torch.tensor([name == "CA" and residue in set(CORE) for residue, _, name in keys])
    frames = coordinates.double()
    poses = [superpose(frame[is_core_ca], frames[0][is_core_ca]) for frame in frames]
    aligned = torch.stack([apply_pose(*pose, frame) for pose, frame in zip(poses, frames, strict=True)])
    mean = aligned.mean(dim=0)
    left, singular, right = torch.linalg.svd((aligned - mean).flatten(1), full_matrices=False)
    scale = len(frames) ** 0.5
    modes = (right[:N_MODES] * singular[:N_MODES, None] / scale).view(N_MODES, *mean.shape)
    origin = places_of(mean, keys)
    tables = torch.stack([origin, *(places_of(mean + mode, keys) - origin for mode in modes)])
    tables[1 + N_LOCAL_MODES :, :, 1:] = 0
    tables = of_rank(tables, n_functions)
    tables[:, :, 0] -= atoms_of(tables, keys).mean(dim=1)[:, None]
    return Conformations(
        mean=tables[0].float(),
        modes=tables[1:].float(),
        amplitudes=(left[:, :N_MODES] * scale).float(),
        is_closed=is_closed,
        keys=keys,
    )


def functions_of(tables: Tensor) -> Tensor:
    """All weighted functions of the residue (n_residues, n) in tables (n_tables, n_residues, N_PLACES, 3)."""
    weighted = tables.clone()
    weighted[:, :, 0] *= CA_WEIGHT
    return weighted.permute(1, 0, 2, 3).flatten(1)


def of_rank(tables: Tensor, rank: int) -> Tensor:
    """Tables (n_tables, n_residues, N_PLACES, 3) nearest to given ones with few functions besides constants."""
    functions = functions_of(tables)
    constant = functions.mean(dim=0)
    left, singular, right = torch.linalg.svd(functions - constant, full_matrices=False)
    nearest = constant + (left[:, :rank] * singular[:rank]) @ right[:rank]
    nearest = nearest.unflatten(1, (len(tables), *tables.shape[2:])).permute(1, 0, 2, 3).clone()
    nearest[:, :, 0] /= CA_WEIGHT
    return nearest


def noised(
    path: Conformations, amplitudes: Tensor, sigmas: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Conformations turned at random and noised: true and noisy atoms (n, n_atoms, 3) in Å, rotations (n, 3, 3)."""
    rotations = quaternion_to_matrix(torch.randn(len(sigmas), 4, generator=generator))
    true = atoms_of(path.places(amplitudes), path.keys) @ rotations.mT
    return true, true + sigmas[:, None, None] * torch.randn(true.shape, generator=generator), rotations
