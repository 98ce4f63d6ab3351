"""Windows around atoms against Gaussians written out voxel by voxel."""

import math

import pytest
import torch
from torch import Tensor

import classfold.windows as windows
from classfold.density import Grid
from classfold.windows import CUTOFF_SIGMAS, Grids, each_window, window_width

FINE = Grid((7, 9, 8), 1.0, (-4.0, -5.0, -3.0))
COARSE = Grid((5, 4, 6), 2.5, (30.0, -6.0, 11.0))
SIGMA = 0.8


def boxes() -> Grids:
    return Grids.of([FINE, COARSE], torch.zeros(1, dtype=torch.float64))


def in_boxes(n_atoms: int = 5, seed: int = 0) -> Tensor:
    """Atoms (2, n_atoms, 3) of the two boxes, a few of them outside."""
    generator = torch.Generator().manual_seed(seed)
    share = 1.4 * torch.rand(2, n_atoms, 3, generator=generator, dtype=torch.float64) - 0.2
    grids = boxes()
    return grids.origin_angstrom[:, None] + share * (grids.shape * grids.voxel_size_angstrom)[:, None]


def sigmas(coordinates: Tensor) -> Tensor:
    return torch.full(coordinates.shape[:2], SIGMA, dtype=torch.float64)


def offsets(atom: Tensor, grid: Grid) -> Tensor:
    """Voxels minus an atom (3,) in Å, (z, y, x, 3) with xyz last."""
    axes = [
        start + grid.voxel_size_angstrom * torch.arange(size, dtype=torch.float64)
        for size, start in zip(grid.shape_zyx, grid.origin_angstrom[::-1], strict=True)
    ]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).flip(-1) - atom


def added_up(coordinates: Tensor) -> Tensor:
    """All atoms' windows added into the flat array."""
    grids = boxes()
    flat = torch.zeros(math.prod(FINE.shape_zyx) + math.prod(COARSE.shape_zyx), dtype=torch.float64)
    for _, window in each_window(coordinates, sigmas(coordinates), grids):
        peaks = torch.ones(len(window.first), dtype=torch.float64)
        flat.index_add_(0, window.places(grids).flatten(), window.density(peaks).flatten())
    return flat


def test_windows_add_up_to_gaussians_that_end_at_the_cutoff() -> None:
    coordinates = in_boxes()
    fine, coarse = added_up(coordinates).split([math.prod(FINE.shape_zyx), math.prod(COARSE.shape_zyx)])
    for got, grid, atoms in ((fine, FINE, coordinates[0]), (coarse, COARSE, coordinates[1])):
        away = torch.stack([offsets(atom, grid) for atom in atoms])
        gaussian = torch.exp(-away.square().sum(-1) / (2 * SIGMA**2))
        within = away.abs().amax(-1) <= CUTOFF_SIGMAS * SIGMA
        missing = gaussian.sum(0).flatten() - got
        assert gaussian[within].sum() > 1
        assert (got >= (gaussian * within).sum(0).flatten() - 1e-12).all()
        assert missing.min() > -1e-12 and missing.max() < len(atoms) * math.exp(-(CUTOFF_SIGMAS**2) / 2)


def test_projections_are_sums_over_the_box() -> None:
    """Of the voxels times the Gaussian and times its derivatives, for an atom in the middle and one at an edge."""
    grids = boxes().rows(torch.tensor([0]))
    coordinates = torch.tensor([[[-0.6, -0.7, 0.2], [-3.7, 1.3, 2.9]]], dtype=torch.float64)
    voxels = torch.randn(FINE.shape_zyx, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    ((atoms, window),) = each_window(coordinates, sigmas(coordinates), grids)
    assert atoms == slice(0, 2)
    projected, total = window.project(voxels.flatten()[window.places(grids)]), window.total()
    for index, atom in enumerate(coordinates[0]):
        away = offsets(atom, FINE)
        # A cube of an even number of voxels, which ends at different distances to both sides.
        reach = window_width(sigmas(coordinates), grids.voxel_size_angstrom) // 2
        step = (away / FINE.voxel_size_angstrom).floor() + 1
        inside = ((step > -reach) & (step <= reach)).all(-1)
        gaussian = torch.exp(-away.square().sum(-1) / (2 * SIGMA**2)) * inside
        fields = torch.stack([gaussian, *(gaussian[..., None] * away / SIGMA**2).unbind(-1)])
        torch.testing.assert_close(projected[index], (fields * voxels).sum((1, 2, 3)))
        torch.testing.assert_close(total[index], fields.sum((1, 2, 3)))


def test_a_slope_is_the_derivative_of_its_kernel() -> None:
    grids, step = boxes(), 1e-5
    coordinates = in_boxes()
    ((_, window),) = each_window(coordinates, sigmas(coordinates), grids)
    ((_, further),) = each_window(coordinates + step, sigmas(coordinates), grids)
    ((_, before),) = each_window(coordinates - step, sigmas(coordinates), grids)
    assert torch.equal(further.first, before.first)
    torch.testing.assert_close((further.kernel - before.kernel) / (2 * step), window.slope, atol=1e-8, rtol=1e-6)


def test_parts_of_boxes_hold_the_windows_and_nothing_else() -> None:
    """A density added up in the parts is the one of whole boxes; atoms far outside leave a part of one voxel."""
    grids, coordinates = boxes(), in_boxes()
    coordinates[1] -= 500.0
    parts, first, n_voxels = grids.around(coordinates, sigmas(coordinates))
    assert n_voxels == int(parts.shape.prod(dim=1).sum()) and (first + parts.shape <= grids.shape).all()
    assert parts.shape[1].tolist() == [1, 1, 1]
    near, whole = torch.zeros(n_voxels, dtype=torch.float64), added_up(coordinates)
    ((_, window),) = each_window(coordinates, sigmas(coordinates), grids)
    densities = window.density(torch.ones(len(window.first), dtype=torch.float64))
    near.index_add_(0, window.places(parts, first).flatten(), densities.flatten())
    torch.testing.assert_close(near.sum(), whole.sum())
    inside = densities > 0
    assert torch.equal(near[window.places(parts, first)][inside], whole[window.places(grids)][inside])


@pytest.mark.parametrize("chunk_voxels", [1, 2000])
def test_the_size_of_a_chunk_changes_nothing(monkeypatch, chunk_voxels) -> None:
    coordinates = in_boxes(n_atoms=7)
    expected = added_up(coordinates)
    monkeypatch.setattr(windows, "CHUNK_VOXELS", chunk_voxels)
    chunks = [atoms for atoms, _ in each_window(coordinates, sigmas(coordinates), boxes())]
    assert len(chunks) > 2
    assert torch.equal(torch.cat([torch.arange(14)[atoms] for atoms in chunks]), torch.arange(14))
    assert torch.equal(added_up(coordinates), expected)
