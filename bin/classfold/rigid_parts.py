"""Parts of a model that may move against each other: its chains, and the domains within them.

Residues belong together that are near each other, and whose distance is the same in all models of an ensemble and sure
by the predictor's own error. Spectral clustering (Ng, Jordan and Weiss, NIPS 2001) cuts that graph where little holds
it; how many parts there are is for the map to decide, so that several divisions are offered.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter1d
from sklearn.cluster import SpectralClustering

NEAR_ANGSTROM = 7.0
"""Width of the Gaussian of the distance: twice as far, a pair counts for little."""
RIGID_ANGSTROM = 1.0
"""Width of the Gaussian of the distance's variation over the ensemble."""
SURE_ANGSTROM = 5.0
"""Width of the Gaussian of the predicted aligned error."""
MOST_DOMAINS = 4
LEAST_RESIDUES = 20
"""A smaller part has too little shape of its own to be docked."""
VOTERS = 15
"""Residues along the chain of which the majority decides, so that a part is not cut by a few that touch another."""


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
        merged = _without_small(_majority(labels, chain), affinities)
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


def _majority(labels: np.ndarray, chain: np.ndarray) -> np.ndarray:
    """Labels (n,) that most of the residues around each one have, in its own chain."""
    belongs = np.eye(labels.max() + 1)[labels]
    voted = labels.copy()
    for name in np.unique(chain):
        own = np.flatnonzero(chain == name)
        votes = uniform_filter1d(belongs[own], min(VOTERS, len(own)), axis=0, mode="nearest")
        voted[own] = votes.argmax(1)
    return voted


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
