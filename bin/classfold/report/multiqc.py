"""classfold_mqc.json: one row per class for the general statistics of a MultiQC report.

MultiQC finds the file by the end of its name (https://docs.seqera.io/multiqc/custom_content) and needs no plugin.
"""

from __future__ import annotations

from typing import Any

HEADERS: dict[str, dict[str, Any]] = {
    "verdict": {
        "title": "Verdict",
        "description": "Whether the best model is to be trusted",
        "cond_formatting_rules": {
            "pass": [{"s_eq": "accept"}],
            "warn": [{"s_eq": "inspect"}],
            "fail": [{"s_eq": "reject"}],
        },
    },
    "cc_mask": {
        "title": "CC_mask",
        "description": "Correlation of the best model with its map around the atoms",
        "min": 0,
        "max": 1,
        "format": "{:,.3f}",
        "scale": "Blues",
    },
    "unguided_cc_mask": {
        "title": "CC_mask unguided",
        "description": "The same for the model without a map, docked",
        "min": 0,
        "max": 1,
        "format": "{:,.3f}",
        "scale": "Blues",
    },
    "resolution_angstrom": {
        "title": "Resolution",
        "description": "On which the map was worked",
        "suffix": " Å",
        "format": "{:,.2f}",
        "scale": False,
    },
    "particles_percent": {
        "title": "Particles",
        "description": "Share of the particles in the class",
        "suffix": " %",
        "max": 100,
        "min": 0,
        "format": "{:,.1f}",
        "scale": "Greys",
    },
    "n_warnings": {"title": "Warnings", "description": "Of all stages", "format": "{:,.0f}", "scale": "Oranges"},
    "status": {"title": "Status", "description": "Whether the class has a model", "hidden": True},
}


def general_statistics(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Custom content of MultiQC: ``target.class`` to the columns that say whether to look further.

    Parameters
    ----------
    rows : list of dict
        Of summary.csv. A value that is None is left out: MultiQC shows an empty cell.
    """
    data = {}
    for row in rows:
        share = row["population"]
        values = row | {"particles_percent": None if share is None else 100 * share}
        sample = f"{row['target']}.{row['class']}"
        data[sample] = {name: values[name] for name in HEADERS if values[name] is not None}
    used = {name for values in data.values() for name in values}
    headers = [{name: header | {"namespace": "ClassFold"}} for name, header in HEADERS.items() if name in used]
    return {"id": "classfold", "plot_type": "generalstats", "pconfig": headers, "data": data}
