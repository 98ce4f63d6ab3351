"""What the models of a class are judged by: samples, map, unguided model and, if known, the structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from classfold.errors import InputError
from classfold.half_maps import SAMPLES_FOLDER, HalfMaps, read_half_maps
from classfold.maps import DensityMap, read_canonical
from classfold.records import read_json
from classfold.structure import Topology, match_atoms, read_model
from classfold.support import SupportJudge, support_judge

# Boltz's own confidence: 0.8 pLDDT + 0.2 ipTM, or pTM where there is one chain.
_PLDDT_SHARE = 0.8


@dataclass(frozen=True)
class Samples:
    """What the sampler drew for one class."""

    coordinates: np.ndarray
    """(n_samples, n_atoms, 3) xyz in Å in the frame of the map."""
    records: Sequence[Mapping[str, Any]]
    """Number and replicate of each sample."""
    plddt: np.ndarray | None
    """(n_samples, n_tokens), 0 to 1"""
    ptm: np.ndarray | None
    """(n_samples,) pTM, 0 to 1"""
    iptm: np.ndarray | None
    """(n_samples,) ipTM, 0 to 1; None where there is one chain"""

    def confidence_per_token(self, index: int) -> np.ndarray | None:
        """(n_tokens,) pLDDT of one sample, 0 to 1; None without a confidence head or where it failed."""
        if self.plddt is None or not np.isfinite(self.plddt[index]).all():
            return None
        return self.plddt[index]

    def confidence(self, index: int) -> float | None:
        """Confidence of one sample, 0 to 1; None without a confidence head."""
        plddt = self.confidence_per_token(index)
        if plddt is None:
            return None
        ptm = self.ptm if self.iptm is None else self.iptm
        if ptm is None or not np.isfinite(ptm[index]):
            return float(plddt.mean())
        return _PLDDT_SHARE * float(plddt.mean()) + (1 - _PLDDT_SHARE) * float(ptm[index])

    def confidence_scores(self, index: int) -> dict[str, float | None]:
        """What the confidence head says of one sample, by the names of ``scores.table``; None where it says nothing."""
        plddt = self.confidence_per_token(index)
        heads = {"ptm": self.ptm, "iptm": self.iptm}
        return {
            "confidence": self.confidence(index),
            "plddt": None if plddt is None else 100 * float(plddt.mean()),
        } | {name: None if plddt is None or head is None else float(head[index]) for name, head in heads.items()}


@dataclass(frozen=True)
class Reference:
    """A known structure in the frame of the map, matched to the target's atoms."""

    atoms: np.ndarray
    """(n_common,) indices into the topology"""
    coordinates: np.ndarray
    """(n_common, 3) Å"""
    is_ca: np.ndarray
    """(n_common,) whether the atom is a representative one"""

    @classmethod
    def read(cls, path: Path, topology: Topology) -> Reference:
        """Read a model and match it.

        Raises
        ------
        InputError
            If it shares no representative atoms with the target.
        """
        model = read_model(path)
        ours, theirs = match_atoms(topology, model)
        is_ca = np.isin(ours, topology.ca_indices())
        if not is_ca.any():
            raise InputError(
                f"{path.name} shares no CA or C1' atom with {topology.target}: is it this molecule?"
            )
        return cls(ours, model.coordinates[theirs], is_ca)

    def rmsd(self, coordinates: np.ndarray) -> tuple[float, float] | None:
        """(Cα, all-atom) RMSD in Å in the frame of the map, without superposition.

        Over the atoms whose ``coordinates (n_atoms, 3)`` are finite; None if no Cα is among them.
        """
        square = np.sum((coordinates[self.atoms] - self.coordinates) ** 2, axis=1)
        known = np.isfinite(square)
        if not (known & self.is_ca).any():
            return None
        return float(np.sqrt(square[known & self.is_ca].mean())), float(np.sqrt(square[known].mean()))


def read_record(path: Path) -> dict[str, Any]:
    """Read the record of a stage; InputError where there is none."""
    if not path.is_file():
        raise InputError(f"{path.parent} holds no {path.name}: give the whole folder of a finished stage")
    return read_json(path)


