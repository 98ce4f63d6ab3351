"""Samples of one class in clusters, so that a second model which the map may show as well is not lost.

Leader clustering (Hartigan, Clustering Algorithms, 1975, ch. 3), best sample first: a sample joins the best ranked one
within the limit, else it begins a cluster of its own. So a cluster's representative is its best sample, the best sample
of all leads the first cluster, and representatives are farther apart than the limit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LEAST_LIMIT_ANGSTROM = 1.5
"""Samples of one conformation lie as far apart, whatever the map."""
LIMIT_RESOLUTIONS = 1 / 3


def cluster_limit(resolution_angstrom: float) -> float:
    """RMSD in Å up to which a map of that resolution is not expected to tell two models apart."""
    return max(LEAST_LIMIT_ANGSTROM, LIMIT_RESOLUTIONS * resolution_angstrom)


def distances(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(n,) RMSDs in Å of models ``points (n, n_points, 3)`` to another one, without superposition.

    The map fixes the frame: a model that stands elsewhere in it is another model.
    """
    return np.sqrt(np.square(points - others).sum(axis=-1).mean(axis=-1))


def cluster(points: np.ndarray, order: Sequence[int], limit_angstrom: float) -> list[list[int]]:
    """Group the ranked samples.

    Parameters
    ----------
    points : ndarray, shape (n_samples, n_points, 3)
        Representative atoms, xyz in Å in the frame of the map.
    order : sequence of int
        The samples to group, best first.
    limit_angstrom : float

    Returns
    -------
    list of list of int
        Indices of the samples of each cluster, best first, its representative at the front; the clusters in the order
        of their representatives.
    """
    clusters: list[list[int]] = []
    for index in order:
        leaders = points[[members[0] for members in clusters]]
        near = np.flatnonzero(distances(leaders, points[index]) <= limit_angstrom)
        if near.size:
            clusters[int(near[0])].append(index)
        else:
            clusters.append([index])
    return clusters
