"""What PREPARE_MAP read, decided, and on what evidence, in sentences for a reader who does not know the method."""

from __future__ import annotations

from typing import Any

from classfold.half_map_fsc import FSC_THRESHOLD
from classfold.report.gather import ClassResult
from classfold.report.svg import count, number

# Outside this range of enclosed over expected volume the contour deserves a look.
PLAUSIBLE_VOLUME_RATIO = (0.4, 2.0)


def map_sentences(result: ClassResult) -> list[str]:
    """The map of one class: file, resolution, grid, threshold, volume, cloud."""
    record, source = result.map, result.map.get("source") or {}
    said = []
    if result.population is not None:
        said.append(f"The class holds {100 * result.population:.1f} % of the particles.")
    if source:
        shape = _triple(reversed(source["shape_zyx"]))
        voxel = _triple(source["voxel_size_angstrom_xyz"])
        said.append(
            f"Read {record['source_map']}: {shape} voxels (x, y, z) of {voxel} Å, axes in the order "
            f"{source.get('axis_order', 'xyz')}, MRC mode {source.get('mode')}."
        )
    said.append(_resolution_sentence(record))
    said.append(
        f"Worked on {_triple(reversed(record['shape_zyx']))} voxels of {number(record['voxel_size_angstrom'])} Å "
        f"around the density" + (f"; {record['resampling']}." if record.get("resampling") else ".")
    )
    said += _threshold_sentences(record)
    said += _volume_sentences(record)
    said.append(
        f"Kept {count(int(record.get('n_components_kept', 0)), 'connected piece', 'connected pieces')} "
        "of density, "
        f"removed {count(int(record.get('n_components_removed', 0)), 'speck', 'specks')} of dust."
    )
    said.append(f"{count(int(record['n_cloud_points']), 'point stands', 'points stand')} for the map's global shape.")
    return said


def _triple(values: Any) -> str:
    return " × ".join(number(float(value)) for value in values)


def _sentence(text: str | None) -> str:
    """A stage's remark as a sentence: capital first, full stop last."""
    return f"{text[0].upper()}{text[1:].rstrip('.')}." if text else ""


def _resolution_sentence(record: dict[str, Any]) -> str:
    """The resolution that was used, where it comes from, and what the half maps say."""
    said = f"Resolution {record['resolution_angstrom']:.3g} Å"
    method, measured = record.get("resolution_method", "samplesheet"), record.get("resolution_by_half_maps_angstrom")
    if method == "estimate":
        return f"{said}, an estimate from the map alone: {record['resolution_evidence']}."
    if method == "half maps":
        return f"{said}: {record['resolution_evidence']}."
    said += ", as the samplesheet says"
    if measured is None:
        return f"{said}; no half maps tell it."
    if record.get("half_maps_reach_nyquist"):
        return f"{said}; the half maps agree up to the limit of their voxels, {measured:.3g} Å (FSC {FSC_THRESHOLD})."
    return f"{said}; the half maps agree to {measured:.3g} Å (FSC {FSC_THRESHOLD}, corrected for the mask)."


def _threshold_sentences(record: dict[str, Any]) -> list[str]:
    by_user = record.get("threshold_method") == "user"
    how = "as the samplesheet asked" if by_user else f"found by the method “{record.get('threshold_method')}”"
    said = [f"Threshold {number(record['threshold'])}, {how}. {_sentence(record.get('threshold_evidence'))}".strip()]
    if record.get("threshold_blur_angstrom"):
        said.append(
            f"The contour was drawn in the map blurred to {record['threshold_blur_angstrom']:.3g} Å; the threshold is "
            "the level of the map as it is that encloses as much near this contour."
        )
    if record.get("is_masked") and record.get("background_level") is not None:
        said.append(
            "A part of the map has one and the same density, as masks leave it; noise was measured on the rest."
        )
    return said


def _volume_sentences(record: dict[str, Any]) -> list[str]:
    enclosed, expected = record.get("enclosed_volume_angstrom3"), record.get("expected_volume_angstrom3")
    if not enclosed or not expected:
        return []
    ratio = enclosed / expected
    low, high = PLAUSIBLE_VOLUME_RATIO
    verdict = "as it should be" if low <= ratio <= high else "look at the contour: that is far from 1"
    said = (
        f"The contour encloses {number(enclosed)} Å³, {ratio:.2f} times what the sequence's mass fills "
        f"({number(expected)} Å³): {verdict}."
    )
    significant = record.get("significant_volume_angstrom3")
    if significant is not None:
        said += f" Density that is no noise fills {significant / expected:.2f} times that volume."
    return [said]
