"""Rigid parts: chains and domains, whole runs of the chain, found from the model alone."""

import numpy as np
import pytest

from classfold.rigid_parts import LEAST_RESIDUES, SHORTEST_RUN, affinity, divisions


@pytest.fixture(scope="module")
def closed_ca(adk_topology, adk_closed) -> np.ndarray:
    return adk_closed[adk_topology.ca_indices()]


def runs(labels: np.ndarray) -> list[int]:
    """First residues, counted from 1, of each stretch of equal labels."""
    return [1, *(np.flatnonzero(np.diff(labels)) + 2).tolist()]


def test_the_domains_of_adenylate_kinase_are_found_from_its_closed_model(closed_ca):
    """Core with 1-29, 68-117, 161-214; NMP-binding 30-67; lid 118-160 (Müller et al., Structure 4, 147, 1996)."""
    found = divisions(affinity(closed_ca[None]), np.full(len(closed_ca), "A"))
    three = next(labels for labels in found if labels.max() == 2)
    assert three[[0, 90, 200]].tolist() == [three[0]] * 3
    assert runs(three) == pytest.approx([1, 30, 68, 118, 161], abs=8)
    assert len({three[0], three[45], three[140]}) == 3


def test_no_part_is_small_and_no_run_is_short(closed_ca):
    for labels in divisions(affinity(closed_ca[None]), np.full(len(closed_ca), "A")):
        assert np.bincount(labels).min() >= LEAST_RESIDUES
        assert np.diff([*runs(labels), len(labels) + 1]).min() >= SHORTEST_RUN


def test_chains_are_offered_as_parts(closed_ca):
    pair = np.concatenate([closed_ca, closed_ca + np.array([40.0, 0, 0])])
    found = divisions(affinity(pair[None]), np.repeat(["A", "B"], len(closed_ca)))
    np.testing.assert_array_equal(found[0], np.repeat([0, 1], len(closed_ca)))


def test_a_short_chain_joins_the_part_that_holds_it(closed_ca):
    """As a ligand does, of one residue."""
    with_ligand = np.concatenate([closed_ca, closed_ca[[140]] + 1.5])
    chain = np.array(["A"] * len(closed_ca) + ["L"])
    for labels in divisions(affinity(with_ligand[None]), chain):
        assert labels[-1] == labels[140]


def test_what_varies_or_is_unsure_does_not_belong_together(closed_ca):
    near = np.linalg.norm(closed_ca[45] - closed_ca, axis=1).argsort()[1]
    moved = closed_ca.copy()
    moved[near] += 4.0
    alone, varied = affinity(closed_ca[None]), affinity(np.stack([closed_ca, moved]))
    assert varied[45, near] < 0.5 * alone[45, near]
    unsure = np.zeros_like(alone)
    unsure[45, near] = unsure[near, 45] = 10.0
    assert affinity(closed_ca[None], unsure)[45, near] == pytest.approx(alone[45, near] * np.exp(-2))
