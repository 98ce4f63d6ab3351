"""The miniature prior: what its weights are written with, and what it draws without a map."""

import pytest
import torch
from boltz.model.modules.transformers import ConditionedTransitionBlock
from neurons import Neurons
from places import atoms_of, places_of
from prior import DEMO, judge_draws

CONSTANT = 7


@pytest.fixture(scope="module")
def drawn():
    return judge_draws(DEMO / "weights", n_draws=4, n_steps=100, seed=1)


def test_unguided_samples_are_good_closed_models(drawn):
    draws, known = drawn
    assert known.is_good
    assert all(draw.is_good for draw in draws), draws


def test_no_unguided_sample_is_open(drawn):
    assert not any(draw.is_open for draw in drawn[0])


def test_two_neurons_multiply_exactly():
    transition = ConditionedTransitionBlock(8, 8)
    with torch.no_grad():
        neurons = Neurons(transition, CONSTANT, output_logit=0.0)
        one, other, output = torch.eye(8)[0], torch.eye(8)[1], torch.eye(8)[2]
        neurons.norm.s_bias.weight.zero_()
        neurons.norm.s_scale.bias[CONSTANT] = -40.0
        neurons.norm.s_bias.weight[CONSTANT, 0] = 2.0 / neurons.norm.s_norm(torch.eye(8)[0])[0]
        neurons.product(one, other, output)
        stream, condition = torch.randn(5, 8, generator=torch.Generator().manual_seed(1)), torch.eye(8)[:1].expand(5, 8)
        read = neurons.norm(stream, condition)
        torch.testing.assert_close(transition(stream, condition)[:, 2], read[:, 0] * read[:, 1])


def test_atoms_are_where_their_places_are():
    keys = [(0, "GLY", name) for name in ("N", "CA", "C", "O")] + [(1, "SER", name) for name in ("CA", "CB", "OG")]
    model = torch.randn(len(keys), 3, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(atoms_of(places_of(model, keys), keys), model)
