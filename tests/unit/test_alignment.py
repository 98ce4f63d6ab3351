"""Alignments: checked against their chain, given to Boltz unchanged, or asked of a server on this machine."""

from __future__ import annotations

import gzip
import http.server
import io
import json
import tarfile
import threading
import urllib.parse
from typing import ClassVar

import pytest

from classfold.alignment import (
    Alignment,
    alignments_from_server,
    check_alignment,
    given_alignments,
    query_of,
    read_alignment,
)
from classfold.errors import InputError
from classfold.molecules import Molecule

CHAIN = Molecule("A", "protein", "MKVLA")
A3M = ">query\nMKVLA\n>second\nM-VqrLA\n>third, in two lines\nMKI\nLA\n"


def write(tmp_path, text, name="x.a3m"):
    (tmp_path / name).write_text(text)
    return tmp_path / name


def test_a3m_rows_are_joined_and_checked(tmp_path):
    alignment = read_alignment(write(tmp_path, "#A3M\n" + A3M))
    assert alignment.rows == ("MKVLA", "M-VqrLA", "MKILA")
    assert query_of(alignment) == "MKVLA"
    check_alignment(alignment, CHAIN, "x.a3m")


def test_gzipped_a3m_and_csv_say_the_same(tmp_path):
    (tmp_path / "x.a3m.gz").write_bytes(gzip.compress(A3M.encode()))
    table = write(tmp_path, "key,sequence\n7,MKVLA\n,M-VqrLA\n-1,MKILA\n", "x.csv")
    assert read_alignment(tmp_path / "x.a3m.gz").rows == read_alignment(table).rows
    assert read_alignment(table).keys == (7, -1, -1)


@pytest.mark.parametrize("suffix", ["a3m", "csv"])
def test_boltz_reads_what_was_checked(tmp_path, suffix):
    from boltz.data import const

    from classfold.prior import read_boltz_alignment

    keys = (3, -1, 4) if suffix == "csv" else ()
    path = Alignment(("MKVLA", "M-VqrLA", "MKILA"), keys).write(tmp_path / "A")
    assert path.name == f"A.{suffix}"
    msa = read_boltz_alignment(path)
    letters = "".join(const.prot_token_to_letter[const.tokens[r["res_type"]]] for r in msa.residues)
    assert letters == "MKVLAM-VLAMKILA"
    assert [tuple(d) for d in msa.deletions] == [(3, 2)]
    assert msa.sequences["taxonomy"].tolist() == list(keys or (-1, -1, -1))


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("MKVLA\n", "x.a3m", "does not begin with >"),
        ("", "x.a3m", "holds no row"),
        (">q\nMKVLA\n", "x.sto", "allowed are .a3m, .a3m.gz, .csv"),
        ("a,b\n1,MKVLA\n", "x.csv", "two columns, key"),
        ("key,sequence\none,MKVLA\n", "x.csv", "two columns, key"),
        ("key,sequence\n", "x.csv", "holds no row"),
    ],
)
def test_files_that_are_no_alignment_are_refused(tmp_path, text, name, message):
    with pytest.raises(InputError, match=message):
        read_alignment(write(tmp_path, text, name))


def test_missing_and_damaged_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_alignment(tmp_path / "missing.a3m")
    (tmp_path / "x.a3m.gz").write_bytes(gzip.compress(A3M.encode())[:-5])
    with pytest.raises(InputError, match="cannot be read"):
        read_alignment(tmp_path / "x.a3m.gz")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (("MKILA",), r"not the sequence of chain A \(5 residues\): residue 3 is I, not V"),
        (("MKVL",), r"\(4 letters\) is not the sequence of chain A \(5 residues\): one ends early"),
        (("MK-LA",), "residue 3 is -, not V"),
        (("MKVLA", "MKVL"), "row 2 of alignment x.a3m has 4 columns, chain A has 5 residues"),
        (("MKVLA", "MKVLA", "MK*LA"), r"row 3 of alignment x.a3m holds '\*'"),
    ],
)
def test_alignments_of_other_sequences_and_broken_rows_are_refused(rows, message):
    with pytest.raises(InputError, match=message):
        check_alignment(Alignment(rows), CHAIN, "x.a3m")


