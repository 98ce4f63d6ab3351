"""Score the samples of one class, put them in order and write what was found."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from classfold.errors import InputError
from classfold.geometry import Geometry, GeometryJudge
from classfold.map_fit import MapFit, fit_to_map
from classfold.maps import DensityMap
from classfold.ranking import score_model
from classfold.records import read_json
from classfold.structure import Topology, match_atoms, read_model

# A model of which less lies within the box of the map says nothing about the map.
LEAST_INSIDE = 0.5
# Boltz's own confidence: 0.8 pLDDT + 0.2 ipTM, or pTM where there is one chain.
_PLDDT_SHARE = 0.8


@dataclass(frozen=True)
class Samples:
    """What the sampler drew for one class."""

    coordinates: np.ndarray
    """(n_samples, n_atoms, 3) xyz in Å in the frame of the map."""
    records: Sequence[Mapping[str, Any]]
    """Number and replicate of each sample."""
    plddt: np.ndarray | None
    """(n_samples, n_tokens), 0 to 1"""
    ptm: np.ndarray | None
    """(n_samples,) ipTM where there are several chains, else pTM, 0 to 1"""

    def confidence(self, index: int) -> float | None:
        """Confidence of one sample, 0 to 1; None without a confidence head."""
        if self.plddt is None or not np.isfinite(self.plddt[index]).all():
            return None
        plddt = float(self.plddt[index].mean())
        if self.ptm is None or not np.isfinite(self.ptm[index]):
            return plddt
        return _PLDDT_SHARE * plddt + (1 - _PLDDT_SHARE) * float(self.ptm[index])


@dataclass(frozen=True)
class Reference:
    """A known structure in the frame of the map, matched to the target's atoms."""

    atoms: np.ndarray
    """(n_common,) indices into the topology"""
    coordinates: np.ndarray
    """(n_common, 3) Å"""
    is_ca: np.ndarray
    """(n_common,) whether the atom is a representative one"""

    @classmethod
    def read(cls, path: Path, topology: Topology) -> Reference:
        """Read a model and match it.

        Raises
        ------
        InputError
            If it shares no representative atoms with the target.
        """
        model = read_model(path)
        ours, theirs = match_atoms(topology, model)
        is_ca = np.isin(ours, topology.ca_indices())
        if not is_ca.any():
            raise InputError(
                f"{path.name} shares no CA or C1' atom with {topology.target}: is it this molecule?"
            )
        return cls(ours, model.coordinates[theirs], is_ca)

    def rmsd(self, coordinates: np.ndarray) -> tuple[float, float]:
        """(Cα, all-atom) RMSD in Å in the frame of the map, without superposition."""
        square = np.sum((coordinates[self.atoms] - self.coordinates) ** 2, axis=1)
        return float(np.sqrt(square[self.is_ca].mean())), float(np.sqrt(square.mean()))


@dataclass(frozen=True)
class ScoredSample:
    """One sample and what was found about it."""

    sample: int
    replicate: int
    reason: str
    """Why it was rejected; empty if it was not."""
    score: float | None = None
    fit: MapFit | None = None
    geometry: Geometry | None = None
    confidence: float | None = None
    reference_ca_rmsd: float | None = None


def read_samples(folder: Path, topology: Topology) -> Samples:
    """Read a ``T.C.samples`` folder and hold it to the target.

    Raises
    ------
    InputError
        If the samples are not those of this target.
    """
    record = read_json(folder / "samples.json")
    arrays = load_file(folder / "samples.safetensors")
    coordinates = arrays.get("coordinates", np.zeros(0))
    expected = (len(record["samples"]), topology.n_atoms, 3)
    if coordinates.shape != expected or not expected[0]:
        raise InputError(
            f"{folder} holds coordinates of the shape {coordinates.shape}, {topology.target} asks for "
            f"{expected}; give the samples drawn from this sequence"
        )
    several = len(topology.chains) > 1 and "iptm" in arrays
    plddt, ptm = arrays.get("plddt"), arrays.get("iptm" if several else "ptm")
    n_tokens = int(topology.token_index.max()) + 1
    for name, array, shape in (("plddt", plddt, (expected[0], n_tokens)), ("ptm", ptm, (expected[0],))):
        if array is not None and array.shape != shape:
            raise InputError(f"{folder}: {name} has the shape {array.shape}, its samples ask for {shape}")
    return Samples(coordinates.astype(np.float64), record["samples"], plddt, ptm)


