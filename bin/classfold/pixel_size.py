"""Whether a map's pixel size is right, by the scale at which a docked model fits best.

A map whose header claims voxels larger by 4 % than they are shows a molecule larger by 4 %. The model is
scaled about its centroid by -10 to +10 %, its pose refined at every scale, and a parabola laid through the
best.

A model in another conformation than the map's is larger or smaller as well: closed adenylate kinase in a map
of the open one fits best at +-2 to 4 %. Only a model that fits well may therefore say anything, and only in a
map that shows more than the outline.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from classfold.docking import Pose
from classfold.maps import DensityMap
from classfold.pose_scores import (
    DETAIL_RESOLUTION_ANGSTROM,
    correlations,
    overlap_sigma,
    source_field,
    step_lengths,
)
from classfold.rigid_fit import Poses, ascend, blurred, rigid_model

FITTING_CORRELATION = 0.75
"""Of a model whose conformation is that of the map; those half-way along adenylate kinase's path stay below."""
COARSEST_RESOLUTION_ANGSTROM = 7.0
"""Beyond it models of other conformations fit as well as that."""
LEAST_DEVIATION, LEAST_GAIN = 0.015, 0.01
SCALES = tuple(np.linspace(0.90, 1.10, 11).round(2).tolist())


class ScaleFit(NamedTuple):
    """The scale at which a model fits a map best."""

    scale: float
    """Of the model; the right pixel size is the header's divided by it."""
    correlation: float
    """Inside the model's mask, at that scale."""
    gain: float
    """Of that correlation over the one at scale 1."""


class PixelSize(NamedTuple):
    """What the scale says about the pixel size."""

    fit: ScaleFit
    given_angstrom: float
    """As the header has it."""
    is_decidable: bool
    """Whether the model fits well enough to tell."""

    @property
    def better_angstrom(self) -> float:
        """The pixel size at which the model fits best."""
        return self.given_angstrom / self.fit.scale

    @property
    def is_doubtful(self) -> bool:
        """Whether the header's pixel size is wrong by what the model says."""
        return self.is_decidable and abs(self.fit.scale - 1) > LEAST_DEVIATION and self.fit.gain > LEAST_GAIN


def judge_pixel_size(fit: ScaleFit, given_angstrom: float, resolution_angstrom: float) -> PixelSize:
    """Decide whether the fitted scale may be believed."""
    fits = fit.correlation >= FITTING_CORRELATION and resolution_angstrom <= COARSEST_RESOLUTION_ANGSTROM
    return PixelSize(fit, given_angstrom, fits)


def fit_scale(
    coordinates: np.ndarray,
    weights: np.ndarray,
    density_map: DensityMap,
    resolution_angstrom: float,
    pose: Pose,
    device: str = "cpu",
) -> ScaleFit:
    """Find the scale at which a docked model fits best.

    Parameters
    ----------
    coordinates : ndarray (n_atoms, 3)
        xyz in Å, as they were docked.
    weights : ndarray (n_atoms,)
        Atomic numbers.
    density_map : DensityMap
    resolution_angstrom : float
    pose : Pose
        Of the docked coordinates.
    device : str
        Of torch.
    """
    fine = max(resolution_angstrom, DETAIL_RESOLUTION_ANGSTROM)
    model = rigid_model(torch.as_tensor(coordinates).double(), torch.as_tensor(weights).double())
    rotation = torch.from_numpy(pose.rotation)
    start = Poses(
        (rotation @ model.frame)[None].float().to(device),
        (rotation @ model.centroid + torch.from_numpy(pose.translation_angstrom))[None].float().to(device),
    )
    model = model.to(device)
    source = source_field(density_map, device)
    field = blurred(source, source.grid, overlap_sigma(resolution_angstrom, fine))
    steps = step_lengths(fine / 10, fine / 1000, 30)
    fits = []
    for scale in SCALES:
        scaled = replace(model, points=model.points * scale)
        refined, _ = ascend(scaled, start, field, steps)
        fits.append(float(correlations(scaled, refined, source, resolution_angstrom, fine)))
    return _peak(np.array(SCALES), np.array(fits))


def _peak(scales: np.ndarray, fits: np.ndarray) -> ScaleFit:
    """Vertex of the parabola through the best scale and its neighbours; the best itself at the ends."""
    at_one = float(fits[np.abs(scales - 1).argmin()])
    best = int(fits.argmax())
    if not 0 < best < len(scales) - 1:
        return ScaleFit(float(scales[best]), float(fits[best]), float(fits[best]) - at_one)
    before, here, after = fits[best - 1 : best + 2]
    offset = (before - after) / (before - 2 * here + after) / 2
    height = here - (before - after) * offset / 4
    step = scales[1] - scales[0]
    return ScaleFit(float(scales[best] + offset * step), float(height), float(height) - at_one)
