"""Classes that have no model, and why: what the pipeline's failures.json says, brought to single classes."""

from __future__ import annotations

from dataclasses import dataclass

from classfold.report.gather import Run

UNTOLD = "A stage before it left nothing, and nothing says why: see the log of the run."


@dataclass(frozen=True)
class FailedClass:
    """One class without a model."""

    target: str
    name: str
    reasons: list[str]
    """A sentence for each failure that concerned it."""
    population: float | None = None


def why_failed(run: Run, target: str, name: str) -> list[str]:
    """Sentences of the failures of a class, or of its whole target."""
    found = [
        failure["sentence"]
        for failure in run.outcome.get("failures", [])
        if failure.get("target") in (target, None) and failure.get("class") in (name, None)
    ]
    return found or [UNTOLD]


def failed_classes(run: Run) -> list[FailedClass]:
    """Classes that left no map either, so that there is nothing to show of them but the reason."""
    shown = {(result.target, result.name) for result in run.classes}
    missing = ((entry["target"], entry["class"]) for entry in run.outcome.get("classes_without_model", []))
    return [
        FailedClass(target, name, why_failed(run, target, name), run.populations.get((target, name)))
        for target, name in missing
        if (target, name) not in shown
    ]
