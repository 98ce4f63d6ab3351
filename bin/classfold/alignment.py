"""Multiple sequence alignments: given, none, or asked of a server.

Boltz does not compare an alignment with the sequence, and a row that is too short makes it read on into the
next row. Every alignment is therefore checked here and handed to Boltz with one line per row.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import logging
import re
import signal
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import FrameType

import pandas as pd

from classfold.errors import InputError
from classfold.molecules import Molecule

FORMATS = (".a3m", ".a3m.gz", ".csv")
SERVER_TIME_LIMIT_S = 3600
_INSERTIONS = re.compile("[a-z.]")
_FOREIGN = re.compile("[^A-Z-]")


@dataclass(frozen=True)
class Alignment:
    """Checked rows of an alignment; the first is the query."""

    rows: tuple[str, ...]
    """A3M rows: capitals and gaps in the query's columns, lower-case insertions."""
    keys: tuple[int, ...] = ()
    """Boltz's pairing keys: rows of different chains with the same key belong together, -1 for none."""
    source: str = "a3m"
    """a3m, csv or server"""

    def write(self, stem: Path) -> Path:
        """Write the rows for Boltz's parser as ``stem.csv`` (with keys) or ``stem.a3m``; returns the path."""
        if self.keys:
            path = stem.with_name(f"{stem.name}.csv")
            lines = ["key,sequence", *(f"{k},{r}" for k, r in zip(self.keys, self.rows, strict=True))]
        else:
            path = stem.with_name(f"{stem.name}.a3m")
            lines = [line for i, row in enumerate(self.rows) for line in (f">{i}", row)]
        path.write_text("\n".join(lines) + "\n")
        return path


def read_alignment(path: Path) -> Alignment:
    """Read an A3M (also gzipped) or Boltz's CSV with the columns key and sequence.

    Raises
    ------
    InputError
        If the file is missing, is neither, or holds no row.
    """
    if not path.name.lower().endswith(FORMATS):
        raise InputError(f"alignment {path.name} is of an unknown kind; allowed are {', '.join(FORMATS)}")
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix.lower() == ".gz" else content).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is damaged or no text file"
        raise InputError(f"alignment {path} cannot be read ({reason}); give an A3M or CSV file") from None
    alignment = _parse_csv(text, path) if path.suffix.lower() == ".csv" else _parse_a3m(text, path)
    if not alignment.rows:
        raise InputError(f"alignment {path.name} holds no row; give one whose first row is the sequence")
    return alignment


def _parse_a3m(text: str, path: Path) -> Alignment:
    """Rows of an A3M file; rows broken over several lines are joined, as Boltz would not."""
    rows: list[list[str]] = []
    for line in map(str.strip, text.replace("\x00", "").splitlines()):
        if line.startswith(">"):
            rows.append([])
        elif line and not line.startswith("#"):
            if not rows:
                raise InputError(
                    f"alignment {path.name} is no A3M file: its first line does not begin with >"
                )
            rows[-1].append(line)
    return Alignment(tuple("".join(lines).replace(".", "") for lines in rows if lines))


def _parse_csv(text: str, path: Path) -> Alignment:
    """Rows and keys of a CSV file; an empty key is none."""
    try:
        table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
        if sorted(table.columns) != ["key", "sequence"]:
            raise ValueError
        table = table[table["sequence"] != ""]
        keys = tuple(int(float(key)) if key else -1 for key in table["key"])
    except (ValueError, OverflowError):
        raise InputError(
            f"alignment {path.name} is not a CSV file as Boltz reads it; it needs two columns, key (a whole "
            "number or empty) and sequence"
        ) from None
    return Alignment(tuple(row.strip().replace(".", "") for row in table["sequence"]), keys, "csv")


def query_of(alignment: Alignment) -> str:
    """The sequence that the alignment was made for: its first row without gaps and insertions."""
    return _INSERTIONS.sub("", alignment.rows[0]).replace("-", "")


def check_alignment(alignment: Alignment, chain: Molecule, name: str) -> None:
    """Check that an alignment belongs to a chain and that all its rows have one letter or gap per residue.

    Raises
    ------
    InputError
        Naming the chain and the first residue or row that is wrong.
    """
    sequence = chain.sequence or ""
    query = alignment.rows[0]
    if query != sequence:
        pairs = enumerate(zip(query, sequence, strict=False), start=1)
        place = next((f"residue {i} is {a}, not {b}" for i, (a, b) in pairs if a != b), "one ends early")
        raise InputError(
            f"the first row of alignment {name} ({len(query)} letters) is not the sequence of chain "
            f"{chain.name} ({len(sequence)} residues): {place}; give the alignment made for this sequence"
        )
    for number, row in enumerate(alignment.rows, start=1):
        columns = _INSERTIONS.sub("", row)
        foreign = _FOREIGN.search(columns)
        if foreign is not None or len(columns) != len(sequence):
            fault = (
                f"holds {foreign.group()!r}; allowed are letters and -"
                if foreign
                else f"has {len(columns)} columns, chain {chain.name} has {len(sequence)} residues"
            )
            raise InputError(f"row {number} of alignment {name} {fault}; make the alignment again")


