"""The models of ``--compare`` as CHECK_INPUT sees them: what cannot be read is told before a GPU is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from classfold.errors import InputError
from classfold.mmcif import read_model

FILE, OF_FOLDER = "compare", "compare_folder"
"""Columns of the staged table: a model for all classes, or one of a folder's."""


class GivenModel(NamedTuple):
    """One file."""

    cell: str
    """As it was given: name=file, or name=folder/file for each file of a folder."""
    path: Path
    column: str
    """Which of the two it is."""

    @property
    def given(self) -> str:
        """What was written: of a file in a folder name=folder."""
        return self.cell if self.column == FILE else self.cell.rpartition("/")[0]


def given_model_problems(models: Sequence[GivenModel], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sentences about models that cannot be read, and about folders with none for any class of the samplesheet."""
    stems = {stem for row in rows for stem in (row["class"], f"{row['target']}.{row['class']}")}
    problems, useful = [], set()
    folders = [model.given for model in models if model.column == OF_FOLDER]
    for model in models:
        if model.column == OF_FOLDER and model.path.stem not in stems:
            continue
        useful.add(model.given)
        try:
            read_model(model.path)
        except InputError as error:
            said = str(error).replace(str(model.path), model.path.name).rstrip(".")
            problems.append(f"--compare {model.cell}: {said}.")
    for folder in dict.fromkeys(folders):
        if folder not in useful:
            problems.append(
                f"--compare {folder}: no file in it is named after a class of the samplesheet; name them "
                "<target>.<class>.cif or <class>.cif (or .pdb)."
            )
    return problems
