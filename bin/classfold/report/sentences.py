"""What the numbers mean, in sentences for a reader who does not know the method."""

from __future__ import annotations

from typing import Any

from classfold.report.gather import ClassResult, Run
from classfold.report.summary import Row
from classfold.report.svg import number

# Outside this range of enclosed over expected volume the contour deserves a look.
PLAUSIBLE_VOLUME_RATIO = (0.6, 1.7)
DEMONSTRATION = "demonstration"

GLOSSARY = (
    (
        "cc-mask",
        "CC_mask (map fit)",
        "Correlation between the density calculated from the model and the map, over the voxels near the model's "
        "atoms. 1 is perfect, 0 is no relation. It grows with resolution, so compare it between models in one map, "
        "not between maps of different resolution.",
    ),
    (
        "unguided",
        "Unguided model",
        "What the structure predictor gives from the sequence alone, placed into the map as a rigid body. Its CC_mask "
        "says how much of the fit needed no map: a best model that fits no better has learned nothing from the map.",
    ),
    (
        "residue-cc",
        "CC of a residue",
        "The same correlation around one residue. Low values mark places where the map does not support the model: "
        "flexible parts, noise, or an error. In model.cif it is the B factor, times 100.",
    ),
    (
        "rmsd",
        "RMSD to the known structure",
        "Root mean square distance between equal Cα atoms of the model and the given reference, in Å, in the map's own "
        "frame: nothing is superposed, so a misplaced model cannot look good. Under 1 Å is near identity; 4 Å is "
        "another conformation.",
    ),
    (
        "clashes",
        "Clashes",
        "Pairs of atoms that are not bonded and closer than atoms can be. Clashscore is their number per 1,000 atoms. "
        "A few can be relaxed away by refinement; many mean a bad model.",
    ),
    (
        "ca-outliers",
        "Cα outliers",
        "Neighbouring residues whose Cα atoms are not about 3.8 Å apart: breaks or knots of the chain.",
    ),
    (
        "confidence",
        "Confidence",
        "What the network itself expects of its model, 0 to 1. It knows the sequence, not the map. Weights without a "
        "confidence head give none.",
    ),
    (
        "score",
        "Score and rank",
        "The value by which samples of one class are ordered; higher is better. The rule is stated in each class.",
    ),
    (
        "loss",
        "Guidance loss",
        "How far a sample is from the map while it is being made. In the global stage it compares the shape (distances "
        "between the atoms and a cloud of points in the map), in the local stage the density itself. It should fall "
        "and level off; a sample that stays high went astray.",
    ),
    (
        "threshold",
        "Threshold (contour)",
        "Density above it counts as molecule. It decides which part of the map guides the global shape.",
    ),
    (
        "docking",
        "Docking score, margin and mirror score",
        "How well the rigid unguided model fits at its best placement. The margin is its lead over the next distinct "
        "placement: near 0 % there are several equally good ones. The mirror score is the best fit in the mirror image "
        "of the map: if it is as high, the map's hand may be wrong.",
    ),
    (
        "tm-score",
        "TM-score",
        "Similarity of two folds after superposition, 0 to 1; above 0.5 the fold is the same, near 1 the conformation "
        "is too. Unlike RMSD it is not ruled by the parts that differ most.",
    ),
    (
        "cross-fit",
        "Cross-fit",
        "The best model of one class put into the map of another. Where it fits as well as that class's own model, the "
        "two classes show one conformation.",
    ),
    (
        "displacement",
        "Displacement",
        "How far a residue lies from itself in the other class, after the two models were superposed.",
    ),
)


def _count(number_of: int, singular: str, plural: str) -> str:
    return f"{number_of} {singular if number_of == 1 else plural}"


def headline(run: Run, rows: list[Row]) -> str:
    """The run in one sentence or two."""
    fits = [row["cc_mask"] for row in rows if row["cc_mask"] is not None]
    docked = [row["unguided_cc_mask"] for row in rows if row["unguided_cc_mask"] is not None]
    said = f"{_count(len(rows), 'class', 'classes')} of {_count(len(run.targets), 'target', 'targets')}"
    if fits:
        said += f": the best models fit their maps with a correlation of {_range(fits)}"
        said += f", the unguided models with {_range(docked)}." if docked else "."
    else:
        said += ": no models were made."
    warnings = sum(len(result.warnings) for result in run.classes) + sum(len(t.warnings) for t in run.targets)
    return said + (f" {_count(warnings, 'warning', 'warnings')} to read." if warnings else " No warnings.")


