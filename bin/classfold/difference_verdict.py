"""Whether two classes show one conformation: the verdict on what their maps show of their models' difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from classfold.shown_difference import Place

LEAST_MOTION_ANGSTROM = 0.5
"""Smaller motions are not called: samples of one conformation differ by as much, and models follow their maps' noise a
little."""
LEAST_MARGIN = 5.0
"""Standard errors by which a motion must stand out; more than the usual three, as each map's noise has shaped its own
models a little."""
MOST_HIDDEN_ANGSTROM = 2.0
"""Where noise could hide more than this, finding no motion says nothing."""


class Verdict(StrEnum):
    """What two classes are to each other."""

    SAME = "same conformation"
    DIFFERENT = "different"
    UNDECIDED = "undecided"


class Shown(NamedTuple):
    """What two maps show of the difference of their models, or of a part of these; in Å, root mean square."""

    motion_angstrom: float
    """By how much the maps say that it moved; negative if each map prefers the other's models."""
    error_angstrom: float
    """Standard error by the noise of both maps."""
    model_angstrom: float
    """By how much the models differ."""

    @property
    def margin(self) -> float:
        """The motion in standard errors."""
        return self.motion_angstrom / max(self.error_angstrom, 1e-9)

    @property
    def detectable_angstrom(self) -> float:
        """The smallest motion that would be called."""
        return max(LEAST_MOTION_ANGSTROM, LEAST_MARGIN * self.error_angstrom)

    @property
    def is_different(self) -> bool:
        """Whether the motion is large enough and stands out of the noise."""
        return self.motion_angstrom >= self.detectable_angstrom


class Judged(NamedTuple):
    """The verdict on a pair of classes."""

    verdict: Verdict
    evidence: Shown
    """Of the whole, or of the part that decided."""
    reason: str


def shown(in_first: Place, in_second: Place, model_angstrom: float) -> Shown:
    """What two maps show, from where each lies between the models, which differ by so many Å.

    Maps cannot show more of a difference than there is: a share above 1 comes from models that are nearly the same,
    whose difference is what each of them made of its map's noise.
    """
    share = min(in_second.value - in_first.value, 1.0)
    error = math.hypot(in_first.error, in_second.error)
    return Shown(share * model_angstrom, error * model_angstrom, model_angstrom)


def judge_pair(names: tuple[str, str], whole: Shown, parts: Sequence[tuple[str, Shown]]) -> Judged:
    """Judge two classes.

    Parameters
    ----------
    names : (str, str)
        Of the classes.
    whole : Shown
        Of the whole models.
    parts : sequence of (str, Shown)
        Of each moving part, with its residues in words.
    """
    moved = [(said, part) for said, part in parts if math.isfinite(part.motion_angstrom) and part.is_different]
    first, second = names
    if math.isfinite(whole.motion_angstrom) and whole.is_different:
        return Judged(Verdict.DIFFERENT, whole, f"{first} and {second} differ: {_motion(whole, 'the molecule')}.")
    if moved:
        said, part = max(moved, key=lambda entry: entry[1].margin)
        reason = f"{first} and {second} differ in residues {said}: {_motion(part, 'they')}."
        return Judged(Verdict.DIFFERENT, part, reason)
    if not math.isfinite(whole.error_angstrom + whole.motion_angstrom):
        if whole.model_angstrom < 1e-3:
            nothing = Shown(0.0, 0.0, whole.model_angstrom)
            return Judged(Verdict.SAME, nothing, f"{first} and {second} have the same model.")
        reason = f"whether {first} and {second} differ cannot be told: their models fit one of the maps not at all."
        return Judged(Verdict.UNDECIDED, whole, reason)
    limit = f"a motion of {whole.detectable_angstrom:.1f} Å would have shown"
    if abs(whole.motion_angstrom) < LEAST_MOTION_ANGSTROM and whole.detectable_angstrom <= MOST_HIDDEN_ANGSTROM:
        reason = (
            f"{first} and {second} show one conformation: their models lie {whole.model_angstrom:.2f} Å apart "
            f"(Cα rms), of which the maps show {abs(whole.motion_angstrom):.2f} ± "
            f"{whole.error_angstrom:.2f} Å; {limit}."
        )
        return Judged(Verdict.SAME, whole, reason)
    reason = (
        f"whether {first} and {second} differ cannot be told: the maps show {whole.motion_angstrom:.2f} ± "
        f"{whole.error_angstrom:.2f} Å of the {whole.model_angstrom:.2f} Å between their models; only {limit}."
    )
    return Judged(Verdict.UNDECIDED, whole, reason)


def _motion(found: Shown, what: str) -> str:
    """The evidence for a motion in words."""
    return (
        f"of the {found.model_angstrom:.1f} Å (Cα rms) that {what} moved between their models both maps show "
        f"{found.motion_angstrom:.1f} ± {found.error_angstrom:.2f} Å, {min(found.margin, 999):.0f} standard errors"
    )
