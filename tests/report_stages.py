"""The parts of :mod:`tests.report_fixture`: maps, numbers and files of single stages.

Maps are simulated from one frame per class, "models" are neighbouring frames with noise, and every number
that can be measured on them (correlation, RMSD, displacement) is measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import torch

from classfold.density import Grid, simulate_density
from classfold.half_map_fsc import HalfMapFsc, half_map_fsc, write_fsc
from classfold.half_map_validation import CURVES_FILE
from classfold.maps import DensityMap, SourceMap, write_map
from classfold.records import write_json
from classfold.structure import ChainRecord, Topology, write_model
from tests.report_verdicts import cluster_records, support_column, validate, verdict_record

matplotlib.use("Agg")
from matplotlib import pyplot

ROOT = Path(__file__).resolve().parent.parent
PATH = ROOT / "assets" / "demo" / "adk_path.npz"
UNIT_ANGSTROM = 0.01
N_OPENING = 98
"""Frames below this number lead from the closed state to the open one."""
RESOLUTION, VOXEL = 5.0, 1.6


@dataclass
class Case:
    """What kind of run to imitate."""

    targets: tuple[str, ...] = ("adk",)
    classes: tuple[str, ...] = ("closed", "open")
    n_samples: int = 6
    """Samples that are drawn for each class."""
    schedule: str = "auto"
    guidance: str = "fast"
    early_stop: bool = True
    steering: bool = False
    is_old: bool = False
    """Whether SAMPLE_GUIDED leaves what it left before it could stop samples."""
    reference: bool = True
    confidence: bool = False
    weights_label: str = "miniature Boltz-1: demonstration, not a predictor"
    warnings: list[str] = field(default_factory=list)
    source_map: str = "class_map.mrc"
    chain: str = "A"


def make_topology(data: dict[str, np.ndarray], target: str, chain: str) -> Topology:
    n = len(data["atom_name"])
    sequence = "".join((ROOT / "assets" / "demo" / "adk.fasta").read_text().splitlines()[1:]).strip()
    return Topology(
        target=target,
        chains=(ChainRecord(chain, "protein", 0, sequence),),
        chain=np.full(n, chain),
        residue_number=data["residue_number"],
        residue_name=data["residue_name"].astype(str),
        atom_name=data["atom_name"].astype(str),
        element=data["element"].astype(str),
        charge=np.zeros(n, int),
        token_index=data["residue_number"] - 1,
    )


def simulate(coordinates: np.ndarray, topology: Topology, grid: Grid) -> np.ndarray:
    points = torch.from_numpy(coordinates.astype(np.float32))[None]
    weights = torch.from_numpy(topology.atomic_numbers).float()
    return simulate_density(points, weights, RESOLUTION, grid)[0].numpy()


def make_class_map(coordinates: np.ndarray, topology: Topology, noise: np.random.Generator) -> DensityMap:
    low = coordinates.min(axis=0) - 12
    sides = np.ceil((np.ptp(coordinates, axis=0) + 24) / VOXEL).astype(int)
    grid = Grid(tuple(sides[::-1].tolist()), VOXEL, tuple(low.tolist()))
    density = simulate(coordinates, topology, grid)
    density += noise.normal(0, 0.25 * density.std(), density.shape).astype(np.float32)
    return DensityMap(density, VOXEL, low)


def fit(coordinates: np.ndarray, topology: Topology, class_map: DensityMap) -> tuple[float, np.ndarray]:
    """Correlation around the whole model and around each residue (n_residues,)."""
    simulated = simulate(coordinates, topology, class_map.grid)
    near = simulated > 0.1 * simulated.max()
    total = float(np.corrcoef(simulated[near], class_map.density[near])[0, 1])
    middle = np.array(
        [coordinates[topology.residue_index == i].mean(axis=0) for i in range(topology.residue_index[-1] + 1)]
    )
    index = np.rint(class_map.index_of(middle)).astype(int)
    local = []
    for z, y, x in index:
        window = tuple(slice(max(i - 2, 0), i + 3) for i in (z, y, x))
        local.append(np.corrcoef(simulated[window].ravel(), class_map.density[window].ravel())[0, 1])
    return total, np.array(local)


def picture(class_map: DensityMap, path: Path) -> None:
    figure, axes = pyplot.subplots(1, 3, figsize=(7.5, 2.6))
    for axis, name, panel in zip(axes, "zyx", range(3), strict=True):
        axis.imshow(class_map.density.sum(axis=panel), cmap="gray")
        axis.set_title(f"projection along {name}", fontsize=8)
        axis.axis("off")
    figure.savefig(path, dpi=90, bbox_inches="tight")
    pyplot.close(figure)


def write_sequence(folder: Path, topology: Topology, case: Case) -> None:
    folder.mkdir()
    topology.write_atoms(folder / "atoms.csv")
    sequence = topology.chains[0].sequence or ""
    chain = {
        "name": case.chain,
        "type": "protein",
        "entity": 0,
        "sequence": sequence,
        "n_residues": len(sequence),
    }
    record = {
        "target": topology.target,
        "n_atoms": topology.n_atoms,
        "n_tokens": len(sequence),
        "n_residues": len(sequence),
        "mass_dalton": 23_600.0,
        "sequence_sha256": "0" * 64,
        "chains": [chain],
        "msa": {case.chain: "none"},
        "seed": 1,
        "warnings": [],
    }
    write_json(record, folder / "target.json")


def compare_halves(class_map: DensityMap) -> HalfMapFsc:
    """FSC of the map with noise and of the map with other noise."""
    noise = np.random.default_rng(7).normal(0, class_map.density.std(), (2, *class_map.density.shape))
    frame = np.full(3, VOXEL), class_map.origin_angstrom, "xyz", 2, "half.mrc"
    halves = [SourceMap(class_map.density + each, *frame) for each in noise]
    return half_map_fsc(*halves, np.ones_like(class_map.density), seed=1)


def write_map_stage(folder: Path, class_map: DensityMap, target: str, name: str, case: Case) -> float:
    folder.mkdir()
    write_map(folder / "map.mrc", class_map)
    picture(class_map, folder / "map.png")
    threshold = float(np.quantile(class_map.density, 1 - 30_000 / VOXEL**3 / class_map.density.size))
    shape = list(class_map.density.shape)
    curves = compare_halves(class_map)
    write_fsc(curves, folder / "fsc.csv")
    record = {
        "target": target,
        "class": name,
        "source_map": case.source_map,
        "shape_zyx": shape,
        "voxel_size_angstrom": VOXEL,
        "origin_angstrom": class_map.origin_angstrom.tolist(),
        "source": {
            "shape_zyx": [side + 20 for side in shape],
            "voxel_size_angstrom_xyz": [VOXEL] * 3,
            "origin_angstrom": class_map.origin_angstrom.tolist(),
            "axis_order": "xyz",
            "mode": 2,
        },
        "resolution_angstrom": RESOLUTION,
        "resolution_method": "samplesheet",
        "resolution_by_half_maps_angstrom": curves.resolution_angstrom,
        "half_maps_reach_nyquist": curves.reaches_nyquist,
        "threshold": threshold,
        "threshold_method": "sequence volume",
        "threshold_evidence": "The level at which the density fills the volume of the sequence's mass.",
        "enclosed_volume_angstrom3": 30_000.0,
        "expected_volume_angstrom3": 1.21 * 23_600,
        "n_cloud_points": 51,
        "n_components_removed": 3,
        "n_components_kept": 1,
        "crop_angstrom": 12.0,
        "seed": 1,
        "warnings": list(case.warnings),
    }
    write_json(record, folder / "map.json")
    return threshold


def write_models(
    folder: Path,
    topology: Topology,
    samples: dict[int, np.ndarray],
    truth: np.ndarray,
    docked: np.ndarray,
    class_map: DensityMap,
    name: str,
    case: Case,
) -> np.ndarray:
    (folder / "samples").mkdir(parents=True)
    fits = {number: fit(sample, topology, class_map) for number, sample in samples.items()}
    order = sorted(samples, key=lambda number: -fits[number][0])
    ca = topology.ca_indices()

    def rmsd(model: np.ndarray, chosen: np.ndarray | slice) -> float:
        return float(np.sqrt(((model - truth)[chosen] ** 2).sum(-1).mean()))

    rows = []
    for rank, i in enumerate(order, start=1):
        row = {"rank": rank, "sample": i, "replicate": 1 + i % 3, "score": fits[i][0] - 0.01 * (i % 2)}
        row |= {"cc_mask": fits[i][0], "clashes": 3 * i, "clashscore": 1000 * 3 * i / topology.n_atoms}
        row |= {"ca_outliers": i % 2, "confidence": 0.8 - 0.02 * i if case.confidence else None}
        if case.reference:
            row["reference_ca_rmsd_angstrom"] = rmsd(samples[i], ca)
        rows.append(row)
    pd.DataFrame(rows).to_csv(folder / "scores.csv", index=False)
    best = order[0]
    starts = topology.residue_starts
    residues = pd.DataFrame(
        {
            "chain": topology.chain[starts],
            "residue_number": topology.residue_number[starts],
            "residue_name": topology.residue_name[starts],
            "cc": fits[best][1],
        }
    )
    residues["plddt"] = 90 - 10 * np.cos(np.arange(len(starts)) / 9) if case.confidence else None
    if not case.is_old:
        residues["support"] = support_column(fits[best][1])
    residues.to_csv(folder / "residues.csv", index=False)
    for number, sample in samples.items():
        path = folder / "samples" / f"sample_{number:03d}.cif"
        write_model(path, topology, sample, title=f"{name} sample {number}")
    write_model(
        folder / "model.cif",
        topology,
        samples[best],
        title=name,
        b_factors=100 * fits[best][1][topology.residue_index],
    )
    reference = {
        "best_ca_rmsd_angstrom": rmsd(samples[best], ca),
        "unguided_ca_rmsd_angstrom": rmsd(docked, ca),
        "best_all_atom_rmsd_angstrom": rmsd(samples[best], slice(None)),
    }
    record = {
        "target": topology.target,
        "class": name,
        "best_sample": best,
        "n_samples": case.n_samples,
        **({} if case.is_old else {"n_finished": len(samples)}),
        "cc_mask": fits[best][0],
        "score": rows[0]["score"],
        "clashes": rows[0]["clashes"],
        "confidence": rows[0]["confidence"],
        "scores": {"cc_mask": fits[best][0], "cc_box": 0.4, "q_score_06": 0.45, "emringer": None},
        "ranking_rule": "CC_mask minus 0.01 per clash and 1,000 atoms",
        "unguided": {"cc_mask": fit(docked, topology, class_map)[0]},
        "reference": reference if case.reference else None,
        "warnings": [],
    }
    if not case.is_old:
        verdict = verdict_record(name, fits[best][0], record["unguided"]["cc_mask"], fits[best][1], topology)
        validation, curves = validate(samples[best], topology, class_map, RESOLUTION)
        curves.to_csv(folder / CURVES_FILE, index=False)
        record |= {"verdict": verdict, "clusters": cluster_records(rows, verdict), "half_map_validation": validation}
    write_json(record, folder / "models.json")
    return samples[best]
