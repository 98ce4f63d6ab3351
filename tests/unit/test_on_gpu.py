"""What a GPU computes is what a CPU computes, and the same each time."""

import pytest
import torch
from trial.guided import OURS, Trial, sampled
from trial.maps import simulated_map

from classfold.batches import in_batches
from classfold.class_task import ClassTask
from classfold.guided_sampling import GuidedSampler

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
]
RESOLUTION_ANGSTROM = 4.0


def make_trial(device: str) -> Trial:
    return Trial(steps=40, samples=2, device=device)


def make_task(trial: Trial, frame: int) -> ClassTask:
    true = torch.from_numpy(trial.path.at(frame)).float()
    density_map = simulated_map(true, torch.from_numpy(trial.weights).float(), RESOLUTION_ANGSTROM, 0.5, frame)
    return trial.task(f"frame{frame}", density_map, RESOLUTION_ANGSTROM, published=False)


@pytest.fixture(scope="module")
def on_gpu() -> Trial:
    return make_trial("cuda")


@pytest.mark.parametrize("which", ["local", "global_"])
def test_an_energy_and_its_gradient_are_those_of_the_cpu(on_gpu, which) -> None:
    found = {}
    for trial in (on_gpu, make_trial("cpu")):
        task = make_task(trial, 190)
        energies = GuidedSampler(trial.run(OURS), [task]).energies
        energy = getattr(energies, which)
        place = task.docked.device
        coordinates = torch.from_numpy(trial.path.at(69)).float()[None].to(place)
        values, gradient = energy.value_and_gradient(coordinates, torch.zeros(1, dtype=torch.long, device=place))
        found[trial.device] = values.cpu(), gradient.cpu()
    (value, gradient), (expected, direction) = found["cuda"], found["cpu"]
    assert value == pytest.approx(expected, rel=1e-4)
    assert torch.linalg.norm(gradient - direction) < 1e-3 * torch.linalg.norm(direction)


def test_the_same_seed_gives_the_same_models(on_gpu) -> None:
    tasks = [make_task(on_gpu, 190)]
    once, again = (on_gpu.coordinates(sampled(on_gpu, OURS, tasks)[1]) for _ in range(2))
    assert torch.isfinite(once).all()
    assert torch.equal(once, again)


def test_a_class_alone_ends_where_it_ends_among_others(on_gpu) -> None:
    tasks = [make_task(on_gpu, frame) for frame in (4, 190)]
    particles = sampled(on_gpu, OURS, tasks)[1]
    among = on_gpu.coordinates([particle for particle in particles if particle.task == 1])
    alone = on_gpu.coordinates(sampled(on_gpu, OURS, tasks[1:])[1])
    assert torch.linalg.norm(among - alone, dim=-1).max() < 0.05


def test_what_does_not_fit_is_done_in_smaller_batches() -> None:
    device = torch.device("cuda")
    free = torch.cuda.mem_get_info(device)[0]
    sizes = []

    def work(batch: range) -> int:
        share = torch.empty(len(batch), int(0.3 * free), dtype=torch.uint8, device=device)
        sizes.append(len(share))
        return len(batch)

    assert sum(in_batches(8, 8, device, work)) == 8
    assert max(sizes) <= 3
