"""What an mmCIF file says of the molecules: entities, sequences, components, and how residues are numbered.

As in the PDB's own files every residue of a ligand is a molecule of its own (``label_asym_id``), whatever chain it was
given in, and each compound is one entity; the author's chain and number are those of the sequence file.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import gemmi

from classfold.cif_tables import NOT_APPLICABLE, UNKNOWN, add_loop
from classfold.topology import POLYMERS, ChainRecord, Topology

POLYMER_TYPES = {
    "protein": (gemmi.PolymerType.PeptideL, gemmi.ResidueKind.AA, "polypeptide(L)"),
    "dna": (gemmi.PolymerType.Dna, gemmi.ResidueKind.DNA, "polydeoxyribonucleotide"),
    "rna": (gemmi.PolymerType.Rna, gemmi.ResidueKind.RNA, "polyribonucleotide"),
}
_COMPONENT_TYPES = {"protein": "L-PEPTIDE LINKING", "dna": "DNA LINKING", "rna": "RNA LINKING"}
_SACCHARIDES = (gemmi.ResidueKind.PYR, gemmi.ResidueKind.KET)


@dataclass(frozen=True)
class Compound:
    """An entity: a polymer of one sequence, or a component."""

    number: int
    type: str
    """protein, dna, rna or ligand"""
    residues: tuple[str, ...]
    """Component codes of the full sequence; one for a ligand."""
    letters: str
    """One-letter codes as given; empty for a ligand."""
    asyms: tuple[str, ...]
    """Its copies."""
    chains: tuple[str, ...]
    """The author's names of their chains."""

    @property
    def is_polymer(self) -> bool:
        """Whether it has a sequence."""
        return self.type in POLYMERS

    @property
    def description(self) -> str:
        """In words."""
        names = {"protein": "protein", "dna": "DNA", "rna": "RNA"}
        kind = names.get(self.type, f"component {self.residues[0]}")
        return f"{kind}, chain {', '.join(self.chains)}" if self.is_polymer else kind


@dataclass(frozen=True)
class Molecules:
    """The molecules of a target and where each residue belongs."""

    topology: Topology

    @cached_property
    def asyms(self) -> list[str]:
        """``label_asym_id`` of each residue: its chain, or a name of its own for further residues of a ligand."""
        topology, found = self.topology, []
        taken = {chain.name for chain in topology.chains}
        begun: set[str] = set()
        for i in topology.residue_starts:
            name = str(topology.chain[i])
            if topology.chain_type[i] not in POLYMERS and name in begun:
                number = 2
                while f"{name}{number}" in taken:
                    number += 1
                name = f"{name}{number}"
            taken.add(name)
            begun.add(name)
            found.append(name)
        return found

    @cached_property
    def compounds(self) -> list[Compound]:
        """Polymers first, each in the order of its first copy."""
        topology = self.topology
        copies: dict[tuple[object, ...], list[tuple[str, str]]] = {}
        of_chain = {chain.name: chain for chain in topology.chains}
        polymers = [chain for chain in topology.chains if chain.type in POLYMERS]
        for chain in polymers:
            copies.setdefault((chain.type, chain.entity), []).append((chain.name, chain.name))
        for asym, i in zip(self.asyms, topology.residue_starts, strict=True):
            if topology.chain_type[i] not in POLYMERS:
                name = str(topology.chain[i])
                copies.setdefault((of_chain[name].type, str(topology.residue_name[i])), []).append((asym, name))
        found = []
        for number, ((kind, _), members) in enumerate(copies.items(), start=1):
            asyms, chains = zip(*members, strict=True)
            chain = of_chain[chains[0]]
            polymer = chain.type in POLYMERS
            first = topology.residue_starts[self.asyms.index(asyms[0])] if not polymer else 0
            residues = self._sequence(chain) if polymer else (str(topology.residue_name[first]),)
            letters = (chain.sequence or "") if polymer else ""
            found.append(Compound(number, str(kind), residues, letters, asyms, tuple(dict.fromkeys(chains))))
        return found

    def _sequence(self, chain: ChainRecord) -> tuple[str, ...]:
        """Component codes of a polymer's full sequence: of its residues with atoms, else by the letters."""
        topology = self.topology
        names = {
            int(topology.residue_number[i]): str(topology.residue_name[i])
            for i in topology.residue_starts
            if topology.chain[i] == chain.name
        }
        letters = gemmi.expand_one_letter_sequence(chain.sequence or "", POLYMER_TYPES[chain.type][1])
        return tuple(names.get(number, letter) for number, letter in enumerate(letters, start=1))

    @cached_property
    def entity_of(self) -> dict[str, int]:
        """``label_asym_id`` to the entity's number."""
        return {asym: compound.number for compound in self.compounds for asym in compound.asyms}


