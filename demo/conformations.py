"""The path's frames in a few collective coordinates, and where each residue's atoms stand in them.

The miniature network knows the path as a mean structure and its first principal modes; its frames are the trained
frames projected on these. Held-out frames are never part of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from classfold.random_draws import quaternion_to_matrix
from classfold.superposition import apply_pose, superpose

AtomKey = tuple[int, str, str]
"""Residue index from 0, residue name, atom name."""

N_MODES = 6
CORE = [*range(29), *range(67, 117), *range(160, 214)]
"""Residues of the core domain, counted from 0."""
CLASSES = ("N", "C", "O", "B", "G1", "G2", "D1", "D2", "E1", "E2", "Z", "H1", "H2")
"""Places of a residue's atoms relative to its CA; side chains by remoteness and branch (CG and CG1 are G1)."""
BACKBONE = 4
"""The first places: N, C, O and CB."""


CLOSED_BIAS = 100.0
"""How much more often than its share a closed frame is drawn where the noise hides the conformation."""
BIAS_SIGMA_ANGSTROM = 8.0


@dataclass(frozen=True)
class Conformations:
    """Frames of a path as mean + amplitudes · modes, all superposed on the core, their centre at the origin."""

    mean: Tensor
    """(n_atoms, 3) in Å."""
    modes: Tensor
    """(N_MODES, n_atoms, 3) in Å at an amplitude of one."""
    amplitudes: Tensor
    """(n_frames, N_MODES), of unit variance."""
    is_closed: Tensor
    """(n_frames,)"""
    keys: list[AtomKey]

    @cached_property
    def frames(self) -> Tensor:
        """(n_frames, n_atoms, 3) in Å."""
        frames = self.mean + torch.einsum("fk,kad->fad", self.amplitudes, self.modes)
        return frames - frames.mean(dim=1, keepdim=True)

    @property
    def n_residues(self) -> int:
        return self.keys[-1][0] + 1


def conformations(coordinates: Tensor, is_closed: Tensor, keys: list[AtomKey]) -> Conformations:
    """Principal modes of trained frames (n_frames, n_atoms, 3)."""
    is_core_ca = torch.tensor([name == "CA" and residue in set(CORE) for residue, _, name in keys])
    frames = coordinates.double()
    poses = [superpose(frame[is_core_ca], frames[0][is_core_ca]) for frame in frames]
    aligned = torch.stack([apply_pose(*pose, frame) for pose, frame in zip(poses, frames, strict=True)])
    aligned = aligned - aligned.mean(dim=1, keepdim=True)
    mean = aligned.mean(dim=0)
    left, singular, right = torch.linalg.svd((aligned - mean).flatten(1), full_matrices=False)
    scale = len(frames) ** 0.5
    return Conformations(
        mean=mean.float(),
        modes=(right[:N_MODES] * singular[:N_MODES, None] / scale).view(N_MODES, *mean.shape).float(),
        amplitudes=(left[:, :N_MODES] * scale).float(),
        is_closed=is_closed,
        keys=keys,
    )


def atom_class(name: str) -> str | None:
    """The place of an atom, one of ``CLASSES``; None for CA."""
    if name in ("N", "C", "O"):
        return name
    if name == "CA":
        return None
    if name == "OXT":
        return "O"
    return name[1] if name[1] in "BZ" else name[1] + ("2" if name[2:3] == "2" else "1")


def places(model: Tensor, keys: list[AtomKey]) -> Tensor:
    """CA, and the atom of every class relative to it, of a model (n_atoms, 3): (n_residues, 1 + n_classes, 3) in Å.

    A class that a residue lacks is zero. The terminal OXT counts as O where it is placed, not where it is read.
    """
    ca = model[[name == "CA" for _, _, name in keys]]
    table = model.new_zeros(len(ca), 1 + len(CLASSES), 3)
    table[:, 0] = ca
    for position, (residue, _, name) in zip(model, keys, strict=True):
        where = atom_class(name)
        if where is not None and name != "OXT":
            table[residue, 1 + CLASSES.index(where)] = position - ca[residue]
    return table


def place_modes(path: Conformations) -> Tensor:
    """How the modes move the places: (N_MODES, n_residues, 1 + n_classes, 3) in Å at an amplitude of one."""
    mean = places(path.mean, path.keys)
    return torch.stack([places(path.mean + mode, path.keys) - mean for mode in path.modes])


def draw_frames(sigmas: Tensor, is_closed: Tensor, generator: torch.Generator) -> Tensor:
    """Index of a frame for each noise level in Å: any where noise shows the conformation, else mostly a closed one."""
    bias = 1 + (CLOSED_BIAS - 1) * torch.sigmoid(2 * torch.log(sigmas / BIAS_SIGMA_ANGSTROM))
    weights = torch.where(is_closed[None], bias[:, None], torch.ones(1, 1))
    return torch.multinomial(weights, 1, generator=generator).squeeze(1)


def noised(
    path: Conformations, frame_indices: Tensor, sigmas: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Frames, turned at random and noised: true and noisy coordinates (n, n_atoms, 3) in Å, rotations (n, 3, 3)."""
    rotations = quaternion_to_matrix(torch.randn(len(sigmas), 4, generator=generator))
    true = path.frames[frame_indices] @ rotations.mT
    return true, true + sigmas[:, None, None] * torch.randn(true.shape, generator=generator), rotations
