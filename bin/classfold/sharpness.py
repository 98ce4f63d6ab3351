"""Whether a map is as sharp as its docked model says that a map of its resolution is, and the map made so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from classfold.amplitudes import LEAST_SHELLS, SHAPE_ANGSTROM, Match, apply_match, match_amplitudes
from classfold.maps import DensityMap, write_map

COARSEST_ANGSTROM = 7.0
"""Of maps that are matched; from 12 Å to less than this, conformation changes amplitudes more than sharpness does."""
MATCHED_MAP = "matched.mrc"
SPECTRA = "spectra.csv"
SHORT_OF = 1.15
"""A match that ends so many times coarser than the resolution is said to."""


def match_sharpness(
    density_map: DensityMap,
    coordinates: np.ndarray,
    weights: np.ndarray,
    resolution_angstrom: float,
    folder: Path,
) -> dict[str, Any]:
    """Write a map that is as sharp as its docked model, and the spectra of both; what docking.json holds of it.

    Nothing is written for a map that cannot be matched; the record says why.

    Parameters
    ----------
    density_map : DensityMap
    coordinates : ndarray, shape (n_atoms, 3)
        Of the docked model, xyz in Å.
    weights : ndarray, shape (n_atoms,)
        Atomic numbers.
    resolution_angstrom : float
    folder : Path
        Of the docking; it exists.
    """
    for name in (MATCHED_MAP, SPECTRA):
        (folder / name).unlink(missing_ok=True)
    if resolution_angstrom > COARSEST_ANGSTROM:
        reason = f"coarser than {COARSEST_ANGSTROM:g} Å amplitudes tell more of the shape than of the sharpness"
        return {"matched": False, "reason": reason}
    match = match_amplitudes(density_map, coordinates, weights, resolution_angstrom)
    if match is None:
        reason = f"it holds signal in fewer than {LEAST_SHELLS} shells of its spectrum beyond {SHAPE_ANGSTROM:g} Å"
        return {"matched": False, "reason": reason}
    write_map(folder / MATCHED_MAP, apply_match(density_map, match))
    spectra_table(match).to_csv(folder / SPECTRA, index=False)
    return {
        "matched": True,
        "reason": _reason(match, resolution_angstrom),
        "b_factor_angstrom2": match.b_factor_angstrom2,
        "gain_at_end": float(match.gain[match.last]),
        "matched_to_angstrom": float(1 / match.shells.frequency[match.last]),
    }


def spectra_table(match: Match) -> pd.DataFrame:
    """One row for each shell but that of zero frequency."""
    columns = {
        "frequency_per_angstrom": match.shells.frequency,
        "map_amplitude": match.map,
        "matched_amplitude": match.matched,
        "model_amplitude": match.model,
        "gain": match.gain,
    }
    return pd.DataFrame(columns).iloc[1:]


def _reason(match: Match, resolution_angstrom: float) -> str:
    """Up to where a map was matched, and why no further."""
    end = 1 / float(match.shells.frequency[match.last])
    if end > SHORT_OF * resolution_angstrom:
        return (
            f"brought to the amplitudes of the docked model down to {end:.1f} Å: beyond, the map holds no signal, "
            f"though its resolution is given as {resolution_angstrom:g} Å"
        )
    return "brought to the amplitudes of the docked model down to its resolution"
