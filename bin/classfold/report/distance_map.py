"""Which residues of two classes come closer and which move apart: the difference of their distances as a picture."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.image import imsave

MOST_PIXELS = 100
"""Along a side; of more residues, neighbours are averaged."""
LEAST_RANGE_ANGSTROM = 2.0
"""A scale that ends before would paint what samples of one conformation differ by."""
USUAL_SHARE = 0.99
"""Of all values that the scale holds; a loose end must not make the rest pale."""
# Okabe and Ito's blue and vermilion, which the colour-blind tell apart.
COLOURS = LinearSegmentedColormap.from_list("apart", ["#0072b2", "#f7f7f7", "#d55e00"])


class DistanceMap(NamedTuple):
    """A picture of a pair of classes."""

    address: str
    """PNG that is its own address."""
    caption: str


def distance_map(folder: Path, first: str, second: str) -> DistanceMap | None:
    """Of two classes, in the folder of a comparison; None where it has none of them."""
    name = f"distance_difference_{first}.{second}.csv"
    path = next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)
    if path is None:
        return None
    table = pd.read_csv(path, index_col=0)
    values = binned(table.to_numpy(np.float32), MOST_PIXELS)
    reach = max(LEAST_RANGE_ANGSTROM, float(np.quantile(np.abs(values), USUAL_SHARE)))
    content = BytesIO()
    imsave(content, values, vmin=-reach, vmax=reach, cmap=COLOURS, format="png")
    address = "data:image/png;base64," + base64.b64encode(content.getvalue()).decode("ascii")
    caption = (
        f"Distances between residues in {second} less those in {first}: blue, closer in {second}; orange, farther "
        f"apart; full colour at {reach:.0f} Å. Rows from above and columns from the left are the residues "
        f"{table.index[0]} to {table.index[-1]}. A pale block on the diagonal is rigid; a coloured one beside it says "
        "which two parts move."
    )
    return DistanceMap(address, caption)


def binned(values: np.ndarray, most: int) -> np.ndarray:
    """Means over blocks of a square matrix (n, n), so that it has at most so many rows."""
    size = -(-len(values) // most)
    starts = np.arange(0, len(values), size)
    sums = np.add.reduceat(np.add.reduceat(values, starts, axis=0), starts, axis=1)
    n = np.diff([*starts, len(values)])
    return sums / np.outer(n, n)
