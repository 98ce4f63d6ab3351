"""The weights cache against a real HTTP server on this machine that cuts, lies and refuses on demand."""

from __future__ import annotations

import hashlib
import http.server
import os
import re
import threading
from dataclasses import dataclass, field

import pytest
from click.testing import CliRunner

from classfold.download import DownloadPolicy
from classfold.errors import InputError
from classfold.weights import WeightsFolder, read_digests, sha256_of, verify_weights, weights_label
from classfold.weights_cache import fetch_weights, mirror

CONTENT = {
    WeightsFolder.CHECKPOINT: b"PK\x03\x04" + bytes(range(256)) * 4000,
    WeightsFolder.COMPONENTS: b"\x80\x04" + bytes(range(255, -1, -1)) * 300,
}
PATIENT = DownloadPolicy(attempts=3, back_off_s=0.0, timeout_s=20.0, report_every_s=0.0)


@dataclass
class Server:
    """A file server; the lists and flags change how it behaves."""

    files: dict[str, bytes] = field(default_factory=lambda: dict(CONTENT))
    cut_after: list[int] = field(default_factory=list)
    """Bytes after which each of the next responses is cut."""
    etag: str = '"one"'
    knows_ranges: bool = True
    status: int | None = None
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    """(file name, Range header) of every request."""
    gate: threading.Event | None = None
    url: str = ""


@pytest.fixture()
def server():
    state = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def do_GET(self):
            name = self.path.rsplit("/", 1)[-1]
            wanted = self.headers.get("Range")
            state.requests.append((name, wanted))
            if state.gate is not None:
                state.gate.wait(20)
            if state.status is not None or name not in state.files:
                self.send_error(state.status or 404)
                return
            content = state.files[name]
            start = 0
            if wanted and state.knows_ranges and self.headers.get("If-Range") == state.etag:
                start = int(re.fullmatch(r"bytes=(\d+)-", wanted).group(1))
                if start >= len(content):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(len(content) - start))
            self.send_header("ETag", state.etag)
            self.end_headers()
            end = start + state.cut_after.pop(0) if state.cut_after else len(content)
            self.wfile.write(content[start:end])

    http_server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http_server.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{http_server.server_address[1]}/release"
    yield state
    http_server.shutdown()
    http_server.server_close()


def fetch(folder, server, policy=PATIENT):
    """Fetch from the test's server; returns the lines that were said."""
    lines: list[str] = []
    fetch_weights(folder, lambda: mirror(server.url), policy, lines.append)
    return lines


def check_contents(folder):
    for name, content in CONTENT.items():
        assert (folder / name).read_bytes() == content
    assert sorted(p.name for p in folder.iterdir()) == [".lock", "SHA256SUMS", *sorted(CONTENT)]


def test_downloads_records_digests_and_needs_no_network_afterwards(tmp_path, server):
    lines = fetch(tmp_path / "cache", server)
    check_contents(tmp_path / "cache")
    expected = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}
    assert read_digests(tmp_path / "cache") == expected
    verify_weights(tmp_path / "cache")
    assert any(re.search(r"boltz1_conf.ckpt: \d+ of 1 MB \(\d+ %\)", line) for line in lines)

    def no_sources():
        raise AssertionError("a complete cache asked for addresses")

    fetch_weights(tmp_path / "cache", no_sources, PATIENT, lines.append)


def test_cut_connections_are_resumed_where_they_stopped(tmp_path, server):
    server.cut_after = [100_000, 50_000]
    fetch(tmp_path, server)
    check_contents(tmp_path)
    ranges = [wanted for name, wanted in server.requests if name == WeightsFolder.CHECKPOINT]
    assert ranges == [None, "bytes=100000-", "bytes=150000-"]


def test_another_process_resumes_the_partial_file(tmp_path, server):
    server.cut_after = [100_000]
    with pytest.raises(InputError, match="cut after 100000 of 1024004 bytes"):
        fetch(tmp_path, server, DownloadPolicy(attempts=1, back_off_s=0.0))
    assert not (tmp_path / WeightsFolder.CHECKPOINT).exists()
    lines = fetch(tmp_path, server)
    assert any("resumed" in line for line in lines)
    check_contents(tmp_path)


def test_another_version_is_not_glued_to_the_partial_file(tmp_path, server):
    server.files[WeightsFolder.CHECKPOINT] = b"PK\x03\x04" + b"old" * 300_000
    server.cut_after = [100_000]
    with pytest.raises(InputError):
        fetch(tmp_path, server, DownloadPolicy(attempts=1, back_off_s=0.0))
    server.files, server.etag = dict(CONTENT), '"two"'
    fetch(tmp_path, server)
    check_contents(tmp_path)


def test_server_without_ranges_starts_again(tmp_path, server):
    server.knows_ranges = False
    server.cut_after = [100_000]
    fetch(tmp_path, server)
    check_contents(tmp_path)


def test_partial_file_longer_than_the_release_starts_again(tmp_path, server):
    partial = tmp_path / f"{WeightsFolder.CHECKPOINT}.partial"
    partial.write_bytes(b"x" * 2_000_000)
    origin = f'{server.url}/{WeightsFolder.CHECKPOINT}\n"one"'
    (tmp_path / f"{WeightsFolder.CHECKPOINT}.partial.origin").write_text(origin)
    fetch(tmp_path, server)
    check_contents(tmp_path)


def test_server_that_always_cuts_at_one_byte_is_given_up(tmp_path, server):
    server.knows_ranges = False
    server.cut_after = [100_000] * 50
    with pytest.raises(InputError, match="connection was cut"):
        fetch(tmp_path, server)
    assert len(server.requests) == PATIENT.attempts