def _range(values: list[float]) -> str:
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"


def is_demonstration(labels: list[str]) -> bool:
    """Whether any model came from weights that are no predictor."""
    return any(DEMONSTRATION in label.lower() for label in labels)


def _triple(values: Any) -> str:
    return " × ".join(number(float(value)) for value in values)


def map_sentences(result: ClassResult) -> list[str]:
    """What PREPARE_MAP read, decided, and on what evidence."""
    record, source = result.map, result.map.get("source") or {}
    said = []
    if source:
        shape = _triple(reversed(source["shape_zyx"]))
        voxel = _triple(source["voxel_size_angstrom_xyz"])
        said.append(
            f"Read {record['source_map']}: {shape} voxels (x, y, z) of {voxel} Å, axes in the order "
            f"{source.get('axis_order', 'xyz')}, MRC mode {source.get('mode')}."
        )
    said.append(
        f"Worked on {_triple(reversed(record['shape_zyx']))} voxels of {number(record['voxel_size_angstrom'])} Å, "
        f"cropped around the density and resampled to suit the resolution of "
        f"{number(record['resolution_angstrom'])} Å."
    )
    by_user = record.get("threshold_method") == "user"
    how = "as the samplesheet asked" if by_user else f"found by the method “{record.get('threshold_method')}”"
    said.append(f"Threshold {number(record['threshold'])}, {how}. {record.get('threshold_evidence') or ''}".strip())
    said += _volume_sentences(record)
    said.append(
        f"Kept {_count(int(record.get('n_components_kept', 0)), 'connected piece', 'connected pieces')} of density, "
        f"removed {_count(int(record.get('n_components_removed', 0)), 'speck', 'specks')} of dust."
    )
    said.append(f"{_count(int(record['n_cloud_points']), 'point stands', 'points stand')} for the map's global shape.")
    return said


def _volume_sentences(record: dict[str, Any]) -> list[str]:
    enclosed, expected = record.get("enclosed_volume_angstrom3"), record.get("expected_volume_angstrom3")
    if not enclosed or not expected:
        return []
    ratio = enclosed / expected
    low, high = PLAUSIBLE_VOLUME_RATIO
    verdict = "as it should be" if low <= ratio <= high else "look at the contour: that is far from 1"
    return [
        f"The contour encloses {number(enclosed)} Å³, {ratio:.2f} times what the sequence's mass fills "
        f"({number(expected)} Å³): {verdict}."
    ]


def docking_sentences(result: ClassResult) -> list[str]:
    """Where the unguided model was put, and how sure that is."""
    record = result.docking
    if record is None:
        return ["The unguided model was not docked."]
    said = [f"The model “{record.get('model')}” was placed with a score of {number(record['score'])}."]
    margin, mirror = record.get("margin"), record.get("mirror_score")
    if margin is not None:
        others = max(len(record.get("poses", [])) - 1, 0)
        said.append(
            f"That is {100 * margin:.0f} % better than the next distinct placement"
            + (f" ({_count(others, 'other is', 'others are')} recorded)." if others else ".")
        )
    if mirror:
        ratio = record["score"] / mirror
        meaning = "the map's hand looks right" if ratio > 1 else "the mirror image fits as well: check the map's hand"
        said.append(f"In the mirror image of the map the best score is {number(mirror)}, {ratio:.2f} times lower: {meaning}."
                    if ratio > 1 else f"In the mirror image of the map the best score is {number(mirror)}: {meaning}.")  # fmt: skip
    return said


def model_sentences(result: ClassResult) -> list[str]:
    """The best model in words."""
    record = result.models
    if record is None:
        return ["No model was selected for this class."]
    docked = (record.get("unguided") or {}).get("cc_mask")
    said = [f"Sample {record['best_sample']} of {record['n_samples']} fits the map best: CC_mask {record['cc_mask']:.3f}"]
    said[0] += f" (unguided model {docked:.3f})." if docked is not None else "."
    said.append(f"Ranking rule: {record['ranking_rule']}" + ("" if record["ranking_rule"].endswith(".") else "."))
    reference = record.get("reference")
    if reference:
        said.append(
            f"Against the known structure, in the map's frame and not superposed: Cα RMSD "
            f"{reference['best_ca_rmsd_angstrom']:.2f} Å, all atoms {reference['best_all_atom_rmsd_angstrom']:.2f} Å; "
            f"the unguided model {reference['unguided_ca_rmsd_angstrom']:.2f} Å."
        )
    return said
