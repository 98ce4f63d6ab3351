"""The page itself: records in, one HTML text out."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from classfold import __version__
from classfold.report import plots, sentences, tables, views
from classfold.report.cost import cost_of, cost_sentences
from classfold.report.courses import read_courses
from classfold.report.differences import Differences, differences
from classfold.report.distance_map import DistanceMap, distance_map
from classfold.report.fsc_plot import plot_fsc
from classfold.report.gather import ClassResult, Comparison, Run, TargetResult
from classfold.report.glance import glance, verdict_sentence
from classfold.report.half_maps import plot_validation, support_sentences, validation_sentences
from classfold.report.loss_plot import plot_losses
from classfold.report.map_sentences import map_sentences
from classfold.report.others import Others, others
from classfold.report.sampling_sentences import sampling_sentences
from classfold.report.sharpness import plot_spectra, sharpness_sentences
from classfold.report.summary import COLUMNS, Row
from classfold.report.tables import Matrix, Table
from classfold.report.verdict import VerdictPart, verdict_part
from classfold.report.views import View

FOLDER = Path(__file__).parent
PAGE_SCRIPTS = ("report.js", "tables.js", "plots.js", "explanations.js")
VIEWER_SCRIPTS = ("3Dmol-min.js", "scales.js", "unpack.js", "morph.js", "scene.js", "viewer.js")
SCRIPTS = PAGE_SCRIPTS + VIEWER_SCRIPTS
STYLES = ("report.css", "glance.css", "viewer.css", "print.css")
# With few classes everything is open at once; with many the reader opens what the overview points to.
MOST_OPEN_CLASSES = 3
# Pairs of classes whose displacement is drawn, those that differ most; of all of them there are numbers.
MOST_PAIRS = 10
FILES = ("model.cif", "samples/", "scores.csv", "open_in_chimerax.cxc")
"""Of a class, that the page names."""
# Matrices of more classes stand below each other.
MOST_BESIDE = 4
# A longer table of stopped samples is closed.
MOST_OPEN_ROWS = 12


@dataclass(frozen=True)
class ClassPage:
    """What the page shows of one class."""

    name: str
    anchor: str
    brief: str
    warnings: list[str]
    files: list[str]
    verdict: VerdictPart
    model_sentences: list[str]
    map_sentences: list[str]
    docking_sentences: list[str]
    sharpness_sentences: list[str]
    spectra_plot: Markup | None
    picture: str | None
    fsc_plot: Markup | None
    ranking: Table | None
    scores: Table | None
    others: Others | None
    fit_plots: list[tuple[str, Markup]]
    support_sentences: list[str]
    validation_sentences: list[str]
    validation_plot: Markup | None
    sampling_sentences: list[str]
    loss_plot: Markup | None
    stopped: Table | None


@dataclass(frozen=True)
class PairPage:
    """Displacement between two classes."""

    title: str
    plots: list[tuple[str, Markup]]
    distances: DistanceMap | None


@dataclass(frozen=True)
class ComparisonPage:
    """What the page shows across the classes of a target."""

    matrices: list[Matrix]
    pairs: list[PairPage]
    differences: Differences
    n_pairs: int
    """Of which so many are drawn as :data:`MOST_PAIRS` allows."""


@dataclass(frozen=True)
class TargetPage:
    """What the page shows of one target."""

    name: str
    description: str
    warnings: list[str]
    view: View
    classes: list[ClassPage]
    comparison: ComparisonPage | None


def _picture(path: Path) -> str | None:
    """A PNG as the address that holds it."""
    if not path.is_file():
        return None
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")


def _brief(result: ClassResult) -> str:
    """One class in a few words, for its closed section."""
    if result.models is None:
        return "no model"
    said = f"CC_mask {result.models['cc_mask']:.3f}, best of {result.samples_in_words}"
    return said + (f", {len(result.warnings)} warning(s)" if result.warnings else "")


def _class_page(target: TargetResult, result: ClassResult) -> ClassPage:
    stem = f"{result.target}/{result.name}"
    best = int(result.models["best_sample"]) if result.models else -1
    losses, residues, scores, spectra = result.losses, result.residues, result.scores, result.spectra
    has_losses = losses is not None and losses["loss"].notna().any()
    courses = read_courses(losses, result.samples or {}, best) if losses is not None and has_losses else None
    return ClassPage(
        name=result.name,
        anchor=result.anchor,
        brief=_brief(result),
        warnings=result.warnings,
        files=[f"{stem}/{name}" for name in FILES] if result.models else [],
        verdict=verdict_part(result),
        model_sentences=sentences.model_sentences(result),
        map_sentences=map_sentences(result),
        docking_sentences=sentences.docking_sentences(result),
        sharpness_sentences=sharpness_sentences(result),
        spectra_plot=plot_spectra(spectra, float(result.map["resolution_angstrom"])) if spectra is not None else None,
        picture=_picture(result.map_folder / "map.png"),
        fsc_plot=plot_fsc(result.fsc, result.map) if result.fsc is not None and len(result.fsc) > 1 else None,
        ranking=tables.ranking_table(scores, best) if scores is not None and len(scores) else None,
        scores=tables.score_table(result.models),
        others=others(result.others),
        fit_plots=plots.plot_fit(residues) if residues is not None and len(residues) else [],
        support_sentences=support_sentences(residues),
        validation_sentences=validation_sentences(result.models),
        validation_plot=None
        if result.validation is None
        else plot_validation(result.validation, float(result.map["resolution_angstrom"])),
        sampling_sentences=sampling_sentences(result.samples, courses) + cost_sentences(cost_of(target, result)),
        loss_plot=plot_losses(losses, courses) if losses is not None and courses is not None else None,
        stopped=tables.stopped_table(result.samples),
    )


def _pair_pages(comparison: Comparison) -> list[PairPage]:
    """The pairs of classes that differ most, the one that differs most of all first."""
    numbers = {(pair["class_a"], pair["class_b"]): pair for pair in comparison.record.get("pairs", [])}
    if comparison.displacement is None:
        return []
    found = []
    for (first, second), rows in comparison.displacement.groupby(["class_a", "class_b"], sort=False):
        title, rank = f"{first} and {second}", 0.0
        pair = numbers.get((first, second))
        if pair:
            rank = float(pair["ca_rmsd_angstrom"])
            title += (
                f": Cα RMSD {rank:.2f} Å, TM-score {pair['tm_score']:.2f}, "
                f"largest displacement {pair['max_displacement_angstrom']:.1f} Å"
            )
        found.append((rank, title, str(first), str(second), rows))
    return [
        PairPage(title, plots.plot_displacement(rows, *names), distance_map(comparison.folder, *names))
        for _, title, *names, rows in sorted(found, key=lambda entry: -entry[0])[:MOST_PAIRS]
    ]


def _target_page(target: TargetResult, n_classes: int) -> TargetPage:
    """A target on a page of so many classes of all targets."""
    record, comparison = target.record, target.comparison
    chains = record.get("chains", [])
    kinds = ", ".join(f"{chain['name']} ({chain['type']})" for chain in chains)
    return TargetPage(
        name=target.name,
        description=(
            f"{record['n_residues']} residues, {record['n_atoms']} heavy atoms, "
            f"{record['mass_dalton'] / 1000:.1f} kDa; "
            f"chains {kinds}."
        ),
        warnings=target.warnings,
        view=views.target_view(target, n_classes),
        classes=[_class_page(target, result) for result in target.classes],
        comparison=ComparisonPage(
            matrices=tables.heat_tables(comparison),
            differences=differences(target),
            pairs=_pair_pages(comparison),
            n_pairs=len(comparison.record.get("pairs", [])),
        )
        if comparison is not None
        else None,
    )


def _page(run: Run, rows: list[Row]) -> dict[str, Any]:
    targets = [_target_page(target, len(run.classes)) for target in run.targets]
    groups = glance(run, {target.name: target.view for target in targets})
    return {
        "title": ", ".join(target.name for target in targets),
        "headline": sentences.headline(run, rows),
        "glance": groups,
        "verdicts": verdict_sentence(groups),
        "outcome": sentences.outcome(run),
        "failures": run.failures,
        "labels": run.weights_labels,
        "is_demonstration": sentences.is_demonstration(run.weights_labels),
        "overview": tables.overview_table(run, rows),
        "targets": targets,
        "open_classes": len(run.classes) <= MOST_OPEN_CLASSES,
        "parameters": tables.parameter_table(run),
        "columns": [(column.name, column.meaning) for column in COLUMNS],
        "most_open_rows": MOST_OPEN_ROWS,
        "most_beside": MOST_BESIDE,
        "weak_cc": plots.WEAK_CC,
        "version": __version__,
        "data": [block for target in targets for block in target.view.blocks(target.name)],
    }


def _digest(content: str) -> str:
    """How a Content-Security-Policy names the one inline script or style that it allows."""
    return "'sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode("ascii") + "'"


def _inline(name: str) -> str:
    """A script or style of ours; it must not end the element that holds it."""
    content = (FOLDER / name).read_text(encoding="utf-8")
    if "</script" in content.lower() or "</style" in content.lower():
        raise ValueError(f"{name} would end the element that it is inlined in")
    return content


def render(run: Run, rows: list[Row]) -> str:
    """The report as one HTML text that asks for nothing from a network.

    The page's policy allows the scripts and the styles written here, by digest, and nothing else: a name from
    a user that slipped through the escaping could still not run.
    """
    scripts, styles = ([_inline(name) for name in names] for names in (SCRIPTS, STYLES))
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(map(_digest, scripts))}",
            f"style-src {' '.join(map(_digest, styles))}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    parts = environment.get_template("parts.html.j2").module
    macros = ("table", "warnings", "heat", "viewer", "card", "chip")
    environment.globals.update({name: getattr(parts, name) for name in macros})
    return environment.get_template("template.html.j2").render(
        page=_page(run, rows),
        policy=policy,
        styles=[Markup(style) for style in styles],
        scripts=[Markup(script) for script in scripts],
        notice=_inline("3Dmol-NOTICE"),
        licence=_inline("3Dmol-LICENSE"),
    )
