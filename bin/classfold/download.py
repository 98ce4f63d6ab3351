"""One large file over HTTP: resumed where it was cut off, and in its place only when it is whole."""

from __future__ import annotations

import errno
import http.client
import os
import re
import shutil
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

from classfold.errors import InputError

Echo = Callable[[str], None]
CHUNK_BYTES = 1 << 20
_USER_AGENT = "classfold"
_RANGE = re.compile(r"^bytes (?:\d+-\d+|\*)/(\d+)$")
_WORTH_RETRYING = (408, 425, 429, 500, 502, 503, 504)
_LOCAL_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)
_MEGABYTE = 1e6


@dataclass(frozen=True)
class DownloadPolicy:
    """How patient a download is."""

    attempts: int = 5
    """Attempts in a row without a new byte before an address is given up."""
    back_off_s: float = 2.0
    """Pause after the first such attempt, doubled after each further one."""
    timeout_s: float = 60.0
    """Longest silence of the server."""
    report_every_s: float = 10.0
    """Time between two lines of progress."""


class _Failed(Exception):
    """One attempt failed; ``final`` where trying this address again is no use."""

    def __init__(self, reason: str, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


@dataclass
class _Partial:
    """A file on its way, and beside it where its bytes are from: another version is never glued to them."""

    path: Path

    @property
    def origin_path(self) -> Path:
        return self.path.with_name(self.path.name + ".origin")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def validator_of(self, url: str) -> str | None:
        """The version tag with which these bytes came from this address; None where they did not."""
        if not self.size or not self.origin_path.exists():
            return None
        origin, _, validator = self.origin_path.read_text().partition("\n")
        return validator if origin == url and validator else None

    def restart(self, url: str, headers: Message) -> None:
        """Forget all bytes and note where the next ones come from."""
        self.path.write_bytes(b"")
        validator = headers.get("ETag") or headers.get("Last-Modified") or ""
        self.origin_path.write_text(f"{url}\n{validator}")

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self.origin_path.unlink(missing_ok=True)


@dataclass
class _Progress:
    """Prints a line now and then."""

    name: str
    total: int | None
    echo: Echo
    every_s: float
    started_s: float = 0.0
    reported_s: float = 0.0

    def __post_init__(self) -> None:
        self.started_s = self.reported_s = time.monotonic()

    def report(self, size: int, new: int) -> None:
        """Say how far it is, if it is time to."""
        now = time.monotonic()
        if now - self.reported_s < self.every_s:
            return
        self.reported_s = now
        of = f" of {self.total / _MEGABYTE:.0f} MB ({100 * size / self.total:.0f} %)" if self.total else " MB"
        speed = new / _MEGABYTE / max(now - self.started_s, 1e-9)
        self.echo(f"{self.name}: {size / _MEGABYTE:.0f}{of}, {speed:.1f} MB/s")


def _open(url: str, partial: _Partial, timeout_s: float) -> tuple[http.client.HTTPResponse, bool]:
    """Ask for the file, or for its rest where a part of the same version is here; whether it is the rest."""
    request = urllib.request.Request(url, headers={"User-Agent": _USER_AGENT})
    validator = partial.validator_of(url)
    if validator is not None:
        request.add_header("Range", f"bytes={partial.size}-")
        request.add_header("If-Range", validator)
    try:
        response = urllib.request.urlopen(request, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            partial.remove()
            raise _Failed("the part here is longer than the file; starting again") from None
        raise _Failed(f"HTTP {error.code} {error.reason}", error.code not in _WORTH_RETRYING) from None
    except urllib.error.URLError as error:
        # Without a network every look-up of a name may take a minute: no use in repeating it.
        is_unknown = isinstance(error.reason, socket.gaierror) and error.reason.errno == socket.EAI_NONAME
        raise _Failed(str(getattr(error.reason, "strerror", None) or error.reason), is_unknown) from None
    is_rest = response.status == http.client.PARTIAL_CONTENT
    if not is_rest:
        partial.restart(url, response.headers)
    return response, is_rest


def _total_bytes(response: http.client.HTTPResponse, is_rest: bool) -> int | None:
    """Size of the whole file as the server states it."""
    if is_rest:
        match = _RANGE.match(response.headers.get("Content-Range", ""))
        return int(match.group(1)) if match else None
    length = response.headers.get("Content-Length")
    return int(length) if length else None


def _attempt(url: str, partial: _Partial, name: str, policy: DownloadPolicy, echo: Echo) -> None:
    """Fetch what is missing of the partial file; returns when it is whole."""
    response, is_rest = _open(url, partial, policy.timeout_s)
    with response:
        total, start = _total_bytes(response, is_rest), partial.size
        free = shutil.disk_usage(partial.path.parent).free
        if total is not None and total - start > free:
            raise InputError(
                f"{name} needs {(total - start) / _MEGABYTE:.0f} MB and {partial.path.parent} has "
                f"{free / _MEGABYTE:.0f} MB left; make room or choose another folder"
            )
        progress = _Progress(name, total, echo, policy.report_every_s)
        with partial.path.open("ab") as stream:
            while chunk := response.read1(CHUNK_BYTES):
                stream.write(chunk)
                progress.report(stream.tell(), stream.tell() - start)
            stream.flush()
            os.fsync(stream.fileno())
    if total is not None and partial.size != total:
        raise _Failed(f"the connection was cut after {partial.size} of {total} bytes")


def download(
    urls: Sequence[str],
    path: Path,
    check: Callable[[Path], str | None],
    policy: DownloadPolicy,
    echo: Echo,
) -> None:
    """Download a file from the first address that gives it.

    Parameters
    ----------
    urls : sequence of str
        Addresses of the same file, in the order in which to try them.
    path : Path
        Where the file is to lie; until it is whole it lies beside it as ``<name>.partial``.
    check : callable
        Gets the path of the whole file and returns what is wrong with it, or None.
    policy : DownloadPolicy
    echo : callable
        Gets the lines of progress.

    Raises
    ------
    InputError
        If no address gives the file, with the last reason of each, or the disk is full.
    """
    partial = _Partial(path.with_name(path.name + ".partial"))
    reasons = []
    for url in urls:
        echo(f"{path.name}: from {url}" + (", resumed" if partial.validator_of(url) else ""))
        failures, farthest = 0, partial.size
        while failures < policy.attempts:
            try:
                _attempt(url, partial, path.name, policy, echo)
                fault = check(partial.path)
                if fault is not None:
                    partial.remove()
                    raise _Failed(fault, final=True)
                os.replace(partial.path, path)
                partial.origin_path.unlink(missing_ok=True)
                return
            except _Failed as failure:
                reason, final = str(failure), failure.final
            except (OSError, http.client.HTTPException) as error:
                if getattr(error, "errno", None) in _LOCAL_FAULTS:
                    raise InputError(
                        f"{partial.path} cannot be written ({error}); choose another folder"
                    ) from None
                reason, final = str(error) or type(error).__name__, False
            if final:
                break
            failures = 1 if partial.size > farthest else failures + 1
            farthest = max(farthest, partial.size)
            if failures < policy.attempts:
                echo(f"{path.name}: {reason}; trying again")
                time.sleep(policy.back_off_s * 2 ** (failures - 1))
        reasons.append(f"{url}: {reason}")
    raise InputError(f"{path.name} could not be downloaded ({'; '.join(reasons)})")