def read_samples(folder: Path, topology: Topology) -> Samples:
    """Read a ``T.C.samples`` folder and hold it to the target.

    Raises
    ------
    InputError
        If the samples are not those of this target.
    """
    record = read_record(folder / "samples.json")
    if not (folder / "samples.safetensors").is_file():
        raise InputError(
            f"{folder} holds no samples.safetensors: give the folder of a finished SAMPLE_GUIDED"
        )
    arrays = load_file(folder / "samples.safetensors")
    coordinates = arrays.get("coordinates", np.zeros(0))
    expected = (len(record["samples"]), topology.n_atoms, 3)
    if coordinates.shape != expected or not expected[0]:
        raise InputError(
            f"{folder} holds coordinates of the shape {coordinates.shape}, {topology.target} asks for "
            f"{expected}; give the samples drawn from this sequence"
        )
    plddt, ptm = arrays.get("plddt"), arrays.get("ptm")
    iptm = arrays.get("iptm") if len(topology.chains) > 1 else None
    n_tokens = int(topology.token_index.max()) + 1
    for name, array, shape in (
        ("plddt", plddt, (expected[0], n_tokens)),
        ("ptm", ptm, (expected[0],)),
        ("iptm", iptm, (expected[0],)),
    ):
        if array is not None and array.shape != shape:
            raise InputError(f"{folder}: {name} has the shape {array.shape}, its samples ask for {shape}")
    return Samples(coordinates.astype(np.float64), record["samples"], plddt, ptm, iptm)


@dataclass(frozen=True)
class ClassInput:
    """Everything that the models of one class are judged by."""

    class_name: str
    topology: Topology
    density: DensityMap
    resolution_angstrom: float
    resolution_method: str
    """samplesheet, half maps or estimate"""
    threshold: float
    """Contour of the molecule, in the map's units."""
    map_name: str
    """Name of the user's map file."""
    docked: Path
    """The unguided model in the map."""
    docking: Mapping[str, Any]
    """The record of its docking."""
    samples: Samples
    sampling: Mapping[str, Any]
    """The sampler's record."""
    reference: Reference | None
    half_maps: HalfMaps | None = None
    """As sharp as the map, if there are any."""
    guided_by_half_map: Samples | None = None
    """Samples that the first half map guided, if there are any."""
    map_record: Mapping[str, Any] = field(default_factory=dict)
    """Content of map.json."""

    @cached_property
    def support(self) -> SupportJudge:
        """What says which residues the map supports."""
        return support_judge(self.topology, self.density, self.half_maps, self.map_record)

    @property
    def target(self) -> str:
        """Name of the molecule."""
        return self.topology.target

    @classmethod
    def read(
        cls, sequence: Path, map_folder: Path, docking: Path, samples: Path, reference: Path | None
    ) -> ClassInput:
        """Read the folders of the stages before.

        Raises
        ------
        InputError
            If one of them lacks a file or belongs to another target or class.
        """
        topology = Topology.read(sequence)
        map_record = read_record(map_folder / "map.json")
        docking_record = read_record(docking / "docking.json")
        sampling = read_record(samples / "samples.json")
        for folder, record in (
            (docking, docking_record),
            (samples, sampling),
            (sequence, {"target": topology.target, "class": map_record["class"]}),
        ):
            got, expected = ((r["target"], r["class"]) for r in (record, map_record))
            if got != expected:
                raise InputError(
                    f"{folder} belongs to {'.'.join(got)}, {map_folder} to {'.'.join(expected)}; "
                    "give folders of one target and class"
                )
        density, docked = read_canonical(map_folder / "map.mrc"), docking / "docked.cif"
        by_half_map = samples / SAMPLES_FOLDER
        return cls(
            class_name=map_record["class"],
            topology=topology,
            density=density,
            resolution_angstrom=float(map_record["resolution_angstrom"]),
            resolution_method=str(map_record.get("resolution_method", "samplesheet")),
            threshold=float(map_record["threshold"]),
            map_name=str(map_record["source_map"]),
            docked=docked,
            docking=docking_record,
            samples=read_samples(samples, topology),
            sampling=sampling,
            reference=Reference.read(reference, topology) if reference else None,
            half_maps=read_half_maps(map_folder, density, read_model(docked)),
            guided_by_half_map=read_samples(by_half_map, topology) if by_half_map.is_dir() else None,
            map_record=map_record,
        )
