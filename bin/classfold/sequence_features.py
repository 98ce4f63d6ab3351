"""From the chains of a target to Boltz's features, and the checks that they belong together."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classfold import prior
from classfold.alignment import Alignment
from classfold.errors import InputError
from classfold.features import check_features
from classfold.molecules import TargetSequence, check_components
from classfold.sequence import write_boltz_yaml
from classfold.topology import ChainRecord, Topology


@dataclass(frozen=True)
class PreparedSequence:
    """Everything that PREPARE_SEQUENCE writes."""

    features: prior.Features
    topology: Topology
    record: dict[str, Any]
    """The content of ``target.json``."""


@contextlib.contextmanager
def _boltz_refusals() -> Iterator[None]:
    """Boltz raises ValueError for what it cannot fold and KeyError for an atom that it does not find."""
    try:
        yield
    except (ValueError, KeyError) as error:
        named = f"there is no atom {error}" if isinstance(error, KeyError) else str(error)
        raise InputError(
            f"Boltz cannot build this target: {named}; correct the ligand, modification or constraint"
        ) from error


def check_chains(sequence: TargetSequence, chains: list[dict[str, Any]]) -> None:
    """Check that Boltz parsed the chains that it was given, each with its type, sequence and length.

    Raises
    ------
    RuntimeError
        Where it did not: that is a bug, not a fault of the input.
    """
    given = {c.name: (c.type, c.sequence, c.n_residues) for c in sequence.chains}
    parsed = {c["name"]: (c["type"], c["sequence"], c["n_residues"]) for c in chains}
    if given != parsed:
        raise RuntimeError(f"Boltz parsed other chains than it was given: {parsed} instead of {given}")


def prepare(
    target: str,
    sequence: TargetSequence,
    alignments: Mapping[str, Alignment],
    components: Mapping[str, Any],
    seed: int,
) -> PreparedSequence:
    """Parse and featurise a target with Boltz, and check that what comes out is what went in.

    Parameters
    ----------
    target : str
        Name of the target.
    sequence : TargetSequence
        Its chains.
    alignments : mapping of str to Alignment
        Checked alignments by chain name; chains without one are used as single sequences.
    components : mapping of str to rdkit.Chem.Mol
        Boltz's dictionary of chemical components.
    seed : int
        Seed of the reference conformers' random turns.
    """
    check_components(sequence, components)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_boltz_yaml(sequence, folder / "target.yaml")
        with _boltz_refusals():
            parsed = prior.parse_target(folder / "target.yaml", components)
        chains = prior.chain_table(parsed)
        check_chains(sequence, chains)
        index_of = {chain["name"]: index for index, chain in enumerate(chains)}
        read = {
            index_of[chain]: prior.read_boltz_alignment(alignment.write(folder / chain))
            for chain, alignment in alignments.items()
        }
        features = prior.featurise(parsed, read, seed)
    records = [
        ChainRecord(chain["name"], chain["type"], chain["entity"], chain["sequence"]) for chain in chains
    ]
    topology = Topology(target=target, chains=tuple(records), **prior.atom_table(parsed))
    check_features(features, topology)
    sources = {
        chain.name: alignments[chain.name].source if chain.name in alignments else "none"
        for chain in sequence.chains
        if chain.type == "protein"
    }
    record = {
        "target": target,
        "n_atoms": topology.n_atoms,
        "n_tokens": int(features["token_pad_mask"].sum()),
        "n_residues": sequence.n_residues,
        "mass_dalton": round(prior.molecular_mass(parsed, components), 3),
        "sequence_sha256": sequence.sha256(),
        "chains": chains,
        "msa": sources,
        "seed": seed,
        "warnings": [*sequence.warnings, *_alignment_warnings(sources)],
    }
    return PreparedSequence(features, topology, record)


def _alignment_warnings(sources: Mapping[str, str]) -> list[str]:
    """What a missing alignment means for the models."""
    without = [chain for chain, source in sources.items() if source == "none"]
    if not without:
        return []
    chains = f"chain {without[0]} has" if len(without) == 1 else f"chains {', '.join(without)} have"
    return [f"{chains} no alignment: Boltz predicts single sequences less well"]
