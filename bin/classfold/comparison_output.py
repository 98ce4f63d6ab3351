"""The folder of a comparison: matrices, tables, morphs, and the record, which is written last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from classfold.class_comparison import Comparison, Pair
from classfold.distance_differences import distance_differences, write_distance_differences
from classfold.judged_classes import residues_in_words
from classfold.mmcif import write_frames
from classfold.model_output import write_rows
from classfold.morph import morph
from classfold.records import write_json
from classfold.structure import Topology

PART_COLUMNS = (
    *("class_a", "class_b", "part", "residues", "hinges", "moved_angstrom", "shown_angstrom", "error_angstrom"),
    *("turn_degrees", "along_axis_angstrom", "axis_x", "axis_y", "axis_z", "point_x", "point_y", "point_z"),
)


def _part_rows(topology: Topology, comparison: Comparison) -> list[list[Any]]:
    """Rows of moving_parts.csv."""
    rows: list[list[Any]] = []
    for pair in comparison.pairs:
        parts = pair.parts
        for body, (screw, seen) in enumerate(zip(parts.screws, pair.parts_shown, strict=True), start=1):
            hinges = [np.arange(each.first, each.last + 1) for each in parts.hinges if body in each.bodies]
            rows.append(
                [
                    *(pair.class_a, pair.class_b, body),
                    residues_in_words(topology, comparison.anchors[parts.label == body]),
                    "; ".join(residues_in_words(topology, comparison.anchors[hinge]) for hinge in hinges),
                    *(f"{value:.2f}" for value in (parts.rms(body), seen.motion_angstrom, seen.error_angstrom)),
                    *(f"{value:.2f}" for value in (screw.degrees, screw.along_angstrom)),
                    *(f"{value:.3f}" for value in (*screw.axis, *screw.point)),
                ]
            )
    return rows


def write_comparison(folder: Path, topology: Topology, comparison: Comparison) -> None:
    """Write the matrices and tables, morphs and distances of the leading pairs and, last, ``comparison.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    # An older record beside newer tables would make a broken run look complete.
    (folder / "comparison.json").unlink(missing_ok=True)
    for pattern in ("morph_*.cif", "distance_difference_*.csv*"):
        for path in folder.glob(pattern):
            path.unlink()
    _write_matrices(folder, comparison)
    chain, number = topology.chain[comparison.anchors], topology.residue_number[comparison.anchors]
    write_rows(
        folder / "displacement.csv",
        ["class_a", "class_b", "chain", "residue_number", "displacement_angstrom"],
        [
            [pair.class_a, pair.class_b, c, r, f"{d:.3f}"]
            for pair, moved in zip(comparison.pairs, comparison.displacement, strict=True)
            for c, r, d in zip(chain, number, moved, strict=True)
        ],
    )
    write_rows(folder / "moving_parts.csv", PART_COLUMNS, _part_rows(topology, comparison))
    for pair in comparison.leading_pairs:
        _write_pair(folder, topology, comparison, pair)
    write_json(_record(topology, comparison), folder / "comparison.json")


def _write_matrices(folder: Path, comparison: Comparison) -> None:
    """Write ``rmsd.csv``, ``tm_score.csv`` and ``cross_fit.csv``."""
    for name, matrix in (
        ("rmsd", comparison.rmsd),
        ("tm_score", comparison.tm_score),
        ("cross_fit", comparison.cross_fit),
    ):
        columns = ["class", *comparison.names]
        rows = [
            [label, *(f"{value:.4f}" if np.isfinite(value) else "" for value in row)]
            for label, row in zip(comparison.names, matrix, strict=True)
        ]
        write_rows(folder / f"{name}.csv", columns, rows)


def _write_pair(folder: Path, topology: Topology, comparison: Comparison, pair: Pair) -> None:
    """Write ``morph_<a>.<b>.cif`` and ``distance_difference_<a>.<b>.csv`` or ``.csv.gz``."""
    name, anchors = f"{pair.class_a}.{pair.class_b}", comparison.anchors
    first, second = (comparison.models[comparison.names.index(each)] for each in (pair.class_a, pair.class_b))
    title = f"{topology.target}: interpolated from class {pair.class_a} to class {pair.class_b}, no prediction"
    frames = morph(topology, (first, second), anchors, pair.parts)
    write_frames(folder / f"morph_{name}.cif", topology, frames, title=title)
    labels = [f"{c}:{n}" for c, n in zip(topology.chain[anchors], topology.residue_number[anchors], strict=True)]
    differences = distance_differences(first[anchors], second[anchors])
    write_distance_differences(folder / f"distance_difference_{name}.csv", labels, differences)


def _record(topology: Topology, comparison: Comparison) -> dict[str, Any]:
    """What ``comparison.json`` holds."""
    motion = comparison.motion
    return {
        "target": topology.target,
        "classes": list(comparison.names),
        "pairs": [pair.record() for pair in comparison.pairs],
        "order": comparison.order,
        "main_motion": motion
        and {
            "share_of_variance": round(motion.share, 4),
            "position_angstrom": dict(zip(comparison.names, motion.position_angstrom.round(3).tolist(), strict=True)),
        },
        "warnings": list(comparison.warnings),
    }
