"""RELION jobs as the versions write them: model files by starfile and by hand, and maps with a pixel size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import starfile

from tests.mrc_files import mrc_bytes

PIXEL_SIZE = 1.2445
COLUMNS = {
    "3.1": ["rlnAccuracyRotations", "rlnAccuracyTranslationsAngst", "rlnOverallFourierCompleteness"],
    "4": ["rlnGradMoment1Image", "rlnGradMoment2Image", "rlnAccuracyRotations", "rlnOverallFourierCompleteness"],
    "5": ["rlnAccuracyRotations", "rlnAccuracyTranslationsAngst", "rlnOverallFourierCompleteness"],
}


def write_map(path: Path, pixel_size: float = PIXEL_SIZE, shape: tuple[int, int, int] = (8, 8, 8)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    density = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    path.write_bytes(mrc_bytes(density, (pixel_size,) * 3))


def class_table(
    references: list[str], shares: list[float], resolutions: list[float], version: str = "4"
) -> pd.DataFrame:
    """data_model_classes, its other columns before and behind those that matter."""
    others = COLUMNS[version]
    table: dict[str, list[Any]] = {"rlnReferenceImage": references}
    table |= {name: [1.5] * len(references) for name in others[:1]}
    table["rlnClassDistribution"] = shares
    table |= {name: [0.75] * len(references) for name in others[1:]}
    table["rlnEstimatedResolution"] = resolutions
    return pd.DataFrame(table)


def write_model(path: Path, table: pd.DataFrame, **general: Any) -> None:
    """A model file; the tables behind the classes are long in real ones."""
    settings = {
        "rlnReferenceDimensionality": 3,
        "rlnCurrentResolution": 4.4,
        "rlnPixelSize": PIXEL_SIZE,
        "rlnNrClasses": len(table),
        "rlnNrBodies": 1,
    }
    spectrum = pd.DataFrame({"rlnSpectralIndex": range(5), "rlnAngstromResolution": [999.0, 40, 20, 13, 10]})
    blocks = {"model_general": settings | general, "model_classes": table, "model_class_1": spectrum}
    path.parent.mkdir(parents=True, exist_ok=True)
    starfile.write(blocks, path)


def write_optimiser(path: Path, n_iterations: int) -> None:
    general = {"rlnOutputRootName": "Class3D/job012/run", "rlnNumberOfIterations": n_iterations}
    starfile.write({"optimiser_general": general}, path)


def write_class3d(
    project: Path,
    shares: list[float],
    resolutions: list[float],
    stem: str = "run_it025",
    job: str = "Class3D/job012",
    version: str = "4",
    n_iterations: int = 25,
) -> Path:
    """One iteration of a classification, with its maps; returns the job's folder."""
    folder = project / job
    names = [f"{stem}_class{number:03d}.mrc" for number in range(1, len(shares) + 1)]
    for name in names:
        write_map(folder / name)
    table = class_table([f"{job}/{name}" for name in names], shares, resolutions, version)
    write_model(folder / f"{stem}_model.star", table)
    write_optimiser(folder / f"{stem}_optimiser.star", n_iterations)
    return folder
