"""A still picture of a class: its map's surface, shaded, with the trace of the best model in it.

It stands at the top of the report, is there without WebGL, and prints. All classes of a target are seen from one
side, so that they can be compared.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from scipy import ndimage

from classfold.report.display_map import DisplayMap

SIDE, DEPTH = 150, 75
"""Points of the surface along a side of the picture, and along a line of sight."""
WIDTH_INCHES, DOTS_PER_INCH = 3.0, 110
# The same scale as in the page's 3D view (scales.js): poor fit to good fit.
FIT_COLOURS = LinearSegmentedColormap.from_list("fit", ["#b34300", "#e69f00", "#dedede", "#60aae6", "#006cbe"])
FIT_RANGE = (0.3, 0.9)
UNKNOWN_CC = 0.6
TINT = (0.86, 0.9, 0.95)
RIM = "#30363d"
N_SLABS = 8
LIGHT = np.array([-0.35, 0.45, 0.82])
# A break of the chain is no line.
LONGEST_STEP_ANGSTROM = 8.0


def view_axes(points: np.ndarray) -> np.ndarray:
    """Rows of (3, 3) are the picture's right, up and towards the eye: the molecule at its broadest.

    Parameters
    ----------
    points : ndarray, shape (n, 3)
        Of the molecule, Å.
    """
    centred = points - points.mean(axis=0)
    axes = np.linalg.eigh(centred.T @ centred)[1].T[::-1]
    # An eigenvector may as well point the other way; the largest component decides, so that pictures are reproducible.
    axes[:2] *= np.sign(axes[[0, 1], np.abs(axes[:2]).argmax(axis=1)])[:, None]
    axes[2] = np.cross(axes[0], axes[1])
    return axes


def surface_points(shown: DisplayMap) -> np.ndarray:
    """(n, 3) xyz in Å of the voxels above the threshold, in the user's frame; of all voxels where none is above."""
    above = shown.levels * shown.step > shown.threshold
    index = np.argwhere(above if above.any() else np.ones_like(above))
    return index[:, ::-1] * shown.voxel_size_angstrom + shown.origin_angstrom


def _surface(shown: DisplayMap, axes: np.ndarray, centre: np.ndarray, half: float) -> np.ndarray:
    """(SIDE, SIDE) brightness of the contour's nearest surface, 0 to 1; nan where a line of sight meets none."""
    line, sight = np.linspace(-half, half, SIDE), np.linspace(half, -half, DEPTH)
    depth, up, right = np.meshgrid(sight, line, line, indexing="ij")
    places = centre + right[..., None] * axes[0] + up[..., None] * axes[1] + depth[..., None] * axes[2]
    index = (places - shown.origin_angstrom) / shown.voxel_size_angstrom
    smooth = ndimage.gaussian_filter(shown.levels.astype(np.float32), 0.6)
    seen = ndimage.map_coordinates(smooth, np.moveaxis(index[..., ::-1], -1, 0), order=1, mode="constant")
    inside = seen > shown.threshold / shown.step
    first = inside.argmax(axis=0)
    rows, columns = np.indices(first.shape)
    # Density falls outwards; the lines of sight run away from the eye.
    away, up_slope, right_slope = np.gradient(seen, sight[0] - sight[1], line[1] - line[0], line[1] - line[0])
    normal = np.stack([slope[first, rows, columns] for slope in (-right_slope, -up_slope, away)], axis=-1)
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
    shade = 0.55 + 0.45 * np.clip(normal @ (LIGHT / np.linalg.norm(LIGHT)), 0, 1)
    return np.where(inside.any(axis=0), shade, np.nan)


def _smoothed(points: np.ndarray) -> np.ndarray:
    """Corners of a line (n, k) cut twice (Chaikin 1974), its ends kept."""
    for _ in range(2):
        ends = points[:-1], points[1:]
        cut = np.stack([0.75 * ends[0] + 0.25 * ends[1], 0.25 * ends[0] + 0.75 * ends[1]], axis=1)
        points = np.concatenate([points[:1], cut.reshape(-1, points.shape[1]), points[-1:]])
    return points


def _strokes(trace: np.ndarray, fit: np.ndarray, axes: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """(n_strokes, 2, 4) of a smooth trace, the farthest first: right, up, towards the eye in Å, and correlation."""
    seen = np.column_stack([(trace - centre) @ axes.T, np.nan_to_num(fit, nan=UNKNOWN_CC)])
    breaks = np.linalg.norm(np.diff(trace, axis=0), axis=1) > LONGEST_STEP_ANGSTROM
    pieces = [_smoothed(piece) for piece in np.split(seen, np.flatnonzero(breaks) + 1) if len(piece) > 1]
    strokes = [np.stack([piece[:-1], piece[1:]], axis=1) for piece in pieces]
    joined = np.concatenate(strokes) if strokes else np.empty((0, 2, 4))
    return joined[np.argsort(joined[:, :, 2].mean(axis=1), kind="stable")]


def draw_class(
    shown: DisplayMap, axes: np.ndarray, trace: np.ndarray, fit: np.ndarray, extent: tuple[np.ndarray, float]
) -> bytes:
    """Draw one class.

    Parameters
    ----------
    shown : DisplayMap
    axes : ndarray, shape (3, 3)
        Of :func:`view_axes`.
    trace : ndarray, shape (n_residues, 3)
        Representative atoms of the best model in Å, in the order of the chains; empty without a model.
    fit : ndarray, shape (n_residues,)
        Correlation of each residue with the map; nan where there is none.
    extent : (centre, half)
        Middle of the picture, (3,) in Å, and half its side in Å.

    Returns
    -------
    bytes
        A WebP file with a transparent background.
    """
    centre, half = extent
    figure = Figure(figsize=(WIDTH_INCHES, WIDTH_INCHES))
    panel = figure.add_axes((0, 0, 1, 1))
    shade = _surface(shown, axes, centre, half)
    cover = ndimage.gaussian_filter(np.isfinite(shade).astype(float), 0.7)
    tinted = [np.nan_to_num(shade, nan=0.75) * tint for tint in TINT]
    edge = (-half, half, -half, half)
    panel.imshow(np.dstack([*tinted, cover]).clip(0, 1), origin="lower", extent=edge, interpolation="bilinear")
    strokes = _strokes(trace, fit, axes, centre)
    colours = FIT_COLOURS(np.clip((strokes[:, :, 3].mean(axis=1) - FIT_RANGE[0]) / (FIT_RANGE[1] - FIT_RANGE[0]), 0, 1))
    # A dark rim keeps crossing strands, and pale colours on the surface, apart; slab by slab, so that it is seen
    # between strands of different depth and not within one.
    for own, tints in zip(np.array_split(strokes, N_SLABS), np.array_split(colours, N_SLABS), strict=True):
        for colour, width in ((RIM, 3.2), (tints, 2.2)):
            lines = LineCollection(list(own[:, :, :2]), colors=colour, linewidths=width, capstyle="round")
            panel.add_collection(lines)
    panel.set(xlim=(-half, half), ylim=(-half, half))
    panel.axis("off")
    file = BytesIO()
    figure.savefig(file, format="webp", dpi=DOTS_PER_INCH, transparent=True, pil_kwargs={"quality": 85})
    return file.getvalue()
