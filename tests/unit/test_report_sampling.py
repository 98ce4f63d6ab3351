"""What the report says and draws of the sampling: whose course, which decisions, who was stopped or replaced."""

from __future__ import annotations

import re
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from classfold.population import Selection
from classfold.report.courses import Courses, Span, read_courses
from classfold.report.loss_plot import LEFT, RIGHT, WIDTH, plot_losses
from classfold.report.sampling_sentences import sampling_sentences
from classfold.report.tables import stopped_table
from classfold.schedule import make_schedule
from tests.report_sampling import walk

COLUMNS = ["sample", "step", "stage", "sigma_angstrom", "guidance_strength", "loss"]


def drawn(n: int, *, schedule: str = "auto", steps: int = 200, early_stop: bool = True, steering: bool = False):
    """Losses, record and finished samples of ``n`` samples; sample 1 is the best, the last one the worst."""
    chosen = make_schedule(schedule, steps)
    rng = np.random.default_rng(n)
    losses, stopped, resamplings, finished = walk(np.linspace(1, 0, n), chosen, Selection(early_stop, steering), rng)
    record = {
        "n_samples": n,
        "samples": [{"sample": number} for number in finished],
        "stopped": stopped,
        "resamplings": resamplings,
        "schedule": asdict(chosen) | {"global": chosen.global_},
        "guidance": "fast",
        "early_stop": early_stop,
        "steering": steering,
        "evaluations": len(losses),
        "shared_evaluations": chosen.warm_up * n,
        "seconds": 12.0,
        "classes_together": ["open"],
        "device": "cpu",
    }
    return losses, record, finished


