"""The rule that puts the samples of one class in order: map fit first, then geometry, then confidence."""

from __future__ import annotations

import math
from collections.abc import Sequence

CLASH_WEIGHT = 0.1
# Clashes per 1000 atoms from which more do not count: such a model is no molecule.
CLASHSCORE_LIMIT = 100.0
CHAIN_WEIGHT = 0.1
HAND_WEIGHT = 0.5
CONFIDENCE_WEIGHT = 0.02

RANKING_RULE = (
    f"score = CC_mask - {CLASH_WEIGHT:g} min(1, clashscore / {CLASHSCORE_LIMIT:g}) "
    f"- {CHAIN_WEIGHT:g} (share of CA-CA outliers) - {HAND_WEIGHT:g} (share of D amino acids or, if most, "
    f"of left-handed helical turns) + {CONFIDENCE_WEIGHT:g} confidence; highest first, equal scores by sample number; "
    "a sample that is not finite, is mostly outside of the map or has no defined correlation is rejected"
)


def score_model(
    cc_mask: float,
    clashscore: float,
    ca_outlier_fraction: float,
    wrong_hand_fraction: float,
    confidence: float | None,
) -> float:
    """Score of one model.

    Among good models CC_mask differs by hundredths. Ten clashes per 1000 atoms, or a tenth of the chain
    out of its geometry, weigh as much as 0.01 of it; the wrong hand outweighs any fit; confidence
    decides near ties.

    Parameters
    ----------
    cc_mask : float
        Correlation with the map in the model's mask, -1 to 1.
    clashscore : float
        Clashes per 1000 atoms.
    ca_outlier_fraction, wrong_hand_fraction : float
        0 to 1.
    confidence : float or None
        0 to 1; None where the prior has no confidence head.
    """
    numbers = (cc_mask, clashscore, ca_outlier_fraction, wrong_hand_fraction, confidence or 0.0)
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"a score is made of finite numbers, got {numbers}")
    return (
        cc_mask
        - CLASH_WEIGHT * min(1.0, clashscore / CLASHSCORE_LIMIT)
        - CHAIN_WEIGHT * ca_outlier_fraction
        - HAND_WEIGHT * wrong_hand_fraction
        + CONFIDENCE_WEIGHT * (confidence or 0.0)
    )


def rank(scores: Sequence[float | None]) -> list[int]:
    """Order of the samples that have a score, best first; equal scores keep their order.

    Parameters
    ----------
    scores : sequence of float or None
        None marks a rejected sample.

    Returns
    -------
    list of int
        Indices into ``scores``.
    """
    scored = [(index, score) for index, score in enumerate(scores) if score is not None]
    return [index for index, score in sorted(scored, key=lambda pair: -pair[1])]
