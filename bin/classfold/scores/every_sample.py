"""The scores that every sample gets: none takes more than a fraction of a second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from classfold.geometry import Geometry, GeometryJudge
from classfold.map_fit import MapFit, cc_mask, cc_residues, fraction_inside, lay_over
from classfold.maps import DensityMap
from classfold.scores.atom_inclusion import included_atoms
from classfold.scores.attainable import attainable_cc
from classfold.scores.backbone import BackboneJudge
from classfold.scores.correlations import score_correlations
from classfold.scores.model_map_fsc import score_fsc
from classfold.topology import Topology


@dataclass(frozen=True)
class Judgement:
    """What was found about one model."""

    fit: MapFit
    geometry: Geometry
    scores: dict[str, float | None]
    """By the names of ``scores.table``; None or NaN where a score is not defined."""


class SampleJudge:
    """Judges the samples of one class, one after the other."""

    def __init__(
        self, topology: Topology, density: DensityMap, resolution_angstrom: float, threshold: float
    ) -> None:
        self.topology = topology
        self.density = density
        self.resolution_angstrom = resolution_angstrom
        self.threshold = threshold
        self.geometry, self.backbone = GeometryJudge(topology), BackboneJudge(topology)

    def judge(self, coordinates: np.ndarray) -> Judgement:
        """Judge one model of finite ``coordinates (n_atoms, 3)``, xyz in Å in the frame of the map."""
        fit, scores = self._map_scores(coordinates)
        geometry, backbone = self.geometry.judge(coordinates), self.backbone.judge(coordinates)
        scores |= {
            "clashes": geometry.clashes,
            "clashscore": geometry.clashscore,
            "ca_outliers": geometry.ca_outliers,
            "l_amino_acids": geometry.l_fraction,
            "right_handed_helix": geometry.right_helix_fraction,
            "bond_rmsd_angstrom": backbone.bond_rmsd_angstrom,
            "angle_rmsd_degrees": backbone.angle_rmsd_degrees,
            "backbone_outliers": None if backbone.bond_rmsd_angstrom is None else backbone.outliers,
        }
        return Judgement(fit, geometry, scores)

    def _map_scores(self, coordinates: np.ndarray) -> tuple[MapFit, dict[str, float | None]]:
        topology, density = self.topology, self.density
        inside = fraction_inside(coordinates, density.grid)
        scores: dict[str, float | None] = {
            "inside_map": inside,
            "atom_inclusion": float(included_atoms(coordinates, density, self.threshold).mean()),
        }
        if inside == 0:
            nothing = np.full(len(topology.residue_starts), np.nan)
            return MapFit(float("nan"), nothing, inside), scores
        overlay = lay_over(
            coordinates, topology.atomic_numbers, density.density, density.grid, self.resolution_angstrom
        )
        fit = MapFit(cc_mask(overlay), cc_residues(overlay, topology.residue_index), inside)
        correlations, fsc = score_correlations(overlay), score_fsc(overlay)
        return fit, scores | {
            "cc_mask": fit.cc_mask,
            "cc_attainable": attainable_cc(overlay, self.resolution_angstrom),
            "cc_volume": correlations.volume,
            "cc_peaks": correlations.peaks,
            "cc_box": correlations.box,
            "d_fsc_05_angstrom": fsc.d_05_angstrom,
            "d_fsc_0143_angstrom": fsc.d_0143_angstrom,
        }
