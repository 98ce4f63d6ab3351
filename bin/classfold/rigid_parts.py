"""Parts of a model that may move against each other: its chains, and the domains within them.

Residues belong together that are near each other, and whose distance is the same in all models of an ensemble and sure
by the predictor's own error. Spectral clustering (Ng, Jordan and Weiss, NIPS 2001) cuts that graph where little holds
it; how many parts there are is for the map to decide, so that several divisions are offered.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from sklearn.cluster import SpectralClustering

NEAR_ANGSTROM = 6.0
"""Width of the Gaussian of the distance: twice as far, a pair counts for little."""
RIGID_ANGSTROM = 1.0
"""Width of the Gaussian of the distance's variation over the ensemble."""
SURE_ANGSTROM = 5.0
"""Width of the Gaussian of the predicted aligned error."""
MOST_DOMAINS = 4
LEAST_RESIDUES = 20
"""A smaller part has too little shape of its own to be docked."""
SHORTEST_RUN = 15
"""Consecutive residues that a part takes from a chain at least: fewer hang on those before and after them."""


def affinity(ensemble: np.ndarray, predicted_error_angstrom: np.ndarray | None = None) -> np.ndarray:
    """How surely two residues belong to one rigid part (n, n), 0 to 1.

    Parameters
    ----------
    ensemble : ndarray, shape (n_models, n, 3)
        Representative atoms of the residues in Å, each model in a frame of its own.
    predicted_error_angstrom : ndarray, shape (n, n), optional
        Predicted aligned error.
    """
    apart = np.linalg.norm(ensemble[:, :, None] - ensemble[:, None], axis=-1)
    exponent = (apart.mean(0) / NEAR_ANGSTROM) ** 2 + (apart.std(0) / RIGID_ANGSTROM) ** 2
    if predicted_error_angstrom is not None:
        exponent += (np.minimum(predicted_error_angstrom, predicted_error_angstrom.T) / SURE_ANGSTROM) ** 2
    return np.exp(-0.5 * exponent)


def divisions(affinities: np.ndarray, chain: np.ndarray) -> list[np.ndarray]:
    """Ways of dividing a model into two parts or more: labels (n,) from 0, each different from the others.

    Parameters
    ----------
    affinities : ndarray, shape (n, n)
    chain : ndarray of str, shape (n,)
        Chain of each residue; a part may hold domains of several chains, as they are held together.
    """
    found: list[np.ndarray] = []
    by_chain = np.unique(chain, return_inverse=True)[1]
    candidates = [by_chain] + [_clustered(affinities, number) for number in range(2, MOST_DOMAINS + 1)]
    for labels in candidates:
        merged = _without_small(_without_short_runs(labels, chain, affinities), affinities)
        if merged.max() > 0 and not any(np.array_equal(merged, other) for other in found):
            found.append(merged)
    return found


def _clustered(affinities: np.ndarray, number: int) -> np.ndarray:
    """Labels (n,) of a number of clusters."""
    if len(affinities) < number * LEAST_RESIDUES:
        return np.zeros(len(affinities), np.int64)
    # cluster_qr needs no random start.
    clustering = SpectralClustering(number, affinity="precomputed", assign_labels="cluster_qr")
    return clustering.fit(affinities + 1e-6).labels_.astype(np.int64)


def _without_short_runs(labels: np.ndarray, chain: np.ndarray, affinities: np.ndarray) -> np.ndarray:
    """Labels (n,) with each short run, the shortest first, joined to whichever of its neighbours' parts holds it best.

    A run is of consecutive residues of one chain in one part; one that is a whole chain stays.
    """
    labels = labels.copy()
    while True:
        ends = np.flatnonzero((labels[1:] != labels[:-1]) | (chain[1:] != chain[:-1])) + 1
        runs = [range(first, end) for first, end in pairwise([0, *ends.tolist(), len(labels)])]
        short = [run for run in runs if len(run) < SHORTEST_RUN and _neighbours(run, labels, chain)]
        if not short:
            return labels
        run = min(short, key=len)
        held = {part: affinities[run][:, labels == part].sum() for part in _neighbours(run, labels, chain)}
        labels[run] = max(held, key=lambda part: held[part])


def _neighbours(run: range, labels: np.ndarray, chain: np.ndarray) -> list[int]:
    """Parts of the residues before and after a run in its chain."""
    beside = [i for i in (run.start - 1, run.stop) if 0 <= i < len(labels) and chain[i] == chain[run.start]]
    return labels[beside].tolist()


def _without_small(labels: np.ndarray, affinities: np.ndarray) -> np.ndarray:
    """Labels with each part that is too small joined to the one that holds it best; numbered by first residue."""
    labels = labels.copy()
    while True:
        parts, sizes = np.unique(labels, return_counts=True)
        if len(parts) == 1 or sizes.min() >= LEAST_RESIDUES:
            break
        smallest = parts[sizes.argmin()]
        inside = labels == smallest
        held = [affinities[np.ix_(inside, labels == part)].sum() if part != smallest else -1.0 for part in parts]
        labels[inside] = parts[int(np.argmax(held))]
    first = np.unique(labels, return_index=True)[1]
    order = np.argsort(np.argsort(first))
    return order[np.unique(labels, return_inverse=True)[1]]
