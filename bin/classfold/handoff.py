"""Files that open a class's model in its map with other programs: ChimeraX, Coot, PyMOL, and Phenix for refinement.

They lie beside ``model.cif`` and ``map.mrc`` and name both without a folder, so that it may be moved as a whole.
"""

from __future__ import annotations

from pathlib import Path

from classfold.maps import DensityMap, write_map_by_voxels
from classfold.resampling import on_whole_voxels

MAP_FILE, MODEL_FILE = "map.mrc", "model.cif"
CHIMERAX_FILE = "open_in_chimerax.cxc"
# 100 times a residue's correlation with the map, and the report's colours for it: orange is poor, blue is good.
FIT_COLOURS = ((30, "#b34300"), (45, "#e69f00"), (60, "#dedede"), (75, "#60aae6"), (90, "#006cbe"))
MAP_COLOUR, RIVAL_COLOUR = "#b2b2b2", "#009e73"


def open_map(identifier: int, path: str, contour: float, colour: str = MAP_COLOUR) -> list[str]:
    """ChimeraX commands that show a map at its contour, transparent, every voxel of it."""
    return [
        f'open "{path}" id {identifier}',
        f"volume #{identifier} style surface step 1 level {contour:.6g} color {colour}",
        f"transparency #{identifier} 70",
    ]


def open_model(identifier: int, path: str, options: str = "") -> list[str]:
    """ChimeraX commands that show a model as a cartoon, its ligands as sticks."""
    spec, opened = f"#{identifier}", f'open "{path}" id {identifier}{options}'
    return [opened, f"hide {spec} atoms", f"cartoon {spec}", f"show {spec} & ligand atoms"]


def chimerax(title: str, contour: float, rivals: list[str]) -> str:
    """Commands for ChimeraX, which runs them in the script's own folder."""
    palette = ":".join(f"{value},{colour}" for value, colour in FIT_COLOURS)
    lines = [
        f"# {title}: its map (#1) and best model (#2), coloured by the fit of each residue to the map:",
        "# orange from a correlation of 0.3, blue from 0.9. Other models that fit are #3 and on, hidden.",
        "# Open this file in an empty session of ChimeraX. The folder may be moved as a whole.",
        *open_map(1, MAP_FILE, contour),
        *open_model(2, MODEL_FILE),
        f"color bfactor #2 palette {palette}",
    ]
    for identifier, rival in enumerate(rivals, start=3):
        lines += [*open_model(identifier, rival), f"color #{identifier} {RIVAL_COLOUR}", f"hide #{identifier} models"]
    return "\n".join([*lines, "lighting soft", "view"]) + "\n"


COOT = '''# {title}: its map and best model. Start Coot with: coot --script open_in_coot.py
# The folder may be moved as a whole. Written for the Python of Coot 0.9 (version 2) and of Coot 1 (version 3).
import inspect
import os
import sys

import coot


def folder_of_this_script():
    # Coot 0.9 sets no __file__, and what it runs with exec() has no name of a file.
    sought = [globals().get("__file__"), inspect.getfile(inspect.currentframe())]
    sought += getattr(sys, "argv", [])
    for path in sought:
        folder = os.path.dirname(os.path.abspath(path)) if path else ""
        if folder and os.path.isfile(os.path.join(folder, "{map}")):
            return folder
    return os.getcwd()


folder = folder_of_this_script()
model = coot.read_pdb(os.path.join(folder, "{model}"))
density = coot.handle_read_ccp4_map(os.path.join(folder, "{map}"), 0)
coot.set_contour_level_absolute(density, {contour:.6g})
coot.set_imol_refinement_map(density)
'''


def coot(title: str, contour: float) -> str:
    """A script for Coot, which makes the map the one to refine against."""
    return COOT.format(title=title, contour=contour, map=MAP_FILE, model=MODEL_FILE)


PYMOL = '''# {title}: its map and best model, coloured by the fit of each residue: orange is poor, blue is good.
# Start with: pymol open_in_pymol.pml. The folder may be moved as a whole.
# PyMOL would divide the densities by their standard deviation, and the contour would be another one.
set normalize_ccp4_maps, off
python
import os
folder = os.path.dirname(os.path.abspath(__script__))
cmd.load(os.path.join(folder, "{model}"), "best_model")
cmd.load(os.path.join(folder, "{map}"), "class_map")
python end
isomesh contour, class_map, {contour:.6g}
color grey70, contour
spectrum b, {colours}, best_model, {low}, {high}
as cartoon, best_model
show sticks, best_model and organic
orient best_model
'''


def pymol(title: str, contour: float) -> str:
    """A script for PyMOL."""
    colours = " ".join("0x" + colour[1:] for _, colour in FIT_COLOURS)
    low, high = FIT_COLOURS[0][0], FIT_COLOURS[-1][0]
    scale = {"colours": colours, "low": low, "high": high}
    return PYMOL.format(title=title, contour=contour, map=MAP_FILE, model=MODEL_FILE, **scale)


PHENIX = '''# {title}: parameters for refinement. In this folder, with Phenix: phenix.real_space_refine {name}
# The B factors of the model are its fit to the map; refinement replaces them.
data_manager {{
  real_map_files = "{map}"
  default_real_map = "{map}"
  model {{
    file = "{model}"
    type = electron
  }}
  default_model = "{model}"
}}
resolution = {resolution:.4g}
'''


def phenix(title: str, resolution_angstrom: float, name: str) -> str:
    """Parameters of phenix.real_space_refine, which seeks files where it is started."""
    return PHENIX.format(title=title, map=MAP_FILE, model=MODEL_FILE, resolution=resolution_angstrom, name=name)


def write_handoff(
    folder: Path, title: str, density: DensityMap, contour: float, resolution_angstrom: float
) -> None:
    """Write ``map.mrc`` and the scripts into the folder of a class's models.

    Parameters
    ----------
    folder : Path
        Holds ``model.cif`` and, if there are any, ``model_2.cif`` and so on.
    title : str
        Of the class, one line.
    density : DensityMap
        What the models were judged by.
    contour : float
        Level of the molecule in that map.
    resolution_angstrom : float
    """
    write_map_by_voxels(folder / MAP_FILE, on_whole_voxels(density))
    rivals = sorted((path.name for path in folder.glob("model_*.cif")), key=lambda name: (len(name), name))
    phenix_file = "phenix_real_space_refine.eff"
    for name, text in (
        (CHIMERAX_FILE, chimerax(title, contour, rivals)),
        ("open_in_coot.py", coot(title, contour)),
        ("open_in_pymol.pml", pymol(title, contour)),
        (phenix_file, phenix(title, resolution_angstrom, phenix_file)),
    ):
        (folder / name).write_text(text)