def test_second_address_is_used_where_the_first_fails(tmp_path, server):
    good = mirror(server.url)
    sources = {name: (f"{server.url}/gone/{name}.missing", *urls) for name, urls in good.items()}
    fetch_weights(tmp_path, lambda: sources, PATIENT, lambda line: None)
    check_contents(tmp_path)


@pytest.mark.parametrize(("status", "n_requests"), [(404, 1), (403, 1), (503, 3), (429, 3)])
def test_refusals_name_the_status_and_the_way_by_hand(tmp_path, server, status, n_requests):
    server.status = status
    with pytest.raises(InputError, match=rf"HTTP {status}.*copy to {re.escape(str(tmp_path))}"):
        fetch(tmp_path, server)
    assert len(server.requests) == n_requests


def test_no_network_says_how_to_bring_both_files_by_hand(tmp_path):
    sources = mirror("http://127.0.0.1:9/release")
    with pytest.raises(InputError) as error:
        fetch_weights(tmp_path, lambda: sources, PATIENT, lambda line: None)
    assert all(sources[name][0] in str(error.value) for name in WeightsFolder.FILES)


def test_page_of_a_proxy_is_not_taken_for_weights(tmp_path, server):
    server.files[WeightsFolder.CHECKPOINT] = b"<!DOCTYPE html><title>Log in</title>"
    with pytest.raises(InputError, match="proxy"):
        fetch(tmp_path, server)
    assert not (tmp_path / WeightsFolder.CHECKPOINT).exists()


def test_download_must_have_the_digest_recorded_before(tmp_path, server):
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  {WeightsFolder.COMPONENTS}\n")
    with pytest.raises(InputError, match="000000000000"):
        fetch(tmp_path, server)
    assert not (tmp_path / WeightsFolder.COMPONENTS).exists()


def test_files_brought_by_hand_are_recorded_without_network(tmp_path):
    for name, content in CONTENT.items():
        (tmp_path / name).write_bytes(content)
    fetch_weights(tmp_path, lambda: {}, PATIENT, lambda line: None)
    verify_weights(tmp_path)


def test_two_jobs_fetch_once(tmp_path, server):
    server.gate = threading.Event()
    lines: list[str] = []
    waiting = threading.Event()
    failures: list[BaseException] = []

    def echo(line):
        lines.append(line)
        if "waiting" in line:
            waiting.set()

    def job():
        try:
            fetch_weights(tmp_path, lambda: mirror(server.url), PATIENT, echo)
        except BaseException as error:
            failures.append(error)

    jobs = [threading.Thread(target=job) for _ in range(2)]
    for thread in jobs:
        thread.start()
    assert waiting.wait(20)
    server.gate.set()
    for thread in jobs:
        thread.join(20)
    assert not failures
    check_contents(tmp_path)
    assert sorted(name for name, _ in server.requests) == sorted(CONTENT)


@pytest.fixture()
def weights(tmp_path):
    for name, content in CONTENT.items():
        (tmp_path / name).write_bytes(content)
    digests = "".join(f"{sha256_of(tmp_path / name)}  {name}\n" for name in CONTENT)
    (tmp_path / "SHA256SUMS").write_text(digests)
    return tmp_path


def test_verified_folder_passes(weights):
    verify_weights(weights)


@pytest.mark.parametrize("name", WeightsFolder.FILES)
def test_one_changed_byte_is_found(weights, name):
    content = bytearray((weights / name).read_bytes())
    content[-1] ^= 1
    (weights / name).write_bytes(content)
    with pytest.raises(InputError, match=f"{name} is damaged or was changed"):
        verify_weights(weights)
    others = [other for other in WeightsFolder.FILES if other != name]
    verify_weights(weights, others)


@pytest.mark.parametrize("name", WeightsFolder.FILES)
def test_truncated_empty_and_missing_files_are_found(weights, name):
    os.truncate(weights / name, 100)
    with pytest.raises(InputError, match="damaged"):
        verify_weights(weights)
    os.truncate(weights / name, 0)
    with pytest.raises(InputError, match=f"{name} is empty"):
        verify_weights(weights)
    (weights / name).unlink()
    with pytest.raises(InputError, match=f"{name} is missing"):
        verify_weights(weights)


def test_missing_folder_and_missing_or_garbled_digests_are_found(weights, tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        verify_weights(tmp_path / "nowhere")
    (weights / "SHA256SUMS").write_text("hello\n")
    with pytest.raises(InputError, match="line 1"):
        verify_weights(weights)
    (weights / "SHA256SUMS").unlink()
    with pytest.raises(InputError, match="no digest"):
        verify_weights(weights)


def test_label(weights):
    assert weights_label(weights) == "Boltz-1"
    (weights / "LABEL").write_text("miniature Boltz-1: demonstration, not a predictor\n")
    assert weights_label(weights) == "miniature Boltz-1: demonstration, not a predictor"


def test_script_fetches_from_a_mirror(tmp_path, server):
    from fetch_weights import main

    result = CliRunner().invoke(main, ["--cache", str(tmp_path / "cache"), "--url-base", server.url])
    assert result.exit_code == 0, result.output
    check_contents(tmp_path / "cache")


def test_addresses_are_those_of_boltz():
    from boltz.main import BOLTZ1_URL_WITH_FALLBACK, CCD_URL

    from classfold.prior import boltz1_urls

    assert boltz1_urls() == {"ccd.pkl": (CCD_URL,), "boltz1_conf.ckpt": tuple(BOLTZ1_URL_WITH_FALLBACK)}
