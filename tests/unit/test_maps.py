"""A map is the same map however its file tells it; a broken file is refused with a sentence."""

import bz2
import gzip
import itertools
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from classfold.errors import InputError
from classfold.maps import DensityMap, read_canonical, read_map, read_voxel_size, write_map
from tests.mrc_files import mrc_bytes

VOXEL = (1.5, 1.5, 1.5)
START = (-7, 20, 3)
ORIGIN = (-10.5, 30.0, 4.5)
"""START times VOXEL: the same frame told in the other way."""
AXIS_ORDERS = ["".join(order) for order in itertools.permutations("xyz")]


@pytest.fixture
def density() -> np.ndarray:
    return np.random.default_rng(5).standard_normal((5, 6, 8)).astype(np.float32)


def read_bytes(folder: Path, content: bytes, name: str = "map.mrc"):
    path = folder / name
    path.write_bytes(content)
    return read_map(path)


@pytest.mark.parametrize("frame", [{"origin_xyz": ORIGIN}, {"start_xyz": START}], ids=["ORIGIN", "NSTART"])
@pytest.mark.parametrize("axis_order", AXIS_ORDERS)
def test_axis_order_and_kind_of_offset_change_nothing(tmp_path, density, axis_order, frame):
    source = read_bytes(tmp_path, mrc_bytes(density, VOXEL, axis_order=axis_order, **frame))
    assert np.array_equal(source.density, density)
    assert np.array_equal(source.voxel_size_angstrom, VOXEL)
    assert np.array_equal(source.origin_angstrom, ORIGIN)
    assert source.axis_order == axis_order


@pytest.mark.parametrize("axis_order", AXIS_ORDERS)
def test_voxels_of_three_lengths_keep_their_axes(tmp_path, density, axis_order):
    content = mrc_bytes(density, (1.0, 1.25, 2.0), start_xyz=START, axis_order=axis_order)
    source = read_bytes(tmp_path, content)
    assert np.array_equal(source.voxel_size_angstrom, (1.0, 1.25, 2.0))
    assert np.array_equal(source.origin_angstrom, (-7.0, 25.0, 6.0))
    assert not source.is_cubic


def test_origin_wins_over_nstart_and_is_never_added_to_it(tmp_path, density):
    source = read_bytes(tmp_path, mrc_bytes(density, VOXEL, origin_xyz=(0, 0, 1.25), start_xyz=START))
    assert np.array_equal(source.origin_angstrom, (0, 0, 1.25))


@pytest.mark.parametrize(
    "pack",
    [
        lambda density: gzip.compress(mrc_bytes(density, VOXEL, origin_xyz=ORIGIN)),
        lambda density: bz2.compress(mrc_bytes(density, VOXEL, origin_xyz=ORIGIN)),
        lambda density: mrc_bytes(density, VOXEL, origin_xyz=ORIGIN, extended=bytes(range(160))),
        lambda density: mrc_bytes(density, VOXEL, origin_xyz=ORIGIN, byte_order=">"),
        lambda density: mrc_bytes(density, VOXEL, origin_xyz=ORIGIN, fields={"machst": (0, 0, 0, 0)}),
        lambda density: mrc_bytes(density, VOXEL, origin_xyz=ORIGIN, fields={"cellb": (0, 0, 0)}),
        lambda density: mrc_bytes(density, VOXEL, origin_xyz=ORIGIN) + b"trailing bytes",
    ],
    ids=["gzip", "bzip2", "extended header", "big endian", "no machine stamp", "no angles", "trailing"],
)
def test_the_container_changes_nothing(tmp_path, density, pack):
    source = read_bytes(tmp_path, pack(density), name="of_any_name")
    assert np.array_equal(source.density, density)
    assert np.array_equal(source.origin_angstrom, ORIGIN)


@pytest.mark.parametrize(("mode", "scale"), [(0, 30), (1, 8000), (6, 10000), (12, 1)])
def test_modes_agree_within_their_quantisation(tmp_path, density, mode, scale):
    values = density - density.min() if mode == 6 else density
    stored = values if mode == 12 else np.round(values * scale)
    source = read_bytes(tmp_path, mrc_bytes(stored, VOXEL, mode=mode))
    assert source.density.dtype == np.float32
    # Half a step of the integers and the rounding of float32, or half of the float16's last digit.
    tolerance = 2e-3 if mode == 12 else 0.5 / scale + 1e-6
    assert np.abs(source.density / scale - values).max() <= tolerance


def test_a_map_cut_out_of_a_larger_cell_keeps_the_cells_voxel_size(tmp_path, density):
    fields = {"mx": 80, "my": 60, "mz": 50, "cella": (80 * 1.5, 60 * 1.5, 50 * 1.5)}
    source = read_bytes(tmp_path, mrc_bytes(density, VOXEL, start_xyz=START, fields=fields))
    assert np.array_equal(source.voxel_size_angstrom, VOXEL)


def test_a_map_that_mrcfile_wrote_is_read_as_mrcfile_reads_it(tmp_path, density):
    with mrcfile.new(tmp_path / "map.mrc", density) as mrc:
        mrc.voxel_size = 1.3
        mrc.header.nxstart = 4
    source = read_map(tmp_path / "map.mrc")
    assert np.array_equal(source.density, density)
    assert source.voxel_size_angstrom == pytest.approx([1.3] * 3, abs=1e-6)
    assert source.origin_angstrom == pytest.approx([5.2, 0, 0], abs=1e-5)


