"""The scores of a model: names in the files, units and meanings. scores.csv, the report and docs/scores.md share it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Cost(StrEnum):
    """Which models a score is computed for."""

    EVERY_SAMPLE = "every sample"
    FINALISTS = "finalists"


class Score(NamedTuple):
    """One score."""

    name: str
    """Column of scores.csv and key of models.json."""
    title: str
    unit: str
    """Or the range of what has none."""
    digits: int
    """After the point where people read it."""
    better: str
    """higher or lower; empty where neither is."""
    cost: Cost
    meaning: str
    source: str
    explained: str | None = None
    """Anchor in the report's glossary, where it has an entry of its own."""


_AFONINE = "Afonine et al. 2018"
_MOLPROBITY = "MolProbity, by cctbx"
_CONFIDENCE = "the prior's confidence head"
_EVERY, _FINALISTS = Cost.EVERY_SAMPLE, Cost.FINALISTS

SCORES = (
    Score(
        "cc_mask", "CC_mask", "-1 to 1", 3, "higher", _EVERY,
        "correlation of the model's density with the map around the model's atoms", _AFONINE, "cc-mask",
    ),
    Score(
        "cc_attainable", "CC_mask attainable", "0 to 1", 3, "", _EVERY,
        "CC_mask that the noise around the molecule leaves to a right model", "own",
    ),
    Score(
        "cc_volume", "CC_volume", "-1 to 1", 3, "higher", _EVERY,
        "correlation over the strongest voxels of the model's density, as many as are around its atoms", _AFONINE,
    ),
    Score(
        "cc_peaks", "CC_peaks", "-1 to 1", 3, "higher", _EVERY,
        "correlation over the strongest voxels of the model or of the map; unexplained density lowers it",
        _AFONINE,
    ),
    Score(
        "cc_box", "CC_box", "-1 to 1", 3, "higher", _EVERY,
        "correlation over the whole prepared map, noise and all", _AFONINE,
    ),
    Score(
        "d_fsc_05_angstrom", "FSC 0.5", "Å", 2, "lower", _EVERY,
        "resolution at which the Fourier shell correlation of map and model falls below 0.5", _AFONINE,
    ),
    Score(
        "d_fsc_0143_angstrom", "FSC 0.143", "Å", 2, "lower", _EVERY,
        "resolution at which the Fourier shell correlation of map and model falls below 0.143", _AFONINE,
    ),
    Score(
        "atom_inclusion", "Atom inclusion", "0 to 1", 3, "higher", _EVERY,
        "share of the atoms within the map's contour", "Lagerstedt et al. 2013",
    ),
    Score(
        "inside_map", "Inside the map", "0 to 1", 2, "higher", _EVERY,
        "share of the atoms within the box of the prepared map", "own", "inside",
    ),
    Score(
        "residues_supported", "Residues supported", "0 to 1", 2, "higher", _EVERY,
        "share of the residues that have density at their atoms, over its noise, of the shape that the model gives it",
        "own", "support",
    ),
    Score(
        "q_score_06", "Q-score, σ 0.6 Å", "-1 to 1", 3, "higher", _FINALISTS,
        "how well the density around each atom follows a Gaussian of this width, mean of the atoms",
        "Pintilie et al. 2020",
    ),
    Score(
        "q_score_04", "Q-score, σ 0.4 Å", "-1 to 1", 3, "higher", _FINALISTS,
        "how well the density around each atom follows the Gaussian that EMDB uses, mean of the atoms",
        "Pintilie et al. 2020",
    ),
    Score(
        "emringer", "EMRinger", "mostly -1 to 5", 2, "higher", _FINALISTS,
        "how much oftener the density around side chains peaks at rotamers than by chance; only to 4.5 Å",
        "Barad et al. 2015, by cctbx",
    ),
    Score(
        "clashes", "Clashes", "pairs", 0, "lower", _EVERY,
        "heavy atoms that overlap", "own, without hydrogens", "clashes",
    ),
    Score(
        "clashscore", "Clashscore", "per 1000 heavy atoms", 1, "lower", _EVERY,
        "heavy atoms that overlap, by the molecule's size; not MolProbity's, which adds hydrogens",
        "own, without hydrogens", "clashes",
    ),
    Score(
        "ca_outliers", "Cα outliers", "pairs", 0, "lower", _EVERY,
        "neighbouring residues whose Cα are at no distance of a peptide", "own", "ca-outliers",
    ),
    Score(
        "bond_rmsd_angstrom", "Backbone bonds", "Å", 3, "lower", _EVERY,
        "root mean square deviation of backbone bond lengths from their ideals", "Engh & Huber 2001",
    ),
    Score(
        "angle_rmsd_degrees", "Backbone angles", "°", 2, "lower", _EVERY,
        "root mean square deviation of backbone bond angles from their ideals", "Engh & Huber 2001",
    ),
    Score(
        "backbone_outliers", "Backbone outliers", "", 0, "lower", _EVERY,
        "backbone lengths and angles more than four standard deviations from their ideals", "Engh & Huber 2001",
    ),
    Score(
        "l_amino_acids", "L-amino acids", "0 to 1", 2, "higher", _EVERY,
        "share of the amino acids that are L; 0 is a mirror image", "own", "hand",
    ),
    Score(
        "right_handed_helix", "Right-handed", "0 to 1", 2, "higher", _EVERY,
        "share of the helical turns of the Cα trace that are right-handed", "own", "hand",
    ),
    Score(
        "ramachandran_favored", "Ramachandran favoured", "0 to 1", 3, "higher", _FINALISTS,
        "share of residues whose backbone torsions are common", _MOLPROBITY,
    ),
    Score(
        "ramachandran_outliers", "Ramachandran outliers", "0 to 1", 3, "lower", _FINALISTS,
        "share of residues whose backbone torsions are hardly ever seen", _MOLPROBITY,
    ),
    Score(
        "omega_outliers", "ω outliers", "peptides", 0, "lower", _FINALISTS,
        "peptides twisted by more than 30° or, but before proline, cis", _MOLPROBITY,
    ),
    Score(
        "c_beta_outliers", "Cβ outliers", "residues", 0, "lower", _FINALISTS,
        "Cβ atoms 0.25 Å or more from where the backbone puts them", _MOLPROBITY,
    ),
    Score(
        "confidence", "Confidence", "0 to 1", 2, "higher", _EVERY,
        "0.8 mean pLDDT + 0.2 pTM or, of several chains, ipTM", _CONFIDENCE, "confidence",
    ),
    Score("plddt", "pLDDT", "0 to 100", 1, "higher", _EVERY, "mean over the tokens", _CONFIDENCE, "confidence"),
    Score("ptm", "pTM", "0 to 1", 2, "higher", _EVERY, "expected TM-score", _CONFIDENCE, "confidence"),
    Score(
        "iptm", "ipTM", "0 to 1", 2, "higher", _EVERY,
        "expected TM-score of the interfaces; only of several chains", _CONFIDENCE, "confidence",
    ),
)
BY_NAME = {score.name: score for score in SCORES}
