"""The folder of weights: what belongs in it, and the digests that are checked before anything is unpickled.

Boltz's checkpoint and its dictionary of components are pickles, and a pickle can run code. Their SHA-256
digests are written down when the files arrive (``fetch_weights.py``) and compared before every use.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from classfold.errors import InputError

CHUNK_BYTES = 1 << 20
_DIGEST_LINE = re.compile(r"^([0-9a-f]{64})[ \t]+\*?(\S+)$")


class WeightsFolder:
    """File names in a folder of weights; the first two are those of Boltz's release."""

    CHECKPOINT = "boltz1_conf.ckpt"
    COMPONENTS = "ccd.pkl"
    DIGESTS = "SHA256SUMS"
    LABEL = "LABEL"
    FILES = (CHECKPOINT, COMPONENTS)


def sha256_of(path: Path) -> str:
    """SHA-256 digest of a file as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def read_digests(folder: Path) -> dict[str, str]:
    """File name to recorded digest; empty where no digest was recorded yet.

    Raises
    ------
    InputError
        If ``SHA256SUMS`` holds a line that ``sha256sum`` would not write.
    """
    path = folder / WeightsFolder.DIGESTS
    if not path.exists():
        return {}
    digests = {}
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
        if not line.strip():
            continue
        match = _DIGEST_LINE.match(line.strip())
        if match is None:
            raise InputError(
                f"line {number} of {path} is not a SHA-256 digest and a file name; write it again with "
                f"`cd {folder} && sha256sum {' '.join(WeightsFolder.FILES)} > {WeightsFolder.DIGESTS}`"
            )
        digests[match.group(2)] = match.group(1)
    return digests


def write_digests(folder: Path, digests: Mapping[str, str]) -> None:
    """Write ``SHA256SUMS`` in the format of ``sha256sum``, whole or not at all."""
    partial = folder / f"{WeightsFolder.DIGESTS}.partial"
    partial.write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())))
    os.replace(partial, folder / WeightsFolder.DIGESTS)


def verify_weights(folder: Path, names: Sequence[str] = WeightsFolder.FILES) -> None:
    """Check that the files are there and are the ones whose digests were recorded.

    Parameters
    ----------
    folder : Path
        Folder with ``boltz1_conf.ckpt``, ``ccd.pkl`` and ``SHA256SUMS``.
    names : sequence of str
        The files that the caller is about to read.

    Raises
    ------
    InputError
        If a file is missing or empty, has no recorded digest, or differs from it.
    """
    if not folder.is_dir():
        raise InputError(
            f"the weights folder {folder} does not exist; give a folder with "
            f"{' and '.join(WeightsFolder.FILES)}, or make one with `fetch_weights.py --cache {folder}`"
        )
    for name in names:
        path = folder / name
        if not path.is_file() or path.stat().st_size == 0:
            state = "is empty" if path.is_file() else "is missing"
            raise InputError(f"{name} {state} in {folder}; get it with `fetch_weights.py --cache {folder}`")
    digests = read_digests(folder)
    for name in names:
        if name not in digests:
            raise InputError(
                f"no digest of {name} is recorded in {folder / WeightsFolder.DIGESTS}; where you trust the "
                f"files, record it with `fetch_weights.py --cache {folder}`"
            )
        found = sha256_of(folder / name)
        if found != digests[name]:
            raise InputError(
                f"{folder / name} is damaged or was changed: its SHA-256 is {found[:12]}..., recorded was "
                f"{digests[name][:12]}...; delete it and run `fetch_weights.py --cache {folder}`"
            )


def weights_label(folder: Path) -> str:
    """What the weights are, in one line: the text of ``LABEL``, else ``Boltz-1``."""
    path = folder / WeightsFolder.LABEL
    lines = path.read_text(errors="replace").strip().splitlines() if path.is_file() else []
    return lines[0].strip() if lines else "Boltz-1"
