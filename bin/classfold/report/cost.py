"""What a class cost: minutes of the two stages that run the network, on a GPU or on processors."""

from __future__ import annotations

from typing import NamedTuple

from classfold.report.gather import ClassResult, TargetResult


class Cost(NamedTuple):
    """A class's share of the network's time; None where it spent none of that kind."""

    gpu_minutes: float | None
    compute_minutes: float | None


def cost_of(target: TargetResult, result: ClassResult) -> Cost:
    """Share of a class: its sampling task by the classes in that task, its target's prediction by all of its classes.

    The stages' records say what they took and on which device; classes that share batches cannot be told apart further.
    """
    samples, embedding = result.samples or {}, target.embedding or {}
    shares = ((samples, len(samples.get("classes_together", [result.name]))), (embedding, len(target.classes)))
    spent: dict[bool, float] = {}
    for record, n_classes in shares:
        if "seconds" in record:
            on_gpu = str(record.get("device")).startswith("cuda")
            spent[on_gpu] = spent.get(on_gpu, 0.0) + record["seconds"] / n_classes / 60
    gpu, processors = (round(spent[kind], 3) if kind in spent else None for kind in (True, False))
    return Cost(gpu, processors)


def cost_sentences(cost: Cost) -> list[str]:
    """The same for a reader, one sentence or none."""
    said = [
        f"{minutes:.1f} minutes on {device}"
        for minutes, device in zip(cost, ("a GPU", "processors"), strict=True)
        if minutes is not None
    ]
    return [f"Share of this class in prediction and sampling: {' and '.join(said)}."] if said else []
