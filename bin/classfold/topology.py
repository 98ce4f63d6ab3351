"""The atoms of a target: which they are, in which order, in which chains. No coordinates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import gemmi
import numpy as np
import pandas as pd

from classfold.errors import InputError
from classfold.records import read_json

POLYMERS = ("protein", "dna", "rna")
COLUMNS = {
    "chain": str,
    "chain_type": str,
    "entity": np.int64,
    "residue_number": np.int64,
    "residue_name": str,
    "atom_name": str,
    "element": str,
    "charge": np.int64,
    "token_index": np.int64,
}


@dataclass(frozen=True)
class ChainRecord:
    """One chain of the target."""

    name: str
    type: str
    """protein, dna, rna or ligand"""
    entity: int
    """Chains of the same entity have the same sequence."""
    sequence: str | None
    """One-letter codes of the full sequence; none for a ligand."""


@dataclass(frozen=True)
class Topology:
    """The real (unpadded) atoms of a target in the order of every coordinate array of this project.

    All arrays have the shape (n_atoms,). ``residue_number`` counts from 1 over the chain's full sequence.
    """

    target: str
    chains: tuple[ChainRecord, ...]
    chain: np.ndarray
    residue_number: np.ndarray
    residue_name: np.ndarray
    atom_name: np.ndarray
    element: np.ndarray
    charge: np.ndarray
    token_index: np.ndarray

    @classmethod
    def read(cls, folder: Path) -> Topology:
        """Read ``target.json`` and ``atoms.csv`` of a ``T.sequence`` folder.

        Raises
        ------
        InputError
            If a file or a column is missing, or an atom belongs to no chain.
        """
        folder = Path(folder)
        for name in ("target.json", "atoms.csv"):
            if not (folder / name).is_file():
                raise InputError(f"{folder} holds no {name}: give the folder that prepare_sequence.py wrote")
        record = read_json(folder / "target.json")
        # "NA" is a chain or an ion here, never a missing value.
        table = pd.read_csv(folder / "atoms.csv", dtype=COLUMNS, keep_default_na=False)
        missing = [column for column in COLUMNS if column not in table.columns]
        if missing:
            raise InputError(f"{folder / 'atoms.csv'} lacks the column(s) {', '.join(missing)}")
        chains = tuple(
            ChainRecord(c["name"], c["type"], int(c["entity"]), c["sequence"]) for c in record["chains"]
        )
        strangers = sorted(set(table["chain"]) - {chain.name for chain in chains})
        if strangers:
            raise InputError(
                f"{folder}: atoms.csv names chain(s) {', '.join(strangers)} unknown to target.json"
            )
        columns = {
            name: table[name].to_numpy(dtype=str if kind is str else kind)
            for name, kind in COLUMNS.items()
            if name not in ("chain_type", "entity")
        }
        return cls(target=record["target"], chains=chains, **columns)

    def write_atoms(self, path: Path) -> None:
        """Write ``atoms.csv``: one row per atom."""
        of_chain = {chain.name: chain for chain in self.chains}
        table = pd.DataFrame(
            {
                "chain": self.chain,
                "chain_type": [of_chain[name].type for name in self.chain],
                "entity": [of_chain[name].entity for name in self.chain],
                "residue_number": self.residue_number,
                "residue_name": self.residue_name,
                "atom_name": self.atom_name,
                "element": self.element,
                "charge": self.charge,
                "token_index": self.token_index,
            }
        )
        table.to_csv(path, index=False)

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.chain)

    @cached_property
    def chain_type(self) -> np.ndarray:
        """(n_atoms,) type of each atom's chain."""
        of_chain = {chain.name: chain.type for chain in self.chains}
        return np.array([of_chain[name] for name in self.chain], dtype=str)

    @cached_property
    def atomic_numbers(self) -> np.ndarray:
        """(n_atoms,) atomic numbers Z, float64."""
        table = {symbol: gemmi.Element(symbol).atomic_number for symbol in np.unique(self.element)}
        return np.array([table[symbol] for symbol in self.element], dtype=np.float64)

    @cached_property
    def residue_index(self) -> np.ndarray:
        """(n_atoms,) index from 0 of each atom's residue, in the order of the atoms."""
        return residue_index(self.chain, self.residue_number)

    @cached_property
    def residue_starts(self) -> np.ndarray:
        """(n_residues,) index of the first atom of each residue that has atoms."""
        return np.unique(self.residue_index, return_index=True)[1]

    def part(self, atoms: np.ndarray) -> Topology:
        """The same molecule with some of its atoms, ascending indices (n,); full sequences are kept."""
        present = set(self.chain[atoms].tolist())
        chains = tuple(chain for chain in self.chains if chain.name in present)
        names = ("chain", "residue_number", "residue_name", "atom_name", "element", "charge", "token_index")
        return replace(self, chains=chains, **{name: getattr(self, name)[atoms] for name in names})

    def ca_indices(self) -> np.ndarray:
        """(n_representative,) indices of representative atoms: CA of proteins, C1' of nucleic acids."""
        protein = (self.chain_type == "protein") & (self.atom_name == "CA")
        nucleic = np.isin(self.chain_type, ("dna", "rna")) & (self.atom_name == "C1'")
        return np.flatnonzero(protein | nucleic)


def residue_index(chain: np.ndarray, residue_number: np.ndarray) -> np.ndarray:
    """Number residues from 0: a new one begins where the chain or the residue number changes.

    Parameters
    ----------
    chain, residue_number : ndarray, shape (n_atoms,)

    Returns
    -------
    ndarray of int, shape (n_atoms,)
    """
    change = (chain[1:] != chain[:-1]) | (residue_number[1:] != residue_number[:-1])
    return np.concatenate([[0], np.cumsum(change)]) if len(chain) else np.zeros(0, dtype=int)
