"""Global guidance: how far the model's shape is from the map's point cloud (CryoBoltz, eq. 6)."""

from __future__ import annotations

import torch
from geomloss import SamplesLoss
from torch import Tensor

BLUR_ANGSTROM = 0.05
REACH_ANGSTROM = 10.0


class GlobalEnergy:
    """Unbalanced Sinkhorn divergence (p = 2) between the model's atoms and the map's point cloud.

    The divergence of Feydy et al., AISTATS 2019, in the unbalanced form of Séjourné et al., arXiv 1910.12958,
    as geomloss computes it. Atoms and points each share a mass of one.

    Parameters
    ----------
    cloud : Tensor, shape (n_points, 3)
        xyz in Å in the map's frame.
    """

    def __init__(self, cloud: Tensor) -> None:
        self.cloud = cloud
        self.divergence = SamplesLoss(
            "sinkhorn", p=2, blur=BLUR_ANGSTROM, reach=REACH_ANGSTROM, backend="tensorized"
        )

    def __call__(self, coordinates: Tensor) -> Tensor:
        """Divergence of each model, (b,), from coordinates (b, n_atoms, 3) in Å in the map's frame."""
        cloud = self.cloud.to(coordinates)
        return torch.stack([self.divergence(model.contiguous(), cloud) for model in coordinates])
