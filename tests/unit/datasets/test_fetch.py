"""Downloading from a publisher that is a server on loopback, with its failures."""

import hashlib
import multiprocessing
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from experiments.config.schema import DataConfig, DatasetConfig, FileConfig, TaskConfig
from experiments.datasets import Prepared, clean, fetch, list_entries, official_files, prepare
from experiments.errors import DataError
from tests.support.dataset_files import task, write_mnist


@dataclass
class Publisher:
    """A server that sends `content` for every path, or fails as told."""

    content: bytes = b""
    status: int = 200
    missing_bytes: int = 0
    silent: threading.Event | None = None
    requests: list[str] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    told = Publisher()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:  # noqa: N802
            self.answer()

        def do_GET(self) -> None:  # noqa: N802
            self.answer()
            if told.status == 200:
                self.wfile.write(told.content[: len(told.content) - told.missing_bytes])

        def answer(self) -> None:
            told.requests.append(f"{self.command} {self.path}")
            if told.silent is not None:
                told.silent.wait(30)
            self.send_response(told.status)
            self.send_header("Content-Length", str(len(told.content)))
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_address[1]}/mnist.npz"
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    monkeypatch.setattr(fetch, "_probed", {})
    yield told
    if told.silent is not None:
        told.silent.set()
    server.shutdown()
    server.server_close()
    thread.join()


def mnist_from(publisher: Publisher, sha256: str | None) -> TaskConfig:
    wanted = task("mnist_mlp")
    wanted.dataset = DatasetConfig(
        "mnist", "MNIST", {"mnist.npz": FileConfig(publisher.url, sha256)}
    )
    return wanted


@pytest.fixture
def published(publisher: Publisher, tmp_path: Path) -> TaskConfig:
    """mnist_mlp whose publisher serves a small file with the right sum."""
    publisher.content = write_mnist(tmp_path).read_bytes()
    return mnist_from(publisher, hashlib.sha256(publisher.content).hexdigest())


def run(wanted: TaskConfig, data: str, said: list[str] | None = None) -> Prepared:
    return prepare(wanted, DataConfig(data), 1.0, 1.0, said.append if said is not None else print)


def test_a_file_is_downloaded_once_and_checked(
    publisher: Publisher, published: TaskConfig, kbb_cache: Path
) -> None:
    said: list[str] = []
    first = run(published, "official", said)
    assert (first.source, first.warning, first.train_samples) == ("official", None, 300)
    assert first.digest == hashlib.sha256(publisher.content).hexdigest()[:16]
    assert said[0] == f"downloading {publisher.url}"
    said.clear()
    run(published, "official", said)
    assert said == [], "what was prepared is used again"
    assert run(published, "auto").source == "official"  # cached: no need to ask
    assert publisher.requests == ["GET /mnist.npz"]
    assert (kbb_cache / "downloads" / "mnist.npz").read_bytes() == publisher.content


def test_auto_downloads_what_is_reachable(
    publisher: Publisher, published: TaskConfig, kbb_cache: Path
) -> None:
    prepared = run(published, "auto")
    assert (prepared.source, prepared.warning) == ("official", None)
    assert publisher.requests == ["HEAD /mnist.npz", "GET /mnist.npz"]


def test_a_corrupted_cached_file_is_named_with_both_sums(
    publisher: Publisher, published: TaskConfig, kbb_cache: Path
) -> None:
    run(published, "official")
    path = kbb_cache / "downloads" / "mnist.npz"
    path.write_bytes(b"damaged")
    found = hashlib.sha256(b"damaged").hexdigest()
    expected = published.dataset.files["mnist.npz"].sha256
    for data in ("official", "auto"):
        with pytest.raises(DataError) as caught:
            run(published, data)
        assert f"{path} is corrupted: sha256 expected {expected}, found {found}; remove it" in str(
            caught.value
        )
    assert path.exists()  # never removed behind the user's back


def test_other_content_than_announced_is_not_kept(
    publisher: Publisher, published: TaskConfig, kbb_cache: Path
) -> None:
    publisher.content = b"<html>please sign in</html>"
    with pytest.raises(
        DataError, match=r"sent other content: sha256 expected \w{64}, found \w{64}; use data=local"
    ):
        run(published, "official")
    assert not [entry for entry in list_entries() if entry.kind == "downloads"]


