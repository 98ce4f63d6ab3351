#!/usr/bin/env python3
"""SELECT_MODELS: score the samples of one class by its map, put them in order and write them as mmCIF.

Each sample is judged by CC_mask (the correlation of its simulated density with the map around its atoms),
by clashes, distances along the chain and hand, and by the prior's confidence where there is one. One rule
makes one score of them; models.json states it. The same correlation per residue, times 100, goes into the
B-factor column. The docked, unguided model is measured beside them. With --reference, a known structure in
the frame of the map, RMSDs are taken as the models stand, without superposition.

Writes model.cif (the best), samples/sample_001.cif ..., scores.csv, residues.csv, models.json, and for other
programs map.mrc, open_in_chimerax.cxc, open_in_coot.py, open_in_pymol.pml and phenix_real_space_refine.eff. With
--compare, models that others made, in the frame of the map, get the same scores, as does the best model on the
residues that they have: others.csv and others.json.

\b
Example:
    select_models.py --sequence adk.sequence --map adk.open.map --docking adk.open.docking \\
        --samples adk.open.samples --output adk.open.models
"""

from __future__ import annotations

from pathlib import Path

import click

from classfold.class_input import ClassInput
from classfold.errors import run_stage
from classfold.model_output import write_models
from classfold.other_models import write_others
from classfold.selection import select

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command(help=__doc__, context_settings={"show_default": True})
@click.option("--sequence", required=True, type=FOLDER, help="Folder of PREPARE_SEQUENCE.")
@click.option("--map", "map_folder", required=True, type=FOLDER, help="Folder of PREPARE_MAP.")
@click.option("--docking", required=True, type=FOLDER, help="Folder of DOCK_MODEL.")
@click.option("--samples", required=True, type=FOLDER, help="Folder of SAMPLE_GUIDED.")
@click.option(
    "--reference", type=click.Path(path_type=Path), help="Known structure in the map (mmCIF or PDB)."
)
@click.option(
    "--compare",
    "others",
    multiple=True,
    metavar="NAME=FILE",
    help="Somebody else's model in the map (mmCIF or PDB); once for each.",
)
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Folder to write.")
def main(
    sequence: Path,
    map_folder: Path,
    docking: Path,
    samples: Path,
    reference: Path | None,
    others: tuple[str, ...],
    output: Path,
) -> None:
    """Read, score, write."""
    named = [(name, Path(file)) for name, file in (other.split("=", 1) for other in others)]
    given = ClassInput.read(sequence, map_folder, docking, samples, reference)
    selection = select(given)
    write_others(output, given, selection, named)
    write_models(output, given, selection)
    best = selection.scored[selection.best]
    click.echo(
        f"{given.target}, class {given.class_name}: sample {best.sample} of {len(selection.scored)} is best, "
        f"score {best.score:.3f}, CC_mask {selection.best_fit.cc_mask:.3f}"
    )
    if reference and best.reference_rmsd:
        click.echo(f"CA RMSD to {reference.name} in the map: {best.reference_rmsd[0]:.2f} Å")


if __name__ == "__main__":
    run_stage(main)
