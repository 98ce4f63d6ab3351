"""Batches as large as memory is free, that shrink when it runs out all the same."""

import pytest
import torch

from classfold import batches
from classfold.batches import AUTOMATIC_BATCH, in_batches
from classfold.errors import InputError
from classfold.memory import TENSOR_SHARE, Footprint

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


def enough_for(monkeypatch, n_samples: float, fixed_bytes: int = 1000, per_sample_bytes: int = 300) -> Footprint:
    """A footprint of which so many samples fit into what is free."""
    usable = fixed_bytes + n_samples * per_sample_bytes
    monkeypatch.setattr(batches, "free_bytes", lambda device: round(usable / TENSOR_SHARE[device.type]))
    return Footprint(fixed_bytes, per_sample_bytes, subject="214 tokens and 1,656 atoms")


def test_samples_are_split_by_free_memory_and_evenly(monkeypatch) -> None:
    footprint = enough_for(monkeypatch, 4.9)
    assert [len(batch) for batch in in_batches(9, 0, CPU, list, footprint)] == [3, 3, 3]
    assert [len(batch) for batch in in_batches(4, 0, CPU, list, footprint)] == [4]
    assert [len(batch) for batch in in_batches(5, 0, CPU, list, footprint)] == [3, 2]


def test_the_automatic_batch_is_bounded_however_much_is_free(monkeypatch) -> None:
    footprint = enough_for(monkeypatch, 1e6)
    most = AUTOMATIC_BATCH["cpu"]
    assert [len(batch) for batch in in_batches(2 * most, 0, CPU, list, footprint)] == [most, most]


def test_the_users_number_is_taken_where_one_sample_fits(monkeypatch) -> None:
    footprint = enough_for(monkeypatch, 2)
    assert [len(batch) for batch in in_batches(8, 8, CPU, list, footprint)] == [8]


@pytest.mark.parametrize("batch_size", [0, 4])
def test_what_cannot_fit_is_refused_before_any_work(monkeypatch, batch_size: int) -> None:
    footprint = enough_for(monkeypatch, -3)
    begun: list[range] = []
    with pytest.raises(InputError, match="214 tokens and 1,656 atoms need"):
        in_batches(4, batch_size, CPU, begun.append, footprint)
    assert not begun


def test_the_estimate_does_not_replace_halving(monkeypatch) -> None:
    def work(batch: range) -> int:
        if len(batch) > 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return len(batch)

    assert in_batches(8, 0, CPU, work, enough_for(monkeypatch, 100)) == [2, 2, 2, 2]
