"""Confidence of samples: what the head says, and what counts of it."""

import numpy as np
import pytest

from classfold.class_input import Samples


def samples(plddt: np.ndarray, iptm: np.ndarray | None = None) -> Samples:
    n = len(plddt)
    return Samples(np.zeros((n, 2, 3)), [{}] * n, plddt, np.full(n, 0.9), iptm)


def test_interfaces_count_where_there_are_several_chains():
    plddt = np.array([[0.5, 0.7, 0.6]])
    one, several = samples(plddt), samples(plddt, np.array([0.1]))
    assert one.confidence(0) == pytest.approx(0.8 * 0.6 + 0.2 * 0.9)
    assert several.confidence(0) == pytest.approx(0.8 * 0.6 + 0.2 * 0.1)
    assert one.confidence_scores(0) == {
        "confidence": pytest.approx(0.66), "plddt": pytest.approx(60), "ptm": 0.9, "iptm": None
    }
    assert several.confidence_scores(0)["iptm"] == pytest.approx(0.1)


def test_a_head_that_failed_says_nothing():
    broken = samples(np.array([[0.5, np.nan, 0.6], [0.5, 0.5, 0.5]]))
    assert set(broken.confidence_scores(0).values()) == {None}
    assert broken.confidence_scores(1)["plddt"] == pytest.approx(50)
