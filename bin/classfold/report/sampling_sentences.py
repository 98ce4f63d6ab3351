"""How the samples of a class were drawn, in sentences: how many went on, which stages they took, what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from classfold.population import LEAST_SAMPLES
from classfold.report.courses import Courses, read_stopped, replaced_samples
from classfold.report.svg import count, number
from classfold.schedule import AUTOMATIC, GuidanceMode, Stage, Start

GUIDANCE = {
    GuidanceMode.FAST: "the map's pull was computed at the denoised sample, not through the network",
    GuidanceMode.MIXED: "the map's pull was computed at the denoised sample, in the local stage through the network",
    GuidanceMode.PUBLISHED: "the map's pull was computed through the network in both stages, with the paper's lengths",
}


def sampling_sentences(samples: Mapping[str, Any] | None, courses: Courses | None) -> list[str]:
    """What SAMPLE_GUIDED did for one class.

    Parameters
    ----------
    samples : mapping, optional
        Record ``samples.json``; those of before samples could be stopped tell less.
    courses : Courses, optional
        From its ``losses.csv``.
    """
    if samples is None:
        return []
    said = [_counts(samples), *_starts(samples), *_steering(samples, courses)]
    if courses is not None:
        said += _stages(samples["schedule"], courses)
    return [*said, _guidance(samples), *_cost(samples)]


def _listed(values: Sequence[Any]) -> str:
    """1, 2 and 3."""
    words = [str(value) for value in values]
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _after(steps: Sequence[int]) -> str:
    return f"after {'step' if len(steps) == 1 else 'steps'} {_listed(steps)}"


def _counts(samples: Mapping[str, Any]) -> str:
    """How many samples were drawn, went on after each checkpoint, and were finished."""
    n_drawn, n_finished = int(samples["n_samples"]), len(samples["samples"])
    drawn = f"{count(n_drawn, 'sample was', 'samples were')} drawn"
    stopped = read_stopped(samples)
    if stopped:
        left, going_on = n_drawn, []
        for lost in stopped.values():
            left -= len(lost)
            going_on.append(left)
        finished = f"{n_finished} {'was' if n_finished == 1 else 'were'} finished"
        return f"{drawn}; {_listed(going_on)} went on {_after(list(stopped))} by their fit to the map; {finished}."
    whether: dict[Any, str] = {True: f"; {LEAST_SAMPLES} of a class always are", False: "; early stopping was off"}
    reason = whether.get(samples.get("early_stop"), "")
    return f"{drawn} and {'finished' if n_drawn == 1 else 'all of them were finished'}{reason}."


def _starts(samples: Mapping[str, Any]) -> list[str]:
    """How many of the finished samples began at the assembled model, and when."""
    steps = [each["first_step"] for each in samples["samples"] if each.get("start") == Start.ASSEMBLED]
    if not steps:
        return []
    began = f"{count(len(steps), 'finished sample', 'finished samples')} began at step {steps[0]}"
    return [f"{began} at the model put together from its parts, the others where the docked model is."]


def _steering(samples: Mapping[str, Any], courses: Courses | None) -> list[str]:
    """What was resampled, and where the best sample came from."""
    if not samples.get("steering"):
        return []
    events = sorted(samples.get("resamplings", []), key=lambda event: event["step"])
    lost = {event["step"]: len(replaced) for event in events if (replaced := replaced_samples(event))}
    if not lost:
        return ["Steering: the samples fitted the map so alike that none was replaced by a copy of a better one."]
    said = f"Steering: {_after(list(lost))}, copies of samples that fitted the map better replaced "
    said += f"{_listed(list(lost.values()))} of the others."
    if courses is not None and courses.is_best and courses.origins:
        origins = _listed([f"sample {origin} after step {step}" for step, origin in courses.origins])
        said += f" The best sample went on from {origins}."
    return [said]


def _stages(schedule: Mapping[str, Any], courses: Courses) -> list[str]:
    """Where the stages of the best sample ended and why, and where those of the others did."""
    if schedule["name"] != AUTOMATIC:
        spans = [f"{span.stage} from step {span.first} to {span.last}" for span in courses.spans]
        return [f"Every sample followed the schedule “{schedule['name']}”: {_listed(spans)}."]
    ended, end = [], int(schedule["warm_up"])
    last_steps = {span.stage: span.last for span in courses.spans}
    for stage in (Stage.GLOBAL, Stage.LOCAL):
        end += int(schedule[stage])
        if stage in last_steps:
            why = "the latest that it allows" if last_steps[stage] == end - 1 else "its loss had stopped falling"
            ended.append(f"{stage} stage at step {last_steps[stage]} ({why})")
    whose = "the best sample's" if courses.is_best else f"sample {courses.sample}'s"
    said = [f"The automatic schedule ended {whose} {' and its '.join(ended)}."]
    for stage_name, last in courses.differing_ends().items():
        steps = f"steps {last.min()} to {last.max()}" if last.max() > last.min() else f"step {last.min()}"
        said.append(f"Of the other samples, {len(last)} left the {stage_name} stage, at {steps}.")
    return said


def _guidance(samples: Mapping[str, Any]) -> str:
    chosen = samples["guidance"]
    said = f"Guidance “{chosen}”" + (f": {GUIDANCE[chosen]}." if chosen in GUIDANCE else ".")
    return said + (" Boltz's physical potentials were on." if samples.get("physical_guidance") else "")


def _cost(samples: Mapping[str, Any]) -> list[str]:
    """Calls of the network, and the time that they took."""
    said = []
    if "evaluations" in samples:
        twice = "" if samples.get("guidance") == GuidanceMode.FAST else " (two where a gradient went through it)"
        said.append(
            f"Cost: {number(samples['evaluations'])} evaluations of the denoiser{twice} for this class, "
            f"{number(samples['shared_evaluations'])} for the warm-up that all classes of the target share."
        )
    together = samples.get("classes_together", [])
    which = f" for {_listed(together)} together" if len(together) > 1 else ""
    return [*said, f"Sampling took {number(samples['seconds'])} s on {samples['device']}{which}."]
