"""Verdicts of a docking: leads as closed forms, and what follows from them."""

import math

import numpy as np
import pytest

from classfold.docking import Pose
from classfold.docking_doubts import content_doubts, hand_doubts, pose_doubts, scale_doubts
from classfold.docking_verdict import Hand, judge, standard_errors
from classfold.explained_density import Explained
from classfold.pixel_size import PixelSize, ScaleFit

ATOMS, RESOLUTION = 1655, 4.0


def poses(*details: float, score: float = 0.8) -> list[Pose]:
    return [Pose(np.eye(3), np.zeros(3), score, detail) for detail in details]


def test_a_lead_is_fishers_z_of_as_many_observations_as_the_molecule_has():
    n = 17.0 * ATOMS / RESOLUTION**3
    by_hand = 0.5 * math.log(1.8 / 0.2 * 0.6 / 1.4) / math.sqrt(2 / (n - 3))
    assert standard_errors(0.8, 0.4, ATOMS, RESOLUTION) == pytest.approx(by_hand)
    assert standard_errors(0.4, 0.8, ATOMS, RESOLUTION) == pytest.approx(-by_hand)
    assert standard_errors(0.6, 0.6, ATOMS, RESOLUTION) == 0
    # Maps finer than the closer look add no observations.
    assert standard_errors(0.8, 0.4, ATOMS, 2.5) == pytest.approx(by_hand)
    assert standard_errors(0.8, 0.4, ATOMS, 8.0) < by_hand / 2
    assert math.isfinite(standard_errors(1.0, -1.0, 3, 20.0))


@pytest.mark.parametrize(
    ("model", "mirror", "hand", "found", "n_ambiguous"),
    [
        ((0.8, 0.4), (0.4, 0.39), Hand.RIGHT, True, 1),
        ((0.4, 0.39), (0.8, 0.4), Hand.MIRRORED, True, 2),
        ((0.31, 0.305, 0.3, 0.2), (0.31, 0.30), Hand.UNDECIDED, False, 3),
        ((0.8, 0.4), (0.79, 0.4), Hand.UNDECIDED, True, 1),
        ((0.8, 0.79, 0.3), (0.4, 0.39), Hand.RIGHT, True, 2),
        ((0.8,), (0.79,), Hand.UNDECIDED, False, 1),
    ],
)
def test_verdicts_follow_from_the_leads(model, mirror, hand, found, n_ambiguous):
    verdict = judge(poses(*model), poses(*mirror), ATOMS, RESOLUTION)
    assert (verdict.hand, verdict.found, verdict.n_ambiguous) == (hand, found, n_ambiguous)
    assert verdict.is_certain == (found and n_ambiguous == 1)
    assert verdict.hand_lead == standard_errors(model[0], mirror[0], ATOMS, RESOLUTION)
    assert (verdict.pose_lead is None) == (len(model) == 1)


@pytest.mark.parametrize(
    ("model", "mirror", "flips", "words"),
    [
        ((0.8, 0.5), (0.4,), False, []),
        ((0.30, 0.29), (0.31, 0.30), False, ["nothing in the map stands out"]),
        ((0.8, 0.79), (0.4,), False, ["2 poses fit equally well"]),
        ((0.4, 0.3), (0.8, 0.3), False, ["wrong hand: the model correlates 0.40 with it, its mirror image 0.80"]),
        ((0.4, 0.3), (0.8, 0.3), True, ["it was flipped along z"]),
        ((0.8, 0.4), (0.79, 0.4), False, ["hand cannot be told"]),
    ],
)
def test_doubts_are_said(model, mirror, flips, words):
    found, other = poses(*model), poses(*mirror)
    verdict = judge(found, other, ATOMS, RESOLUTION)
    said = hand_doubts(verdict, found, other, flips) + pose_doubts(verdict, found, other)
    assert len(said) == len(words)
    assert all(word in sentence for word, sentence in zip(words, said, strict=True))


def test_a_model_that_fits_in_part_is_told_from_one_that_fits():
    model, mirror = poses(0.5, 0.2, score=0.64), poses(0.2)
    verdict = judge(model, mirror, ATOMS, RESOLUTION)
    assert verdict.found and not verdict.fits
    (said,) = pose_doubts(verdict, model, mirror)
    assert "fits the map only in part: blurred, it correlates 0.64" in said
    assert judge(poses(0.5, 0.2, score=0.66), mirror, ATOMS, RESOLUTION).fits
    # In a map of the wrong hand it is the mirror image that has to fit.
    assert judge(model, poses(0.8, score=0.9), ATOMS, RESOLUTION).fits


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        (Explained(0.95, 0.97), []),
        (Explained(0.5, 0.97), ["the map holds more than the model: the model explains 50 % of the density"]),
        (Explained(0.95, 0.6), ["the map holds less than the model: 60 % of the model's atoms"]),
    ],
)
def test_what_map_and_model_do_not_share_is_said(shares, words):
    said = content_doubts(shares)
    assert len(said) == len(words)
    assert all(word in sentence for word, sentence in zip(words, said, strict=True))


def test_a_better_pixel_size_is_said_with_its_gain():
    wrong = PixelSize(ScaleFit(1.04, 0.9, 0.1), 1.04, True)
    (said,) = scale_doubts(wrong)
    assert "at 1 Å instead of the header's 1.04 Å (-3.8 %)" in said and "0.900 with the map instead of 0.800" in said
    assert not scale_doubts(wrong._replace(is_decidable=False))
    assert not scale_doubts(wrong._replace(fit=ScaleFit(1.01, 0.9, 0.1)))
    assert not scale_doubts(wrong._replace(fit=ScaleFit(1.04, 0.9, 0.005)))
