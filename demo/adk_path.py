#!/usr/bin/env python3
"""The frames of adenylate kinase that the miniature prior was not trained on, in one small file.

``assets/demo/adk_path.npz`` spares the demonstration, the tests and the benchmarks the trajectories
themselves. It holds the held-out frames (see demo/trajectories.py) and the two ends of the first
transition, atoms in Boltz's order:

    frame           (n_frames,)             index over both transitions, 0-97 and 98-199
    held_out        (n_frames,)             whether the prior has never seen the frame
    coordinates     (n_frames, n_atoms, 3)  int16, xyz in units of 0.01 Å
    residue_number, residue_name, atom_name, element   (n_atoms,)

\b
Example:
    python demo/adk_path.py --output assets/demo/adk_path.npz
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bin"))
sys.path.insert(0, str(ROOT / "demo"))

from classfold.topology import ChainRecord, Topology

PATH_FILE = ROOT / "assets/demo/adk_path.npz"
SEQUENCE_FILE = ROOT / "assets/demo/adk.fasta"
COMPONENTS_FILE = ROOT / "assets/demo/weights/ccd.pkl"
UNIT_ANGSTROM = 0.01
END_FRAMES = (0, 97)
ATOM_COLUMNS = ("residue_number", "residue_name", "atom_name", "element")


class AdkPath(NamedTuple):
    """The stored frames."""

    frame: np.ndarray
    """(n_frames,) index over both transitions."""
    held_out: np.ndarray
    """(n_frames,) bool"""
    coordinates: np.ndarray
    """(n_frames, n_atoms, 3) float64, xyz in Å."""
    topology: Topology

    def at(self, frame: int) -> np.ndarray:
        """Coordinates of one frame, (n_atoms, 3)."""
        return self.coordinates[list(self.frame).index(frame)]


def read_path(path: Path = PATH_FILE) -> AdkPath:
    """Read the frames and the atoms they are of."""
    with np.load(path) as content:
        n_atoms = len(content["element"])
        topology = Topology(
            target="adk",
            chains=(ChainRecord("A", "protein", 0, read_sequence()),),
            chain=np.full(n_atoms, "A"),
            charge=np.zeros(n_atoms, np.int64),
            token_index=content["residue_number"] - 1,
            **{name: content[name] for name in ATOM_COLUMNS},
        )
        coordinates = content["coordinates"] * UNIT_ANGSTROM
        return AdkPath(content["frame"], content["held_out"], coordinates, topology)


def read_sequence() -> str:
    """The one sequence of adk.fasta."""
    return "".join(line for line in SEQUENCE_FILE.read_text().split() if not line.startswith(">"))


def write_path(path: Path) -> int:
    """Take the frames from the trajectories of MDAnalysisTests; returns how many were written."""
    from trajectories import load_trajectories

    from classfold.prior import atom_table, load_components, parse_target

    table = atom_table(parse_target(SEQUENCE_FILE, load_components(COMPONENTS_FILE)))
    names = zip(table["residue_number"] - 1, table["residue_name"], table["atom_name"], strict=True)
    keys = [(int(number), str(residue), str(atom)) for number, residue, atom in names]
    coordinates, held_out = load_trajectories(keys)
    wanted = held_out.copy()
    wanted[list(END_FRAMES)] = True
    stored = np.round(coordinates[wanted] / UNIT_ANGSTROM).astype(np.int16)
    np.savez_compressed(
        path,
        frame=np.flatnonzero(wanted),
        held_out=held_out[wanted],
        coordinates=stored,
        **{name: table[name] for name in ATOM_COLUMNS},
    )
    return len(stored)


@click.command(help=__doc__, context_settings={"show_default": True})
@click.option("--output", type=click.Path(path_type=Path), default=PATH_FILE, help="File to write.")
def main(output: Path) -> None:
    """Write the frames."""
    click.echo(f"{write_path(output)} frames in {output}")


if __name__ == "__main__":
    main()
