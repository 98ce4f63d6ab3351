"""What Phenix's own reader makes of the files that are handed over: a program of its own, as cctbx_reference.py is.

``cctbx_handoff.py FOLDER`` is run in the folder, reads its .eff file as phenix.real_space_refine does, opens the model
and the map that it names, and prints a JSON record.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def ask_phenix(folder: Path) -> dict[str, Any]:
    """Run this file in a folder and read its answer."""
    done = subprocess.run([sys.executable, "-P", __file__], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    import libtbx.phil
    from iotbx.data_manager import DataManager

    manager = DataManager(["model", "real_map"])
    master = libtbx.phil.parse("resolution = None\n  .type = float\n")
    master.adopt_scope(manager.master_phil)
    given = libtbx.phil.parse(file_name="phenix_real_space_refine.eff")
    working, unused = master.fetch(source=given, track_unused_definitions=True)
    manager.load_phil_scope(working)
    # The pair takes the files out of the manager.
    named = manager.get_model_names(), manager.get_real_map_names()
    kind = manager.get_model_type(named[0][0])
    pair = manager.get_map_model_manager()
    sites = pair.model().get_sites_cart()
    print(
        json.dumps(
            {
                "unused": [str(each) for each in unused],
                "resolution": working.extract().resolution,
                "named": named,
                "type": kind,
                "n_atoms": sites.size(),
                "density": list(pair.map_manager().density_at_sites_cart(sites)),
                "cc_mask": pair.map_model_cc(resolution=working.extract().resolution),
            }
        )
    )


if __name__ == "__main__":
    main()
