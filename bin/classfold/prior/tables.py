"""A parsed target's atoms, chains and mass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from boltz.data import const
from boltz.data.types import Target
from rdkit import Chem

HYDROGEN_DALTON = 1.008
WATER_DALTON = 18.015


def atom_table(target: Target) -> dict[str, np.ndarray]:
    """The columns of a topology for all atoms of a target, each (n_atoms,), in Boltz's order.

    Boltz writes an atom's name as four numbers, each the character's code less 32, and counts residues
    from 0. A standard residue is one token; of any other residue every atom is one.
    """
    structure = target.structure
    elements = Chem.GetPeriodicTable()
    columns: dict[str, list[Any]] = {
        name: []
        for name in (
            "chain",
            "residue_number",
            "residue_name",
            "atom_name",
            "element",
            "charge",
            "token_index",
        )
    }
    token = -1
    for chain in structure.chains:
        for residue in structure.residues[chain["res_idx"] : chain["res_idx"] + chain["res_num"]]:
            atoms = structure.atoms[residue["atom_idx"] : residue["atom_idx"] + residue["atom_num"]]
            for position, atom in enumerate(atoms):
                token += position == 0 or not residue["is_standard"]
                columns["chain"].append(str(chain["name"]))
                columns["residue_number"].append(int(residue["res_idx"]) + 1)
                columns["residue_name"].append(str(residue["name"]))
                columns["atom_name"].append("".join(chr(code + 32) for code in atom["name"] if code))
                columns["element"].append(elements.GetElementSymbol(int(atom["element"])))
                columns["charge"].append(int(atom["charge"]))
                columns["token_index"].append(token)
    return {name: np.array(values) for name, values in columns.items()}


def chain_table(target: Target) -> list[dict[str, Any]]:
    """Name, type, entity, full sequence (none for a ligand) and number of residues of every chain."""
    types = {number: name.lower() for name, number in const.chain_type_ids.items()}
    types[const.chain_type_ids["NONPOLYMER"]] = "ligand"
    return [
        {
            "name": str(chain["name"]),
            "type": types[int(chain["mol_type"])],
            "entity": int(chain["entity_id"]),
            "sequence": target.sequences.get(int(chain["entity_id"])),
            "n_residues": int(chain["res_num"]),
        }
        for chain in target.structure.chains
    ]


def molecular_mass(target: Target, components: Mapping[str, Any]) -> float:
    """Mass of all chains in dalton with hydrogens, one water less for every bond between two residues."""

    def mass_of(name: str) -> float:
        molecule = Chem.Mol(target.extra_mols.get(name) or components[name])
        molecule.UpdatePropertyCache(strict=False)
        return sum(atom.GetMass() + atom.GetTotalNumHs() * HYDROGEN_DALTON for atom in molecule.GetAtoms())

    residues = target.structure.residues
    names, counts = np.unique(residues["name"], return_counts=True)
    total = sum(mass_of(str(name)) * int(count) for name, count in zip(names, counts, strict=True))
    polymers = target.structure.chains["mol_type"] != const.chain_type_ids["NONPOLYMER"]
    bonds = int((target.structure.chains["res_num"][polymers] - 1).sum())
    return total - bonds * WATER_DALTON
