#!/usr/bin/env python3
"""COMPARE_CLASSES: what differs between the best models of a target's classes.

For every pair of classes: CA RMSD after superposition of everything, TM-score, and the displacement of
every residue after superposition on the rigid core, which shows what moves against what stays. Then every
model against every map: a model is put where the other class's model is, and its CC_mask is measured there.
Whether two classes show one conformation is told by how much of their models' difference both maps show, against
the maps' noise (half maps, else the residual).

Of each pair of classes (of more than ten pairs, of those that follow one another in the main motion) a morph is
interpolated, and the differences of all distances between residues are written.

Writes rmsd.csv, tm_score.csv, cross_fit.csv, displacement.csv, moving_parts.csv, morph_A.B.cif,
distance_difference_A.B.csv, comparison.json and open_in_chimerax.cxc.

\b
Example:
    compare_classes.py --sequence adk.sequence --map adk.closed.map --map adk.open.map \\
        --models adk.closed.models --models adk.open.models --output adk.comparison
"""

from __future__ import annotations

from pathlib import Path

import click

from classfold.class_comparison import compare
from classfold.class_models import ClassModel
from classfold.comparison_output import write_comparison
from classfold.errors import run_stage
from classfold.handoff_comparison import write_comparison_handoff
from classfold.structure import Topology

FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command(help=__doc__, context_settings={"show_default": True})
@click.option("--sequence", required=True, type=FOLDER, help="Folder of PREPARE_SEQUENCE.")
@click.option(
    "--map", "maps", required=True, multiple=True, type=FOLDER, help="Folder of PREPARE_MAP, per class."
)
@click.option(
    "--models", required=True, multiple=True, type=FOLDER, help="Folder of SELECT_MODELS, per class."
)
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Folder to write.")
def main(sequence: Path, maps: tuple[Path, ...], models: tuple[Path, ...], output: Path) -> None:
    """Read, compare, write."""
    topology = Topology.read(sequence)
    comparison = compare(topology, ClassModel.read_all(topology, maps, models))
    write_comparison(output, topology, comparison)
    write_comparison_handoff(output, topology, maps, models)
    names = ", ".join(comparison.names)
    click.echo(f"{topology.target}: {len(comparison.names)} classes compared ({names})")
    for pair in comparison.pairs:
        click.echo(
            f"{pair.class_a} - {pair.class_b}: CA RMSD {pair.ca_rmsd_angstrom:.2f} Å, "
            f"TM-score {pair.tm_score:.3f}, largest displacement {pair.max_displacement_angstrom:.1f} Å"
        )
        click.echo(f"{pair.judged.verdict}: {pair.judged.reason}")


if __name__ == "__main__":
    run_stage(main)
