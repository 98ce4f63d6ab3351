"""The real molecule that the tests share: adenylate kinase on its way from closed to open."""

from pathlib import Path

import numpy as np
import pytest

from classfold.topology import ChainRecord, Topology

ROOT = Path(__file__).resolve().parents[1]
ADK = ROOT / "assets/demo"


@pytest.fixture(scope="session")
def adk_topology() -> Topology:
    """Adenylate kinase, chain A, 214 residues, 1,655 heavy atoms."""
    lines = (ADK / "adk.fasta").read_text().split()
    sequence = "".join(line for line in lines if not line.startswith(">"))
    with np.load(ADK / "adk_path.npz") as stored:
        n_atoms = len(stored["element"])
        return Topology(
            target="adk",
            chains=(ChainRecord("A", "protein", 0, sequence),),
            chain=np.full(n_atoms, "A"),
            residue_number=stored["residue_number"],
            residue_name=stored["residue_name"],
            atom_name=stored["atom_name"],
            element=stored["element"],
            charge=np.zeros(n_atoms, dtype=np.int64),
            token_index=stored["residue_number"] - 1,
        )


@pytest.fixture(scope="session")
def adk_frames() -> np.ndarray:
    """(n_frames, 1655, 3) Å, from the closed end [0] on; its open end is ``adk_open``."""
    with np.load(ADK / "adk_path.npz") as stored:
        return stored["coordinates"].astype(np.float64) * 0.01


@pytest.fixture(scope="session")
def adk_closed(adk_frames) -> np.ndarray:
    """(1655, 3) Å, frame 0: closed."""
    return adk_frames[0]


@pytest.fixture(scope="session")
def adk_open(adk_frames) -> np.ndarray:
    """(1655, 3) Å, frame 97: the open end of the first transition."""
    with np.load(ADK / "adk_path.npz") as stored:
        return adk_frames[stored["frame"].tolist().index(97)]
