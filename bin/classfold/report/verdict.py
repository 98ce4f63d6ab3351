"""Why a model is accepted, to be inspected or rejected: every number that was judged beside its limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from classfold.report.gather import ClassResult
from classfold.report.glance import VERDICTS, Chip
from classfold.report.tables import Cell, Head, Table
from classfold.verdict import CRITERIA, Criterion, Decision

COMPARED = {"higher": ("≥", "<"), "lower": ("≤", ">")}
"""What accepts a value, and what rejects it."""
SEVERITY = (Decision.REJECT, Decision.INSPECT, Decision.ACCEPT)
MOST_SAMPLES = 12


@dataclass(frozen=True)
class VerdictPart:
    """What the page says of a class's verdict; empty where an older record holds none."""

    chip: Chip | None
    reasons: list[str]
    evidence: Table | None
    clusters: Table | None


def verdict_part(result: ClassResult) -> VerdictPart:
    """Of the best model of one class."""
    models = result.models or {}
    verdict = models.get("verdict") or {}
    evidence = verdict.get("evidence")
    return VerdictPart(
        chip=VERDICTS.get(verdict.get("verdict", "")),
        reasons=list(verdict.get("reasons", [])),
        evidence=evidence_table(evidence) if evidence else None,
        clusters=clusters_table(models.get("clusters", [])),
    )


def evidence_table(evidence: dict[str, Any]) -> Table:
    """One row per criterion, what was missed first: the value, what accepts, what rejects, how the value is judged."""
    heads = [
        Head("Criterion", numeric=False),
        Head("This model"),
        Head("Accepted if"),
        Head("Rejected if"),
        Head("Judged", numeric=False),
        Head("A miss speaks of", numeric=False),
    ]
    judged = [(criterion, evidence.get(criterion.name)) for criterion in CRITERIA]
    judged.sort(key=lambda pair: SEVERITY.index(pair[0].judge(pair[1])))
    return Table(heads, [_evidence_row(*pair) for pair in judged], sortable=False)


def _evidence_row(criterion: Criterion, value: float | None) -> list[Cell]:
    accepts, rejects = COMPARED[criterion.better]
    chip = VERDICTS[str(criterion.judge(value))]
    return [
        Cell(criterion.title),
        Cell(None if value is None else _limit(value)),
        Cell(f"{accepts} {_limit(criterion.accept)}"),
        Cell(None if criterion.reject is None else f"{rejects} {_limit(criterion.reject)}"),
        Cell("not measured" if value is None else f"{chip.symbol} {chip.word}"),
        Cell(criterion.why.replace("`", "")),
    ]


def _limit(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def clusters_table(clusters: list[dict[str, Any]]) -> Table | None:
    """One row per group of samples that are one model; None where all finished samples are one."""
    if len(clusters) < 2:
        return None
    heads = [
        Head("Group"),
        Head("Best sample"),
        Head("CC_mask", explained="cc-mask"),
        Head("Verdict", numeric=False, explained="verdict"),
        Head("File", numeric=False),
        Head("Samples"),
        Head("Which", numeric=False),
    ]
    rows = []
    for place, cluster in enumerate(clusters, start=1):
        chip = VERDICTS.get(cluster["verdict"] or "")
        rows.append(
            [
                Cell(str(place)),
                Cell(str(cluster["representative"])),
                Cell(f"{cluster['cc_mask']:.3f}"),
                Cell(f"{chip.symbol} {chip.word}" if chip else None),
                Cell(cluster["file"]),
                Cell(str(len(cluster["samples"]))),
                Cell(_named(cluster["samples"])),
            ]
        )
    return Table(heads, rows, sortable=False)


def _named(samples: list[int]) -> str:
    """The best of them, by their numbers."""
    return ", ".join(map(str, samples[:MOST_SAMPLES])) + (" …" if len(samples) > MOST_SAMPLES else "")
