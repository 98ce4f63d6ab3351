"""Boltz's release of its weights in a folder that many jobs share: fetched once, verified ever after."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from classfold.download import DownloadPolicy, Echo, download
from classfold.errors import InputError
from classfold.weights import WeightsFolder, read_digests, sha256_of, verify_weights, write_digests

Sources = Mapping[str, Sequence[str]]
"""File name to the addresses that have it, in the order in which to try them."""

_LOCK = ".lock"
# A pickle since protocol 2, and the zip archive that torch.save writes.
_FIRST_BYTES = {
    WeightsFolder.COMPONENTS: (b"\x80",),
    WeightsFolder.CHECKPOINT: (b"PK\x03\x04", b"\x80"),
}


def mirror(base_url: str) -> Sources:
    """The files of the release in one folder of a mirror."""
    return {name: (f"{base_url.rstrip('/')}/{name}",) for name in WeightsFolder.FILES}


@contextlib.contextmanager
def locked(folder: Path, echo: Echo) -> Iterator[None]:
    """Hold the folder's lock; where another job has it, say so and wait. A job that dies lets go of it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / _LOCK).open("w")
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror}); choose another --cache") from None
    with stream:
        try:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                echo(f"another job is fetching weights into {folder}; waiting for it")
                fcntl.flock(stream, fcntl.LOCK_EX)
        except OSError as error:
            raise InputError(
                f"the file system of {folder} has no file locks ({error.strerror}); choose another --cache"
            ) from None
        yield


def fault_of(path: Path, name: str, recorded: str | None) -> str | None:
    """What shows that a file is not the one of this name, or None."""
    with path.open("rb") as stream:
        start = stream.read(16)
    if not start.startswith(_FIRST_BYTES[name]):
        return f"what came begins with {start!r}, which is no {name} (a proxy's page?)"
    if recorded is not None and sha256_of(path) != recorded:
        return f"its SHA-256 is not the {recorded[:12]}... recorded in {WeightsFolder.DIGESTS}"
    return None


def _is_there(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def fetch_weights(
    folder: Path, find_sources: Callable[[], Sources], policy: DownloadPolicy, echo: Echo
) -> None:
    """Bring the release into ``folder``, or verify the one that is there without any network.

    A file that somebody put there by hand is taken as it is and its digest recorded. The folder may be
    read-only once it is complete.

    Parameters
    ----------
    folder : Path
        The cache; made if it does not exist.
    find_sources : callable
        Gives the addresses; called only if something has to be fetched.
    policy : DownloadPolicy
    echo : callable
        Gets the lines of progress.

    Raises
    ------
    InputError
        If a file cannot be had, is not what its name says, or differs from its recorded digest.
    """
    names = WeightsFolder.FILES
    if all(_is_there(folder / name) for name in names) and set(names) <= read_digests(folder).keys():
        verify_weights(folder)
        echo(f"{folder}: {' and '.join(names)} are there and have their recorded digests")
        return
    with locked(folder, echo):
        for name in names:
            _provide(folder, name, find_sources, policy, echo)


def _provide(
    folder: Path, name: str, find_sources: Callable[[], Sources], policy: DownloadPolicy, echo: Echo
) -> None:
    """One file of the release: found, or fetched, and with its digest on record."""
    path, recorded = folder / name, read_digests(folder).get(name)
    if _is_there(path) and recorded is not None:
        verify_weights(folder, [name])
        echo(f"{name}: there, with its recorded digest")
        return
    if not _is_there(path):
        sources = find_sources()
        try:
            download(sources[name], path, lambda partial: fault_of(partial, name, recorded), policy, echo)
        except InputError as error:
            wanted = [sources[n][-1] for n in WeightsFolder.FILES if not _is_there(folder / n)]
            raise InputError(
                f"{error}; where this machine has no network, download {' and '.join(wanted)} elsewhere, copy "
                f"to {folder}, and run this again: it records the digests and needs no network"
            ) from None
    else:
        fault = fault_of(path, name, None)
        if fault is not None:
            raise InputError(f"{path} cannot be used: {fault}; delete it and run this again")
    if recorded is None:
        digest = sha256_of(path)
        write_digests(folder, read_digests(folder) | {name: digest})
        echo(f"{name}: {path.stat().st_size} bytes, SHA-256 {digest} recorded")