def test_a_given_alignment_goes_to_every_chain_of_its_sequence(tmp_path):
    chains = [CHAIN, Molecule("B", "protein", "WYH"), Molecule("C", "protein", "MKVLA")]
    found = given_alignments(chains, write(tmp_path, A3M))
    assert sorted(found) == ["A", "C"]
    with pytest.raises(InputError, match="not the sequence of chain B"):
        given_alignments(chains[1:2], tmp_path / "x.a3m")
    with pytest.raises(InputError, match="no protein chain"):
        given_alignments([Molecule("R", "rna", "GCA")], tmp_path / "x.a3m")


def test_alignments_named_by_the_sequence_file_are_used(tmp_path):
    chain = Molecule("A", "protein", "MKVLA", alignment=write(tmp_path, A3M))
    assert list(given_alignments([chain, Molecule("B", "protein", "WYH")], None)) == ["A"]
    assert given_alignments([CHAIN], None) == {}


class ColabFold(http.server.BaseHTTPRequestHandler):
    """The part of a ColabFold server that Boltz speaks to."""

    status = "COMPLETE"
    sent: ClassVar[list[str]] = []
    drops = ""

    def log_message(self, *arguments):
        pass

    def _answer(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self):
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        type(self).sent.append(form["q"][0])
        self._answer(json.dumps({"id": self.path.rsplit("/", 1)[-1], "status": self.status}).encode())

    def do_GET(self):
        paired = self.path.endswith("pair")
        queries = self.sent[-1].split()[1::2]
        rows = "\x00".join(
            f">{101 + i}\n{q}\n>hit\n{'-' + q[1 + len(self.drops) :]}\n" for i, q in enumerate(queries)
        )
        names = ["pair.a3m"] if paired else ["uniref.a3m", "bfd.mgnify30.metaeuk30.smag30.a3m"]
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz") as tar:
            for name in names:
                member = tarfile.TarInfo(name)
                member.size = len(rows)
                tar.addfile(member, io.BytesIO(rows.encode()))
        self._answer(archive.getvalue())


@pytest.fixture()
def colabfold():
    handler = type("Handler", (ColabFold,), {"sent": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    handler.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield handler
    server.shutdown()
    server.server_close()


def test_server_is_sent_each_sequence_once_and_its_answer_checked(colabfold):
    chains = [
        CHAIN,
        Molecule("B", "protein", "MKVLA"),
        Molecule("C", "protein", "WYHK"),
        Molecule("R", "rna", "GC"),
    ]
    found = alignments_from_server(chains, colabfold.url)
    assert sorted(found) == ["A", "B", "C"]
    assert found["A"] == found["B"]
    assert found["C"].rows[:2] == ("WYHK", "-YHK") and found["C"].keys[:2] == (0, 1)
    assert {alignment.source for alignment in found.values()} == {"server"}
    assert colabfold.sent[0].split()[1::2] == ["MKVLA", "WYHK"]


def test_answer_that_does_not_fit_is_refused(colabfold):
    colabfold.drops = "x"
    with pytest.raises(InputError, match=r"row 2 of alignment from http.* has 4 columns"):
        alignments_from_server([CHAIN], colabfold.url)


@pytest.mark.parametrize("status", ["ERROR", "MAINTENANCE"])
def test_refusal_of_the_server_is_one_sentence(colabfold, status):
    colabfold.status = status
    with pytest.raises(InputError, match=r"gave no alignment: MMseqs2 API .*--msa none\)$"):
        alignments_from_server([CHAIN], colabfold.url)


@pytest.mark.parametrize("status", ["RATELIMIT", "PENDING"])
def test_waiting_for_the_server_ends(colabfold, status):
    colabfold.status = status
    with pytest.raises(InputError, match=f"within 0 minutes .*{status}"):
        alignments_from_server([CHAIN], colabfold.url, time_limit_s=1.0)


def test_nothing_is_sent_for_a_target_without_protein(colabfold):
    assert alignments_from_server([Molecule("R", "rna", "GC")], colabfold.url) == {}
    assert colabfold.sent == []
