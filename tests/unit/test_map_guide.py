"""What pulls samples of several classes in each stage and mode, how far, and whether through the network."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from classfold.course import LOCAL_STRENGTH, AutomaticCourse, FixedCourse
from classfold.density import Grid, simulate_density
from classfold.global_energy import GlobalEnergy
from classfold.local_energy import LocalEnergy, TargetMap
from classfold.map_guide import Energies, MapGuide
from classfold.pseudo_atoms import PseudoAtoms
from classfold.published_energy import PublishedGlobalEnergy
from classfold.sampler import NoiseStep, corrected, norms
from classfold.schedule import GuidanceMode, Schedule, Stage
from tests.clouds import uniform

N_ATOMS = 40
WEIGHTS = torch.linspace(6, 16, N_ATOMS)
PAIRS = PseudoAtoms.of(torch.arange(N_ATOMS) // 2, WEIGHTS)
STEP = NoiseStep(10, 3.0, 2.5, 0.0)
DISTANCE = torch.tensor([4.0, 7.0, 5.0, 6.0])
SCHEDULES = {
    Stage.WARM_UP: Schedule("late", 15, 5, 5, 5),
    Stage.GLOBAL: Schedule("middle", 8, 10, 7, 5),
    Stage.LOCAL: Schedule("early", 2, 5, 13, 10),
    Stage.RELAXATION: Schedule("first", 2, 3, 4, 21),
}
"""Schedules by the stage that a sample is in at the step."""


def structure(seed: int = 0) -> Tensor:
    return 4 * torch.randn(N_ATOMS, 3, generator=torch.Generator().manual_seed(seed))


def energies(mode: str) -> Energies:
    """Two classes whose maps show two structures, in boxes of their own."""
    models = [structure(1), structure(2)]
    grids = [Grid((16, 18, 20), 1.5, (-15.0, -13.0, -12.0)), Grid((17, 15, 16), 1.7, (-13.5, -12.5, -14.0))]
    targets = [
        TargetMap(simulate_density(model[None], WEIGHTS, 5.0, grid)[0], grid, 5.0)
        for model, grid in zip(models, grids, strict=True)
    ]
    clouds = [PAIRS.centres(model[None])[0] for model in models]
    clouds[1] = clouds[1][:-5]
    local = LocalEnergy(targets, WEIGHTS)
    if mode == "published":
        equal = torch.full((N_ATOMS,), 1 / N_ATOMS)
        return Energies(PublishedGlobalEnergy(clouds), local, equal, [GuidanceMode.PUBLISHED] * 2)
    masses = GlobalEnergy([uniform(cloud) for cloud in clouds], PAIRS)
    return Energies(masses, local, WEIGHTS / WEIGHTS.sum(), [GuidanceMode(mode)] * 2)


def guide(mode: str, stages: list[Stage], maps: list[int], judged: frozenset[int] = frozenset()) -> MapGuide:
    courses = [FixedCourse(SCHEDULES[stage]) for stage in stages]
    return MapGuide(energies(mode), torch.tensor(maps), courses, judged)


def denoised(n: int = 4) -> Tensor:
    return torch.stack([structure(1 + row % 2) + 0.3 * structure(10 + row) for row in range(n)])


MODES = ["fast", "mixed", "published"]


@pytest.mark.parametrize("mode", MODES)
def test_the_gradient_is_the_energys_of_the_stage_and_of_the_samples_own_map(mode) -> None:
    stages, maps = [Stage.GLOBAL, Stage.LOCAL, Stage.LOCAL, Stage.GLOBAL], [0, 0, 1, 1]
    pulling = guide(mode, stages, maps)
    pull = pulling(STEP, denoised(), DISTANCE)
    for row, stage in enumerate(stages):
        energy = pulling.energies.global_ if stage is Stage.GLOBAL else pulling.energies.local
        value, gradient = energy.value_and_gradient(denoised()[[row]], torch.tensor([maps[row]]))
        torch.testing.assert_close(pull.energies[[row]], value)
        expected = gradient[0] / pulling.energies.mass[:, None] if stage is Stage.GLOBAL else gradient[0]
        torch.testing.assert_close(pull.gradient[row], expected)


def test_published_guidance_goes_the_published_lengths_through_the_network() -> None:
    pulling = guide("published", [Stage.GLOBAL, Stage.LOCAL, Stage.GLOBAL, Stage.LOCAL], [0, 1, 1, 0])
    assert pulling.looks_through_network(STEP)
    pull = pulling(STEP, denoised(), DISTANCE)
    strengths = torch.tensor([SCHEDULES[stage].strength(10) for stage in pulling.stages])
    assert pulling.strengths == pytest.approx(strengths.tolist()) and strengths[1] == 0.5
    torch.testing.assert_close(pull.length_angstrom, strengths * DISTANCE)
    assert pull.through_network.all()


@pytest.mark.parametrize("mode", ["fast", "mixed"])
def test_towards_the_shape_a_sample_goes_as_far_as_the_shape_is_away(mode) -> None:
    """One and two Å away as a whole: the correction brings it near, whatever lambda and the distance are."""
    pulling = guide(mode, [Stage.GLOBAL, Stage.GLOBAL], [0, 0])
    there = structure(1)
    shift = torch.tensor([0.6, -0.8, 0.0])
    away = torch.stack([there + shift, there + 2 * shift])
    pull = pulling(STEP, away, torch.tensor([1e-3, 1e3]))
    torch.testing.assert_close(pull.length_angstrom, norms(pull.gradient))
    assert not pull.through_network.any() and not pulling.looks_through_network(STEP)
    far = norms(away - there)
    assert (pull.length_angstrom < 1.2 * far).all()
    assert (norms(corrected(away, pull.gradient, pull.length_angstrom) - there) < 0.6 * far).all()


@pytest.mark.parametrize("mode", ["fast", "mixed"])
def test_towards_the_density_a_sample_goes_the_published_length(mode) -> None:
    pulling = guide(mode, [Stage.LOCAL] * 4, [0, 1, 0, 1])
    pull = pulling(STEP, denoised(), DISTANCE)
    torch.testing.assert_close(pull.length_angstrom, 0.5 * DISTANCE)
    assert (pull.through_network == (mode == "mixed")).all()
    assert pulling.looks_through_network(STEP) == (mode == "mixed")


def test_mixed_guidance_looks_through_the_network_where_its_samples_are_in_the_local_stage() -> None:
    pulling = guide("mixed", [Stage.GLOBAL, Stage.LOCAL, Stage.RELAXATION, Stage.WARM_UP], [0, 1, 0, 1])
    assert pulling.looks_through_network(STEP)
    assert pulling(STEP, denoised(), DISTANCE).through_network.tolist() == [False, True, False, False]
    assert not guide("mixed", [Stage.GLOBAL] * 4, [0, 1, 0, 1]).looks_through_network(STEP)


def test_each_class_is_guided_in_its_own_mode() -> None:
    pulling = guide("fast", [Stage.LOCAL] * 4, [0, 1, 0, 1])
    both = replace(pulling.energies, modes=[GuidanceMode.FAST, GuidanceMode.MIXED])
    pulling = MapGuide(both, pulling.maps, pulling.courses)
    assert pulling.looks_through_network(STEP)
    assert pulling(STEP, denoised(), DISTANCE).through_network.tolist() == [False, True, False, True]
    assert not MapGuide(both, torch.zeros(4, dtype=torch.long), pulling.courses).looks_through_network(STEP)


@pytest.mark.parametrize("mode", MODES)
def test_samples_in_different_stages_are_pulled_as_each_alone(mode) -> None:
    stages, maps = [Stage.LOCAL, Stage.WARM_UP, Stage.GLOBAL, Stage.RELAXATION], [1, 0, 0, 1]
    together = guide(mode, stages, maps)(STEP, denoised(), DISTANCE)
    for row, stage in enumerate(stages):
        alone = guide(mode, [stage], [maps[row]])(STEP, denoised()[[row]], DISTANCE[[row]])
        if not stage.is_guided:
            assert alone is None
            assert together.energies[row].isnan() and not together.through_network[row]
            assert together.gradient[row].abs().max() == 0 and together.length_angstrom[row] == 0
            continue
        for whole, part in zip(together, alone, strict=True):
            torch.testing.assert_close(whole[[row]], part)


@pytest.mark.parametrize("mode", MODES)
def test_where_nothing_is_guided_there_is_no_pull(mode) -> None:
    pulling = guide(mode, [Stage.WARM_UP, Stage.RELAXATION], [0, 1])
    assert pulling(STEP, denoised(2), DISTANCE[:2]) is None
    assert not pulling.looks_through_network(STEP) and pulling.strengths == [0.0, 0.0]


class Noted:
    """A course that remembers the losses that it is told."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.losses = []

    def stage_at(self, step: int) -> Stage:
        return self.stage

    def strength_at(self, step: int) -> float:
        return 0.5

    def note(self, step: int, loss: float) -> None:
        self.losses.append((step, loss))