def test_a_connection_that_breaks_off_leaves_nothing(
    publisher: Publisher, published: TaskConfig, kbb_cache: Path
) -> None:
    publisher.missing_bytes = 1000
    published.dataset.files["mnist.npz"].sha256 = None  # without a sum only the length tells
    with pytest.raises(DataError, match="is not reachable"):
        run(published, "official")
    assert not [entry for entry in list_entries() if entry.kind == "downloads"]
    publisher.missing_bytes = 0
    assert run(published, "official").source == "official"


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_refusing_server_is_one_line_with_the_next_step(
    publisher: Publisher, published: TaskConfig, kbb_cache: Path, status: int
) -> None:
    publisher.status = status
    with pytest.raises(DataError) as caught:
        run(published, "official")
    message = str(caught.value)
    assert f"{publisher.url} is not reachable (HTTP {status})" in message
    assert "use data=local data.dir=FOLDER with mnist.npz in it, or data=synthetic" in message
    assert "\n" not in message


def test_auto_falls_back_to_synthetic_and_says_so(
    publisher: Publisher, published: TaskConfig, kbb_cache: Path
) -> None:
    publisher.status = 503
    published.preparation = {"layout": "flat"}
    prepared = prepare(published, DataConfig("auto"), 0.01, 0.01, print)
    assert prepared.source == "synthetic"
    assert (
        f"SYNTHETIC data stands in for MNIST: {publisher.url} is not reachable (HTTP 503)"
        in str(prepared.warning)
    )
    said: list[str] = []
    again = prepare(published, DataConfig("auto"), 0.01, 0.01, said.append)
    assert again.folder == prepared.folder and said == [], "the twin is prepared once"
    assert again.warning == prepared.warning
    asked_for = prepare(published, DataConfig("synthetic"), 0.01, 0.01, print)
    assert (asked_for.digest, asked_for.warning, asked_for.folder) == (
        prepared.digest,
        None,
        prepared.folder,
    )


def test_auto_does_not_wait_for_a_silent_server(
    publisher: Publisher, published: TaskConfig, kbb_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "PROBE_SECONDS", 0.3)
    publisher.silent = threading.Event()
    prepared = prepare(published, DataConfig("auto"), 0.01, 0.01, print)
    assert prepared.source == "synthetic"
    assert "not reachable" in str(prepared.warning)
    asked = list(publisher.requests)
    assert prepare(published, DataConfig("auto"), 0.01, 0.01, print).warning == prepared.warning
    assert publisher.requests == asked  # once per process is enough


def test_without_a_stated_sum_the_first_download_is_trusted_and_recorded(
    publisher: Publisher, published: TaskConfig, kbb_cache: Path
) -> None:
    wanted = mnist_from(publisher, None)
    said: list[str] = []
    run(wanted, "official", said)
    digest = hashlib.sha256(publisher.content).hexdigest()
    assert any(f"no published checksum; recorded sha256 {digest}" in line for line in said)
    path = kbb_cache / "downloads" / "mnist.npz"
    assert (kbb_cache / "downloads" / "mnist.npz.sha256").read_text() == f"{digest}  mnist.npz\n"
    path.write_bytes(publisher.content + b"!")
    with pytest.raises(DataError, match=f"corrupted: sha256 expected {digest}, found"):
        run(wanted, "official")


def test_progress_is_told_in_lines() -> None:
    said: list[str] = []
    progress = fetch.Progress("a.npz", 4_000_000, said.append)
    progress.SECONDS = 0.0
    progress.update(1_000_000)
    progress.update(3_000_000)
    assert said == ["a.npz: 25 % of 4.0 MB"]


def _fetch_in_child(dataset: DatasetConfig) -> list[str]:
    said: list[str] = []
    official_files(dataset, said.append)
    return said


def test_two_processes_download_once(
    publisher: Publisher, published: TaskConfig, kbb_cache: Path
) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        said = pool.map(_fetch_in_child, [published.dataset] * 2, chunksize=1)
    assert publisher.requests == ["GET /mnist.npz"]
    assert sum(line.startswith("downloading") for lines in said for line in lines) == 1


def test_clean_removes_downloads_and_their_sums(
    publisher: Publisher, published: TaskConfig, kbb_cache: Path
) -> None:
    run(mnist_from(publisher, None), "official")
    assert clean("downloads") == len(publisher.content)
    assert not [entry for entry in list_entries() if entry.kind == "downloads"]
    assert not (kbb_cache / "downloads" / "mnist.npz.sha256").exists()
    assert [entry.kind for entry in list_entries()] == ["prepared"]
