"""Alignments as Boltz reads them and asks a server for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from boltz.data.parse.a3m import parse_a3m
from boltz.data.parse.csv import parse_csv
from boltz.data.types import MSA
from boltz.main import compute_msa

MAX_ALIGNMENT_ROWS = 8192
"""Boltz's own default for the rows it reads of an alignment."""


def read_boltz_alignment(path: Path) -> MSA:
    """An alignment (``.a3m``, or Boltz's ``.csv`` with the columns key and sequence) as Boltz reads it."""
    if path.suffix == ".csv":
        return parse_csv(path, max_seqs=MAX_ALIGNMENT_ROWS)
    return parse_a3m(path, taxonomy=None, max_seqs=MAX_ALIGNMENT_ROWS)


def request_alignments(sequences: Mapping[str, str], folder: Path, server_url: str) -> None:
    """Send protein sequences to a ColabFold server and write ``folder/<name>.csv`` for each, as Boltz does.

    Blocks until the server has answered; Boltz raises bare exceptions where it fails.
    """
    compute_msa(
        data=dict(sequences),
        target_id="target",
        msa_dir=folder,
        msa_server_url=server_url,
        msa_pairing_strategy="greedy",
    )
