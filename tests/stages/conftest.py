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

ROOT = Path(__file__).resolve().parents[2]
RESOLUTION = 6.0
GRID = Grid((24, 26, 28), 2.0, (80.0, -30.0, 5.0))


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


def write_class(folder: Path, topology: Topology, name: str, seed: int) -> None:
    """A map of a compact random model, its cloud, and the model as docked."""
    generator = torch.Generator().manual_seed(seed)
    centre = torch.tensor(GRID.origin_angstrom) + 26.0
    model = centre + 7 * torch.randn(topology.n_atoms, 3, generator=generator)
    weights = torch.from_numpy(topology.atomic_numbers.astype(np.float32))
    density = simulate_density(model[None], weights, RESOLUTION, GRID)[0].numpy()
    map_folder, docking = folder / f"small.{name}.map", folder / f"small.{name}.docking"
    map_folder.mkdir()
    docking.mkdir()
    write_map(
        map_folder / "map.mrc", DensityMap(density, GRID.voxel_size_angstrom, np.array(GRID.origin_angstrom))
    )
    points = model[::8].numpy().astype(float)
    write_cloud(PointCloud(points, np.full(len(points), 1 / len(points))), map_folder / "point_cloud.csv")
    write_json({"target": "small", "class": name, "resolution_angstrom": RESOLUTION}, map_folder / "map.json")
    write_model(docking / "docked.cif", topology, model.numpy().astype(float), title="docked")
    write_json({"target": "small", "class": name}, docking / "docking.json")


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
    write_class(folder, topology, "one", seed=1)
    write_class(folder, topology, "two", seed=2)
    return NetworkCase(weights, sequence, folder)


@pytest.fixture(scope="session")
def embedded_case(network_case) -> NetworkCase:
    """The case with its embedding of 2 replicates of 3 samples beside it."""
    import embed_sequence

    result = CliRunner().invoke(
        embed_sequence.main,
        [
            *network_case.arguments(),
            *("--steps", "16", "--samples", "3", "--replicates", "2", "--unguided-models", "2"),
            *("--recycling-steps", "1", "--output", str(network_case.folder / "small.embedding")),
        ],
        catch_exceptions=False,
    )
    assert result.exit_code == 0, result.output
    return network_case
