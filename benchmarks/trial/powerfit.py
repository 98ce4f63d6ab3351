"""PowerFit beside our docking: van Zundert & Bonvin, AIMS Biophysics 2, 73 (2015), as its users run it.

Its dependencies are not ours, so that it lives in an environment of its own:

    python3 -m venv ~/.cache/powerfit/v && ~/.cache/powerfit/v/bin/pip install powerfit-em==6.0.2
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import gemmi
import numpy as np
import torch

from classfold.maps import DensityMap, write_map

from .proteins import ADK_PATH

USUAL_PLACE = Path("~/.cache/powerfit/v/bin/powerfit").expanduser()
ANGLE_DEGREES = 10
"""Its default."""


class Fit(NamedTuple):
    """PowerFit's first solution."""

    coordinates: torch.Tensor
    """(n_atoms, 3) float64, Å."""
    cpu: float
    wall: float


def find_command(given: str | None) -> str | None:
    """The program that was named, else ``powerfit`` on PATH, else that of the usual environment."""
    if given:
        return shutil.which(given)
    return shutil.which("powerfit") or (str(USUAL_PLACE) if USUAL_PLACE.is_file() else None)


def fit(command: str, model: torch.Tensor, density_map: DensityMap, resolution_angstrom: float, processes: int) -> Fit:
    """Dock adenylate kinase ``(1655, 3)`` with PowerFit's defaults."""
    with tempfile.TemporaryDirectory() as folder:
        _write_kinase(Path(folder, "model.pdb"), model.numpy())
        write_map(Path(folder, "map.mrc"), density_map)
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        inputs = [f"{folder}/map.mrc", str(resolution_angstrom), f"{folder}/model.pdb"]
        options = ["-a", str(ANGLE_DEGREES), "-n", "1", "-p", str(processes), "-d", folder]
        subprocess.run([command, *inputs, *options], check=True, capture_output=True)
        wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        solution = gemmi.read_structure(f"{folder}/fit_1.pdb")[0]
    fitted = torch.tensor([site.atom.pos.tolist() for site in solution.all()]).double()
    return Fit(fitted, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall)


def _write_kinase(path: Path, coordinates: np.ndarray) -> None:
    """A PDB file of adenylate kinase at the given coordinates."""
    with np.load(ADK_PATH) as stored:
        columns = [stored[name] for name in ("residue_number", "residue_name", "atom_name", "element")]
    structure, chain = gemmi.Structure(), gemmi.Chain("A")
    for number, residue_name, atom_name, element, position in zip(*columns, coordinates, strict=True):
        if not len(chain) or chain[-1].seqid.num != number:
            residue = gemmi.Residue()
            residue.name, residue.seqid = str(residue_name), gemmi.SeqId(str(number))
            chain.add_residue(residue)
        atom = gemmi.Atom()
        atom.name, atom.element = str(atom_name), gemmi.Element(str(element))
        atom.pos = gemmi.Position(*position)
        chain[-1].add_atom(atom)
    structure.add_model(gemmi.Model("1"))
    structure[0].add_chain(chain)
    structure.write_pdb(str(path))
