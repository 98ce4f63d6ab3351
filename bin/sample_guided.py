#!/usr/bin/env python3
"""Sample models of one or more classes, guided by their maps.

Every class goes on from the warm-up states of its target with the same random numbers, so that what differs between
the classes comes from their maps. The first guided step puts each sample where the docked model is; then the map's
global shape pulls (Sinkhorn divergence to its point cloud), then its density, and the last steps relax. Samples of all
classes share batches; those that fit their map worst are stopped on the way.

Example: sample_guided.py --sequence adk.sequence --embedding adk.embedding --weights weights
         --map adk.open.map --docking adk.open.docking --output .
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from classfold.class_task import ClassTask, guided_by_half_map, read_class
from classfold.errors import InputError, run_stage
from classfold.guided_sampling import GuidedSampler
from classfold.half_maps import SAMPLES_FOLDER
from classfold.population import Selection
from classfold.precision import MATMULS, Matmul, Precision
from classfold.samples_output import write_samples
from classfold.schedule import COARSE_ANGSTROM, GuidanceMode
from classfold.target_run import SamplingOptions, TargetRun, load_run


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
@click.option(
    "--guidance",
    type=click.Choice([mode.value for mode in GuidanceMode]),
    default=GuidanceMode.AUTO.value,
    help=(
        "fast: at the denoised sample; mixed: through the network in the local stage; "
        f"auto: fast, and mixed for maps of {COARSE_ANGSTROM:g} Å and coarser; published: as in the paper."
    ),
)
@click.option(
    "--early-stop",
    type=click.Choice(["auto", "on", "off"]),
    default="auto",
    help="Stop the worse half of a class's samples three times on the way. auto: unless the guidance is published.",
)
@click.option(
    "--match-sharpness",
    type=click.Choice(["auto", "on", "off"]),
    default="auto",
    help="Guide by the map that is as sharp as the docked model. auto: unless the guidance is published.",
)
@click.option(
    "--assembled-start",
    type=click.Choice(["auto", "off"]),
    default="auto",
    help="auto: half of the samples begin at the assembled model, if there is one, unless the guidance is published.",
)
@click.option("--steering", type=click.Choice(["on", "off"]), default="off", help="Resample by the map's likelihood.")
@click.option(
    "--physical-guidance", type=click.Choice(["on", "off"]), default="off", help="Correct by Boltz's own potentials."
)
@click.option(
    "--half-map-validation",
    type=click.Choice(["on", "off"]),
    default="off",
    help="Guide a few more samples of each class by its first half map, to tell over-fitting.",
)
@click.option("--precision", type=click.Choice(MATMULS), default="float32", help="Of the network's matrix products.")
@click.option("--compile", "compiles", type=click.Choice(["on", "off"]), default="off", help="Compile the denoiser.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--batch-size", default=0, help="Samples at once; 0 chooses by the memory that is free.")
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
    output: Path,
    **choices: Any,
) -> None:
    """Entry point; see the module's docstring."""
    started = time.monotonic()
    if len(maps) != len(dockings):
        raise InputError(f"{len(maps)} maps and {len(dockings)} dockings; every class needs one of each")
    run = load_run(sequence, embedding, weights, device, sampling_options(**choices))
    tasks = read_classes(list(zip(maps, dockings, strict=True)), run, output)
    sampler = GuidedSampler(run, tasks)
    finished = sampler.sample()
    for index, task in enumerate(tasks):
        folder = output / f"{run.topology.target}.{task.name}.samples"
        if task.most_samples is not None:
            folder /= SAMPLES_FOLDER
        write_samples(sampler, index, finished, time.monotonic() - started, folder)


def read_classes(folders: list[tuple[Path, Path]], run: TargetRun, output: Path) -> list[ClassTask]:
    """The classes that can be sampled; ``T.C.failure`` says of each other one in a sentence why not.

    After them come those that are to be guided by their first half map as well.

    Raises
    ------
    InputError
        If none can.
    """
    output.mkdir(parents=True, exist_ok=True)
    tasks: list[ClassTask] = []
    by_half_maps: list[ClassTask] = []
    for map_folder, docking_folder in folders:
        try:
            task, by_half_map = read_both(map_folder, docking_folder, run)
            tasks.append(task)
            by_half_maps += by_half_map
        except InputError as error:
            if len(folders) == 1:
                raise
            click.echo(f"{map_folder.stem} is left out: {error}", err=True)
            (output / f"{map_folder.stem}.failure").write_text(f"{error}\n")
    if not tasks:
        raise InputError(f"none of {len(folders)} classes of {run.topology.target} can be sampled, see above")
    return tasks + by_half_maps


def read_both(map_folder: Path, docking_folder: Path, run: TargetRun) -> tuple[ClassTask, list[ClassTask]]:
    """A class, and the same guided by its first half map if that is wanted and it has one."""
    task = read_class(
        map_folder, docking_folder, run.topology, run.prior.atom_mask, run.options.match_sharpness
    )
    if not run.options.half_map_validation:
        return task, []
    by_half_map = guided_by_half_map(task, map_folder, docking_folder)
    if by_half_map is not None:
        return task, [by_half_map]
    warning = (
        "over-fitting was not measured, for the class has no half maps: give half_map_1 and half_map_2 in the "
        "samplesheet, or leave --half_map_validation out"
    )
    return replace(task, warnings=(warning,)), []


def sampling_options(
    guidance: str,
    early_stop: str,
    match_sharpness: str,
    assembled_start: str,
    steering: str,
    physical_guidance: str,
    precision: Matmul,
    compiles: str,
    batch_size: int,
    half_map_validation: str,
) -> SamplingOptions:
    """The options as the package takes them."""
    mode = GuidanceMode(guidance)
    stops, matches = (
        choice == "on" or (choice == "auto" and mode is not GuidanceMode.PUBLISHED)
        for choice in (early_stop, match_sharpness)
    )
    return SamplingOptions(
        guidance=mode,
        selection=Selection(stops, steering == "on"),
        physics=physical_guidance == "on",
        batch_size=batch_size,
        precision=Precision(precision, compiles == "on"),
        match_sharpness=matches,
        assembled_start=assembled_start == "auto" and mode is not GuidanceMode.PUBLISHED,
        half_map_validation=half_map_validation == "on",
    )


if __name__ == "__main__":
    run_stage(main)
