"""Stage folders made by hand for the tests of the stages that read them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from classfold.density import Grid
from classfold.docking import Pose
from classfold.map_fit import simulate
from classfold.maps import DensityMap, write_map
from classfold.records import write_json
from classfold.structure import Topology, write_model

RESOLUTION = 5.0
VOXEL = 2.0


def write_sequence(folder: Path, topology: Topology) -> Path:
    """A ``T.sequence`` folder as far as the later stages read it."""
    folder.mkdir()
    topology.write_atoms(folder / "atoms.csv")
    chains = [
        {"name": c.name, "type": c.type, "entity": c.entity, "sequence": c.sequence} for c in topology.chains
    ]
    write_json(
        {"target": topology.target, "n_atoms": topology.n_atoms, "chains": chains}, folder / "target.json"
    )
    return folder


def simulated_map(coordinates: np.ndarray, topology: Topology, seed: int | None = None) -> DensityMap:
    """A map of a model in a tight box; with a seed it carries noise of half its standard deviation."""
    low = coordinates.min(axis=0) - 8
    n_x, n_y, n_z = np.ceil((coordinates.max(axis=0) + 8 - low) / VOXEL).astype(int).tolist()
    grid = Grid((n_z, n_y, n_x), VOXEL, (float(low[0]), float(low[1]), float(low[2])))
    density = simulate(coordinates, topology.atomic_numbers, RESOLUTION, grid)
    if seed is not None:
        density += np.random.default_rng(seed).normal(scale=0.5 * density.std(), size=density.shape)
    return DensityMap(density.astype(np.float32), VOXEL, low)


def write_map_folder(folder: Path, target: str, name: str, density: DensityMap) -> Path:
    """A ``T.C.map`` folder as far as the later stages read it."""
    folder.mkdir()
    write_map(folder / "map.mrc", density)
    record = {
        "target": target,
        "class": name,
        "source_map": f"{name}.mrc",
        "resolution_angstrom": RESOLUTION,
        "threshold": 2.0 * float(density.density.std()),
        "threshold_blur_angstrom": 0.0,
        "source": {
            "shape_zyx": list(density.density.shape),
            "voxel_size_angstrom_xyz": [density.voxel_size_angstrom] * 3,
            "origin_angstrom": density.origin_angstrom.tolist(),
        },
        "warnings": [],
    }
    write_json(record, folder / "map.json")
    return folder


def write_docking(folder: Path, topology: Topology, name: str, coordinates: np.ndarray) -> Path:
    """A ``T.C.docking`` folder as far as the later stages read it."""
    folder.mkdir()
    write_model(folder / "docked.cif", topology, coordinates, title="docked")
    write_docking_record(folder, topology.target, name)
    return folder


def write_docking_record(folder: Path, target: str, name: str, poses: Sequence[Pose] = ()) -> None:
    """``docking.json`` as far as the sampler reads it: poses that fit equally well, one if none is given."""
    equal = poses or (Pose(np.eye(3), np.zeros(3), 1.0, 1.0),)
    record = {"target": target, "class": name, "poses": [vars(pose) for pose in equal], "n_ambiguous": len(equal)}
    write_json(record, folder / "docking.json")


def write_samples(folder: Path, target: str, name: str, arrays: dict[str, np.ndarray]) -> Path:
    """A ``T.C.samples`` folder; two replicates take turns."""
    folder.mkdir()
    save_file(
        {key: array.astype(np.float32) for key, array in arrays.items()}, folder / "samples.safetensors"
    )
    n_samples = len(arrays["coordinates"])
    records = [{"sample": k + 1, "replicate": k % 2 + 1, "index": k // 2 + 1} for k in range(n_samples)]
    record = {
        "target": target,
        "class": name,
        "n_samples": n_samples,
        "samples": records,
        "prior": "boltz1",
        "weights_label": "made by hand",
    }
    write_json(record, folder / "samples.json")
    return folder
