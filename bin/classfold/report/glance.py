"""The top of the report: one line and one picture per class, for a reader who has a minute."""

from __future__ import annotations

from dataclasses import dataclass, field

from classfold.report.failures import failed_classes, why_failed
from classfold.report.gather import ClassResult, Run, TargetResult
from classfold.report.movement import what_moved
from classfold.report.svg import count
from classfold.report.views import View


@dataclass(frozen=True)
class Chip:
    """A verdict that is told by its word, its symbol and its colour."""

    word: str
    symbol: str


VERDICTS = {"accept": Chip("accept", "✓"), "inspect": Chip("inspect", "!"), "reject": Chip("reject", "✕")}
FAILED = Chip("failed", "∅")
SAID = {"accept": "accepted", "inspect": "to be inspected", "reject": "rejected", FAILED.word: "failed"}


@dataclass(frozen=True)
class Card:
    """One class at a glance."""

    target: str
    name: str
    anchor: str | None
    """None where the class has no section of its own."""
    picture: str | None
    chip: Chip | None
    facts: list[tuple[str, str, str | None]]
    """What is measured, its value, and the anchor of its explanation."""
    warnings: int
    warnings_anchor: str | None
    sentences: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Group:
    """The cards of one target, and a sentence on how its classes follow one another."""

    target: str
    cards: list[Card]
    order: str | None


def _facts(result: ClassResult) -> list[tuple[str, str, str | None]]:
    models = result.models or {}
    docked = (models.get("unguided") or {}).get("cc_mask")
    found: list[tuple[str, str, str | None]] = []
    if result.population is not None:
        found.append(("particles", f"{100 * result.population:.1f} %", "population"))
    if models:
        found.append(("CC_mask", f"{models['cc_mask']:.3f}", "cc-mask"))
    if docked is not None:
        found.append(("unguided", f"{docked:.3f}", "unguided"))
    found.append(("resolution", f"{float(result.map['resolution_angstrom']):.3g} Å", "fsc"))
    return found


def _card(run: Run, target: TargetResult, result: ClassResult, view: View) -> Card:
    verdict = (result.models or {}).get("verdict") or {}
    reasons, moved = verdict.get("reasons", [])[:1], what_moved(target.comparison, result.name)
    failed = [] if result.models is not None else why_failed(run, result.target, result.name)
    own = f"warnings.{result.target}.{result.name}" if result.warnings else f"warnings.{result.target}"
    n_warnings = len(target.warnings) + len(result.warnings)
    return Card(
        target=result.target,
        name=result.name,
        anchor=result.anchor,
        picture=view.picture_of(result.name),
        chip=FAILED if result.models is None else VERDICTS.get(verdict.get("verdict", "")),
        facts=_facts(result),
        warnings=n_warnings,
        warnings_anchor=own if n_warnings else None,
        sentences=[*failed, *reasons, *([moved] if moved else [])],
    )


def _order(target: TargetResult) -> str | None:
    """Classes along the main motion, where the comparison found one."""
    order = target.comparison.record.get("order") if target.comparison is not None else None
    return " → ".join(map(str, order)) if order and len(order) > 2 else None


def glance(run: Run, views: dict[str, View]) -> list[Group]:
    """The cards of all targets; classes that failed before they had a map come last in their target."""
    missing = failed_classes(run)
    names = list(dict.fromkeys([target.name for target in run.targets] + [failed.target for failed in missing]))
    found = []
    for name in names:
        targets = [target for target in run.targets if target.name == name]
        cards = [_card(run, target, result, views[name]) for target in targets for result in target.classes]
        for failed in (entry for entry in missing if entry.target == name):
            share = failed.population
            facts: list[tuple[str, str, str | None]] = []
            if share is not None:
                facts.append(("particles", f"{100 * share:.1f} %", "population"))
            cards.append(Card(name, failed.name, None, None, FAILED, facts, 0, None, failed.reasons))
        found.append(Group(name, cards, _order(targets[0]) if targets else None))
    return found


def verdict_sentence(groups: list[Group]) -> str | None:
    """How many classes have which verdict; None where nothing was judged and nothing failed."""
    words = [card.chip.word for group in groups for card in group.cards if card.chip is not None]
    told = [(words.count(word), said) for word, said in SAID.items() if word in words]
    if not told:
        return None
    (first, said), *others = told
    return f"{count(first, 'class', 'classes')} {said}" + "".join(f", {n} {how}" for n, how in others) + "."
