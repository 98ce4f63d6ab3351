"""Sequence files: FASTA, plain or in Boltz's form (``>A|protein``), and Boltz YAML."""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from classfold.errors import InputError
from classfold.molecules import CHAIN_TYPES, Molecule, TargetSequence, check_target

YAML_SUFFIXES = (".yaml", ".yml")
_BOLTZ_TYPES = ("protein", "dna", "rna", "ccd", "smiles")
_SEVERAL_CHAINS = re.compile(r"\bChains ([^|]+)")
_POLYMER_KEYS = {"id", "sequence", "modifications", "cyclic", "msa"}
_LIGAND_KEYS = {"id", "ccd", "smiles"}


def read_sequence(path: Path) -> TargetSequence:
    """Read and check the chains of a target.

    Parameters
    ----------
    path : Path
        A Boltz YAML (``.yaml``, ``.yml``), or FASTA. In a plain FASTA chains are lettered A, B, ... in order
        and their type is told from their letters; ``>NAME|TYPE`` with the types of Boltz names both.

    Raises
    ------
    InputError
        If the file cannot be read, or says something that Boltz-1 cannot fold.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a text file"
        raise InputError(f"{path} cannot be read ({reason}); give a FASTA or a Boltz YAML file") from None
    try:
        is_yaml = path.suffix.lower() in YAML_SUFFIXES
        # A workflow links the user's file: names in it are meant from where the file lies.
        folder = path.resolve().parent
        target = parse_yaml_text(text, folder) if is_yaml else parse_fasta_text(text, folder)
        check_target(target)
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from None
    return target


def write_boltz_yaml(target: TargetSequence, path: Path) -> None:
    """Write a target for Boltz's parser."""
    path.write_text(yaml.safe_dump(target.boltz_form(), sort_keys=False))


def guess_type(sequence: str) -> str:
    """Protein, dna or rna by the letters of a sequence.

    Raises
    ------
    InputError
        Where the letters fit more than one: only A, C, G, or both T and U beside them.
    """
    letters = set(sequence)
    if not letters <= set("ACGTUN"):
        return "protein"
    if "T" in letters and "U" not in letters:
        return "dna"
    if "U" in letters and "T" not in letters:
        return "rna"
    raise InputError(
        f"{sequence[:12]} could be protein, DNA or RNA; say which in the header, as in >A|protein or >A|rna"
    )


def chain_letters() -> Iterator[str]:
    """A, B, ..., Z, AA, AB, ..."""
    for length in itertools.count(1):
        for letters in itertools.product(string.ascii_uppercase, repeat=length):
            yield "".join(letters)


def parse_fasta_text(text: str, folder: Path) -> TargetSequence:
    """Chains of a FASTA file; alignments that it names are looked for in ``folder``."""
    records: list[tuple[str, list[str]]] = []
    for line in map(str.strip, text.splitlines()):
        if line.startswith(">"):
            records.append((line[1:].strip(), []))
        elif line and records:
            records[-1][1].append(line)
        elif line:
            raise InputError(f"the first line is {line[:20]!r}; a FASTA file begins with > and a name")
    headers = [header.split()[0].split("|") if header else [""] for header, _ in records]
    in_boltz_form = [len(parts) > 1 and parts[1].lower() in _BOLTZ_TYPES for parts in headers]
    if any(in_boltz_form) and not all(in_boltz_form):
        plain = records[in_boltz_form.index(False)][0]
        raise InputError(
            f"header {plain!r} lacks what others have, a chain and a type; write >CHAIN|TYPE in all"
        )
    chains, warnings = [], []
    for letter, (header, lines), parts, has_type in zip(
        chain_letters(), records, headers, in_boltz_form, strict=False
    ):
        if has_type:
            chains.append(_boltz_record(parts, "".join(lines), folder))
            continue
        sequence = _residues("".join(lines))
        chain = Molecule(letter, guess_type(sequence) if sequence else "protein", sequence)
        chains.append(chain)
        if chain.type != "protein":
            warnings.append(f"chain {letter} was taken for {chain.type.upper()} because of its letters")
        several = _SEVERAL_CHAINS.search(header)
        if several:
            warnings.append(
                f"the header of chain {letter} names the chains {several.group(1).strip()}; one copy was "
                "read, repeat the record for more"
            )
    return TargetSequence(tuple(chains), warnings=tuple(warnings))


def _residues(text: str) -> str:
    """One-letter codes in capitals, without blanks and without the stop at the end."""
    return "".join(text.split()).upper().removesuffix("*")


