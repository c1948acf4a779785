"""The publishers' files: cached, whole, reachable, and downloaded once.

A file whose publisher states no sum is trusted at its first download: the sum found then is written
beside it as FILE.sha256 and every later use is checked against that.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from experiments.config.schema import DatasetConfig, FileConfig
from experiments.datasets.cache import locked, storage_error
from experiments.datasets.digests import file_sum
from experiments.errors import DataError
from experiments.system.files import size
from experiments.system.paths import cache_root

Say = Callable[[str], None]
PROBE_SECONDS = 5.0
DOWNLOAD_TIMEOUT_SECONDS = 30  # without a single byte
_probed: dict[str, str | None] = {}


class UnavailableError(DataError):
    """A publisher's file cannot be downloaded at the moment."""


def downloads() -> Path:
    """The folder of downloaded files."""
    return cache_root() / "downloads"


def all_cached(dataset: DatasetConfig) -> bool:
    """Whether every file of the data set has been downloaded."""
    return all((downloads() / name).exists() for name in dataset.files)


def official_files(dataset: DatasetConfig, say: Say) -> dict[str, Path]:
    """The publisher's files, downloaded if missing, and their sums checked.

    Raises UnavailableError if one cannot be downloaded whole, DataError if a cached one is
    corrupted or the cache cannot be written.
    """
    files = {}
    for name, source in dataset.files.items():
        path = downloads() / name
        if not path.exists():
            _download(path, source, say)
        check_sum(
            path, source.sha256 or _first_seen(path), "remove it and run again to download it again"
        )
        files[name] = path
    return files


def check_sum(path: Path, expected: str, advice: str) -> None:
    """Raise DataError with both sums if the file's sha256 is not the expected one."""
    try:
        found = file_sum(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    if found != expected.lower():
        raise DataError(f"{path} is corrupted: sha256 expected {expected}, found {found}; {advice}")


def _first_seen(path: Path) -> str:
    """The sum that the file had when it was first used; recorded now if this is the first time."""
    record = path.with_name(path.name + ".sha256")
    try:
        return record.read_text(encoding="utf-8").split()[0]
    except (OSError, IndexError):
        found = file_sum(path)
    try:
        record.write_text(f"{found}  {path.name}\n", encoding="utf-8")
    except OSError as error:
        raise storage_error(error, record) from None
    return found


def unreachable(url: str) -> str | None:
    """Why `url` does not answer within PROBE_SECONDS, None if it does. Asked once per process."""
    if url not in _probed:
        answer: list[str | None] = []
        # Name look-up has no timeout of its own, so the whole probe runs beside a clock.
        thread = threading.Thread(target=lambda: answer.append(_probe(url)), daemon=True)
        thread.start()
        thread.join(PROBE_SECONDS)
        _probed[url] = answer[0] if answer else f"no answer within {PROBE_SECONDS:.0f} s"
    return _probed[url]


def _probe(url: str) -> str | None:
    """Ask for the headers only."""
    import urllib.error
    import urllib.request

    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=PROBE_SECONDS):
            return None
    except urllib.error.HTTPError as error:
        error.close()
        return f"HTTP {error.code}"
    except (OSError, ValueError) as error:
        return one_line(getattr(error, "reason", error))


def one_line(error: object) -> str:
    """An exception's text on one line, its type if it has none."""
    return " ".join(str(error).split()) or type(error).__name__


def _reason(error: Exception) -> str:
    """What lies behind an error of requests, without the names of its classes and pools."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP {response.status_code}"
    cause = getattr(error.args[0], "reason", error) if error.args else error
    text = one_line(cause)
    return text.partition("): ")[2] or text


class Progress:
    """Reports download progress, a line every few seconds."""

    SECONDS = 2.0

    def __init__(self, name: str, total: int, say: Say) -> None:
        self._name, self._total, self._say = name, total, say
        self._done = 0
        self._reported = time.monotonic()

    def update(self, count: int) -> None:
        """`count` more bytes have arrived."""
        self._done += count
        if time.monotonic() - self._reported >= self.SECONDS and self._done < self._total:
            self._reported = time.monotonic()
            share = 100 * self._done / self._total
            self._say(f"{self._name}: {share:.0f} % of {size(self._total)}")


def _download(path: Path, source: FileConfig, say: Say) -> None:
    """Download to a partial file, check it, and move it into place; two processes do it once."""
    advice = f"use data=local data.dir=FOLDER with {path.name} in it, or data=synthetic"
    waiting = f"{path.name} is being downloaded by another process"
    with locked(path.parent / f".{path.name}.lock", waiting, say):
        if path.exists():
            return
        partial = path.with_name(f".{path.name}.part")
        try:
            partial.unlink(missing_ok=True)
            say(f"downloading {source.url}")
            _retrieve(source.url, partial, say, advice)
            found = file_sum(partial)
            if source.sha256 and found != source.sha256.lower():
                raise UnavailableError(
                    f"{source.url} sent other content: sha256 expected {source.sha256}, "
                    f"found {found}; {advice}"
                )
            if not source.sha256:
                say(f"{path.name}: no published checksum; recorded sha256 {found} for later checks")
            partial.replace(path)
        except OSError as error:
            raise storage_error(error, path) from None
        finally:
            _remove(partial)


def _retrieve(url: str, partial: Path, say: Say, advice: str) -> None:
    """Download `url` into `partial`; UnavailableError if the network or the server fails."""
    import pooch
    import requests

    def stream(url: str, target: str, _: object) -> None:
        """pooch's own downloader leaves the connection open when the server refuses."""
        with (
            requests.get(url, stream=True, timeout=DOWNLOAD_TIMEOUT_SECONDS) as response,
            Path(target).open("wb") as out,
        ):
            response.raise_for_status()
            progress = Progress(Path(url).name, int(response.headers.get("content-length", 0)), say)
            for chunk in response.iter_content(1 << 18):
                out.write(chunk)
                progress.update(len(chunk))

    pooch.get_logger().setLevel("WARNING")
    try:
        pooch.retrieve(
            url, known_hash=None, fname=partial.name, path=partial.parent, downloader=stream
        )
    except requests.exceptions.RequestException as error:
        raise UnavailableError(f"{url} is not reachable ({_reason(error)}); {advice}") from None


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return
