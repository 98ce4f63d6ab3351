"""Batches that shrink when memory runs out."""

import pytest
import torch

from classfold.batches import in_batches

CPU = torch.device("cpu")


def test_every_sample_is_worked_on_once_and_in_order() -> None:
    assert in_batches(7, 3, CPU, list) == [[0, 1, 2], [3, 4, 5], [6]]


def test_out_of_memory_halves_the_batch_and_goes_on(capsys) -> None:
    done = []

    def work(batch: range) -> None:
        if len(batch) > 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        done.extend(batch)

    in_batches(9, 8, CPU, work)
    assert done == list(range(9))
    assert "out of memory with 8 samples at once; going on with 4" in capsys.readouterr().out


def test_one_sample_that_does_not_fit_is_an_error() -> None:
    def work(batch: range) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.cuda.OutOfMemoryError):
        in_batches(4, 4, CPU, work)


def test_other_errors_are_not_taken_for_lack_of_memory() -> None:
    def work(batch: range) -> None:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        in_batches(4, 4, CPU, work)
