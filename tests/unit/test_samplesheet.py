"""The samplesheet as text: forms that are accepted, and the sentence for each that is not."""

import json
from pathlib import Path

import pytest

from classfold.errors import InputError
from classfold.samplesheet import COLUMNS, REQUIRED, read_rows

ROOT = Path(__file__).resolve().parents[2]
HEADER = "target,class,map,resolution,sequence"
ROW = "adk,open,maps/open.mrc,4.0,adk.fasta"
CELLS = {
    "target": "adk",
    "class": "open",
    "map": "maps/open.mrc",
    "resolution": "4.0",
    "sequence": "adk.fasta",
}


def rows_of(folder: Path, content: bytes):
    sheet = folder / "sheet.csv"
    sheet.write_bytes(content)
    return read_rows(sheet)


@pytest.mark.parametrize(
    "content",
    [
        f"{HEADER}\n{ROW}\n",
        f"{HEADER}\n{ROW}",
        f"\ufeff{HEADER}\n{ROW}\n",
        f"{HEADER}\r\n{ROW}\r\n",
        f"{HEADER}\r{ROW}\r",
        f"{HEADER}\n{ROW}\n".replace(",", ";"),
        f"{HEADER}\n{ROW}\n".replace(",", "\t"),
        f"{HEADER}\n{ROW}\n".replace(",", " , "),
        f"{HEADER}\n{ROW}\n".replace("adk,open", '"adk", "open"'),
        f"{HEADER.title()}\n{ROW}\n",
        f"{HEADER},,\n{ROW},,\n".replace(",,", ""),
    ],
    ids=[
        "plain",
        "no last line end",
        "BOM",
        "CRLF",
        "CR",
        "semicolons",
        "tabs",
        "spaces",
        "quotes",
        "capitals",
        "cut",
    ],
)
def test_forms_that_spreadsheets_write_are_one_sheet(tmp_path, content):
    (row,) = rows_of(tmp_path, content.encode())
    assert row.number == 2
    assert row.cells == CELLS


def test_rows_are_counted_as_an_editor_counts_lines(tmp_path):
    content = f"{HEADER}\n{ROW}\n\n,,,,\n{ROW.replace('open', 'closed')}\n"
    assert [row.number for row in rows_of(tmp_path, content.encode())] == [2, 5]


def test_a_quoted_cell_may_hold_a_comma(tmp_path):
    (row,) = rows_of(tmp_path, f'{HEADER}\nadk,open,"a,b.mrc",4,adk.fasta\n'.encode())
    assert row.cells["map"] == "a,b.mrc"


@pytest.mark.parametrize("missing", REQUIRED)
def test_a_missing_column_is_named(tmp_path, missing):
    header = ",".join(name for name in REQUIRED if name != missing)
    with pytest.raises(InputError, match=f"column {missing} is missing"):
        rows_of(tmp_path, f"{header}\na,b,c,d\n".encode())


def test_all_faults_of_the_header_and_of_lengths_come_at_once(tmp_path):
    with pytest.raises(InputError) as caught:
        rows_of(tmp_path, f"{HEADER},colour,map\n{ROW},red,b.mrc,extra\n".encode())
    message = str(caught.value)
    assert "'colour' is not known" in message and all(name in message for name in COLUMNS)
    assert "'map' is there more than once" in message
    assert "row 2 has 8 cells" in message


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"\n \n,,\n", "is empty"),
        (HEADER.encode() + b"\n", "no rows"),
        ("PK\x03\x04\x80\xff".encode("latin-1"), "not UTF-8 text"),
        (f"{HEADER}\n{ROW}\n".encode("utf-16"), "not UTF-8 text"),
    ],
    ids=["empty", "blank", "header only", "spreadsheet", "UTF-16"],
)
def test_what_is_no_sheet_is_refused(tmp_path, content, sentence):
    with pytest.raises(InputError, match=sentence):
        rows_of(tmp_path, content)


def test_the_schema_has_the_same_columns():
    schema = json.loads((ROOT / "assets/samplesheet_schema.json").read_text())["items"]
    assert sorted(schema["properties"]) == sorted(COLUMNS)
    assert sorted(schema["required"]) == sorted(REQUIRED)
    assert "resolution" not in REQUIRED