def given_alignments(chains: Sequence[Molecule], path: Path | None) -> dict[str, Alignment]:
    """Alignments of the chains by chain name: those that the sequence file names, or the one file given.

    Parameters
    ----------
    chains : sequence of Molecule
        All chains of the target.
    path : Path or None
        One alignment for all protein chains that have its first row as their sequence.

    Raises
    ------
    InputError
        If an alignment does not fit its chain, or the one given fits none.
    """
    proteins = [chain for chain in chains if chain.type == "protein"]
    if path is None:
        named = [(chain, chain.alignment) for chain in proteins if chain.alignment is not None]
        found = {chain.name: read_alignment(file) for chain, file in named}
        for chain, file in named:
            check_alignment(found[chain.name], chain, file.name)
        return found
    alignment = read_alignment(path)
    fitting = [chain for chain in proteins if chain.sequence == query_of(alignment)]
    if not proteins:
        raise InputError(
            f"alignment {path.name} was given, but the target has no protein chain; leave it out"
        )
    for chain in fitting or proteins[:1]:
        check_alignment(alignment, chain, path.name)
    return {chain.name: alignment for chain in fitting}


class _TimeLimitReached(BaseException):
    """Not an Exception: Boltz's client catches those and tries again for ever."""


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise :class:`_TimeLimitReached` in the main thread after ``seconds``."""

    def stop(signal_number: int, frame: FrameType | None) -> None:
        raise _TimeLimitReached

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


class _LastMessage(logging.Handler):
    """Keeps the last thing that Boltz's client complained about."""

    text = "no answer"

    def emit(self, record: logging.LogRecord) -> None:
        self.text = record.getMessage()


@contextlib.contextmanager
def _client_messages() -> Iterator[_LastMessage]:
    """Listen to Boltz's client, and let it unpack archives only inside the folder they are for."""
    logger, handler = logging.getLogger("boltz.data.msa.mmseqs2"), _LastMessage()
    logger.addHandler(handler)
    extract_all = tarfile.TarFile.extractall

    def extract_inside(archive: tarfile.TarFile, path: str = ".") -> None:
        for member in archive.getmembers():
            place = PurePosixPath(member.name)
            if place.is_absolute() or ".." in place.parts or not (member.isfile() or member.isdir()):
                raise tarfile.TarError(f"the archive holds {member.name!r}, which is no plain file of its own")
        extract_all(archive, path)

    # The standard library's own filter came with Python 3.11.4; Debian 12 has 3.11.2.
    tarfile.TarFile.extractall = extract_inside  # type: ignore[method-assign, assignment]
    try:
        yield handler
    finally:
        logger.removeHandler(handler)
        tarfile.TarFile.extractall = extract_all  # type: ignore[method-assign]


def alignments_from_server(
    chains: Sequence[Molecule], server_url: str, time_limit_s: float = SERVER_TIME_LIMIT_S
) -> dict[str, Alignment]:
    """Alignments of all protein chains from a ColabFold server. **The sequences leave the computer.**

    Raises
    ------
    InputError
        If the server cannot be reached, refuses, or has not answered within the time limit (in seconds).
    """
    from classfold.prior import request_alignments

    proteins = [chain for chain in chains if chain.type == "protein" and chain.sequence]
    name_of: dict[str, str] = {}
    for chain in proteins:
        name_of.setdefault(str(chain.sequence), chain.name)
    if not proteins:
        return {}
    instead = "try later, or give an alignment made elsewhere (--msa FILE), or none (--msa none)"
    with tempfile.TemporaryDirectory() as folder, _client_messages() as last:
        try:
            with _time_limit(time_limit_s):
                request_alignments({name: s for s, name in name_of.items()}, Path(folder), server_url)
        except _TimeLimitReached:
            raise InputError(
                f"the MSA server {server_url} gave no alignment within {time_limit_s / 60:.0f} minutes "
                f"(last: {last.text}); {instead}"
            ) from None
        except Exception as error:
            # Boltz's client raises bare exceptions; what it logged before says more than they do.
            reason = " ".join(f"{error or type(error).__name__} (last: {last.text})".split())
            raise InputError(f"the MSA server {server_url} gave no alignment: {reason}; {instead}") from None
        found = {}
        for chain in proteins:
            file = Path(folder) / f"{name_of[str(chain.sequence)]}.csv"
            read = read_alignment(file)
            check_alignment(read, chain, f"from {server_url}")
            found[chain.name] = Alignment(read.rows, read.keys, "server")
        return found
