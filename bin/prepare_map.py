#!/usr/bin/env python3
"""PREPARE_MAP: bring one class map into canonical form and describe its shape by points.

Reads any MRC map (modes 0, 1, 2, 6, 12; any axis order; ORIGIN or NSTART; gzip, bzip2). Its resolution is the
given one, else that of the half maps (FSC 0.143, corrected for the mask by phase randomisation), else an estimate
from the map's own solvent. The map is brought onto cubic voxels that suit it. The threshold is the contour if
given; else at most 1 % of the voxels above it are noise, and the map, blurred where it is noisy, encloses no more
than the sequence's volume. Where there is no background to measure the noise by, the volume alone decides.
Components of fewer than 5 voxels are dropped, the map is cropped with a margin of 10 Å, and k = n_atoms / 4
points are placed by weighted k-means. Half maps and mask are resampled and cropped in the same way. The frame
stays that of the user's map.

Writes map.mrc, half_map_1.mrc, half_map_2.mrc, mask.mrc (those given), fsc.csv (with half maps), point_cloud.csv,
map.png and map.json.

\b
Example:
    prepare_map.py --target adk --class open --map open.mrc.gz --resolution 4 \\
        --sequence adk.sequence --seed 1 --output adk.open.map
"""

from __future__ import annotations

from pathlib import Path

import click

from classfold.errors import InputError, run_stage
from classfold.half_map_fsc import write_fsc
from classfold.map_picture import draw_map
from classfold.map_preparation import preparation_record, prepare
from classfold.map_set import read_map_set
from classfold.maps import write_map
from classfold.point_cloud import write_cloud
from classfold.records import read_json, write_json
from classfold.schedule import GuidanceMode
from classfold.threshold import Molecule


@click.command(help=__doc__, context_settings={"show_default": True})
@click.option("--target", required=True, help="Name of the molecule.")
@click.option("--class", "class_name", required=True, help="Name of the class.")
@click.option("--map", "map_path", required=True, type=click.Path(path_type=Path), help="Class map (MRC).")
@click.option("--half-map-1", type=click.Path(path_type=Path), help="First half map, on the map's grid.")
@click.option("--half-map-2", type=click.Path(path_type=Path), help="Second half map, on the map's grid.")
@click.option("--mask", type=click.Path(path_type=Path), help="Mask, on the map's grid: 1 inside, 0 outside.")
@click.option("--resolution", type=float, help="Resolution of the map in Å; found by half maps or map if absent.")
@click.option("--contour", type=float, help="Threshold in the map's density; found automatically if absent.")
@click.option(
    "--sha256",
    "digests",
    multiple=True,
    metavar="ROLE=DIGEST",
    help="Digest of the map, half_map_1, half_map_2 or mask when it was checked; once for each.",
)
@click.option(
    "--sequence", required=True, type=click.Path(path_type=Path), help="Folder of PREPARE_SEQUENCE."
)
@click.option("--seed", required=True, type=int, help="Seed of the k-means start.")
@click.option(
    "--guidance",
    type=click.Choice([mode.value for mode in GuidanceMode]),
    default=GuidanceMode.AUTO.value,
    help="How the samples will be guided; published: the cloud has the paper's number of points.",
)
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Folder to write.")
def main(
    target: str,
    class_name: str,
    map_path: Path,
    half_map_1: Path | None,
    half_map_2: Path | None,
    mask: Path | None,
    resolution: float | None,
    contour: float | None,
    digests: tuple[str, ...],
    sequence: Path,
    seed: int,
    guidance: str,
    output: Path,
) -> None:
    """Read, prepare, write."""
    target_file = sequence / "target.json"
    if not target_file.is_file():
        raise InputError(f"{sequence} holds no target.json; give the folder that prepare_sequence.py wrote.")
    content = read_json(target_file)
    molecule = Molecule(int(content["n_atoms"]), float(content["mass_dalton"]))
    companions = {"half_map_1": half_map_1, "half_map_2": half_map_2, "mask": mask}
    maps = read_map_set(map_path, companions, dict(digest.split("=", 1) for digest in digests))
    prepared = prepare(maps, molecule, resolution, contour, seed, guidance == GuidanceMode.PUBLISHED)

    output.mkdir(parents=True, exist_ok=True)
    # Older records beside newer maps would make a broken run look complete.
    for name in ("map.json", "fsc.csv"):
        (output / name).unlink(missing_ok=True)
    write_map(output / "map.mrc", prepared.density_map)
    for role, companion in prepared.companions.items():
        write_map(output / f"{role}.mrc", companion)
    write_cloud(prepared.cloud, output / "point_cloud.csv")
    if prepared.resolution.curves is not None:
        write_fsc(prepared.resolution.curves, output / "fsc.csv")
    blur = prepared.threshold.blur_angstrom
    draw_map(
        prepared.threshold.contour_map,
        prepared.components.kept,
        prepared.threshold.value,
        f"{target}, class {class_name}" + (f", blurred to {blur:.3g} Å" if blur else ""),
        output / "map.png",
    )
    record = {"target": target, "class": class_name, "seed": seed} | preparation_record(maps, prepared)
    write_json(record, output / "map.json")

    shape = " x ".join(str(size) for size in prepared.density_map.density.shape[::-1])
    found = prepared.resolution
    click.echo(f"{target}.{class_name}: {found.value_angstrom:.3g} Å, {found.evidence}.")
    click.echo(f"Threshold {record['threshold']:.4g}: {prepared.threshold.evidence}.")
    click.echo(f"{len(prepared.cloud.weight)} points in {shape} voxels; {prepared.resampling.reason}.")
    for warning in prepared.warnings:
        click.echo(f"Warning: {warning}", err=True)


if __name__ == "__main__":
    run_stage(main)
