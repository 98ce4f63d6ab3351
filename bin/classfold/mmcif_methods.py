"""What an mmCIF file says of how its model was made: predicted, guided by a density, by which programs, how sure.

The PDB's dictionary has no method for a prediction that a density guided. Such a file calls itself computational
(``_struct.pdbx_structure_determination_methodology``, ``_exptl.method`` THEORETICAL MODEL), names the map in the
categories of electron microscopy, and tells the steps in those of ModelCIF (Vallat et al., J. Mol. Biol. 435, 168021,
2023). What nobody told ClassFold, such as the microscope, is left unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import gemmi

from classfold import __version__
from classfold.cif_tables import NOT_APPLICABLE, UNKNOWN, add_loop, add_pairs
from classfold.mmcif_molecules import Molecules

DICTIONARIES = (
    ("mmcif_pdbx.dic", "5.288", "http://mmcif.pdb.org/dictionaries/ascii/mmcif_pdbx_v50.dic"),
    ("mmcif_ma.dic", "1.4.6", "https://raw.githubusercontent.com/ihmwg/ModelCIF/master/dist/mmcif_ma.dic"),
)
RESOLUTION_METHODS = {"half maps": "FSC 0.143 CUT-OFF"}
"""By PREPARE_MAP's ``resolution_method``; of another resolution nobody knows the criterion."""


@dataclass(frozen=True)
class GuidingMap:
    """The density that guided a model."""

    name: str
    """File name of the user's map."""
    resolution_angstrom: float
    resolution_method: str
    """samplesheet, half maps or estimate"""


@dataclass(frozen=True)
class Metric:
    """A number about the quality of a model: one for all of it, and one for each residue."""

    name: str
    type: str
    """As ``_ma_qa_metric.type`` has it."""
    description: str
    residues: Sequence[tuple[str, str, str, str]]
    """(asym, sequence number, component, value)"""
    whole: float | None


def describe_methods(
    block: gemmi.cif.Block,
    molecules: Molecules,
    title: str,
    guide: GuidingMap | None,
    metrics: Sequence[Metric],
    provenance: Mapping[str, str],
) -> None:
    """Add everything that the file says about itself."""
    add_loop(block, "audit_conform", ["dict_name", "dict_version", "dict_location"], DICTIONARIES)
    guided = "A map guided it." if guide else "No map guided it."
    add_pairs(
        block, "struct",
        {
            "entry_id": block.name,
            "title": title,
            "pdbx_model_details": f"Predicted by a diffusion model. {guided} B factors are no temperature factors: see "
            "_classfold_provenance",
            "pdbx_structure_determination_methodology": "computational",
        },
    )
    add_pairs(block, "exptl", {"entry_id": block.name, "method": "THEORETICAL MODEL"})
    if guide:
        _describe_map(block, guide)
    _describe_software(block)
    _describe_steps(block, molecules, guide)
    _describe_quality(block, metrics)
    add_loop(block, "classfold_provenance", ["item", "value"], provenance.items())


def _describe_map(block: gemmi.cif.Block, guide: GuidingMap) -> None:
    """The map in the PDB's categories of electron microscopy."""
    entry = {"entry_id": block.name, "id": 1}
    assembly = {"id": 1, "parent_id": 0, "name": block.name, "type": UNKNOWN, "source": UNKNOWN}
    add_pairs(block, "em_entity_assembly", assembly)
    method = {"reconstruction_method": "SINGLE PARTICLE", "aggregation_state": "PARTICLE", "entity_assembly_id": 1}
    add_pairs(block, "em_experiment", entry | method)
    add_pairs(block, "em_image_processing", {"id": 1, "image_recording_id": UNKNOWN})
    resolution = {
        "image_processing_id": 1,
        "resolution": f"{guide.resolution_angstrom:.2f}",
        "resolution_method": RESOLUTION_METHODS.get(guide.resolution_method, "OTHER"),
        "details": f"map {guide.name}, one class of a 3D classification; resolution by: {guide.resolution_method}",
    }
    add_pairs(block, "em_3d_reconstruction", entry | resolution)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return UNKNOWN


