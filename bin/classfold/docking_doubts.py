"""What a person should know about a docking, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from classfold.docking import Pose
from classfold.docking_verdict import PARTIAL_FIT_SCORE, Hand, Verdict
from classfold.explained_density import Explained
from classfold.pixel_size import PixelSize

WHOLE_SHARE = 0.85
"""Share of the atoms, or of the density, that counts as all of it."""
PARTIAL_SHARE = 0.75
"""Below this something is amiss that noise and flexible loops do not explain."""


def pose_doubts(verdict: Verdict, poses: Sequence[Pose], mirror: Sequence[Pose]) -> list[str]:
    """Doubts about whether the molecule is in the map, and about its pose; none in a map of the wrong hand."""
    best, other = poses[0].detail, mirror[0].detail
    if verdict.hand is Hand.MIRRORED:
        return []
    if not verdict.found:
        following = f", its next pose {poses[1].detail:.2f}" if len(poses) > 1 else ""
        return [
            f"nothing in the map stands out as this molecule: the model correlates {best:.2f} with it, its mirror "
            f"image {other:.2f}{following}, as in a map of noise or of another molecule; check sequence and class, "
            f"or whether the map shows a conformation that is far from the model's (docked.cif)"
        ]
    doubts = []
    if verdict.n_ambiguous > 1:
        scores = ", ".join(f"{pose.detail:.3f}" for pose in poses[: verdict.n_ambiguous])
        doubts.append(
            f"{verdict.n_ambiguous} poses fit equally well (correlations {scores}): the map does not tell them "
            f"apart, and the samples are spread over them (docking.json)"
        )
    if not verdict.fits:
        doubts.append(
            f"the model fits the map only in part: blurred, it correlates {poses[0].score:.2f} with it (below "
            f"{PARTIAL_FIT_SCORE}); the map shows another conformation, or not all of the molecule, and the pose may "
            f"be some Ångström off"
        )
    return doubts


def hand_doubts(verdict: Verdict, poses: Sequence[Pose], mirror: Sequence[Pose], was_flipped: bool) -> list[str]:
    """Doubts about the hand of the map as it was given."""
    best, other = poses[0].detail, mirror[0].detail
    evidence = (
        f"the model correlates {best:.2f} with it, its mirror image {other:.2f} "
        f"({abs(verdict.hand_lead):.1f} standard errors)"
    )
    if verdict.hand is Hand.MIRRORED:
        done = (
            "it was flipped along z about the middle of its box (--fix_hand), and the models of this class lie in the "
            "map so flipped"
            if was_flipped
            else "flip it, or run again with --fix_hand on"
        )
        return [f"the map has the wrong hand: {evidence}; {done}"]
    if verdict.hand is Hand.UNDECIDED and verdict.found:
        return [f"the map's hand cannot be told: {evidence}; look whether helices turn right"]
    return []


def content_doubts(shares: Explained) -> list[str]:
    """Doubts about whether map and model hold the same."""
    density, atoms = f"{100 * shares.density:.0f} %", f"{100 * shares.atoms:.0f} %"
    if shares.density < PARTIAL_SHARE and shares.atoms >= WHOLE_SHARE:
        return [
            f"the map holds more than the model: the model explains {density} of the density above the threshold "
            f"(a micelle, a partner or a neighbour?), while {atoms} of its atoms lie in density"
        ]
    if shares.atoms < PARTIAL_SHARE and shares.density >= WHOLE_SHARE:
        return [
            f"the map holds less than the model: {atoms} of the model's atoms lie in density above the threshold "
            f"(a missing or flexible domain?), while it explains {density} of that density"
        ]
    return []


def scale_doubts(size: PixelSize) -> list[str]:
    """Doubts about the pixel size."""
    if not size.is_doubtful:
        return []
    fit = size.fit
    return [
        f"the pixel size looks wrong: at {size.better_angstrom:.4g} Å instead of the header's "
        f"{size.given_angstrom:.4g} Å ({100 / fit.scale - 100:+.1f} %) the model correlates {fit.correlation:.3f} with "
        f"the map instead of {fit.correlation - fit.gain:.3f}; correct the header and run again"
    ]
