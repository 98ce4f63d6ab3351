"""Chemical components in the form in which Boltz reads them.

Boltz takes its reference conformers from a pickled dictionary ``{code: rdkit.Chem.Mol}``. The one of its release is
made from the whole Chemical Component Dictionary of the wwPDB. The demonstration needs a few dozen entries of the same
dictionary, taken from the copy that biotite carries.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import biotite.structure.info as info
import numpy as np
from biotite.interface.rdkit import to_mol
from rdkit import Chem

AMINO_ACIDS = (
    *("ALA", "ARG", "ASN", "ASP", "CYS", "GLN", "GLU", "GLY", "HIS", "ILE", "LEU"),
    *("LYS", "MET", "PHE", "PRO", "SER", "THR", "TRP", "TYR", "VAL", "UNK"),
)
NUCLEOTIDES = ("A", "G", "C", "U", "N", "DA", "DG", "DC", "DT", "DN")
LIGANDS = ("ATP", "ADP", "AMP", "AP5", "HEM", "NAG", "SEP", "TPO", "MSE", "MG", "ZN", "NA", "CL")


def component_molecule(code: str) -> Chem.Mol:
    """One component as RDKit molecule with hydrogens, named atoms and its ideal conformer.

    Parameters
    ----------
    code : str
        Three-letter code of the Chemical Component Dictionary.

    Returns
    -------
    rdkit.Chem.Mol
        Every atom has the properties ``name`` and ``leaving_atom``; the one conformer is named ``Ideal``.
    """
    atoms = info.residue(code)
    molecule = to_mol(atoms, explicit_hydrogen=True)
    atom_table = info.get_from_ccd("chem_comp_atom", code)
    leaving = dict(
        zip(
            atom_table["atom_id"].as_array(),
            atom_table["pdbx_leaving_atom_flag"].as_array() == "Y",
            strict=True,
        )
    )
    for rdkit_atom, name in zip(molecule.GetAtoms(), atoms.atom_name, strict=True):
        rdkit_atom.SetProp("name", str(name))
        rdkit_atom.SetProp("leaving_atom", str(int(leaving[name])))
    conformer = molecule.GetConformer()
    conformer.SetProp("name", "Ideal")
    if molecule.GetNumAtoms() > 1 and np.ptp(conformer.GetPositions(), axis=0).max() > 0:
        Chem.AssignStereochemistryFrom3D(molecule)
    return molecule


def write_components(path: Path) -> None:
    """Write the demonstration's dictionary to ``path`` in the format of Boltz's ``ccd.pkl``."""
    Chem.SetDefaultPickleProperties(Chem.PropertyPickleOptions.AllProps)
    molecules = {code: component_molecule(code) for code in (*AMINO_ACIDS, *NUCLEOTIDES, *LIGANDS)}
    with path.open("wb") as stream:
        pickle.dump(molecules, stream, protocol=4)
