"""The ranking rule: fit first, geometry next, confidence last."""

import pytest

from classfold.ranking import RANKING_RULE, rank, score_model


def test_a_flawless_model_scores_its_correlation():
    assert score_model(0.8, 0, 0, 0, None) == 0.8


def test_fit_outweighs_geometry_and_geometry_outweighs_confidence():
    assert score_model(0.80, 20, 0.05, 0, 0.2) > score_model(0.75, 0, 0, 0, 0.9)
    assert score_model(0.80, 0, 0, 0, 0.5) > score_model(0.80, 30, 0, 0, 0.9)
    assert score_model(0.80, 0, 0, 0, 0.9) > score_model(0.80, 0, 0, 0, 0.5)


def test_a_mirror_image_loses_to_any_model_of_the_right_hand_with_some_fit():
    assert score_model(0.9, 0, 0, 1.0, 1.0) < score_model(0.5, 10, 0.1, 0, 0.1)


@pytest.mark.parametrize("position", range(1, 4))
def test_every_flaw_lowers_the_score(position):
    flawless = [0.8, 0.0, 0.0, 0.0, None]
    flawed = list(flawless)
    flawed[position] = 0.5
    assert score_model(*flawed) < score_model(*flawless)


def test_beyond_the_limit_more_clashes_do_not_count():
    assert score_model(0.8, 100, 0, 0, None) == score_model(0.8, 900, 0, 0, None) == pytest.approx(0.7)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_makes_no_score(value):
    with pytest.raises(ValueError, match="finite"):
        score_model(value, 0, 0, 0, None)
    with pytest.raises(ValueError, match="finite"):
        score_model(0.8, 0, 0, 0, value)


def test_the_best_come_first_equals_keep_their_order_and_the_rejected_are_left_out():
    assert rank([0.5, None, 0.9, 0.5, 0.7]) == [2, 4, 0, 3]
    assert rank([None, None]) == []


def test_the_rule_that_is_recorded_names_what_it_weighs():
    for word in ("CC_mask", "clashscore", "CA-CA", "left-handed", "confidence", "rejected"):
        assert word in RANKING_RULE
