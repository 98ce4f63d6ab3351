"""Make the miniature Boltz-1 of the demonstration: fit its weights, layer by layer, to one protein's path.

Boltz's own classes with small dimensions (miniature.py) that know one protein's conformational path by heart. It is a
demonstration, not a predictor: it knows adenylate kinase and nothing else.

Denoising a known path is a calculation: find how the noisy molecule is turned, find where on the path it is, put the
known structure there. Its steps are written into the layers (orientation_wiring.py, placement_wiring.py,
atom_wiring.py), and what is linear in a step is fitted by least squares to noised frames, behind the layers before it.
That takes two minutes on two CPU cores; descent along gradients, as large networks need it, took hours and was less
exact.

The prior is biased on purpose: where noise hides the conformation it answers with the closed one, and it pulls there
what is nearly closed. Unguided samples are therefore closed, and a map can still pull them open.

    $(./classfold setup train) demo/train_prior.py --output assets/demo/weights
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bin"))
sys.path.insert(0, str(ROOT / "demo"))

from atom_wiring import AtomWiring
from components import write_components
from conformations import Conformations, conformations, noised
from miniature import atom_keys, fit_trunk, make_model, write_weights
from orientation_wiring import OrientationWiring
from placement_wiring import PlacementWiring
from residue_code import N_LEVELLING, residue_code
from token_stream import TokenStream
from trajectories import load_trajectories

from classfold.prior import featurise, load_components, parse_target, run_trunk
from classfold.superposition import apply_pose, superpose
from classfold.weights import WeightsFolder

CLOSED_RMSD_ANGSTROM = 1.3
REPORTED_SIGMAS_ANGSTROM = (0.1, 0.3, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
SAMPLES_PER_SIGMA = 8


def rmsd_to_closed(frames: Tensor) -> Tensor:
    """RMSD in Å of every frame (n_frames, n_atoms, 3) from the first after superposition."""
    poses = [superpose(frame, frames[0]) for frame in frames]
    moved = torch.stack([apply_pose(*pose, frame) for pose, frame in zip(poses, frames, strict=True)])
    return (moved - frames[0]).square().sum(dim=-1).mean(dim=1).sqrt()


def report_errors(wiring: AtomWiring, path: Conformations, generator: torch.Generator) -> None:
    """Print the root mean square error of denoised closed frames, beside the least that noise allows."""
    closed = path.is_closed.nonzero()[:, 0]
    n_atoms = len(path.keys)
    click.echo("sigma Å   denoised, off by Å   least Å")
    for sigma in REPORTED_SIGMAS_ANGSTROM:
        sigmas = torch.full((SAMPLES_PER_SIGMA,), sigma)
        frames = closed[torch.randint(len(closed), (SAMPLES_PER_SIGMA,), generator=generator)]
        true, noisy, _ = noised(path, path.amplitudes[frames], sigmas, generator)
        error = (wiring.denoise(sigmas, noisy) - true).square().sum(dim=-1).mean().sqrt().item()
        # Six degrees of freedom of the pose take their share of the noise of 3 n_atoms.
        click.echo(f"{sigma:7.1f} {error:20.2f} {sigma * (6 / n_atoms) ** 0.5:9.2f}")


@click.command(context_settings={"show_default": True})
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder for the weights.")
@click.option("--seed", default=1, help="Seed of the trunk's weights and of the noise.")
@torch.no_grad()
def main(output: Path, seed: int) -> None:
    """Make the miniature prior and write its weights as Boltz's release names them."""
    output.mkdir(parents=True, exist_ok=True)
    write_components(output / WeightsFolder.COMPONENTS)
    target = parse_target(ROOT / "assets/demo/adk.fasta", load_components(output / WeightsFolder.COMPONENTS))
    keys = atom_keys(target)
    coordinates, held_out = load_trajectories(keys)
    trained = torch.from_numpy(coordinates[~held_out])
    model, features = make_model(seed).eval(), featurise(target, {}, seed=seed)
    width = model.hparams["token_s"]
    path = conformations(trained, rmsd_to_closed(trained) < CLOSED_RMSD_ANGSTROM, keys, width - N_LEVELLING)
    click.echo(f"{len(trained)} frames, {int(path.is_closed.sum())} of them closed; {held_out.sum()} held out")

    generator = torch.Generator().manual_seed(seed)
    fit_trunk(model, features, residue_code(path, width))
    embedding = run_trunk(model, features, recycling_steps=0)
    atom_to_token = features["atom_to_token"][0, : len(keys)].float()
    stream = TokenStream(model, path, embedding, (atom_to_token / atom_to_token.sum(dim=0)).mT, generator)
    OrientationWiring(stream).write()
    PlacementWiring(stream).write()
    wiring = AtomWiring(model, stream, features)
    wiring.write()
    report_errors(wiring, path, generator)
    write_weights(model, output)


if __name__ == "__main__":
    main()