def one_letter_code(compound: Compound) -> str:
    """A sequence as the PDB writes it: what is not one of the twenty amino acids or four bases in brackets."""
    written = []
    for name, letter in zip(compound.residues, compound.letters, strict=True):
        plain = gemmi.find_tabulated_residue(name).is_standard() and compound.type != "dna"
        written.append(letter if plain else f"({name})")
    return "".join(written)


def component_type(name: str, chain_type: str) -> str:
    """``_chem_comp.type`` of a component in a chain of that type."""
    known = gemmi.find_tabulated_residue(name)
    if chain_type not in POLYMERS:
        return "SACCHARIDE" if known.kind in _SACCHARIDES else "NON-POLYMER"
    if name == "GLY":
        return "PEPTIDE LINKING"
    return "D-PEPTIDE LINKING" if known.kind == gemmi.ResidueKind.AAD else _COMPONENT_TYPES[chain_type]


def describe_molecules(block: gemmi.cif.Block, molecules: Molecules) -> None:
    """Add entities, sequences and components."""
    compounds = molecules.compounds
    polymers = [compound for compound in compounds if compound.is_polymer]
    ligands = [compound for compound in compounds if not compound.is_polymer]
    add_loop(
        block, "entity", ["id", "type", "src_method", "pdbx_description", "pdbx_number_of_molecules"],
        [
            (c.number, "polymer" if c.is_polymer else "non-polymer", UNKNOWN, c.description, len(c.asyms))
            for c in compounds
        ],
    )
    tags = ["entity_id", "type", "nstd_linkage", "nstd_monomer", "pdbx_seq_one_letter_code"]
    add_loop(
        block, "entity_poly", [*tags, "pdbx_seq_one_letter_code_can", "pdbx_strand_id"],
        [
            (
                c.number, POLYMER_TYPES[c.type][2], "no", "yes" if _is_modified(c) else "no",
                one_letter_code(c), c.letters, ",".join(c.chains),
            )
            for c in polymers
        ],
    )
    add_loop(
        block, "entity_poly_seq", ["entity_id", "num", "mon_id", "hetero"],
        [(c.number, number, name, "n") for c in polymers for number, name in enumerate(c.residues, start=1)],
    )
    add_loop(
        block, "pdbx_entity_nonpoly", ["entity_id", "name", "comp_id"],
        [(c.number, c.description, c.residues[0]) for c in ligands],
    )
    components = {name: c.type for c in reversed(compounds) for name in c.residues}
    add_loop(
        block, "chem_comp", ["id", "type", "mon_nstd_flag", "name"],
        [
            (name, component_type(name, kind), _standard_flag(name, kind), UNKNOWN)
            for name, kind in sorted(components.items())
        ],
    )
    add_loop(
        block, "struct_asym", ["id", "entity_id", "pdbx_modified", "details"],
        [(asym, c.number, "N", UNKNOWN) for c in compounds for asym in c.asyms],
    )


def _is_modified(compound: Compound) -> bool:
    return any(not gemmi.find_tabulated_residue(name).is_standard() for name in compound.residues)


def _standard_flag(name: str, chain_type: str) -> str:
    if chain_type not in POLYMERS:
        return NOT_APPLICABLE
    return "y" if gemmi.find_tabulated_residue(name).is_standard() else "n"


def describe_numbering(block: gemmi.cif.Block, molecules: Molecules) -> None:
    """Add how every residue is called by the dictionary and by the author; both agree for polymers."""
    topology = molecules.topology
    modelled = {(str(topology.chain[i]), int(topology.residue_number[i])) for i in topology.residue_starts}
    tags = ["asym_id", "entity_id", "seq_id", "mon_id", "ndb_seq_num", "pdb_seq_num", "auth_seq_num"]
    tags += ["pdb_mon_id", "auth_mon_id", "pdb_strand_id", "pdb_ins_code", "hetero"]
    rows = []
    for compound in molecules.compounds:
        for asym in compound.asyms if compound.is_polymer else ():
            for number, name in enumerate(compound.residues, start=1):
                has_atoms = (asym, number) in modelled
                seen = (number, name, name) if has_atoms else (UNKNOWN,) * 3
                rows.append((asym, compound.number, number, name, number, number, *seen, asym, NOT_APPLICABLE, "n"))
    add_loop(block, "pdbx_poly_seq_scheme", tags, rows)
    ligands = []
    for asym, i in zip(molecules.asyms, topology.residue_starts, strict=True):
        if topology.chain_type[i] not in POLYMERS:
            name, number, chain = topology.residue_name[i], topology.residue_number[i], topology.chain[i]
            called = (name, 1, number, number, name, name, chain, NOT_APPLICABLE)
            ligands.append((asym, molecules.entity_of[asym], *called))
    tags = ["asym_id", "entity_id", "mon_id", "ndb_seq_num", "pdb_seq_num", "auth_seq_num"]
    add_loop(
        block, "pdbx_nonpoly_scheme", [*tags, "pdb_mon_id", "auth_mon_id", "pdb_strand_id", "pdb_ins_code"], ligands
    )
