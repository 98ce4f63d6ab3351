"""Other programs find model and map in one place, by files that may be moved; read by those of them that can be had."""

import inspect
import json
import re
import runpy
import shutil
import subprocess
import sys
import types
from pathlib import Path

import gemmi
import numpy as np
import pytest

from classfold.comparison import rigid_superposition
from classfold.density import Grid
from classfold.handoff import MAP_FILE, MODEL_FILE, write_handoff
from classfold.handoff_comparison import chimerax, write_comparison_handoff
from classfold.map_fit import simulate
from classfold.maps import DensityMap, read_canonical, write_map_by_voxels
from classfold.records import write_json
from classfold.resampling import on_whole_voxels
from classfold.structure import write_model
from tests.cctbx_handoff import ask_phenix
from tests.stage_folders import RESOLUTION, VOXEL, write_map_folder

CONTOUR = 0.0123
SMOOTH = 10.0
TITLE = "adk-2, class open_1"


def map_of(coordinates: np.ndarray, topology, shift: float, resolution: float = RESOLUTION) -> DensityMap:
    """A map whose origin lies ``shift`` voxels beyond a whole number of them."""
    origin = VOXEL * (np.floor((coordinates.min(axis=0) - 10) / VOXEL) + shift)
    n_x, n_y, n_z = np.ceil((coordinates.max(axis=0) + 10 - origin) / VOXEL).astype(int).tolist()
    x, y, z = origin.tolist()
    density = simulate(coordinates, topology.atomic_numbers, resolution, Grid((n_z, n_y, n_x), VOXEL, (x, y, z)))
    return DensityMap(density.astype(np.float32), VOXEL, origin)


@pytest.fixture(scope="module", params=[0.0, 0.4], ids=["whole voxels", "between voxels"])
def handed_over(request, tmp_path_factory, adk_topology, adk_open):
    """The folder of a class, moved after it was written, beside an empty place where it was."""
    place = tmp_path_factory.mktemp("handoff")
    folder = place / "written"
    folder.mkdir()
    density = map_of(adk_open, adk_topology, request.param)
    write_model(folder / MODEL_FILE, adk_topology, adk_open, title="best", b_factors=np.full(len(adk_open), 80.0))
    write_model(folder / "model_2.cif", adk_topology, adk_open + 1, title="rival")
    write_handoff(folder, TITLE, density, CONTOUR, RESOLUTION)
    return folder.rename(place / "moved it's 1")


def values(density: DensityMap, coordinates: np.ndarray) -> np.ndarray:
    return density.values_at(coordinates, beyond=0.0)


def test_a_map_between_voxels_is_moved_onto_them_and_keeps_its_densities(adk_topology, adk_open):
    # What a grid of 2 Å holds: at 5 Å simulated atoms are too narrow for it.
    given = map_of(adk_open, adk_topology, 0.4, SMOOTH)
    moved, direct = on_whole_voxels(given), map_of(adk_open, adk_topology, 0.0)
    assert np.allclose(moved.origin_angstrom, VOXEL * np.rint(moved.origin_angstrom / VOXEL))
    assert np.abs(moved.origin_angstrom - given.origin_angstrom).max() <= VOXEL / 2
    expected = simulate(adk_open, adk_topology.atomic_numbers, SMOOTH, moved.grid)
    assert np.abs(moved.density - expected).max() < 0.01 * expected.max()
    assert np.abs(given.density - expected).max() > 0.1 * expected.max()
    assert on_whole_voxels(direct) is direct


def test_a_map_between_voxels_is_not_written_by_voxels(tmp_path, adk_topology, adk_open):
    with pytest.raises(ValueError, match="no whole number of voxels"):
        write_map_by_voxels(tmp_path / "map.mrc", map_of(adk_open, adk_topology, 0.4))


def test_our_reader_and_gemmi_find_the_map_in_the_same_place(handed_over, adk_open):
    ours = read_canonical(handed_over / MAP_FILE)
    theirs = gemmi.read_ccp4_map(str(handed_over / MAP_FILE), setup=True).grid
    expected = values(ours, adk_open)
    found = [theirs.interpolate_value(gemmi.Position(*place)) for place in adk_open.tolist()]
    assert np.allclose(found, expected, atol=1e-4 * expected.max())
    assert expected.min() > 0.2 * expected.max()


def test_phenix_reads_the_parameters_and_finds_the_model_in_the_map(handed_over, adk_open):
    found = ask_phenix(handed_over)
    assert found["unused"] == [] and found["resolution"] == RESOLUTION
    assert found["named"] == [[MODEL_FILE], [MAP_FILE]] and found["type"] == ["electron"]
    expected = values(read_canonical(handed_over / MAP_FILE), adk_open)
    assert found["n_atoms"] == len(adk_open)
    assert np.allclose(found["density"], expected, atol=0.02 * expected.max())
    assert found["cc_mask"] > 0.95


