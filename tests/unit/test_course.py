"""Where a sample stands in its schedule, by the course of its losses."""

import math
from itertools import pairwise

import pytest

from classfold.course import GAIN, LOCAL_STRENGTH, PATIENCE, AutomaticCourse, Course, FixedCourse
from classfold.schedule import Schedule, Stage, make_schedule

AUTOMATIC = make_schedule("auto", 200)
WAIT = round(PATIENCE * 200)


def automatic(schedule: Schedule = AUTOMATIC) -> AutomaticCourse:
    return AutomaticCourse(schedule, first_local=0)


def follow(course: Course, losses, schedule: Schedule = AUTOMATIC) -> list[Stage]:
    """Stages of all steps when the guided ones find ``losses(step, stage)``."""
    stages = []
    for step in range(schedule.steps):
        stages.append(course.stage_at(step))
        course.note(step, losses(step, stages[-1]) if stages[-1].is_guided else math.nan)
    return stages


def first(stages: list[Stage], stage: Stage) -> int:
    return stages.index(stage)


@pytest.mark.parametrize("name", ["experimental", "synthetic"])
@pytest.mark.parametrize("losses", [lambda step, stage: 1.0, lambda step, stage: 1 / (step + 1)])
def test_a_published_schedule_is_fixed(name, losses) -> None:
    schedule = make_schedule(name, 200)
    course = FixedCourse(schedule)
    stages = follow(course, losses, schedule)
    assert stages == [schedule.stage(step) for step in range(200)]
    assert [course.strength_at(step) for step in range(200)] == [schedule.strength(step) for step in range(200)]


def test_while_it_pays_the_stage_goes_on_to_the_schedules_end() -> None:
    stages = follow(automatic(), lambda step, stage: 0.9**step)
    assert stages == [AUTOMATIC.stage(step) for step in range(200)]


@pytest.mark.parametrize("paying", [0, 1, 10])
def test_the_global_stage_ends_when_the_patience_ends(paying) -> None:
    """Its first step pays in any case, for there is nothing before; so do ``paying`` more, and none after them."""
    last = AUTOMATIC.warm_up + paying
    stages = follow(automatic(), lambda step, stage: 0.5 ** min(step, last))
    assert first(stages, Stage.LOCAL) == last + WAIT + 1
    assert first(stages, Stage.RELAXATION) == 200 - AUTOMATIC.relaxation


def test_gains_below_the_least_add_up_until_they_pay() -> None:
    slow = 1 - GAIN / 2
    stages = follow(automatic(), lambda step, stage: slow**step)
    assert stages == [AUTOMATIC.stage(step) for step in range(200)]
    slower = 1 - GAIN / (WAIT + 2)
    stages = follow(automatic(), lambda step, stage: slower**step)
    assert first(stages, Stage.LOCAL) == AUTOMATIC.warm_up + WAIT + 1


@pytest.mark.parametrize(
    "losses",
    [
        lambda step, stage: 1.0,
        lambda step, stage: math.nan,
        lambda step, stage: math.inf,
        lambda step, stage: 1.0 + math.sin(step),
        lambda step, stage: 2.0 ** (step % 7),
        lambda step, stage: 0.9**step if stage is Stage.GLOBAL else 5.0,
        lambda step, stage: -0.001 * step,
    ],
)
@pytest.mark.parametrize("steps", [8, 24, 200, 1000])
def test_a_stage_is_never_later_than_scheduled_and_never_returns(losses, steps) -> None:
    schedule = make_schedule("auto", steps)
    order = list(Stage).index
    stages = follow(automatic(schedule), losses, schedule)
    assert all(order(before) <= order(after) for before, after in pairwise(stages))
    assert all(order(got) >= order(schedule.stage(step)) for step, got in enumerate(stages))
    assert all(got is Stage.WARM_UP for got in stages[: schedule.warm_up])
    assert first(stages, Stage.RELAXATION) == steps - schedule.relaxation and Stage.LOCAL in stages


def test_a_loss_that_is_not_a_number_does_not_pay() -> None:
    stages = follow(automatic(), lambda step, stage: math.nan)
    assert first(stages, Stage.LOCAL) == AUTOMATIC.warm_up + WAIT


def test_strengths_are_the_schedules_but_the_local_one_is_the_courses_own() -> None:
    course = automatic()
    strengths = []
    for step in range(200):
        strengths.append(course.strength_at(step))
        course.note(step, 1.0)
    ahead = AUTOMATIC.warm_up + WAIT + 1
    assert strengths[:ahead] == [AUTOMATIC.strength(step) for step in range(ahead)]
    assert set(strengths[ahead:175]) == {LOCAL_STRENGTH} and set(strengths[175:]) == {0.0}


def test_the_density_is_not_followed_before_the_noise_allows_it() -> None:
    earliest = AUTOMATIC.warm_up + 30
    stages = follow(AutomaticCourse(AUTOMATIC, first_local=earliest), lambda step, stage: 1.0)
    assert first(stages, Stage.LOCAL) == earliest
    never = follow(AutomaticCourse(AUTOMATIC, first_local=199), lambda step, stage: 1.0)
    assert never == [AUTOMATIC.stage(step) for step in range(200)]
