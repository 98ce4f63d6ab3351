"""Tables of an mmCIF block: values quoted as the format asks, what is unknown or does not apply left as such."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import gemmi

UNKNOWN, NOT_APPLICABLE = "?", "."


def _value(value: object) -> str:
    text = str(value)
    return text if text in (UNKNOWN, NOT_APPLICABLE) else gemmi.cif.quote(text)


def add_loop(block: gemmi.cif.Block, category: str, tags: list[str], rows: Iterable[Iterable[object]]) -> None:
    """Add ``_category.tag ...`` with its rows; nothing where there are no rows."""
    values = [[_value(value) for value in row] for row in rows]
    if not values:
        return
    loop = block.init_loop(f"_{category}.", tags)
    for row in values:
        loop.add_row(row)


def add_pairs(block: gemmi.cif.Block, category: str, values: Mapping[str, object]) -> None:
    """Add a category of one row."""
    for tag, value in values.items():
        block.set_pair(f"_{category}.{tag}", _value(value))