def table(stages: dict[int, str]) -> pd.DataFrame:
    """Losses of samples by their stages, a letter per step (g, l, r) from step 4 on."""
    names = {"g": "global", "l": "local", "r": "relaxation"}
    rows = [
        (sample, step, names[letter], 1.0, 0.1, None if letter == "r" else 100.0 * sample + step)
        for sample, letters in stages.items()
        for step, letter in enumerate(letters, start=4)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def texts(picture: str) -> list[tuple[float, float, str, str]]:
    """(left, right, y, content) of the texts of a picture, characters taken as 7 wide."""
    found = re.findall(r'<text class="([^"]*)" x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)">([^<]+)<', picture)
    part = {"start": 0.0, "middle": 0.5, "end": 1.0}
    return [
        (float(x) - part[anchor] * 7 * len(said), float(x) + (1 - part[anchor]) * 7 * len(said), float(y), said)
        for css, x, y, anchor, said in found
        if css in ("tick", "span-label")
    ]


def row_of(picture: str, name: str) -> list[str]:
    """What stands beside a name, from left to right; nothing where there is no such row."""
    height = next((y for _, _, y, said in texts(picture) if said == name), None)
    return [said for _, _, y, said in sorted(texts(picture)) if y == height and said != name]


def test_stages_are_those_that_each_sample_went_through() -> None:
    losses = table({1: "ggglllr", 2: "gllllr", 3: "gggg", 4: "ggggllr"})
    courses = read_courses(losses, {"stopped": [{"sample": 3, "step": 7}]}, best=1)
    assert courses.spans == [Span("global", 4, 6), Span("local", 7, 9), Span("relaxation", 10, 10)]
    # Sample 3 was stopped in its global stage: it did not end by itself.
    assert sorted(courses.last_steps["global"].tolist()) == [4, 7]
    assert set(courses.differing_ends()) == {"global", "local"}
    assert courses.stopped == {7: [3]} and courses.replaced == {} and courses.origins == []


def test_a_copy_has_the_past_of_the_sample_that_it_was_copied_from() -> None:
    losses = table({1: "ggllll", 2: "gggggl", 3: "gggggg"})
    resamplings = [
        {"step": 5, "samples": [1, 2, 3], "continued_from": [1, 3, 3]},
        {"step": 7, "samples": [1, 2, 3], "continued_from": [2, 2, 3]},
    ]
    courses = read_courses(losses, {"resamplings": resamplings}, best=1)
    assert courses.origins == [(5, 3), (7, 2)]
    assert courses.rows["loss"].tolist() == [304, 305, 206, 207, 108, 109]
    assert courses.replaced == {5: [2], 7: [1]}
    assert courses.spans == [Span("global", 4, 7), Span("local", 8, 9)]


def test_the_course_of_a_finished_sample_is_shown_where_none_is_the_best() -> None:
    losses = table({1: "gg", 2: "ggllr"})
    courses = read_courses(losses, {"stopped": [{"sample": 1, "step": 5}]}, best=-1)
    assert (courses.sample, courses.is_best, courses.name) == (2, False, "sample 2")
    assert "best" not in re.sub('class="line best"', "", plot_losses(losses, courses))


def test_a_stage_that_ends_alike_in_all_samples_has_no_range() -> None:
    losses, record, _ = drawn(5, schedule="experimental", early_stop=False)
    assert read_courses(losses, record, best=1).differing_ends() == {}


def test_the_plot_marks_the_decisions_at_their_steps() -> None:
    losses, record, _ = drawn(25)
    courses = read_courses(losses, record, best=1)
    picture = str(plot_losses(losses, courses))
    first, last = 112, 199
    assert {f"{span.stage} {span.first}–{span.last}" for span in courses.spans} <= {text[3] for text in texts(picture)}
    lines = [float(x) for x in re.findall(r'class="decision" x1="([\d.]+)"', picture)]
    width = WIDTH - LEFT - RIGHT
    expected = [LEFT + width * (span.last + 1 - first) / (last - first + 1) for span in courses.spans[:-1]]
    assert lines == pytest.approx(expected, abs=0.06) and len(lines) == 2
    low, high = courses.last_steps["global"].min(), courses.last_steps["global"].max()
    assert low < high and f"global stage ended at {low} to {high}" in picture
    assert row_of(picture, "stopped") == ["12", "6", "3"] and row_of(picture, "replaced") == []
    assert picture.count('class="stop"') == 21 and picture.count('class="checkpoint"') == 3
    assert "12 samples stopped after this step" in picture


@pytest.mark.parametrize("steps", [40, 200])
@pytest.mark.parametrize("schedule", ["auto", "experimental", "synthetic"])
def test_the_labels_of_75_samples_keep_apart(schedule: str, steps: int) -> None:
    losses, record, _ = drawn(75, schedule=schedule, steps=steps, steering=True)
    found = texts(str(plot_losses(losses, read_courses(losses, record, best=1))))
    assert len(found) > 10
    for index, (left, right, y, said) in enumerate(found):
        for other_left, other_right, other_y, other in found[index + 1 :]:
            assert y != other_y or right <= other_left or other_right <= left, f"{said!r} over {other!r}"


def test_lines_end_where_a_sample_was_replaced() -> None:
    losses = table({1: "gggg", 2: "gggg"})
    resamplings = [{"step": 5, "samples": [1, 2], "continued_from": [1, 1]}]
    picture = str(plot_losses(losses, read_courses(losses, {"resamplings": resamplings}, best=1)))
    assert picture.count('class="line other"') == 3 and picture.count('class="line best"') == 1
    assert row_of(picture, "replaced") == ["1"]


def test_losses_that_are_no_numbers_or_not_positive_are_drawn_on_the_edge_or_not() -> None:
    losses = table({1: "ggllr", 2: "ggllr"})
    losses.loc[losses["sample"] == 2, "loss"] = [np.inf, np.nan, -1.0, 0.0, np.nan]
    picture = str(plot_losses(losses, read_courses(losses, {}, best=1)))
    assert "nan" not in picture and "inf" not in picture
    assert picture.count('class="line other"') == 3


def said(losses: pd.DataFrame, record: dict, best: int = 1) -> str:
    return " ".join(sampling_sentences(record, read_courses(losses, record, best)))


def test_sentences_of_samples_that_were_stopped_by_the_automatic_schedule() -> None:
    losses, record, _ = drawn(25)
    courses = read_courses(losses, record, best=1)
    text = said(losses, record)
    assert "25 samples were drawn; 13, 7 and 4 went on after steps 121, 130 and 149 by their fit to the map" in text
    assert "4 were finished." in text
    end = courses.spans[0].last
    assert end < 149 and f"the best sample's global stage at step {end} (its loss had stopped falling)" in text
    assert "its local stage at step 174 (the latest that it allows)" in text
    last = courses.last_steps["global"]
    assert f"Of the other samples, {len(last)} left the global stage, at steps {last.min()} to {last.max()}." in text
    assert f"Cost: {len(losses)} evaluations of the denoiser for this class, 2800 for the warm-up" in text
    assert "Guidance “fast”" in text and "Sampling took 12 s on cpu." in text and "Steering" not in text


def test_a_stage_that_went_on_as_long_as_it_may_is_said_to() -> None:
    losses, record, _ = drawn(3)
    losses.loc[losses["step"].between(112, 149), "stage"] = "global"
    assert "global stage at step 149 (the latest that it allows)" in said(losses, record)


def test_sentences_of_the_published_way() -> None:
    losses, record, _ = drawn(4, schedule="synthetic", early_stop=False)
    text = said(losses, record | {"guidance": "published", "classes_together": ["a", "b", "c"]})
    assert "4 samples were drawn and all of them were finished; early stopping was off." in text
    assert "schedule “synthetic”: global from step 125 to 149, local from step 150 to 174 and relaxation" in text
    assert "through the network in both stages" in text and "two where a gradient went through it" in text
    assert "for a, b and c together" in text and "stopped falling" not in text


def test_sentences_of_steering_name_who_was_replaced_and_where_the_best_came_from() -> None:
    losses, record, _ = drawn(12, early_stop=False, steering=True)
    copy = next(
        sample
        for sample, origin in zip(
            *(record["resamplings"][0][key] for key in ("samples", "continued_from")), strict=True
        )
        if sample != origin
    )
    courses = read_courses(losses, record, best=copy)
    text = said(losses, record, best=copy)
    counts = [len(lost) for lost in courses.replaced.values()]
    assert list(courses.replaced) == [121, 130, 149]
    assert "Steering: after steps 121, 130 and 149, copies of samples that fitted the map better replaced" in text
    assert "replaced {}, {} and {} of the others.".format(*counts) in text
    step, origin = courses.origins[-1]
    assert f"sample {origin} after step {step}." in text
    same = record | {"resamplings": [{"step": 121, "samples": [1, 2], "continued_from": [1, 2]}]}
    assert "none was replaced" in said(losses, same)


@pytest.mark.parametrize(
    ("n", "expected"),
    [(1, "1 sample was drawn and finished; 3 of a class"), (5, "5 samples were drawn; 3 went on after step 121 by")],
)
def test_sentences_of_few_samples(n: int, expected: str) -> None:
    losses, record, _ = drawn(n)
    assert expected in said(losses, record)


def test_records_of_before_samples_were_stopped_are_told_as_far_as_they_go() -> None:
    losses, record, _ = drawn(4, schedule="experimental", early_stop=False)
    old = ("n_samples", "samples", "schedule", "guidance", "seconds", "device")
    record = {key: record[key] for key in old} | {"guidance": "published"}
    # Losses of that time may begin with the warm-up, and name its stage.
    warm_up = pd.DataFrame([(1, step, "warm_up", 9.0, 0.0, np.nan) for step in range(100)], columns=COLUMNS)
    losses = pd.concat([warm_up, losses])
    text = said(losses, record)
    assert text.startswith("4 samples were drawn and all of them were finished. Every sample followed")
    assert "global from step 100 to 149" in text and "Cost" not in text
    assert "0 to 99: warm-up" in plot_losses(losses, read_courses(losses, record, best=1))
    assert stopped_table(record) is None and stopped_table(None) is None
    assert sampling_sentences(None, None) == []


def test_the_table_of_stopped_samples_is_in_the_order_of_the_steps() -> None:
    _, record, finished = drawn(25)
    record["stopped"].reverse()
    found = stopped_table(record)
    rows = [[cell.sort for cell in row] for row in found.rows]
    assert len(rows) == 21 and rows == sorted(rows, key=lambda row: (row[1], row[0]))
    assert {row[0] for row in rows} | set(finished) == set(range(1, 26))
    assert all(fit < least for *_, fit, least in rows)
    without_fit = stopped_table({"stopped": [{"sample": 1, "step": 3, "fit": None, "least_kept": 0.5}]})
    assert without_fit.rows[0][2].text is None


def test_the_courses_of_many_samples_are_whole() -> None:
    losses, record, finished = drawn(12, steering=True)
    for sample in finished:
        courses: Courses = read_courses(losses, record, best=sample)
        assert courses.rows["step"].tolist() == list(range(112, 200))
        assert [span.stage for span in courses.spans] == ["global", "local", "relaxation"]


def test_the_report_says_how_many_began_at_the_assembled_model() -> None:
    losses, record, finished = drawn(4, early_stop=False)
    assert not any("put together" in said for said in sampling_sentences(record, read_courses(losses, record, 1)))
    for sample in record["samples"]:
        began = sample["sample"] % 2 == 1
        sample |= {"start": "assembled" if began else "docked", "first_step": 129 if began else 112}
    late = losses[(losses["sample"] % 2 == 0) | (losses["step"] >= 129)]
    courses = read_courses(late, record, 1)
    said = sampling_sentences(record, courses)
    assert finished == [1, 2, 3, 4]
    assert "2 finished samples began at step 129 at the model put together from its parts" in said[1]
    assert courses.spans[0].first == 129
