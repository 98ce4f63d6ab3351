"""The JSON schema of summary.json, made of the summary's columns.

assets/summary_schema.json is what this writes::

    PYTHONPATH=bin python -m classfold.report.summary_schema > assets/summary_schema.json
"""

from __future__ import annotations

import json
from typing import Any

from classfold.report.summary import COLUMNS, FAILED, MODELLED, Column

ALWAYS = ("target", "class", "status")
CHOICES = {"status": [MODELLED, FAILED], "verdict": ["accept", "inspect", "reject", None]}


def _property(column: Column) -> dict[str, Any]:
    """Type and description of one column; the names that other programs use are part of the description."""
    meaning = column.meaning
    if column.known_as:
        meaning += f" (known elsewhere as {' and '.join(column.known_as)})"
    found: dict[str, Any] = {"description": meaning}
    found["type"] = column.kind if column.name in ALWAYS else [column.kind, "null"]
    return found | ({"enum": CHOICES[column.name]} if column.name in CHOICES else {})


def summary_schema() -> dict[str, Any]:
    """JSON schema, draft 2020-12, of summary.json."""
    names = [column.name for column in COLUMNS]
    texts = {"type": "object", "additionalProperties": {"type": "string"}}
    lists = {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}}
    row = {
        "type": "object",
        "required": names,
        "additionalProperties": False,
        "properties": {column.name: _property(column) for column in COLUMNS},
    }
    properties = {
        "version": {"type": "string", "description": "version of ClassFold"},
        "columns": texts | {"description": "column of classes to what it means"},
        "known_as": lists | {"description": "column to its names in RELION's model.star and in ISPyB's tables"},
        "classes": {"type": "array", "items": row, "description": "one entry per class, in the order of summary.csv"},
        "parameters": {"type": "object", "description": "parameters and versions of the run"},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ClassFold summary.json",
        "description": "One row per class of a ClassFold run; null where a number is not defined.",
        "type": "object",
        "required": list(properties),
        "properties": properties,
    }


def main() -> None:
    """Print the schema."""
    print(json.dumps(summary_schema(), indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
