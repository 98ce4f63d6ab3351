"""Stages and strengths."""

from itertools import pairwise

import pytest

from classfold.errors import InputError
from classfold.schedule import Stage, make_schedule


@pytest.mark.parametrize(
    ("name", "lengths"), [("experimental", (100, 50, 25, 25)), ("synthetic", (125, 25, 25, 25))]
)
def test_published_lengths(name, lengths) -> None:
    schedule = make_schedule(name, 200)
    assert (schedule.warm_up, schedule.global_, schedule.local, schedule.relaxation) == lengths


@pytest.mark.parametrize("name", ["experimental", "synthetic"])
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


@pytest.mark.parametrize(("name", "steps"), [("none", 200), ("experimental", 7)])
def test_impossible_schedules_are_refused(name, steps) -> None:
    with pytest.raises(InputError, match="allowed are"):
        make_schedule(name, steps)
