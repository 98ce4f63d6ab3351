#!/usr/bin/env python3
"""Sample models of one or more classes, guided by their maps.

Every class goes on from the warm-up states of its target with the same random numbers, so that what differs between
the classes comes from their maps. The first guided step puts each sample where the docked model is; then the map's
global shape pulls (Sinkhorn divergence to its point cloud), then its density, and the last steps relax.

Example: sample_guided.py --sequence adk.sequence --embedding adk.embedding --weights weights
         --map adk.open.map --docking adk.open.docking --output .
"""

from __future__ import annotations

from pathlib import Path

import click

from classfold.errors import InputError, run_stage
from classfold.guided_sampling import load_run, sample_class
from classfold.records import read_json


@click.command(context_settings={"show_default": True}, help=__doc__)
@click.option(
    "--sequence", type=click.Path(path_type=Path, exists=True), required=True, help="T.sequence folder."
)
@click.option(
    "--embedding", type=click.Path(path_type=Path, exists=True), required=True, help="T.embedding folder."
)
@click.option("--weights", type=click.Path(path_type=Path), required=True, help="Folder of the weights.")
@click.option(
    "--map",
    "maps",
    type=click.Path(path_type=Path, exists=True),
    multiple=True,
    required=True,
    help="T.C.map folder; once for each class.",
)
@click.option(
    "--docking",
    "dockings",
    type=click.Path(path_type=Path, exists=True),
    multiple=True,
    required=True,
    help="T.C.docking folder; once for each class, in the same order.",
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--batch-size", default=0, help="Samples at once; 0 chooses by the device.")
@click.option(
    "--output", type=click.Path(path_type=Path), required=True, help="Folder for the T.C.samples folders."
)
def main(
    sequence: Path,
    embedding: Path,
    weights: Path,
    maps: tuple[Path, ...],
    dockings: tuple[Path, ...],
    device: str,
    batch_size: int,
    output: Path,
) -> None:
    """Entry point; see the module's docstring."""
    if len(maps) != len(dockings):
        raise InputError(f"{len(maps)} maps and {len(dockings)} dockings; every class needs one of each")
    run = load_run(sequence, embedding, weights, device, batch_size)
    for map_folder, docking_folder in zip(maps, dockings, strict=True):
        described = read_json(map_folder / "map.json"), read_json(docking_folder / "docking.json")
        key = described[0]["target"], described[0]["class"]
        if key != (described[1]["target"], described[1]["class"]) or key[0] != run.topology.target:
            raise InputError(
                f"{map_folder} and {docking_folder} are not of one class of target {run.topology.target}"
            )
        sample_class(run, map_folder, docking_folder, output / f"{key[0]}.{key[1]}.samples")


if __name__ == "__main__":
    run_stage(main)
