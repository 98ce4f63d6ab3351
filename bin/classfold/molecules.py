"""The molecules of a target: its chains as a sequence file describes them, checked before any heavy work.

Boltz turns letters that it does not know into unknown residues without a word and gives chains of the same
sequence the modifications of the first. Here both are errors.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rdkit import Chem, rdBase

from classfold.errors import InputError

ALPHABETS = {"protein": "ACDEFGHIKLMNPQRSTVWY", "dna": "ACGT", "rna": "ACGU"}
CHAIN_TYPES = (*ALPHABETS, "ligand")
_CHAIN_NAME = re.compile(r"^[A-Za-z0-9]{1,5}$")
_COMPONENT_CODE = re.compile(r"^[A-Z0-9]{1,5}$")
_LETTERS_SHOWN = 5
_HINTS = {
    ("protein", "U"): "; write selenocysteine as C with the modification SEC",
    ("protein", "O"): "; write pyrrolysine as K with the modification PYL",
    ("protein", "-"): "; this looks like a row of an alignment: remove the gaps",
    ("rna", "T"): "; in RNA write U",
    ("dna", "U"): "; in DNA write T",
}


@dataclass(frozen=True)
class Molecule:
    """One chain as the user describes it: a polymer with a sequence, or a ligand by codes or SMILES."""

    name: str
    type: str
    """protein, dna, rna or ligand"""
    sequence: str | None = None
    """One-letter codes, for polymers."""
    codes: tuple[str, ...] = ()
    """Codes of the Chemical Component Dictionary, for ligands."""
    smiles: str | None = None
    modifications: tuple[tuple[int, str], ...] = ()
    """(position from 1, component code) of every modified residue."""
    cyclic: bool = False
    alignment: Path | None = None
    """Alignment that the sequence file itself names for this chain."""

    @property
    def n_residues(self) -> int:
        """Residues of a polymer, components of a ligand."""
        return len(self.sequence) if self.sequence is not None else max(len(self.codes), 1)

    def boltz_item(self) -> dict[str, Any]:
        """This chain as an item of ``sequences`` in a Boltz YAML."""
        content: dict[str, Any] = {"id": self.name}
        if self.sequence is not None:
            content["sequence"] = self.sequence
            content["modifications"] = [{"position": p, "ccd": code} for p, code in self.modifications]
            content["cyclic"] = self.cyclic
        elif self.smiles is not None:
            content["smiles"] = self.smiles
        else:
            content["ccd"] = list(self.codes) if len(self.codes) > 1 else self.codes[0]
        return {self.type: content}


@dataclass(frozen=True)
class TargetSequence:
    """All chains of a target and what else a Boltz YAML may say about them."""

    chains: tuple[Molecule, ...]
    constraints: tuple[dict[str, Any], ...] = ()
    """Bonds and one pocket, as in a Boltz YAML."""
    warnings: tuple[str, ...] = field(default=(), compare=False)

    @property
    def n_residues(self) -> int:
        """Residues of all chains together."""
        return sum(chain.n_residues for chain in self.chains)

    def boltz_form(self) -> dict[str, Any]:
        """The content of the Boltz YAML of this target. Alignments are handed to Boltz apart from it."""
        form: dict[str, Any] = {"version": 1, "sequences": [chain.boltz_item() for chain in self.chains]}
        if self.constraints:
            form["constraints"] = list(self.constraints)
        return form

    def sha256(self) -> str:
        """Digest of the molecule: equal for equal chains, whatever file they were read from."""
        return hashlib.sha256(json.dumps(self.boltz_form(), sort_keys=True).encode()).hexdigest()


def check_target(target: TargetSequence) -> None:
    """Check everything that can be told without the dictionary of components.

    Raises
    ------
    InputError
        For no chains, bad or repeated chain names, unknown letters, modifications out of range, unreadable
        SMILES, chains of one sequence that differ in what Boltz keeps once per sequence, or bad constraints.
    """
    if not target.chains:
        raise InputError("the file holds no sequence; give at least one chain")
    names = [chain.name for chain in target.chains]
    for name in names:
        if not _CHAIN_NAME.match(name):
            raise InputError(f"chain name {name!r} is not allowed; use one to five letters and digits")
        if names.count(name) > 1:
            raise InputError(f"chain {name} occurs {names.count(name)} times; give every chain its own name")
    for chain in target.chains:
        _check_polymer(chain) if chain.type in ALPHABETS else _check_ligand(chain)
    _check_copies(target.chains)
    _check_constraints(target)


def _check_polymer(chain: Molecule) -> None:
    """Letters and modifications of one polymer."""
    if not chain.sequence:
        raise InputError(f"chain {chain.name} has an empty sequence; give its residues as one-letter codes")
    positions = [position for position, _ in chain.modifications]
    for position, code in chain.modifications:
        if not 1 <= position <= len(chain.sequence) or positions.count(position) > 1:
            raise InputError(
                f"chain {chain.name}: modification {code} at position {position} is out of range or given "
                f"twice; positions count from 1 to {len(chain.sequence)}, one modification each"
            )
        if not _COMPONENT_CODE.match(code):
            raise InputError(
                f"chain {chain.name}: modification {code!r} is no code of the Chemical Component Dictionary; "
                "codes are one to five capital letters and digits, such as SEP"
            )
    alphabet = ALPHABETS[chain.type]
    # The letter under a modification is not used, so X is as good as any other there.
    unknown = [
        (i, letter)
        for i, letter in enumerate(chain.sequence, start=1)
        if letter not in alphabet and i not in positions
    ]
    if unknown:
        shown = ", ".join(f"{letter} at position {i}" for i, letter in unknown[:_LETTERS_SHOWN])
        more = f" and {len(unknown) - _LETTERS_SHOWN} more" if len(unknown) > _LETTERS_SHOWN else ""
        hint = _HINTS.get((chain.type, unknown[0][1]), "")
        residues = "amino acids" if chain.type == "protein" else "nucleotides"
        raise InputError(
            f"chain {chain.name} ({chain.type}) holds unknown {residues}: {shown}{more}; "
            f"allowed are the letters {alphabet}{hint}"
        )


def _check_ligand(chain: Molecule) -> None:
    """A ligand is given either by codes or by a SMILES that RDKit reads."""
    if bool(chain.codes) == (chain.smiles is not None):
        raise InputError(f"ligand {chain.name} needs either a component code (ccd) or a SMILES, not both")
    for code in chain.codes:
        if not _COMPONENT_CODE.match(code):
            raise InputError(
                f"ligand {chain.name}: {code!r} is no code of the Chemical Component Dictionary; "
                "codes are one to five capital letters and digits, such as ATP"
            )
    if chain.smiles is not None:
        with rdBase.BlockLogs():
            molecule = Chem.MolFromSmiles(chain.smiles) if chain.smiles else None
        if molecule is None or molecule.GetNumAtoms() == 0:
            raise InputError(f"ligand {chain.name}: {chain.smiles!r} is not a valid SMILES; correct it")


def _check_copies(chains: Sequence[Molecule]) -> None:
    """Boltz keeps modifications, cyclisation and alignment once per sequence."""
    first_of: dict[tuple[str, str], Molecule] = {}
    for chain in chains:
        if chain.sequence is None:
            continue
        first = first_of.setdefault((chain.type, chain.sequence), chain)
        if (set(first.modifications), first.cyclic) != (set(chain.modifications), chain.cyclic):
            raise InputError(
                f"chains {first.name} and {chain.name} have the same sequence but differ in modifications or "
                "cyclisation, which Boltz cannot tell apart; give both the same, or shorten one by a residue"
            )
        if first.alignment != chain.alignment:
            raise InputError(
                f"chains {first.name} and {chain.name} have the same sequence but name different alignments; "
                "name the same one for both"
            )


def _check_constraints(target: TargetSequence) -> None:
    """Bonds and one pocket, which is what Boltz-1 knows; chains and residues that exist."""
    of_name = {chain.name: chain for chain in target.chains}
    pockets = 0
    for constraint in target.constraints:
        kind, content = (
            next(iter(constraint.items()), ("", None)) if isinstance(constraint, dict) else ("", None)
        )
        if kind == "bond" and isinstance(content, dict) and {"atom1", "atom2"} <= content.keys():
            places = [content["atom1"], content["atom2"]]
            length = 3
        elif kind == "pocket" and isinstance(content, dict) and {"binder", "contacts"} <= content.keys():
            pockets += 1
            places, length = content["contacts"], 2
            if (
                not isinstance(places, list)
                or str(content["binder"]) not in of_name
                or content.get("max_distance", 6.0) != 6.0
            ):
                raise InputError(
                    "the pocket's binder must be a chain of this file and its max_distance 6 Å, the only one "
                    "that Boltz-1 knows"
                )
        else:
            raise InputError(
                f"constraint {constraint!r} is not one that Boltz-1 knows; allowed are "
                "bond: {atom1: [chain, residue, atom], atom2: ...} and "
                "pocket: {binder: chain, contacts: [[chain, residue], ...]}"
            )
        for place in places:
            _check_place(place, length, of_name)
    if pockets > 1:
        raise InputError(f"{pockets} pocket constraints were given; Boltz-1 knows at most one")


def _check_place(place: Any, length: int, of_name: dict[str, Molecule]) -> None:
    """One [chain, residue(, atom)] of a constraint."""
    if not isinstance(place, list) or len(place) != length or str(place[0]) not in of_name:
        raise InputError(
            f"{place!r} in a constraint does not name a chain of this file and {length - 1} more"
        )
    chain, residue = of_name[str(place[0])], place[1]
    names_atom = length == 2 and chain.type == "ligand"
    if not names_atom and not (isinstance(residue, int) and 1 <= residue <= chain.n_residues):
        raise InputError(
            f"residue {residue!r} of chain {chain.name} in a constraint does not exist; residues count "
            f"from 1 to {chain.n_residues}"
        )


def check_components(target: TargetSequence, components: Container[str]) -> None:
    """Check that the dictionary of components has every code the target names.

    Raises
    ------
    InputError
        Naming the chains and codes that it has not.
    """
    named = [
        (chain.name, code)
        for chain in target.chains
        for code in (*chain.codes, *(code for _, code in chain.modifications))
    ]
    missing = [f"{code} (chain {name})" for name, code in named if code not in components]
    if missing:
        raise InputError(
            f"component(s) {', '.join(missing)} are not in the dictionary ccd.pkl of these weights; correct "
            "the code, or describe a ligand by SMILES"
        )
