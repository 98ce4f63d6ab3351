"""The folder of a class's models: mmCIF files, tables and the record, which is written last."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from classfold.class_input import ClassInput
from classfold.half_map_validation import CURVES_FILE
from classfold.handoff import write_handoff
from classfold.mmcif_methods import GuidingMap
from classfold.ranking import RANKING_RULE
from classfold.records import write_json
from classfold.scored_sample import ScoredSample
from classfold.scores.finalists import FinalistScores
from classfold.scores.table import SCORES
from classfold.selection import Selection
from classfold.structure import Topology, read_model, write_model
from classfold.support import Support


def write_models(folder: Path, given: ClassInput, selection: Selection) -> None:
    """Write ``samples/*.cif``, ``model.cif`` and its rivals, the tables, what opens them, and the record."""
    (folder / "samples").mkdir(parents=True, exist_ok=True)
    # An older record beside newer models would make a broken run look complete.
    (folder / "models.json").unlink(missing_ok=True)
    for index, sample in enumerate(selection.scored):
        if sample.fit is not None:
            _write_sample(folder / "samples" / f"sample_{sample.sample:03d}.cif", given, selection, index)
    for path in folder.glob("model_*.cif"):
        path.unlink()
    for index, name in representative_files(selection).items():
        _write_sample(folder / name, given, selection, index)
    _write_records(folder / "scores.csv", score_rows(selection, given.reference is not None))
    plddt = given.samples.confidence_per_token(selection.best)
    cc, spread = selection.best_fit.cc_residue, selection.agreement.residue_spread
    support = given.support.judge(given.samples.coordinates[selection.best], cc)
    rows = residue_rows(given.topology, cc, plddt, selection.best_details, support, spread)
    _write_records(folder / "residues.csv", rows)
    (folder / CURVES_FILE).unlink(missing_ok=True)
    if selection.validation is not None:
        selection.validation.curves().round(6).to_csv(folder / CURVES_FILE, index=False)
    n_written = len(read_model(folder / "model.cif").coordinates)
    if n_written != given.topology.n_atoms:
        raise RuntimeError(f"model.cif holds {n_written} of {given.topology.n_atoms} atoms")
    title = f"{given.target}, class {given.class_name}"
    write_handoff(folder, title, given.density, given.threshold, given.resolution_angstrom)
    write_json(models_record(given, selection), folder / "models.json")


def representative_files(selection: Selection) -> dict[int, str]:
    """Name of the file of each representative among the finalists, by index: model.cif, model_2.cif and so on."""
    judged = [members[0] for members in selection.clusters if members[0] in selection.verdicts]
    return {index: "model.cif" if rank == 1 else f"model_{rank}.cif" for rank, index in enumerate(judged, start=1)}


def cluster_records(selection: Selection) -> list[dict[str, Any]]:
    """Clusters in the order of their best samples; verdict and file of those that were judged."""
    files, records = representative_files(selection), []
    for members in selection.clusters:
        best, verdict = selection.scored[members[0]], selection.verdicts.get(members[0])
        record = {
            "representative": best.sample,
            "samples": [selection.scored[index].sample for index in members],
            "score": best.score,
            "cc_mask": best.scores["cc_mask"],
            "file": files.get(members[0]),
            "verdict": str(verdict.decision) if verdict else None,
            "reasons": list(verdict.reasons) if verdict else [],
        }
        records.append(record)
    return records


def _write_sample(path: Path, given: ClassInput, selection: Selection, index: int) -> None:
    """Write one sample with its fit per residue as B factor and its confidence, if any."""
    topology, sample = given.topology, selection.scored[index]
    assert sample.fit is not None, "only samples with a fit are written"
    plddt = given.samples.confidence_per_token(index)
    rank = selection.order.index(index) + 1 if index in selection.order else None
    provenance = {
        "target": given.target,
        "class": given.class_name,
        "map": given.map_name,
        "resolution_angstrom": f"{given.resolution_angstrom:g}",
        "prior": str(given.sampling.get("prior", "unknown")),
        "weights": str(given.sampling.get("weights_label", "unknown")),
        "guidance": str(given.sampling.get("guidance", "unknown")),
        "sample": str(sample.sample),
        "rank": str(rank) if rank else f"rejected: {sample.reason}",
        "cc_mask": _field(sample.fit.cc_mask) or "undefined",
        "b_factor": "100 times the correlation of the residue with the map; 0 where it is undefined",
    }
    write_model(
        path,
        topology,
        given.samples.coordinates[index],
        title=f"{given.target}, class {given.class_name}: predicted model guided by a cryo-EM density",
        b_factors=100.0 * np.nan_to_num(sample.fit.cc_residue)[topology.residue_index],
        confidence=None if plddt is None else 100.0 * plddt[topology.token_index],
        provenance=provenance,
        guide=GuidingMap(given.map_name, given.resolution_angstrom, given.resolution_method),
    )


def _field(value: float | None, digits: int = 4) -> str:
    """A number as text; empty where there is none."""
    return "" if value is None or not np.isfinite(value) else f"{value:.{digits}f}"


def _number(value: float | None) -> float | None:
    """A score as JSON holds it."""
    return None if value is None or not np.isfinite(value) else value


def _scores_record(scores: Mapping[str, float | None]) -> dict[str, float | None]:
    """Every score of the table by its name."""
    return {score.name: _number(scores.get(score.name)) for score in SCORES}


def _score_field(value: float | None) -> str | int:
    """A score as CSV holds it: counts as they are."""
    return value if isinstance(value, int) else _field(value)


def _score_row(sample: ScoredSample, rank: int | None, with_reference: bool) -> dict[str, Any]:
    """One row of ``scores.csv``."""
    row = {"rank": rank or "", "sample": sample.sample, "replicate": sample.replicate, "score": _field(sample.score)}
    row |= {score.name: _score_field(sample.scores.get(score.name)) for score in SCORES}
    if with_reference:
        row["reference_ca_rmsd_angstrom"] = _field(sample.reference_rmsd[0] if sample.reference_rmsd else None, 3)
    return row | {"status": "rejected" if sample.reason else "ranked", "reason": sample.reason}


def score_rows(selection: Selection, with_reference: bool) -> list[dict[str, Any]]:
    """Rows of ``scores.csv``: the ranked samples best first, then the rejected ones."""
    ranks = {index: rank for rank, index in enumerate(selection.order, start=1)}
    rejected = [index for index in range(len(selection.scored)) if index not in ranks]
    return [
        _score_row(selection.scored[index], ranks.get(index), with_reference)
        for index in [*selection.order, *rejected]
    ]


def residue_rows(
    topology: Topology,
    cc: np.ndarray,
    plddt: np.ndarray | None,
    details: FinalistScores,
    support: Sequence[Support],
    spread: np.ndarray,
) -> list[dict[str, Any]]:
    """Rows of ``residues.csv``.

    Parameters
    ----------
    topology : Topology
    cc : ndarray, shape (n_residues,)
    plddt : ndarray, shape (n_tokens,), optional
        0 to 1; written as 0 to 100, mean of the residue's atoms.
    details : FinalistScores
        Of the same model.
    support : sequence of Support
        Of each residue.
    spread : ndarray, shape (n_residues,)
        How far the other samples lie, in Å.
    """
    index = topology.residue_index
    confidence = np.full(len(cc), np.nan)
    if plddt is not None:
        confidence = 100 * np.bincount(index, weights=plddt[topology.token_index]) / np.bincount(index)
    validation = details.validation
    return [
        {
            "chain": topology.chain[first],
            "residue_number": topology.residue_number[first],
            "residue_name": topology.residue_name[first],
            "cc": _field(cc[k]),
            "support": str(support[k]),
            "plddt": _field(confidence[k], 2),
            "q_score_06": _field(details.q_residue[k]),
            "ramachandran": validation.ramachandran[k] if validation else "",
            "c_beta_angstrom": _field(validation.c_beta_angstrom[k] if validation else None, 3),
            "spread_angstrom": _field(spread[k], 2),
        }
        for k, first in enumerate(topology.residue_starts)
    ]


def models_record(given: ClassInput, selection: Selection) -> dict[str, Any]:
    """Content of ``models.json``."""
    best = selection.scored[selection.best]
    assert best.geometry is not None, "a ranked sample has a geometry"
    reference = None
    if best.reference_rmsd is not None:
        unguided = selection.unguided.rmsd
        reference = {
            "best_ca_rmsd_angstrom": best.reference_rmsd[0],
            "unguided_ca_rmsd_angstrom": unguided[0] if unguided else None,
            "best_all_atom_rmsd_angstrom": best.reference_rmsd[1],
        }
    return {
        "target": given.target,
        "class": given.class_name,
        "best_sample": best.sample,
        "n_samples": given.sampling["n_samples"],
        "n_finished": len(selection.scored),
        "n_rejected": len(selection.scored) - len(selection.order),
        "cc_mask": selection.best_fit.cc_mask,
        "score": best.score,
        "clashes": best.geometry.clashes,
        "confidence": best.confidence,
        "scores": _scores_record(best.scores),
        "finalists": [selection.scored[index].sample for index in selection.finalists],
        "verdict": selection.verdicts[selection.best].record(),
        "clusters": cluster_records(selection),
        "agreement": {
            "median_spread_angstrom": selection.agreement.median_spread_angstrom,
            "n_replicates": selection.agreement.n_replicates,
            "replicate_rmsd_angstrom": selection.agreement.replicate_rmsd_angstrom,
        },
        "ranking_rule": RANKING_RULE,
        "unguided": {
            "cc_mask": selection.unguided.cc_mask,
            "scores": _scores_record(selection.unguided.scores),
        },
        "reference": reference,
        "half_map_validation": selection.validation and selection.validation.record(),
        "warnings": list(selection.warnings),
    }


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table as CSV; without rows only the columns' names."""
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _write_records(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Write records of the same keys as CSV."""
    write_rows(path, list(records[0]), [list(record.values()) for record in records])