def _boltz_record(parts: list[str], text: str, folder: Path) -> Molecule:
    """A FASTA record with the header CHAIN|TYPE or CHAIN|protein|ALIGNMENT."""
    name, kind = parts[0], parts[1].lower()
    if len(parts) > 3 or (len(parts) == 3 and parts[2] and kind != "protein"):
        raise InputError(
            f"header {'|'.join(parts)!r} is too long; write CHAIN|TYPE or CHAIN|protein|ALIGNMENT"
        )
    if kind == "ccd":
        return Molecule(name, "ligand", codes=(text.strip(),))
    if kind == "smiles":
        return Molecule(name, "ligand", smiles=text.strip())
    alignment = _alignment_path(parts[2] if len(parts) == 3 else None, folder)
    return Molecule(name, kind, _residues(text), alignment=alignment)


def _alignment_path(value: Any, folder: Path) -> Path | None:
    """The alignment that a sequence file names; Boltz writes none as nothing or ``empty``."""
    if value in (None, "", "empty", 0, -1):
        return None
    if not isinstance(value, str):
        raise InputError(f"msa: {value!r} is not the name of a file; give an .a3m or .csv file, or empty")
    return folder / value


def parse_yaml_text(text: str, folder: Path) -> TargetSequence:
    """Chains and constraints of a Boltz YAML; alignments that it names are looked for in ``folder``."""
    try:
        schema = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}" if mark else ""
        raise InputError(
            f"it is not valid YAML{place}; compare it with the example in the documentation"
        ) from None
    if not isinstance(schema, dict) or not isinstance(schema.get("sequences"), list):
        raise InputError("it has no list `sequences`; write a Boltz YAML or a FASTA file")
    unknown = sorted(set(map(str, schema)) - {"version", "sequences", "constraints"})
    if unknown:
        raise InputError(
            f"Boltz-1 does not know {', '.join(unknown)}; allowed are version, sequences and constraints"
        )
    if schema.get("version", 1) != 1:
        raise InputError(f"version is {schema['version']!r}; Boltz knows version 1 only")
    constraints = schema.get("constraints") or []
    if not isinstance(constraints, list):
        raise InputError("constraints must be a list of bond and pocket items")
    chains = [chain for item in schema["sequences"] for chain in _yaml_chains(item, folder)]
    return TargetSequence(tuple(chains), tuple(constraints))


def _yaml_chains(item: Any, folder: Path) -> list[Molecule]:
    """All chains of one item of ``sequences``: one for each of its ids."""
    kind, content = next(iter(item.items())) if isinstance(item, dict) and len(item) == 1 else (None, None)
    if str(kind).lower() not in CHAIN_TYPES or not isinstance(content, dict):
        raise InputError(
            f"an item of sequences is {item!r:.60}; allowed are {', '.join(CHAIN_TYPES)}, with fields"
        )
    kind = str(kind).lower()
    allowed = _LIGAND_KEYS if kind == "ligand" else _POLYMER_KEYS
    unknown = sorted(set(map(str, content)) - allowed)
    if unknown:
        raise InputError(
            f"a {kind} has no field {', '.join(unknown)}; allowed are {', '.join(sorted(allowed))}"
        )
    ids = content.get("id")
    ids = ids if isinstance(ids, list) else [ids]
    if not ids or any(isinstance(name, bool) or not isinstance(name, str | int) for name in ids):
        raise InputError(
            f"the id of a {kind} is {content.get('id')!r}; give a chain name in quotes, or a list"
        )
    molecule = _yaml_molecule(kind, content, folder)
    return [replace(molecule, name=str(name)) for name in ids]


def _yaml_molecule(kind: str, content: dict[str, Any], folder: Path) -> Molecule:
    """The fields of one item of ``sequences``, without a name."""
    if kind == "ligand":
        codes = content.get("ccd") or []
        codes = codes if isinstance(codes, list) else [codes]
        smiles = content.get("smiles")
        return Molecule(
            "", kind, codes=tuple(map(str, codes)), smiles=None if smiles is None else str(smiles).strip()
        )
    modifications = content.get("modifications") or []
    well_formed = isinstance(modifications, list) and all(
        isinstance(m, dict) and set(m) == {"position", "ccd"} and isinstance(m["position"], int)
        for m in modifications
    )
    if not well_formed:
        raise InputError(
            f"modifications are {modifications!r:.60}; write a list of {{position: 7, ccd: SEP}}"
        )
    return Molecule(
        "",
        kind,
        _residues(str(content.get("sequence") or "")),
        modifications=tuple((m["position"], str(m["ccd"])) for m in modifications),
        cyclic=bool(content.get("cyclic", False)),
        alignment=_alignment_path(content.get("msa"), folder) if kind == "protein" else None,
    )