def test_canonical_maps_survive_the_disk_and_satisfy_the_standard(tmp_path, density):
    written = DensityMap(density, 1.3333, np.array([-12.25, 0.0, 31.5]))
    write_map(tmp_path / "map.mrc", written)
    read = read_canonical(tmp_path / "map.mrc")
    assert np.array_equal(read.density, density)
    assert read.voxel_size_angstrom == 1.3333
    assert np.array_equal(read.origin_angstrom, written.origin_angstrom)
    assert mrcfile.validate(tmp_path / "map.mrc")
    first = (tmp_path / "map.mrc").read_bytes()
    write_map(tmp_path / "map.mrc", read)
    assert (tmp_path / "map.mrc").read_bytes() == first


def test_indices_and_coordinates_are_each_others_inverse():
    density_map = DensityMap(np.zeros((4, 5, 6), np.float32), 1.5, np.array([10.0, -20.0, 30.0]))
    assert np.array_equal(density_map.coordinates_of([0, 0, 0]), [10, -20, 30])
    assert np.array_equal(density_map.coordinates_of([1, 2, 3]), [14.5, -17.0, 31.5])
    points = np.random.default_rng(1).uniform(-50, 50, (7, 3))
    assert density_map.coordinates_of(density_map.index_of(points)) == pytest.approx(points)


def test_the_grid_agrees_with_the_maps_own_conversion():
    density_map = DensityMap(np.zeros((4, 5, 6), np.float32), 1.5, np.array([10.0, -20.0, 30.0]))
    assert density_map.grid == ((4, 5, 6), 1.5, (10.0, -20.0, 30.0))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"cella": (0, 0, 0)}, "pixel size of 0 x 0 x 0"),
        ({"cella": (np.nan, 12, 12)}, "pixel size of nan"),
        ({"mx": 0}, "pixel size of inf"),
        ({"my": -6}, "pixel size"),
        ({"cella": (8000, 6000, 5000)}, "0.1 to 20"),
        ({"cellb": (90, 90, 120)}, "skewed cell"),
        ({"mapc": 1, "mapr": 1, "maps": 3}, "names its axes"),
        ({"mapc": -1, "mapr": 2, "maps": 3}, "names its axes"),
        ({"origin": (np.inf, 0, 0)}, "ORIGIN that is not a number"),
        ({"mode": 3}, "complex 16-bit"),
        ({"mode": 101}, "4-bit"),
        ({"mode": 77}, "not an MRC map"),
        ({"nx": -8}, "not an MRC map"),
        ({"nz": 2_000_000_000}, "not an MRC map"),
        ({"nz": 4000}, "truncated"),
        ({"nsymbt": 4_000_000}, "truncated in its extended header"),
        ({"nsymbt": -4}, "truncated in its extended header"),
        ({"ispg": 401}, "an image or a stack"),
        ({"nz": 1}, "an image or a stack"),
    ],
)
def test_a_header_that_makes_no_sense_is_refused(tmp_path, density, fields, words):
    with pytest.raises(InputError, match=words):
        read_bytes(tmp_path, mrc_bytes(density, VOXEL, fields=fields))


def test_data_that_make_no_sense_are_refused(tmp_path, density):
    sound = mrc_bytes(density, VOXEL)
    broken = density.copy()
    broken[2, 3, 4], broken[0, 0, 0] = np.nan, np.inf
    cases = {
        b"": "is empty",
        sound[:500]: "500 bytes",
        sound[:-10]: "is truncated",
        gzip.compress(sound)[:-40]: "cannot be read",
        b"\x1f\x8b" + bytes(3000): "cannot be read",
        b"BZh9" + bytes(3000): "cannot be read",
        b"ATOM      1  N   MET A   1" * 100: "not an MRC map",
        mrc_bytes(broken, VOXEL): "2 values that are NaN or infinite",
        mrc_bytes(np.full_like(density, 3), VOXEL): "constant .3 everywhere",
        mrc_bytes(density, VOXEL, mode=4): "complex numbers",
    }
    for content, words in cases.items():
        with pytest.raises(InputError, match=words):
            read_bytes(tmp_path, content)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_the_voxel_size_is_read_from_the_header_alone(tmp_path, density, pack):
    path = tmp_path / "map.mrc"
    path.write_bytes(pack(mrc_bytes(density, (1.1, 1.2, 1.3), axis_order="zxy")[:1024]))
    np.testing.assert_allclose(read_voxel_size(path), [1.1, 1.2, 1.3], rtol=1e-6)
    path.write_bytes(b"no header")
    with pytest.raises(InputError, match="9 bytes"):
        read_voxel_size(path)
    with pytest.raises(InputError, match="does not exist"):
        read_voxel_size(tmp_path / "absent.mrc")


def test_a_missing_map_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "nowhere.mrc", tmp_path):
        with pytest.raises(InputError, match="does not exist"):
            read_map(path)


def test_a_map_without_cubic_voxels_is_not_taken_for_canonical(tmp_path, density):
    (tmp_path / "map.mrc").write_bytes(mrc_bytes(density, (1.0, 1.0, 1.1)))
    with pytest.raises(InputError, match="no cubic voxels"):
        read_canonical(tmp_path / "map.mrc")
