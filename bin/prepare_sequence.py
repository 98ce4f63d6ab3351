#!/usr/bin/env python3
"""PREPARE_SEQUENCE: turn the chains of a target into the features that Boltz-1 reads.

Takes FASTA (plain: chains are lettered A, B, ... in order, their type is told from their letters; or in
Boltz's form, >CHAIN|TYPE with protein, dna, rna, ccd or smiles) or a Boltz YAML with modified residues,
ligands, bonds and a pocket. Numbers of residues count from 1 over the full sequence of each chain. Letters
outside the twenty amino acids (A C G T, A C G U for DNA, RNA) are refused.

\b
--msa none      no alignment, except those that the sequence file itself names
--msa FILE      an A3M or Boltz's CSV (key,sequence) whose first row is the sequence of a protein chain
--msa server    ask a ColabFold server: THE SEQUENCES LEAVE THIS COMPUTER

Writes features.safetensors, atoms.csv and target.json; of a server's answer also alignment_<chain>.csv, which
can be given as --msa FILE the next time.

\b
Example:
    prepare_sequence.py --target adk --sequence adk.fasta --msa none --weights weights --seed 1 \\
        --output adk.sequence
"""

from __future__ import annotations

from pathlib import Path

import click

from classfold.alignment import Alignment, alignments_from_server, given_alignments
from classfold.errors import run_stage
from classfold.features import load_features, save_features
from classfold.molecules import TargetSequence
from classfold.records import write_json
from classfold.sequence import read_sequence
from classfold.sequence_features import PreparedSequence, prepare
from classfold.topology import Topology
from classfold.weights import WeightsFolder, verify_weights

DEFAULT_SERVER = "https://api.colabfold.com"


def find_alignments(sequence: TargetSequence, msa: str, server_url: str) -> dict[str, Alignment]:
    """The alignments by chain name, from where ``--msa`` says."""
    if msa != "server":
        return given_alignments(sequence.chains, None if msa == "none" else Path(msa))
    proteins = [chain.name for chain in sequence.chains if chain.type == "protein"]
    click.echo(f"the sequences of chain(s) {', '.join(proteins)} leave this computer: sent to {server_url}")
    return alignments_from_server(sequence.chains, server_url)


def write_prepared(prepared: PreparedSequence, alignments: dict[str, Alignment], output: Path) -> None:
    """Write all files, the record last, and read them back."""
    output.mkdir(parents=True, exist_ok=True)
    (output / "target.json").unlink(missing_ok=True)
    save_features(prepared.features, output / "features.safetensors")
    prepared.topology.write_atoms(output / "atoms.csv")
    for chain, alignment in alignments.items():
        if alignment.source == "server":
            alignment.write(output / f"alignment_{chain}")
    written = load_features(output / "features.safetensors")
    if written.keys() != prepared.features.keys():
        raise RuntimeError(f"{output / 'features.safetensors'} was not written whole")
    write_json(prepared.record, output / "target.json")
    if Topology.read(output).n_atoms != prepared.topology.n_atoms:
        raise RuntimeError(f"{output / 'atoms.csv'} was not written whole")


@click.command("prepare_sequence", help=__doc__, context_settings={"show_default": True})
@click.option("--target", required=True, help="Name of the molecule.")
@click.option(
    "--sequence", "sequence_file", required=True, type=click.Path(path_type=Path), help="FASTA or Boltz YAML."
)
@click.option("--msa", default="none", help="none, server, or an A3M or CSV file.")
@click.option("--msa-server-url", default=DEFAULT_SERVER, help="Where --msa server asks.")
@click.option(
    "--weights", required=True, type=click.Path(path_type=Path), help="Folder with ccd.pkl and SHA256SUMS."
)
@click.option("--seed", required=True, type=click.IntRange(min=0), help="Seed of the reference conformers.")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Folder to write.")
def main(
    target: str,
    sequence_file: Path,
    msa: str,
    msa_server_url: str,
    weights: Path,
    seed: int,
    output: Path,
) -> None:
    """Read, check, featurise, write."""
    sequence = read_sequence(sequence_file)
    verify_weights(weights, [WeightsFolder.COMPONENTS])
    alignments = find_alignments(sequence, msa, msa_server_url)
    # Boltz takes seconds to import: mistakes in the files above are told before.
    from classfold.prior import load_components

    components = load_components(weights / WeightsFolder.COMPONENTS)
    prepared = prepare(target, sequence, alignments, components, seed)
    if msa == "server":
        prepared.record["warnings"].append(f"the sequences were sent to {msa_server_url}")
    write_prepared(prepared, alignments, output)
    record = prepared.record
    chains = ", ".join(f"{c['name']} {c['type']} {c['n_residues']}" for c in record["chains"])
    click.echo(
        f"{target}: {record['n_atoms']} atoms, {record['n_tokens']} tokens, "
        f"{record['mass_dalton'] / 1000:.1f} kDa; chains {chains}"
    )
    for warning in record["warnings"]:
        click.echo(f"warning: {warning}")


if __name__ == "__main__":
    run_stage(main)
