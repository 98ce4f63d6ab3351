"""Stage folders of a small complex for the stages that need the network: random weights, real files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from classfold.density import Grid, simulate_density
from classfold.maps import DensityMap, write_map
from classfold.point_cloud import PointCloud, write_cloud
from classfold.records import write_json
from classfold.structure import Topology, write_model
from tests.random_prior import write_random_weights
from tests.stage_folders import write_docking_record

ROOT = Path(__file__).resolve().parents[2]
CENTRE = (106.0, -4.0, 31.0)
ANGSTROM3_PER_ATOM = 17.0
"""A protein's 1.21 Å³ for each dalton."""


@dataclass(frozen=True)
class ClassKind:
    """How the maps of two classes differ."""

    seed: int
    grid: Grid
    resolution_angstrom: float
    atoms_per_point: int
    enclosed_share: float
    """Volume within the contour, of the molecule's."""


CLASSES = {
    "one": ClassKind(1, Grid((24, 26, 28), 2.0, (80.0, -30.0, 5.0)), 6.0, 8, 1.1),
    "two": ClassKind(2, Grid((30, 28, 30), 1.8, (79.0, -29.0, 4.0)), 7.0, 6, 0.8),
}


@dataclass(frozen=True)
class NetworkCase:
    """Folders that EMBED_SEQUENCE and SAMPLE_GUIDED read."""

    weights: Path
    sequence: Path
    folder: Path

    def arguments(self, *names: str) -> list[str]:
        """``--sequence``, ``--weights`` and, for each class named, its ``--map`` and ``--docking``."""
        arguments = ["--sequence", str(self.sequence), "--weights", str(self.weights), "--device", "cpu"]
        for name in names:
            arguments += ["--map", str(self.folder / f"small.{name}.map")]
            arguments += ["--docking", str(self.folder / f"small.{name}.docking")]
        return arguments

    def embed(self, output: Path, *options: str) -> Path:
        """Its embedding with 16 steps, of 2 replicates of 3 samples; options that are given again count."""
        import embed_sequence

        result = CliRunner().invoke(
            embed_sequence.main,
            [
                *self.arguments(),
                *("--steps", "16", "--samples", "3", "--replicates", "2", "--unguided-models", "2"),
                *("--recycling-steps", "1", *options, "--output", str(output)),
            ],
            catch_exceptions=False,
        )
        assert result.exit_code == 0, result.output
        return output


def write_class(folder: Path, topology: Topology, name: str) -> None:
    """A map of a compact random model, its cloud, and the model as docked."""
    kind = CLASSES[name]
    generator = torch.Generator().manual_seed(kind.seed)
    model = torch.tensor(CENTRE) + 7 * torch.randn(topology.n_atoms, 3, generator=generator)
    weights = torch.from_numpy(topology.atomic_numbers.astype(np.float32))
    density = simulate_density(model[None], weights, kind.resolution_angstrom, kind.grid)[0].numpy()
    map_folder, docking = folder / f"small.{name}.map", folder / f"small.{name}.docking"
    map_folder.mkdir()
    docking.mkdir()
    write_map(
        map_folder / "map.mrc",
        DensityMap(density, kind.grid.voxel_size_angstrom, np.array(kind.grid.origin_angstrom)),
    )
    points = model[:: kind.atoms_per_point].numpy().astype(float)
    write_cloud(PointCloud(points, np.full(len(points), 1 / len(points))), map_folder / "point_cloud.csv")
    expected = ANGSTROM3_PER_ATOM * topology.n_atoms
    record = {
        "target": "small",
        "class": name,
        "resolution_angstrom": kind.resolution_angstrom,
        "enclosed_volume_angstrom3": kind.enclosed_share * expected,
        "expected_volume_angstrom3": expected,
    }
    write_json(record, map_folder / "map.json")
    write_model(docking / "docked.cif", topology, model.numpy().astype(float), title="docked")
    write_docking_record(docking, "small", name)


@pytest.fixture(scope="session")
def network_case(tmp_path_factory) -> NetworkCase:
    """A peptide with AMP, two classes, and random weights with a confidence head."""
    import prepare_sequence

    folder = tmp_path_factory.mktemp("network")
    weights = write_random_weights(folder / "weights", ROOT / "assets/demo/weights/ccd.pkl")
    (folder / "small.yaml").write_text(
        "sequences:\n- protein: {id: A, sequence: MRIILLGAPGAGKGTW, msa: empty}\n- ligand: {id: B, ccd: AMP}\n"
    )
    sequence = folder / "small.sequence"
    result = CliRunner().invoke(
        prepare_sequence.main,
        [
            *("--target", "small", "--sequence", str(folder / "small.yaml"), "--weights", str(weights)),
            *("--seed", "1", "--output", str(sequence)),
        ],
        catch_exceptions=False,
    )
    assert result.exit_code == 0, result.output
    topology = Topology.read(sequence)
    for name in CLASSES:
        write_class(folder, topology, name)
    return NetworkCase(weights, sequence, folder)


@pytest.fixture(scope="session")
def embedded_case(network_case) -> NetworkCase:
    """The case with its embedding for the automatic schedule beside it."""
    network_case.embed(network_case.folder / "small.embedding")
    return network_case


@pytest.fixture(scope="session")
def published_case(network_case) -> NetworkCase:
    """The case with its embedding for a published schedule beside it."""
    network_case.embed(network_case.folder / "small.published.embedding", "--schedule", "experimental")
    return network_case