def fit_atoms(
    coordinates: np.ndarray, atoms: np.ndarray, topology: Topology, density: DensityMap, resolution: float
) -> MapFit:
    """Fit of the given atoms of a target, ``coordinates (n, 3)``, to a map of a resolution in Å."""
    numbers, residues = topology.atomic_numbers[atoms], topology.residue_index[atoms]
    return fit_to_map(coordinates, numbers, residues, density.density, density.grid, resolution)


def score_samples(
    samples: Samples,
    topology: Topology,
    density: DensityMap,
    resolution_angstrom: float,
    reference: Reference | None,
) -> list[ScoredSample]:
    """Score every sample; those that cannot be ranked carry the reason."""
    judge = GeometryJudge(topology)
    everything = np.arange(topology.n_atoms)
    scored = []
    for index, (coordinates, record) in enumerate(zip(samples.coordinates, samples.records, strict=True)):
        number, replicate = int(record["sample"]), int(record["replicate"])
        if not np.isfinite(coordinates).all():
            broken = int((~np.isfinite(coordinates)).any(axis=1).sum())
            reason = f"coordinates of {broken} atoms are not finite"
            scored.append(ScoredSample(number, replicate, reason))
            continue
        fit = fit_atoms(coordinates, everything, topology, density, resolution_angstrom)
        geometry, confidence = judge.judge(coordinates), samples.confidence(index)
        reason, score = "", None
        if fit.fraction_inside < LEAST_INSIDE:
            reason = f"only {fit.fraction_inside:.0%} of the atoms are within the map"
        elif not np.isfinite(fit.cc_mask):
            reason = "the correlation with the map is undefined"
        else:
            score = score_model(
                fit.cc_mask,
                geometry.clashscore,
                geometry.ca_outlier_fraction,
                geometry.wrong_hand_fraction,
                confidence,
            )
        rmsd = reference.rmsd(coordinates)[0] if reference else None
        scored.append(ScoredSample(number, replicate, reason, score, fit, geometry, confidence, rmsd))
    return scored


def _field(value: float | None, digits: int = 4) -> str:
    """A number as text; empty where there is none."""
    return "" if value is None or not np.isfinite(value) else f"{value:.{digits}f}"


def write_scores(
    path: Path, scored: Sequence[ScoredSample], order: Sequence[int], with_reference: bool
) -> None:
    """Write ``scores.csv``: the ranked samples best first, then the rejected ones."""
    ranks = {index: rank for rank, index in enumerate(order, start=1)}
    rejected = [index for index in range(len(scored)) if index not in ranks]
    rows = []
    for index in [*order, *rejected]:
        s, fit, geometry = scored[index], scored[index].fit, scored[index].geometry
        row = {
            "rank": ranks.get(index, ""),
            "sample": s.sample,
            "replicate": s.replicate,
            "score": _field(s.score),
            "cc_mask": _field(fit.cc_mask if fit else None),
            "clashes": geometry.clashes if geometry else "",
            "clashscore": _field(geometry.clashscore if geometry else None, 2),
            "ca_outliers": geometry.ca_outliers if geometry else "",
            "confidence": _field(s.confidence),
        }
        if with_reference:
            row["reference_ca_rmsd_angstrom"] = _field(s.reference_ca_rmsd, 3)
        row |= {
            "l_amino_acids": _field(geometry.l_fraction if geometry else None),
            "right_handed_helix": _field(geometry.right_helix_fraction if geometry else None),
            "inside_map": _field(fit.fraction_inside if fit else None),
            "status": "rejected" if s.reason else "ranked",
            "reason": s.reason,
        }
        rows.append(row)
    _write_rows(path, rows)


def write_residues(path: Path, topology: Topology, cc: np.ndarray, plddt: np.ndarray | None) -> None:
    """Write ``residues.csv`` of the best model: ``cc (n_residues,)``, ``plddt (n_tokens,)`` if any."""
    rows = []
    confidence = None if plddt is None else residue_means(topology, plddt[topology.token_index])
    for k, first in enumerate(topology.residue_starts):
        rows.append(
            {
                "chain": topology.chain[first],
                "residue_number": topology.residue_number[first],
                "residue_name": topology.residue_name[first],
                "cc": _field(cc[k]),
                "plddt": "" if confidence is None else _field(100 * confidence[k], 2),
            }
        )
    _write_rows(path, rows)


def residue_means(topology: Topology, values: np.ndarray) -> np.ndarray:
    """(n_residues,) means of values per atom (n_atoms,)."""
    return np.bincount(topology.residue_index, weights=values) / np.bincount(topology.residue_index)


def _write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
