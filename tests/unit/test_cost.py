"""What a class cost: shares add up to what the stages took, and GPU and processors are kept apart."""

import csv
from pathlib import Path

import pytest

from classfold.report.cost import Cost, cost_of, cost_sentences
from classfold.report.gather import ClassResult, Run, TargetResult
from classfold.report.summary import write_summary


def target(embedding: dict | None, **samples: dict | None) -> TargetResult:
    classes = [ClassResult("adk", name, Path("none"), {}, samples=record) for name, record in samples.items()]
    return TargetResult("adk", {}, embedding, classes, None)


def record(seconds: float, device: str, *together: str) -> dict:
    return {"n_samples": 2, "samples": [], "seconds": seconds, "device": device, "classes_together": list(together)}


def test_the_shares_of_all_classes_are_the_time_of_all_tasks() -> None:
    """Two classes in one sampling task, a third in another, one prediction for all."""
    shared = record(600.0, "cuda:0", "a", "b")
    adk = target({"seconds": 90.0, "device": "cuda:0"}, a=shared, b=shared, c=record(120.0, "cuda:0", "c"))
    costs = [cost_of(adk, result) for result in adk.classes]
    assert costs[0] == costs[1] == Cost(pytest.approx(5.5), None)
    assert sum(cost.gpu_minutes or 0 for cost in costs) == pytest.approx((600 + 120 + 90) / 60)


def test_gpu_and_processors_are_kept_apart() -> None:
    adk = target({"seconds": 60.0, "device": "cpu"}, a=record(30.0, "cuda", "a"))
    cost = cost_of(adk, adk.classes[0])
    assert cost == Cost(0.5, 1.0)
    assert cost_sentences(cost) == [
        "Share of this class in prediction and sampling: 0.5 minutes on a GPU and 1.0 minutes on processors."
    ]


def test_a_class_that_was_never_sampled_cost_its_share_of_the_prediction(tmp_path: Path) -> None:
    adk = target({"seconds": 120.0, "device": "cpu"}, a=record(60.0, "cpu", "a"), b=None)
    write_summary(Run([adk]), tmp_path)
    with (tmp_path / "summary.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["gpu_minutes"], row["compute_minutes"]) for row in rows] == [("", "2.0"), ("", "1.0")]
    nothing = target(None, a=None)
    assert cost_sentences(cost_of(nothing, nothing.classes[0])) == []
