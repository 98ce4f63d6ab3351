"""The point cloud the released way: Lloyd's loop over all voxels and all centres.

The start, the limit of 100 steps and the tolerance are those of the program that came with CryoBoltz (arXiv
2506.04490). The distances are taken in chunks and the means by one sum over all voxels, where that program goes through
the centres one by one: the loop is compared, not how it was written.
"""

from __future__ import annotations

import torch
from torch import Tensor

MAX_STEPS = 100
TOLERANCE_ANGSTROM = 1e-4
"""Of the sum of all centres' moves in one step."""
CHUNK_VOXELS = 4096


def nearest_centre(voxels: Tensor, centres: Tensor) -> Tensor:
    """Number of each voxel's nearest centre, shape (n_voxels,)."""
    return torch.cat([torch.cdist(chunk, centres).argmin(dim=1) for chunk in voxels.split(CHUNK_VOXELS)])


def weighted_k_means(voxels: Tensor, weight: Tensor, n_points: int, seed: int) -> Tensor:
    """Weighted k-means from a random start; a centre without voxels starts anew at a random one.

    Parameters
    ----------
    voxels : Tensor, shape (n_voxels, 3)
        xyz in Å.
    weight : Tensor, shape (n_voxels,)
        Densities, all positive.
    n_points : int
        No more than there are voxels.
    seed : int
        Of the voxels at which the centres start.

    Returns
    -------
    Tensor, shape (n_points, 3)
        xyz in Å.
    """
    generator = torch.Generator().manual_seed(seed)
    centres = voxels[torch.randperm(len(voxels), generator=generator)[:n_points]]
    for _ in range(MAX_STEPS):
        label = nearest_centre(voxels, centres)
        total = torch.zeros(n_points).index_add_(0, label, weight)
        moved = torch.zeros(n_points, 3).index_add_(0, label, weight[:, None] * voxels) / total[:, None]
        empty = total == 0
        anywhere = torch.randint(len(voxels), (int(empty.sum()),), generator=generator)
        moved[empty] = voxels[anywhere]
        path = (moved - centres).norm(dim=1).sum()
        centres = moved
        if path < TOLERANCE_ANGSTROM:
            break
    return centres
