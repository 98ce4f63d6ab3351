"""Write the samples of one class, and how they were drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import torch
from safetensors.torch import save_file
from torch import Tensor

from .guided_sampling import GuidedSampler
from .memory import used_peak_bytes
from .particles import Particle
from .records import write_json

CONFIDENCE_FIELDS = ("plddt", "complex_plddt", "ptm", "iptm")


def gather(particles: Sequence[Particle], atom_mask: Tensor) -> dict[str, Tensor]:
    """Coordinates (n, n_atoms, 3) of the real atoms and the confidence of finished samples."""
    real = atom_mask.bool().cpu()
    tensors = {"coordinates": torch.cat([particle.state.coordinates for particle in particles])[:, real].contiguous()}
    judged = [particle.confidence for particle in particles if particle.confidence is not None]
    for name in CONFIDENCE_FIELDS if judged else ():
        tensors[name] = torch.cat([getattr(each, name) for each in judged]).contiguous()
    return tensors


def check_finite(coordinates: Tensor, name: str) -> list[str]:
    """Warnings about samples (n, n_atoms, 3) whose coordinates are not finite.

    Raises
    ------
    RuntimeError
        If there is no other sample.
    """
    finite = torch.isfinite(coordinates).flatten(1).all(dim=1)
    if not finite.any():
        raise RuntimeError(f"class {name}: no sample has finite coordinates")
    if finite.all():
        return []
    return [f"{int((~finite).sum())} of {len(finite)} samples have coordinates that are not finite"]


def memory_record(sampler: GuidedSampler) -> dict[str, int]:
    """What the sampling was expected to take beyond what was held before, and the most that was in use in all."""
    return {
        "fixed_bytes": sampler.footprint.fixed_bytes,
        "bytes_per_sample": sampler.footprint.per_sample_bytes,
        "peak_bytes": used_peak_bytes(sampler.run.prior.device),
    }


def sample_record(sampler: GuidedSampler, particle: Particle) -> dict[str, Any]:
    """Number and seed of a sample, and where it began."""
    seed = asdict(sampler.seeds[particle.sample])
    return {"sample": particle.sample + 1, **seed, "start": str(particle.start), "first_step": particle.first_step}


def write_samples(
    sampler: GuidedSampler, index: int, finished: Sequence[Particle], seconds: float, folder: Path
) -> None:
    """Write the ``T.C.samples`` folder of one class.

    Parameters
    ----------
    sampler : GuidedSampler
        After it has sampled.
    index : int
        Which of its classes.
    finished : sequence of Particle
        The finished samples of all its classes.
    seconds : float
        Time that all of them took together.
    folder : Path
    """
    run, task, history = sampler.run, sampler.tasks[index], sampler.histories[index]
    particles = [particle for particle in finished if particle.task == index]
    tensors = gather(particles, run.prior.atom_mask)
    warnings = [*check_finite(tensors["coordinates"], task.name), *task.warnings]
    if sampler.correct is not None and sampler.correct.is_idle:
        warnings.append("physical guidance does nothing here: its potentials know ligands and contacts between chains")
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "samples.safetensors")
    sampler.log.write(index, folder / "losses.csv")
    record = {
        "target": run.topology.target,
        "class": task.name,
        "n_samples": sampler.n_samples(index),
        "samples": [sample_record(sampler, each) for each in particles],
        "stopped": [stopped._asdict() for stopped in history.stopped],
        "resamplings": history.resamplings,
        "schedule": {name.rstrip("_"): value for name, value in asdict(run.schedule).items()},
        "steps": run.record.steps,
        "guidance": str(sampler.energies.modes[index]),
        "early_stop": run.options.selection.early_stop,
        "steering": run.options.selection.steering,
        "sharpness_matched": task.is_matched,
        "physical_guidance": run.options.physics,
        "evaluations": sampler.log.evaluations[index],
        "shared_evaluations": run.schedule.warm_up * len(sampler.seeds),
        "prior": run.record.prior,
        "weights_label": run.record.weights_label,
        "precision": asdict(run.options.precision),
        "memory": memory_record(sampler),
        "seconds": round(seconds, 2),
        "classes_together": list(dict.fromkeys(each.name for each in sampler.tasks)),
        "device": str(run.prior.device),
        "warnings": warnings,
    }
    write_json(record, folder / "samples.json")
    click.echo(
        f"{run.topology.target} {task.name}: {len(particles)} of {sampler.n_samples(index)} samples finished, "
        f"{len(history.stopped)} stopped early"
    )
    for warning in warnings:
        click.echo(f"warning: {warning}")
