"""The global energy exactly as the paper computes it: for guidance the published way, and to measure the faster one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from geomloss import SamplesLoss
from torch import Tensor

BLUR_ANGSTROM = 0.05
REACH_ANGSTROM = 10.0


class PublishedGlobalEnergy:
    """Unbalanced Sinkhorn divergence (p = 2) between all atoms and a map's point cloud (CryoBoltz, eq. 6).

    Atoms and points each share a mass of one. Computed by geomloss, one model after the other.

    Parameters
    ----------
    clouds : sequence of Tensor, shapes (n_points, 3)
        xyz in Å in the frame of each map.
    """

    def __init__(self, clouds: Sequence[Tensor]) -> None:
        self.clouds = list(clouds)
        self.divergence = SamplesLoss(
            "sinkhorn", p=2, blur=BLUR_ANGSTROM, reach=REACH_ANGSTROM, backend="tensorized"
        )

    def __call__(self, coordinates: Tensor, maps: Tensor | None = None) -> Tensor:
        """Divergence in Å² of each model, (b,), from coordinates (b, n_atoms, 3) in Å in the frames of their maps."""
        which = [0] * len(coordinates) if maps is None else maps.tolist()
        clouds = [self.clouds[index].to(coordinates) for index in which]
        models = zip(coordinates, clouds, strict=True)
        return torch.stack([self.divergence(model.contiguous(), cloud) for model, cloud in models])

    def value_and_gradient(self, coordinates: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Divergences (b,) and their gradients (b, n_atoms, 3)."""
        with torch.enable_grad():
            coordinates = coordinates.detach().requires_grad_()
            values = self(coordinates, maps)
            (gradient,) = torch.autograd.grad(values.sum(), coordinates)
        return values.detach(), gradient
