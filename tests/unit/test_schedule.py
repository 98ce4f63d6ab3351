"""Stages and strengths."""

from itertools import pairwise

import pytest

from classfold.errors import InputError
from classfold.schedule import AUTOMATIC, PUBLISHED, GuidanceMode, Stage, make_schedule


@pytest.mark.parametrize(
    ("name", "lengths"), [("experimental", (100, 50, 25, 25)), ("synthetic", (125, 25, 25, 25))]
)
def test_published_lengths(name, lengths) -> None:
    schedule = make_schedule(name, 200)
    assert (schedule.warm_up, schedule.global_, schedule.local, schedule.relaxation) == lengths


@pytest.mark.parametrize("name", ["experimental", "synthetic", "auto"])
@pytest.mark.parametrize("steps", [8, 24, 37, 100, 1000])
def test_scaled_stages_fill_the_steps_in_order(name, steps) -> None:
    schedule = make_schedule(name, steps)
    stages = [schedule.stage(step) for step in range(steps)]
    assert schedule.steps == steps
    assert stages == sorted(stages, key=list(Stage).index)
    assert set(stages) == set(Stage)


def test_strength_falls_through_the_global_stage_and_is_constant_in_the_local_one() -> None:
    schedule = make_schedule("experimental", 200)
    global_ = [schedule.strength(step) for step in range(100, 150)]
    assert global_[0] == 0.25 and global_[-1] == pytest.approx(0.05)
    assert all(before > after for before, after in pairwise(global_))
    assert {schedule.strength(step) for step in range(150, 175)} == {0.5}
    assert {schedule.strength(step) for step in (*range(100), *range(175, 200))} == {0.0}


def test_the_automatic_schedule_takes_as_many_steps_as_a_published_one_and_guides_within_them() -> None:
    automatic = make_schedule(AUTOMATIC, 200)
    starts = [schedule.warm_up for schedule in PUBLISHED.values()]
    assert automatic.steps == 200 and min(starts) <= automatic.warm_up <= max(starts)
    for schedule in PUBLISHED.values():
        assert automatic.warm_up + automatic.global_ == schedule.warm_up + schedule.global_
        assert (automatic.local, automatic.relaxation) == (schedule.local, schedule.relaxation)


def test_strength_of_a_sample_that_is_ahead_is_that_of_its_own_stage() -> None:
    schedule = make_schedule("experimental", 200)
    assert schedule.strength(120, Stage.LOCAL) == 0.5 and schedule.strength(120, Stage.RELAXATION) == 0.0
    assert schedule.strength(120, Stage.GLOBAL) == schedule.strength(120)
    assert schedule.strength(160, Stage.GLOBAL) == pytest.approx(0.05)


def test_the_two_stages_in_the_middle_are_guided() -> None:
    assert [stage.is_guided for stage in Stage] == [False, True, True, False]


@pytest.mark.parametrize(
    ("mode", "stages"), [("fast", set()), ("mixed", {Stage.LOCAL}), ("published", {Stage.GLOBAL, Stage.LOCAL})]
)
def test_stages_whose_gradient_is_taken_through_the_network(mode, stages) -> None:
    assert {stage for stage in Stage if GuidanceMode(mode).looks_through_network(stage)} == stages


def test_automatic_guidance_looks_through_the_network_where_the_map_is_coarse() -> None:
    assert [GuidanceMode.AUTO.of_map(resolution) for resolution in (2.5, 4.9, 5.0, 9.0)] == ["fast"] * 2 + ["mixed"] * 2
    for mode in (GuidanceMode.FAST, GuidanceMode.MIXED, GuidanceMode.PUBLISHED):
        assert mode.of_map(3.0) is mode.of_map(9.0) is mode


@pytest.mark.parametrize(("name", "steps"), [("none", 200), ("experimental", 7)])
def test_impossible_schedules_are_refused(name, steps) -> None:
    with pytest.raises(InputError, match="allowed are"):
        make_schedule(name, steps)
