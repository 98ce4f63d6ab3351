"""What cctbx makes of a map and a model, to hold our scores to: a program of its own, as scores/cctbx_process.py is.

``cctbx_reference.py FOLDER`` reads ``map.npy``, ``model.npy`` (densities, zyx), ``model.cif`` (coordinates from the
first voxel on) and ``voxel.json`` of the folder, and writes ``reference.json``.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np


def ask_cctbx(folder: Path) -> dict[str, Any]:
    """Run this file on a folder and read its answer."""
    command = [sys.executable, "-P", __file__, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "reference.json").read_text())


def main(folder: Path) -> None:
    import iotbx.pdb
    import mmtbx.model
    from cctbx import crystal, miller, uctbx
    from cctbx.maptbx.qscore import calc_qscore
    from iotbx.map_manager import map_manager
    from iotbx.map_model_manager import map_model_manager
    from libtbx.utils import null_out
    from mmtbx.maps.correlation import five_cc
    from scitbx.array_family import flex

    density, simulated = (
        flex.double(np.ascontiguousarray(np.load(folder / f"{name}.npy").astype(float).transpose(2, 1, 0)))
        for name in ("map", "model")
    )
    step = json.loads((folder / "voxel.json").read_text())
    cell = uctbx.unit_cell([n * step for n in density.all()] + [90, 90, 90])
    symmetry = crystal.symmetry(unit_cell=cell, space_group_symbol="P1")
    read = iotbx.pdb.input(file_name=str(folder / "model.cif"))
    model = mmtbx.model.manager(model_input=read, crystal_symmetry=symmetry, log=null_out())
    model.setup_scattering_dictionaries(scattering_table="electron")
    cc = five_cc(density, model.get_xray_structure(), d_min=4.0, map_calc=simulated, compute_cc_box=True)
    first, second = (
        miller.structure_factor_box_from_map(map=each, crystal_symmetry=symmetry) for each in (density, simulated)
    )
    curve = first.fsc(other=second)
    resolutions = [first.d_min_from_fsc(fsc_curve=curve, fsc_cutoff=level).d_min for level in (0.5, 0.143)]
    manager = map_manager(
        map_data=density, unit_cell_grid=density.all(), unit_cell_crystal_symmetry=symmetry, wrapping=False
    )
    both = map_model_manager(map_manager=manager, model=model)
    q = calc_qscore(both, shells=np.linspace(0.1, 2.0, 20).tolist(), n_probes=32)
    record = {
        "cc_box": cc.result.cc_box,
        "cc_mask": cc.result.cc_mask,
        "cc_volume": cc.result.cc_volume,
        "cc_peaks": cc.result.cc_peaks,
        "n_inside": cc.n_nodes_inside,
        "resolutions": resolutions,
        "q_score": list(q["qscore_per_atom"]),
    }
    (folder / "reference.json").write_text(json.dumps(record))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
