"""What cctbx says of models: a program of its own, run by ``protein_validation``, that imports nothing of ours.

cctbx's wheel brings a C++ library of its own, and importing it after torch, gemmi or pandas ends the process. Hence a
second process: ``cctbx_process.py REQUEST.json RESPONSE.json``. The request holds ``models`` (paths of mmCIF files,
coordinates from the map's first voxel on) and ``map`` (a ``.npy`` file of float64 zyx, or null) with its
``voxel_size_angstrom``. The response holds one record for each model.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import iotbx.pdb
import numpy as np
from cctbx import uctbx
from iotbx.pdb import hybrid_36
from libtbx import group_args
from libtbx.utils import Sorry, null_out
from mmtbx import ringer
from mmtbx.ringer import em_scoring
from mmtbx.validation import omegalyze, ramalyze
from mmtbx.validation.cbetadev import cbetadev
from scitbx.array_family import flex

RINGER = group_args(sampling_angle=5, sampling_method="linear", scaling="sigma", skip_alt_confs=True, nproc=1)


def residue_of(result: Any) -> list[Any]:
    """Chain and number of the residue that a result is about."""
    return [result.chain_id.strip(), hybrid_36.hy36decode(4, result.resseq)]


def validate(hierarchy: Any) -> dict[str, list[Any]]:
    """Ramachandran (percentile and region), omega and C-beta deviation, residue by residue."""
    rama = ramalyze.ramalyze(pdb_hierarchy=hierarchy, outliers_only=False)
    omega = omegalyze.omegalyze(pdb_hierarchy=hierarchy, nontrans_only=False)
    beta = cbetadev(pdb_hierarchy=hierarchy, outliers_only=False, quiet=True)
    return {
        "ramachandran": [[*residue_of(r), r.score, r.ramalyze_type().lower()] for r in rama.results],
        "omega": [
            [*residue_of(r), r.omega, r.omegalyze_type().lower(), r.res_type == omegalyze.OMEGA_PRO]
            for r in omega.results
        ],
        "c_beta": [[*residue_of(r), r.deviation] for r in beta.results],
    }


def emringer(hierarchy: Any, density: np.ndarray, voxel_size_angstrom: float) -> float | None:
    """EMRinger score; None where no side chain can be turned or the density has no features."""
    voxel = uctbx.unit_cell((voxel_size_angstrom,) * 3 + (90, 90, 90))
    xyz = flex.double(np.ascontiguousarray(density.transpose(2, 1, 0)))
    try:
        scan = ringer.iterate_over_residues(hierarchy, RINGER, map_data=xyz, unit_cell=voxel, log=null_out())
        return float(em_scoring.main(None, ringer_result=scan.results, quiet=True, out=null_out()).score)
    except (Sorry, ValueError):
        return None


def main(request_path: str, response_path: str) -> None:
    """Answer a request."""
    request = json.loads(Path(request_path).read_text())
    density = np.load(request["map"]) if request["map"] else None
    found = []
    for path in request["models"]:
        hierarchy = iotbx.pdb.input(file_name=path).construct_hierarchy()
        hierarchy.atoms().reset_i_seq()
        record: dict[str, Any] = dict(validate(hierarchy))
        record["emringer"] = None
        if density is not None:
            record["emringer"] = emringer(hierarchy, density, request["voxel_size_angstrom"])
        found.append(record)
    Path(response_path).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
