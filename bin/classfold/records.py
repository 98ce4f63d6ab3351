"""JSON records between stages: written whole or not at all, finite numbers only."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np


def _plain(value: Any) -> Any:
    """NumPy scalars and arrays as JSON knows them."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def write_json(record: Any, path: Path) -> None:
    """Write a dataclass or dictionary to ``path``.

    Raises
    ------
    ValueError
        If the record holds a number that is not finite.
    """
    content = asdict(record) if is_dataclass(record) and not isinstance(record, type) else record
    text = json.dumps(content, indent=2, allow_nan=False, default=_plain) + "\n"
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text)
    os.replace(partial, path)


def read_json(path: Path) -> dict[str, Any]:
    """Read a record that :func:`write_json` wrote."""
    return json.loads(path.read_text())