class Coot(types.ModuleType):
    """What a script calls of Coot, written down; files must be there."""

    def __init__(self):
        super().__init__("coot")
        self.calls: list[tuple] = []

    def _note(self, *call):
        self.calls.append(call)
        return len(self.calls) - 1

    def read_pdb(self, path):
        assert gemmi.read_structure(path)[0].count_atom_sites()
        return self._note("read_pdb", path)

    def handle_read_ccp4_map(self, path, is_difference):
        assert gemmi.read_ccp4_map(path).grid.nu
        return self._note("handle_read_ccp4_map", path, is_difference)

    def set_contour_level_absolute(self, number, level):
        self._note("set_contour_level_absolute", number, level)

    def set_imol_refinement_map(self, number):
        self._note("set_imol_refinement_map", number)


def run_as_script(script: Path) -> None:
    runpy.run_path(str(script))


def run_without_file(script: Path) -> None:
    """As execfile() of Coot 0.9: the code knows its file's name, __file__ is not set."""
    exec(compile(script.read_text(), str(script), "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("run", [run_as_script, run_without_file])
def test_coot_opens_both_from_the_folder_of_the_script(handed_over, tmp_path, monkeypatch, run):
    stub = Coot()
    monkeypatch.setitem(sys.modules, "coot", stub)
    monkeypatch.chdir(tmp_path)
    run(handed_over / "open_in_coot.py")
    model, density = (str(handed_over / name) for name in (MODEL_FILE, MAP_FILE))
    assert stub.calls == [
        ("read_pdb", model),
        ("handle_read_ccp4_map", density, 0),
        ("set_contour_level_absolute", 1, CONTOUR),
        ("set_imol_refinement_map", 1),
    ]


def test_coot_told_its_script_on_the_command_line_finds_the_folder(handed_over, tmp_path, monkeypatch):
    stub, script = Coot(), handed_over / "open_in_coot.py"
    monkeypatch.setitem(sys.modules, "coot", stub)
    monkeypatch.setattr(sys, "argv", ["coot", "--script", str(script)])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(inspect, "getfile", lambda _: "<string>")
    exec(script.read_text(), {"__name__": "__main__"})
    assert stub.calls[0] == ("read_pdb", str(handed_over / MODEL_FILE))


def test_scripts_are_plain_ascii_as_older_programs_ask(handed_over):
    scripts = [path for path in handed_over.iterdir() if path.suffix in (".cxc", ".py", ".pml", ".eff")]
    assert len(scripts) == 4 and all(path.read_text().isascii() for path in scripts)


SPEC, COLOUR, NUMBER = r"#\d+", r"#[0-9a-f]{6}", r"-?\d+(?:\.\d+)?(?:e-?\d+)?"
MATRIX = rf"{SPEC}(?:,{NUMBER}){{12}}"
COMMANDS = (
    r'open "[A-Za-z0-9_./-]+" id \d+(?: coordsets true)?',
    rf"volume {SPEC} style surface step 1 level {NUMBER} color {COLOUR}",
    rf"transparency {SPEC} \d+",
    rf"hide {SPEC} (?:atoms|models)",
    rf"cartoon {SPEC}",
    rf"show {SPEC} & ligand atoms",
    rf"color {SPEC} {COLOUR}",
    rf"color bfactor {SPEC} palette {NUMBER},{COLOUR}(?::{NUMBER},{COLOUR})+",
    rf"view matrix models {MATRIX}(?:,{MATRIX})*",
    "lighting soft",
    "view",
)


def parsed(script: Path) -> dict[int, Path]:
    """Model number to the file opened under it, of a script in which every command is known and every model open."""
    opened: dict[int, Path] = {}
    for line in script.read_text().splitlines():
        if line.startswith("#"):
            continue
        assert any(re.fullmatch(command, line) for command in COMMANDS), line
        if found := re.match(r'open "(.+)" id (\d+)', line):
            assert int(found[2]) not in opened
            opened[int(found[2])] = (script.parent / found[1]).resolve()
            assert opened[int(found[2])].is_file(), line
        for number in re.findall(r"(?:^| |,)#(\d+)(?=[ ,]|$)", line):
            assert int(number) in opened, line
    return opened


def test_chimerax_opens_map_model_and_rivals_by_commands_that_it_knows(handed_over):
    script = handed_over / "open_in_chimerax.cxc"
    opened = parsed(script)
    assert {k: path.name for k, path in opened.items()} == {1: MAP_FILE, 2: MODEL_FILE, 3: "model_2.cif"}
    assert f"level {CONTOUR:g} " in script.read_text() and TITLE in script.read_text()


@pytest.fixture
def results(tmp_path, adk_topology, adk_closed, adk_open):
    """Results of two classes, each in its own frame, with a morph."""
    models = {"closed": adk_closed, "open": adk_open + np.array([30.0, -20.0, 10.0])}
    for name, model in models.items():
        folder = tmp_path / "adk" / name
        folder.mkdir(parents=True)
        density = map_of(model, adk_topology, 0.0)
        write_map_folder(folder / "map", "adk", name, density)
        write_model(folder / MODEL_FILE, adk_topology, model, title=name)
        write_map_by_voxels(folder / MAP_FILE, density)
        write_json({"target": "adk", "class": name}, folder / "models.json")
    comparison = tmp_path / "adk/comparison"
    comparison.mkdir()
    shutil.copy(tmp_path / "adk/closed/model.cif", comparison / "morph_closed.open.cif")
    folders = [tmp_path / "adk" / name for name in models]
    write_comparison_handoff(comparison, adk_topology, [folder / "map" for folder in folders], folders)
    return tmp_path, models


def test_chimerax_opens_all_classes_on_their_core_from_a_moved_folder(results, adk_topology):
    place, models = results
    script = (place / "adk").rename(place / "moved") / "comparison/open_in_chimerax.cxc"
    opened = parsed(script)
    assert [path.relative_to(place / "moved").as_posix() for path in opened.values()] == [
        *("closed/map.mrc", "closed/model.cif", "open/map.mrc", "open/model.cif", "comparison/morph_closed.open.cif")
    ]
    matrices = dict(re.findall(r"#(\d+),((?:-?[\d.]+,){11}-?[\d.]+)", script.read_text()))
    assert set(matrices) == {"3", "4"} and matrices["3"] == matrices["4"]
    matrix = np.array(matrices["4"].split(","), float).reshape(3, 4)
    moved = models["open"] @ matrix[:, :3].T + matrix[:, 3]
    anchors = adk_topology.ca_indices()
    apart = np.linalg.norm(moved - models["closed"], axis=1)[anchors]
    # The core of adenylate kinase stays, lid and AMP-binding domain close by more than 10 Å.
    assert (apart < 1.5).mean() > 0.4 and apart.max() > 10


def test_more_classes_than_colours_have_a_colour_each():
    contours = {f"class-{k}": 1.0 + k for k in range(20)}
    pose = rigid_superposition(np.eye(3), np.eye(3))
    text = chimerax("t", contours, {name: pose for name in list(contours)[1:]}, [])
    assert text.count("\nopen ") == 40 and 'open "../class-19/model.cif" id 40' in text


PYMOL = shutil.which("pymol")


@pytest.mark.skipif(PYMOL is None, reason="PyMOL is not installed (Debian: apt-get install pymol)")
def test_pymol_opens_model_and_map_in_one_place(handed_over, tmp_path, adk_open):
    asks = tmp_path / "ask.py"
    asks.write_text(
        "import json\n"
        "from pymol import cmd\n"
        "said = {'n_atoms': cmd.count_atoms('best_model'), 'objects': cmd.get_names(),\n"
        "        'field': cmd.get_volume_field('class_map').tolist(), 'extent': cmd.get_extent('class_map'),\n"
        "        'first': cmd.get_coords('best_model')[0].tolist()}\n"
        f"open({str(tmp_path / 'said.json')!r}, 'w').write(json.dumps(said))\n"
    )
    assert PYMOL is not None
    command = [PYMOL, "-cqk", str(handed_over / "open_in_pymol.pml"), str(asks)]
    # Debian's program asks for python3 by name and means the system's.
    path = {"PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=tmp_path, env=path, capture_output=True, text=True, check=False, timeout=120)
    assert (tmp_path / "said.json").is_file(), done.stdout + done.stderr
    said = json.loads((tmp_path / "said.json").read_text())
    assert said["n_atoms"] == len(adk_open) and set(said["objects"]) == {"best_model", "class_map", "contour"}
    assert np.allclose(said["first"], adk_open[0], atol=1e-2)
    ours = read_canonical(handed_over / MAP_FILE)
    low, high = np.array(said["extent"])
    n_z, n_y, n_x = ours.density.shape
    assert np.allclose(low, ours.origin_angstrom, atol=1e-2)
    assert np.allclose(high, ours.origin_angstrom + VOXEL * (np.array([n_x, n_y, n_z]) - 1), atol=1e-2)
    assert np.allclose(np.array(said["field"]), ours.density.transpose(2, 1, 0), rtol=1e-5, atol=1e-6)
    assert "Error" not in done.stdout + done.stderr