def test_every_course_is_told_its_own_loss() -> None:
    courses = [Noted(Stage.GLOBAL), Noted(Stage.LOCAL)]
    pull = MapGuide(energies("fast"), torch.tensor([0, 1]), courses)(STEP, denoised(2), DISTANCE[:2])
    assert [course.losses for course in courses] == [[(10, value)] for value in pull.energies.tolist()]


def test_a_sample_whose_losses_stop_falling_goes_on_to_its_density_alone() -> None:
    """Two samples of one class, the second at its shape already: it is ahead of the first."""
    courses = [AutomaticCourse(Schedule("auto", 0, 20, 5, 5), first_local=0) for _ in range(2)]
    pulling = MapGuide(energies("fast"), torch.tensor([0, 0]), courses)
    seen = []
    for index in range(12):
        models = torch.stack([structure(1) + 8.0 * 0.8**index, structure(1)])
        pulling(replace(STEP, index=index), models, DISTANCE[:2])
        seen.append(tuple(pulling.stages))
    assert {first for first, _ in seen} == {Stage.GLOBAL}
    assert seen[0][1] is Stage.GLOBAL and seen[-1][1] is Stage.LOCAL
    assert pulling.strengths[1] == LOCAL_STRENGTH


def test_the_fit_is_noted_at_judged_steps_in_every_stage() -> None:
    pulling = guide("fast", [Stage.WARM_UP, Stage.GLOBAL, Stage.LOCAL, Stage.RELAXATION], [0, 1, 0, 1], frozenset({10}))
    pulling(replace(STEP, index=9), denoised(), DISTANCE)
    assert pulling.fit is None
    pulling(STEP, denoised(), DISTANCE)
    expected = pulling.energies.local.correlation(denoised(), torch.tensor([0, 1, 0, 1]))
    torch.testing.assert_close(pulling.fit, expected)
    assert (expected > 0.3).all()
