"""The conformational path of adenylate kinase that the demonstration is made from.

Two transitions from the closed to the open state, computed by dynamic importance sampling (DIMS; Beckstein et al.,
J Mol Biol 394:160, 2009), are distributed with MDAnalysisTests: 98 and 102 frames of 214 residues.
"""

from __future__ import annotations

import numpy as np

CHARMM_TO_PDB_RESIDUE = {"HSD": "HIS", "HSE": "HIS", "HSP": "HIS"}
CHARMM_TO_PDB_ATOM = {("ILE", "CD"): "CD1", ("GLY", "OT1"): "O"}
FRAMES_OF_FIRST = 98
FRAMES_PER_BLOCK = 8
HELD_OUT_IN_BLOCK = (3, 4, 5)


def load_trajectories(atom_names: list[tuple[int, str, str]]) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of both transitions in the order of ``atom_names``.

    Parameters
    ----------
    atom_names : list of (int, str, str)
        Residue index from 0, residue name and atom name of every atom wanted.

    Returns
    -------
    coordinates : ndarray, shape (n_frames, n_atoms, 3)
        In Å; the first transition, then the second.
    held_out : ndarray of bool, shape (n_frames,)
        Frames that are never trained on: the middle three of each eight, so that a tested frame has no trained
        neighbour.
    """
    import MDAnalysis
    from MDAnalysis.tests.datafiles import DCD, DCD2, PSF

    coordinates, held_out = [], []
    for trajectory_file in (DCD, DCD2):
        universe = MDAnalysis.Universe(PSF, trajectory_file)
        index_of = {}
        for residue_index, residue in enumerate(universe.residues):
            name = CHARMM_TO_PDB_RESIDUE.get(residue.resname, residue.resname)
            for atom in residue.atoms:
                pdb_atom = CHARMM_TO_PDB_ATOM.get((name, atom.name), atom.name)
                index_of[residue_index, name, pdb_atom] = atom.index
        order = np.array([index_of[key] for key in atom_names])
        for frame_index, timestep in enumerate(universe.trajectory):
            coordinates.append(timestep.positions[order].astype(np.float32))
            held_out.append(frame_index % FRAMES_PER_BLOCK in HELD_OUT_IN_BLOCK)
    return np.stack(coordinates), np.array(held_out)