def _describe_software(block: gemmi.cif.Block) -> None:
    tags = ["pdbx_ordinal", "name", "version", "type", "classification", "description"]
    rows = [
        (1, "ClassFold", __version__, "package", "model building", "guides a structure predictor by a cryo-EM map"),
        (2, "Boltz-1", _version("boltz"), "package", "model building", "structure prediction by diffusion"),
    ]
    add_loop(block, "software", tags, rows)
    add_loop(block, "ma_software_group", ["ordinal_id", "group_id", "software_id"], [(1, 1, 1), (2, 1, 2)])


def _describe_steps(block: gemmi.cif.Block, molecules: Molecules, guide: GuidingMap | None) -> None:
    """What went in, what was done, what came out; ids of data: 1 the model, 2 the map, then the molecules."""
    compounds = molecules.compounds
    data = [(1, "model", "model coordinates", NOT_APPLICABLE)]
    if guide:
        data.append((2, guide.name, "other", "cryo-EM density map"))
    data += [(c.number + 2, c.description, "target", NOT_APPLICABLE) for c in compounds]
    add_loop(block, "ma_data", ["id", "name", "content_type", "content_type_other_details"], data)
    groups = [(1, number) for number, *_ in data[1:]] + [(2, 1)]
    rows = [(ordinal, *group) for ordinal, group in enumerate(groups, start=1)]
    add_loop(block, "ma_data_group", ["ordinal_id", "group_id", "data_id"], rows)
    targets = [(c.number, c.number + 2, "designed") for c in compounds]
    add_loop(block, "ma_target_entity", ["entity_id", "data_id", "origin"], targets)
    copies = [(asym, c.number, UNKNOWN) for c in compounds for asym in c.asyms]
    add_loop(block, "ma_target_entity_instance", ["asym_id", "entity_id", "details"], copies)
    said = "structure prediction guided by a cryo-EM density" if guide else "structure prediction"
    tags = ["ordinal_id", "model_id", "model_group_id", "model_name", "model_group_name", "data_id", "model_type"]
    model = (1, 1, 1, block.name, "models of ClassFold", 1, "Other", f"{said} (diffusion model)")
    add_loop(block, "ma_model_list", [*tags, "model_type_other_details"], [model])
    steps = [("modeling", said)]
    if guide:
        steps.append(("model selection", "ranked by the fit to the map, geometry and confidence"))
    tags = ["ordinal_id", "protocol_id", "step_id", "method_type", "step_name", "details", "software_group_id"]
    add_loop(
        block, "ma_protocol_step", [*tags, "input_data_group_id", "output_data_group_id"],
        [
            (number, 1, number, kind, UNKNOWN, details, 1, 1 if number == 1 else 2, 2)
            for number, (kind, details) in enumerate(steps, start=1)
        ],
    )


def _describe_quality(block: gemmi.cif.Block, metrics: Sequence[Metric]) -> None:
    """Every metric twice: for the whole model where that is defined, and for each residue."""
    kinds: list[tuple[object, ...]] = []
    whole: list[tuple[object, ...]] = []
    local: list[tuple[object, ...]] = []
    for metric in metrics:
        details = metric.description if metric.type == "other" else NOT_APPLICABLE
        about = (metric.name, metric.description, metric.type)
        if metric.whole is not None:
            kinds.append((len(kinds) + 1, *about, "global", details, 1))
            whole.append((len(whole) + 1, 1, len(kinds), f"{metric.whole:.4g}"))
        kinds.append((len(kinds) + 1, *about, "local", details, 1))
        local += [
            (ordinal, 1, asym, number, name, len(kinds), value)
            for ordinal, (asym, number, name, value) in enumerate(metric.residues, start=len(local) + 1)
        ]
    tags = ["id", "name", "description", "type", "mode", "type_other_details", "software_group_id"]
    add_loop(block, "ma_qa_metric", tags, kinds)
    add_loop(block, "ma_qa_metric_global", ["ordinal_id", "model_id", "metric_id", "metric_value"], whole)
    tags = ["ordinal_id", "model_id", "label_asym_id", "label_seq_id", "label_comp_id", "metric_id", "metric_value"]
    add_loop(block, "ma_qa_metric_local", tags, local)
