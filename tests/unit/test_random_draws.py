"""Random numbers belong to a sample and a step, to nothing else."""

import torch

from classfold.random_draws import SampleSeed, SampleStreams

CPU = torch.device("cpu")


def test_draws_do_not_depend_on_company_or_order() -> None:
    seeds = [SampleSeed(3, 1, index) for index in range(4)]
    together = SampleStreams(seeds, 5, CPU)
    together.step(0)
    alone = SampleStreams(seeds[2:3], 5, CPU)
    for got, expected in zip(alone.step(7), together.step(7), strict=True):
        torch.testing.assert_close(got[0], expected[2], rtol=0, atol=0)
    torch.testing.assert_close(alone.initial()[0], together.initial()[2], rtol=0, atol=0)


def test_seed_replicate_sample_and_step_all_matter() -> None:
    seeds = [SampleSeed(1, 1, 1), SampleSeed(2, 1, 1), SampleSeed(1, 2, 1), SampleSeed(1, 1, 2)]
    streams = SampleStreams(seeds, 6, CPU)
    noises = [*streams.step(1).noise, *streams.step(2).noise, *streams.initial()]
    distinct = {tuple(noise.flatten().tolist()) for noise in noises}
    assert len(distinct) == len(noises)


def test_rotations_are_proper() -> None:
    rotation = SampleStreams([SampleSeed(1, 1, i) for i in range(20)], 1, CPU).step(0).rotation
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3).expand(20, 3, 3), atol=1e-6, rtol=0)
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(20))
