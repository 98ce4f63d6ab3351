"""What the numbers mean, in sentences for a reader who does not know the method."""

from __future__ import annotations

from classfold.report.gather import ClassResult, Run
from classfold.report.summary import Row
from classfold.report.svg import count, number

DEMONSTRATION = "demonstration"
HANDS = {"right": "is right", "mirrored": "is wrong", "undecided": "cannot be told"}


def headline(run: Run, rows: list[Row]) -> str:
    """The run in one sentence or two."""
    fits = [row["cc_mask"] for row in rows if row["cc_mask"] is not None]
    docked = [row["unguided_cc_mask"] for row in rows if row["unguided_cc_mask"] is not None]
    said = f"{count(len(rows), 'class', 'classes')} of {count(len(run.targets), 'target', 'targets')}"
    if fits:
        said += f": the best models fit their maps with a correlation of {_range(fits)}"
        said += f", the unguided models with {_range(docked)}." if docked else "."
    else:
        said += ": no models were made."
    warnings = sum(len(result.warnings) for result in run.classes) + sum(len(t.warnings) for t in run.targets)
    if warnings:
        return f"{said} {count(warnings, 'warning', 'warnings')} to read."
    return said if run.failures else f"{said} No warnings."


def outcome(run: Run) -> str:
    """How far a run came that lacks something."""
    missing, n_classes = len(run.outcome.get("classes_without_model", [])), run.outcome.get("n_classes", 0)
    how = "This run failed" if run.outcome.get("status") == "failed" else "This run is partial"
    return f"{how}: {missing} of {count(n_classes, 'class', 'classes')} without a model"


def _range(values: list[float]) -> str:
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"


def is_demonstration(labels: list[str]) -> bool:
    """Whether any model came from weights that are no predictor."""
    return any(DEMONSTRATION in label.lower() for label in labels)


def docking_sentences(result: ClassResult) -> list[str]:
    """Where the unguided model was put, and how sure that is."""
    record = result.docking
    if record is None:
        return ["The unguided model was not docked."]
    said = [f"The model “{record.get('model')}” was placed with a score of {number(record['score'])}."]
    margin = record.get("margin")
    if margin is not None:
        others = max(len(record.get("poses", [])) - 1, 0)
        said.append(
            f"That is {100 * margin:.0f} % better than the next distinct placement"
            + (f" ({count(others, 'other is', 'others are')} recorded)." if others else ".")
        )
    if record.get("hand") in HANDS:
        lead = f"{abs(record['hand_lead']):.1f} standard errors between model and mirror image"
        said.append(f"The map's hand {HANDS[record['hand']]} ({lead}).")
    if record.get("flipped"):
        said.append("The map was flipped along z; the models lie in the flipped map.")
    if record.get("assembly"):
        parts = record["assembly"]["parts"]
        named = "; ".join(" and ".join(part["residues"]) for part in parts)
        said.append(
            f"As a whole it fits badly; docked in {len(parts)} parts ({named}) it has a score of "
            f"{number(record['assembly']['score'])}."
        )
    if "explained_density" in record:
        said.append(
            f"The placed model explains {100 * record['explained_density']:.0f} % of the density above the contour, "
            f"and {100 * record['atoms_in_density']:.0f} % of its atoms lie in it."
        )
    return said


def model_sentences(result: ClassResult) -> list[str]:
    """The best model in words."""
    record = result.models
    if record is None:
        return ["No model was selected for this class."]
    docked = (record.get("unguided") or {}).get("cc_mask")
    said = [f"Sample {record['best_sample']} ranks first of {result.samples_in_words}: CC_mask {record['cc_mask']:.3f}"]
    said[0] += f" (unguided model {docked:.3f})." if docked is not None else "."
    if docked is not None and docked >= record["cc_mask"]:
        said.append("The unguided model fits at least as well: guidance has added nothing here.")
    said.append(f"Ranking rule: {record['ranking_rule']}" + ("" if record["ranking_rule"].endswith(".") else "."))
    reference = record.get("reference")
    if reference:
        said.append(
            f"Against the known structure, in the map's frame and not superposed: Cα RMSD "
            f"{reference['best_ca_rmsd_angstrom']:.2f} Å, all atoms "
            f"{reference['best_all_atom_rmsd_angstrom']:.2f} Å; "
            f"the unguided model {reference['unguided_ca_rmsd_angstrom']:.2f} Å."
        )
    return said
