"""What tasks ask for grows with the target: memory and time by its atoms, on GPUs by its pairs of tokens."""

import csv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "assets/demo"
STUB = '    stub:\n    """\n'
# The machine is told that it has room; stubs take none of it.
SITE = """
executor.$local.cpus = 8
executor.$local.memory = '900 GB'
process.resourceLimits = [cpus: 8, memory: 800.GB, time: 100.h]
trace { raw = true; fields = 'name,memory,time,attempt' }
"""
GIB, HOUR = 2**30, 3_600_000


def test_large_targets_ask_for_more(new_run) -> None:
    run = new_run(copy=True)
    size = '{"n_atoms": 30000, "n_tokens": 3000}'
    module = (run.project / "modules/prepare_sequence.nf").read_text()
    stub = module.partition(STUB)[2].partition('"""')[0]
    told = f"    [ $target = small ] || printf '{size}' > target.json\n    "
    run.edit("modules/prepare_sequence.nf", stub, stub.rstrip() + f"\n{told}")
    killed = "    [ ${task.attempt} = 2 ] || [ $target = small ] || exit 137\n"
    run.edit("modules/select_models.nf", STUB, STUB + killed)
    (run.folder / "site.config").write_text(SITE)
    rows = [f"{target},one,{DEMO}/maps/open.mrc,4,{DEMO}/adk.fasta\n" for target in ("small", "large")]
    (run.folder / "sheet.csv").write_text("target,class,map,resolution,sequence\n" + "".join(rows))
    weights = str(DEMO / "weights")
    run.succeed("-stub-run", "-c", "site.config", "--input", "sheet.csv", "--weights", weights, "--samples", "1")
    with (run.folder / "results/pipeline_info/trace.txt").open() as stream:
        lines = list(csv.DictReader(stream, delimiter="\t"))
    asked = {
        (line["name"].split(":")[-1], int(line["attempt"])): (int(line["memory"]) / GIB, int(line["time"]) / HOUR)
        for line in lines
    }
    assert asked["EMBED_SEQUENCE (small)", 1] == asked["SAMPLE_GUIDED (small one)", 1] == (32, 12)
    assert asked["EMBED_SEQUENCE (large)", 1] == asked["SAMPLE_GUIDED (large one)", 1] == (128, 48)
    assert asked["SELECT_MODELS (small one)", 1] == (12, 4)
    assert asked["SELECT_MODELS (large one)", 1] == (18, 6)
    assert asked["SELECT_MODELS (large one)", 2] == (36, 12)
    assert asked["COMPARE_CLASSES (large)", 1][0] == 6
