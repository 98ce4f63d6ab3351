"""Ramachandran, omega, C-beta deviation and EMRinger as Phenix and MolProbity give them: by cctbx, in its own process.

Ramachandran: Top8000 distributions (Williams et al., Protein Sci. 27, 293, 2018). C-beta: Lovell et al., Proteins
50, 437, 2003. EMRinger: Barad et al., Nature Methods 12, 943, 2015; it asks for side chains that the map shows.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from classfold.maps import DensityMap
from classfold.structure import Topology, write_model

PROGRAM = Path(__file__).with_name("cctbx_process.py")
EMRINGER_LIMIT_ANGSTROM = 4.5
"""Beyond this resolution side chains are not seen and EMRinger says nothing."""
C_BETA_LIMIT_ANGSTROM = 0.25


@dataclass(frozen=True)
class ProteinValidation:
    """Of one model; shares and counts are None where it has no residue to judge."""

    ramachandran_favored: float | None
    """Share of the residues with both torsions that lie in the favoured region (98% of good residues)."""
    ramachandran_outliers: float | None
    """Share beyond the allowed region (0.05% of good residues, 0.2% of some kinds)."""
    omega_outliers: int | None
    """Peptides twisted by more than 30° or, but before proline, cis."""
    c_beta_outliers: int | None
    """Cβ more than 0.25 Å from where the backbone puts it."""
    emringer: float | None
    """None beyond 4.5 Å as well."""
    ramachandran: np.ndarray
    """(n_residues,) of str: favored, allowed or outlier; empty where not judged."""
    c_beta_angstrom: np.ndarray
    """(n_residues,) deviation, NaN where not judged."""


def validate_proteins(
    coordinates: Sequence[np.ndarray], topology: Topology, density: DensityMap, resolution_angstrom: float
) -> list[ProteinValidation]:
    """Judge some models of a target.

    Parameters
    ----------
    coordinates : sequence of ndarray, shape (n_atoms, 3)
        xyz in Å in the frame of the map; finite.
    topology : Topology
    density : DensityMap
    resolution_angstrom : float

    Raises
    ------
    RuntimeError
        If cctbx's process failed.
    """
    with tempfile.TemporaryDirectory(prefix="classfold-cctbx-") as name:
        folder = Path(name)
        models = [folder / f"model_{k}.cif" for k in range(len(coordinates))]
        for path, model in zip(models, coordinates, strict=True):
            write_model(path, topology, model - density.origin_angstrom, title="model")
        has_side_chains = resolution_angstrom <= EMRINGER_LIMIT_ANGSTROM
        if has_side_chains:
            np.save(folder / "map.npy", density.density.astype(np.float64))
        request = {
            "models": [str(path) for path in models],
            "map": str(folder / "map.npy") if has_side_chains else None,
            "voxel_size_angstrom": density.voxel_size_angstrom,
        }
        records = _ask_cctbx(folder, request)
    return [_read(record, topology) for record in records]


def _ask_cctbx(folder: Path, request: Mapping[str, Any]) -> list[dict[str, Any]]:
    asked, answered = folder / "request.json", folder / "response.json"
    asked.write_text(json.dumps(request))
    # -P: this folder's files must not hide cctbx's modules.
    command = [sys.executable, "-P", str(PROGRAM), str(asked), str(answered)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not answered.is_file():
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise RuntimeError(f"cctbx ended with {done.returncode}: {said[-1]}")
    return json.loads(answered.read_text())


def _read(record: Mapping[str, Any], topology: Topology) -> ProteinValidation:
    starts = topology.residue_starts
    keys = zip(topology.chain[starts].tolist(), topology.residue_number[starts].tolist(), strict=True)
    place = {key: k for k, key in enumerate(keys)}
    regions, deviations = np.full(len(starts), "", dtype="U8"), np.full(len(starts), np.nan)
    for chain, number, _, region in record["ramachandran"]:
        regions[place[chain, number]] = region
    for chain, number, deviation in record["c_beta"]:
        deviations[place[chain, number]] = deviation
    judged = regions[regions != ""]
    wrong = [kind == "twisted" or (kind == "cis" and not proline) for *_, kind, proline in record["omega"]]
    has_c_beta = np.isfinite(deviations).any()
    return ProteinValidation(
        ramachandran_favored=float((judged == "favored").mean()) if len(judged) else None,
        ramachandran_outliers=float((judged == "outlier").mean()) if len(judged) else None,
        omega_outliers=sum(wrong) if wrong else None,
        c_beta_outliers=int((deviations >= C_BETA_LIMIT_ANGSTROM).sum()) if has_c_beta else None,
        emringer=record["emringer"],
        ramachandran=regions,
        c_beta_angstrom=deviations,
    )
