"""What SAMPLE_GUIDED leaves for the report: losses made up, and decided on by the rules of the sampler itself."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from classfold.course import AutomaticCourse, Course, FixedCourse
from classfold.population import Selection, better_half, resampled, tempered_weights
from classfold.records import write_json
from classfold.schedule import AUTOMATIC, Schedule, Stage, make_schedule
from tests.report_stages import Case

STEPS = 200
OLD_KEYS = ("target", "class", "n_samples", "samples", "schedule", "steps", "guidance", "prior", "weights_label")
OLD_KEYS += ("seconds", "device", "warnings")


@dataclass
class Walker:
    """A sample that has a quality, 0 to 1, instead of coordinates."""

    number: int
    quality: float
    course: Course
    taken: int = 0
    """Steps in its stage."""

    def row(self, step: int, sigma: float, rng: np.random.Generator) -> tuple[object, ...]:
        """One row of ``losses.csv``; the loss falls to a floor, faster and deeper for a better sample."""
        stage, strength = self.course.stage_at(step), self.course.strength_at(step)
        high, floor, pace = {Stage.GLOBAL: (260, 9, 3.0), Stage.LOCAL: (0.9, 0.4, 9.0)}.get(stage, (0, 0, 1))
        bad = 1.7 - self.quality
        loss = bad * (high * np.exp(-self.taken / (pace * bad)) + floor) * rng.normal(1, 0.01)
        self.taken += 1
        if stage.is_guided:
            self.course.note(step, loss)
        if self.course.stage_at(step + 1) is not stage:
            self.taken = 0
        return self.number, step, stage.value, sigma, strength, loss if stage.is_guided else None


def walk(
    quality: np.ndarray, schedule: Schedule, selection: Selection, rng: np.random.Generator
) -> tuple[pd.DataFrame, list[dict[str, object]], list[dict[str, object]], list[int]]:
    """Losses, stopped samples, resamplings and the numbers of the finished samples of these qualities (n,)."""
    walkers = [Walker(number, value, make_course(schedule)) for number, value in enumerate(quality.tolist(), start=1)]
    sigma = np.geomspace(2560, 0.006, schedule.steps)
    rows: list[tuple[object, ...]] = []
    stopped: list[dict[str, object]] = []
    resamplings: list[dict[str, object]] = []
    for step in range(schedule.warm_up, schedule.steps):
        rows += [walker.row(step, sigma[step], rng) for walker in walkers]
        if step not in selection.checkpoints(schedule):
            continue
        if selection.early_stop:
            fit = np.array([0.3 + 0.5 * walker.quality for walker in walkers])
            kept = better_half(fit)
            lost = [index for index in range(len(walkers)) if index not in kept]
            stopped += [
                {"sample": walkers[i].number, "step": step, "fit": fit[i], "least_kept": fit[kept].min()} for i in lost
            ]
            walkers = [walkers[index] for index in kept]
        if selection.steering:
            weights = tempered_weights(20 * np.array([walker.quality for walker in walkers]))
            origins = [walkers[index] for index in resampled(weights, (step,))]
            numbers = [walker.number for walker in walkers]
            resamplings.append(
                {"step": step, "samples": numbers, "continued_from": [origin.number for origin in origins]}
            )
            walkers = [
                replace(copy.deepcopy(origin), number=number) for origin, number in zip(origins, numbers, strict=True)
            ]
    columns = ["sample", "step", "stage", "sigma_angstrom", "guidance_strength", "loss"]
    losses = pd.DataFrame(rows, columns=columns).sort_values(["sample", "step"])
    return losses, stopped, resamplings, [walker.number for walker in walkers]


def make_course(schedule: Schedule) -> Course:
    """A sample's course at its start."""
    if schedule.name == AUTOMATIC:
        return AutomaticCourse(schedule, first_local=0)
    return FixedCourse(schedule)


def write_sampling(
    folder: Path, target: str, name: str, quality: np.ndarray, rng: np.random.Generator, case: Case
) -> list[int]:
    """Write ``samples.json`` and ``losses.csv``; returns the numbers of the samples that were finished."""
    folder.mkdir()
    schedule = make_schedule(case.schedule, STEPS)
    selection = Selection(case.early_stop and not case.is_old, case.steering)
    losses, stopped, resamplings, finished = walk(quality, schedule, selection, rng)
    losses.to_csv(folder / "losses.csv", index=False)
    lengths = {name: length for name, length in asdict(schedule).items() if name != "global_"}
    record = {
        "target": target,
        "class": name,
        "n_samples": len(quality),
        "samples": [{"sample": i, "seed": 1, "replicate": 1 + i % 3, "index": i // 3 + 1} for i in finished],
        "stopped": stopped,
        "resamplings": resamplings,
        "schedule": lengths | {"global": schedule.global_},
        "steps": STEPS,
        "guidance": case.guidance,
        "early_stop": case.early_stop,
        "steering": case.steering,
        "sharpness_matched": True,
        "physical_guidance": False,
        "evaluations": len(losses),
        "shared_evaluations": schedule.warm_up * len(quality),
        "prior": "boltz1",
        "weights_label": case.weights_label,
        "seconds": 241.0,
        "classes_together": list(case.classes),
        "device": "cpu",
        "warnings": [],
    }
    write_json({key: record[key] for key in (OLD_KEYS if case.is_old else record)}, folder / "samples.json")
    return finished
