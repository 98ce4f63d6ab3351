"""Is the molecule in the map, is the map's hand right, and is the pose the only one: verdicts with margins.

What a true pose has, and a chance one has not, is a lead over the best that chance can do in the same map.
Two such chances are at hand: the model's mirror image, searched as thoroughly as the model, and the model's
own next distinct pose. The lead of a correlation ``r`` over another is counted in standard errors of their
difference (Fisher 1921),

    ``z = (artanh r1 - artanh r2) sqrt((n - 3) / 2)``,

with ``n`` the model's volume in units of the resolution cubed, the independent observations that the map has
of it. Best poses scatter by less than single ones do, so that a lead of :data:`LEAST_LEAD` is beyond
everything that wrong molecules and noise have shown (``./classfold bench hand``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from classfold.docking import ANGSTROM3_PER_ATOM, Pose, relative_margin
from classfold.pose_scores import DETAIL_RESOLUTION_ANGSTROM

LEAST_LEAD = 1.0
"""Standard errors; wrong molecules and noise have reached 0.70 at most, right ones at 4 and 6 Å 1.37 at least."""
PARTIAL_FIT_SCORE = 0.65
"""Adenylate kinase of the map's conformation reaches 0.85 and more, half-way to it 0.65 to 0.81 at 6 Å, the wrong one
0.56 at most; dockings more than 2 Å and 10 degrees off had 0.45 to 0.64 (``./classfold bench dock``)."""
AMBIGUOUS_MARGIN = 0.05
"""Poses whose correlation is less than this share below the best one's count as equally good."""


class Hand(StrEnum):
    """The map's hand."""

    RIGHT = "right"
    MIRRORED = "mirrored"
    UNDECIDED = "undecided"


class Verdict(NamedTuple):
    """What a docking and that of the mirror image say together; leads in standard errors."""

    hand: Hand
    hand_lead: float
    """Of the model over its mirror image; negative where the mirror image fits better."""
    pose_lead: float | None
    """Of the best pose over the next distinct one; None if there is no other."""
    lead: float
    """The largest there is: of model or mirror image over the other, or of the best pose of either over its next."""
    n_ambiguous: int
    """Poses that fit equally well, the best included; 1 where the pose is certain."""
    fits: bool
    """Whether the model fits as a whole; else its pose is that of the part that does, and is rough for the rest."""

    @property
    def found(self) -> bool:
        """Whether anything stands out: the molecule is in the map, in whichever hand."""
        return self.lead > LEAST_LEAD

    @property
    def is_certain(self) -> bool:
        """Whether the molecule was found in one pose only."""
        return self.found and self.n_ambiguous == 1


def standard_errors(first: float, second: float, n_atoms: int, resolution_angstrom: float) -> float:
    """Lead of one correlation over another, of a model of ``n_atoms`` in a map of a resolution."""
    fine = max(resolution_angstrom, DETAIL_RESOLUTION_ANGSTROM)
    n_observations = max(ANGSTROM3_PER_ATOM * n_atoms / fine**3, 4.0)
    limit = 1 - 1e-6
    apart = math.atanh(min(max(first, -limit), limit)) - math.atanh(min(max(second, -limit), limit))
    return apart * math.sqrt((n_observations - 3) / 2)


def judge(poses: Sequence[Pose], mirror: Sequence[Pose], n_atoms: int, resolution_angstrom: float) -> Verdict:
    """Judge the distinct poses of a model and of its mirror image, both best first."""
    best, other = poses[0].detail, mirror[0].detail
    hand_lead = standard_errors(best, other, n_atoms, resolution_angstrom)
    pose_lead = _pose_lead(poses, n_atoms, resolution_angstrom)
    hand = Hand.RIGHT if hand_lead > LEAST_LEAD else Hand.MIRRORED if hand_lead < -LEAST_LEAD else Hand.UNDECIDED
    leads = (abs(hand_lead), pose_lead, _pose_lead(mirror, n_atoms, resolution_angstrom))
    return Verdict(
        hand=hand,
        hand_lead=hand_lead,
        pose_lead=pose_lead,
        lead=max(lead for lead in leads if lead is not None),
        n_ambiguous=sum(relative_margin([poses[0], pose]) < AMBIGUOUS_MARGIN for pose in poses),
        fits=(mirror if hand is Hand.MIRRORED else poses)[0].score >= PARTIAL_FIT_SCORE,
    )


def _pose_lead(poses: Sequence[Pose], n_atoms: int, resolution_angstrom: float) -> float | None:
    if len(poses) < 2:
        return None
    return standard_errors(poses[0].detail, poses[1].detail, n_atoms, resolution_angstrom)
