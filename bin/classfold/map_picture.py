"""A picture of what PREPARE_MAP decided: slices and projections with the contour, judged at a glance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from classfold.maps import DensityMap

CONTOUR_COLOUR = "#d62728"
# Array axis looked along, and the names of the horizontal and vertical axes that remain.
VIEWS = ((0, "x", "y"), (1, "x", "z"), (2, "y", "z"))


def draw_map(density_map: DensityMap, kept: np.ndarray, threshold: float, title: str, path: Path) -> None:
    """Draw the three central slices (above) and the three projections (below).

    Slices go through the centre of the kept voxels and show the threshold as a line; projections show the
    outline of the kept voxels.

    Parameters
    ----------
    density_map : DensityMap
    kept : ndarray of bool, shape (n_z, n_y, n_x)
        Voxels that became the point cloud.
    threshold : float
        Density of the contour.
    title : str
        Says what the map is.
    path : Path
        PNG file.
    """
    density = density_map.density
    centre = np.argwhere(kept).mean(axis=0).round().astype(int)
    figure = Figure(figsize=(10.5, 7.2), layout="constrained")
    panels = figure.subplots(2, 3)
    for column, (axis, horizontal, vertical) in enumerate(VIEWS):
        extent = _extent(density_map, axis)
        image = np.take(density, centre[axis], axis=axis)
        _panel(panels[0, column], image, extent, threshold)
        along = "zyx"[axis]
        position = float(density_map.coordinates_of(centre)["xyz".index(along)])
        panels[0, column].set_title(f"slice at {along} = {position:.1f} Å")
        _panel(panels[1, column], density.sum(axis=axis), extent, None)
        outline = kept.any(axis=axis).astype(float)
        panels[1, column].contour(outline, [0.5], extent=extent, colors=CONTOUR_COLOUR, linewidths=1)
        panels[1, column].set_title(f"projection along {along}")
        for row in (0, 1):
            panels[row, column].set_xlabel(f"{horizontal} / Å")
            panels[row, column].set_ylabel(f"{vertical} / Å")
    figure.suptitle(f"{title}: threshold {threshold:.4g}")
    figure.savefig(path, dpi=100, metadata={"Software": None})


def _extent(density_map: DensityMap, axis: int) -> tuple[float, float, float, float]:
    """Outer edges in Å of an image that looks along an array axis: left, right, bottom, top."""
    half = 0.5 * density_map.voxel_size_angstrom
    low = density_map.origin_angstrom - half
    high = density_map.coordinates_of(np.array(density_map.density.shape) - 1) + half
    vertical, horizontal = (2 - other for other in range(3) if other != axis)
    return float(low[horizontal]), float(high[horizontal]), float(low[vertical]), float(high[vertical])


def _panel(
    panel: Axes, image: np.ndarray, extent: tuple[float, float, float, float], level: float | None
) -> None:
    """One grey image, with the contour if a level is given and reached."""
    panel.imshow(image, cmap="gray_r", origin="lower", extent=extent, interpolation="nearest")
    if level is not None and image.min() < level < image.max():
        panel.contour(image, [level], extent=extent, colors=CONTOUR_COLOUR, linewidths=1)
