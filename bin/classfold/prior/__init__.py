"""Boltz as a prior: parsing, features, weights, trunk, denoiser and confidence. The only package that imports Boltz.

Nothing here changes a number of Boltz's: the classes, the checkpoint's keys and the inference hyperparameters are those
of boltz 2.2.1. Boltz-1 is described by Wohlwend et al., bioRxiv 2024.11.19.624167.
"""

from __future__ import annotations

from .alignments import MAX_ALIGNMENT_ROWS, read_boltz_alignment, request_alignments
from .checkpoint import STEP_SCALE, load_model
from .confidence import Confidence
from .inputs import Features, featurise, load_components, parse_target, seeded
from .model import BoltzPrior
from .potentials import PhysicalGuide
from .release import boltz1_urls
from .tables import HYDROGEN_DALTON, WATER_DALTON, atom_table, chain_table, molecular_mass
from .trunk import Embedding, run_trunk

__all__ = [
    "HYDROGEN_DALTON",
    "MAX_ALIGNMENT_ROWS",
    "STEP_SCALE",
    "WATER_DALTON",
    "BoltzPrior",
    "Confidence",
    "Embedding",
    "Features",
    "PhysicalGuide",
    "atom_table",
    "boltz1_urls",
    "chain_table",
    "featurise",
    "load_components",
    "load_model",
    "molecular_mass",
    "parse_target",
    "read_boltz_alignment",
    "request_alignments",
    "run_trunk",
    "seeded",
]
