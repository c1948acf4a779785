"""The cache of prepared arrays: one folder per request, complete or not there at all.

    prepared/<data set>-<key>/manifest.json + *.npy

A folder is filled under a temporary name and renamed into place when everything in it is on the
disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.datasets.arrays import ArrayFolder
from experiments.errors import DataError
from experiments.system.files import storage_advice
from experiments.system.locks import Busy, file_lock
from experiments.system.paths import cache_root, write_whole

SCHEMA = 1
MANIFEST = "manifest.json"
Say = Callable[[str], None]


def prepared_root() -> Path:
    """The folder of prepared arrays."""
    return cache_root() / "prepared"


def storage_error(error: OSError, path: Path) -> DataError:
    """The one-line error for a cache that cannot be written."""
    return DataError(storage_advice(error, path))


@contextlib.contextmanager
def locked(lock: Path, waiting: str, say: Say) -> Iterator[None]:
    """Hold the lock file; say `waiting` if another process holds it. DataError on a bad disk."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(
                file_lock(lock, waiting=lambda _: say(f"{waiting}; waiting for it"))
            )
        except OSError as error:
            raise storage_error(error, lock) from None
        yield


def key_of(request: dict[str, Any]) -> str:
    """16 hex digits that stand for everything that decides the arrays."""
    text = json.dumps({"schema": SCHEMA, **request}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_entry(folder: Path) -> dict[str, Any] | None:
    """The manifest of a complete entry; None if it is missing, damaged or a file was cut."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        whole = manifest["schema"] == SCHEMA and all(
            (folder / array["file"]).stat().st_size == array["bytes"]
            for array in manifest["arrays"].values()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return manifest if whole else None


def obtain(
    dataset: str, request: dict[str, Any], build: Callable[[ArrayFolder], dict[str, Any]], say: Say
) -> tuple[Path, dict[str, Any]]:
    """The entry for `request`, filled now if it is missing: (folder, manifest).

    `build` writes the arrays into the folder it is given and returns the manifest's extras. Raises
    DataError if the cache cannot be written; nothing is left behind then.
    """
    name = f"{dataset}-{key_of(request)}"
    folder = prepared_root() / name
    if manifest := read_entry(folder):
        return folder, manifest
    with locked(
        folder.parent / f".{name}.lock", f"{dataset} is being prepared by another process", say
    ):
        if manifest := read_entry(folder):
            return folder, manifest
        return folder, _fill(folder, request, build)


def _fill(
    folder: Path, request: dict[str, Any], build: Callable[[ArrayFolder], dict[str, Any]]
) -> dict[str, Any]:
    """Build the entry beside its place and rename it there; the caller holds its lock."""
    partial: Path | None = None
    try:
        for left_over in folder.parent.glob(
            f".{folder.name}.partial-*"
        ):  # of a process that was killed
            shutil.rmtree(left_over)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.partial-", dir=folder.parent))
        partial.chmod(0o755)  # mkdtemp's 0700 would hide a shared cache from other users
        out = ArrayFolder(partial)
        extra = build(out)
        manifest = {
            "schema": SCHEMA,
            "request": request,
            "arrays": out.described,
            "extra": extra,
            "created": time.time(),
        }
        write_whole(partial / MANIFEST, json.dumps(manifest, indent=1), durable=True)
        if folder.exists():  # damaged, or read_entry would have taken it
            shutil.rmtree(folder)
        partial.rename(folder)
    except OSError as error:
        raise storage_error(error, folder) from None
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)
    return manifest


@dataclass(frozen=True)
class Entry:
    """One thing in the cache: a download or a prepared entry, its size in bytes, and what it is."""

    kind: str
    name: str
    path: Path
    bytes: int
    detail: str


def list_entries() -> list[Entry]:
    """Everything in the cache of data: downloads first, each sorted by name."""
    entries = []
    for kind in ("downloads", "prepared"):
        folder = cache_root() / kind
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if path.name.endswith((".lock", ".sha256")) or path.name == "digests.json":
                continue
            entries.append(Entry(kind, path.name, path, _size(path), _detail(path)))
    return entries


def _size(path: Path) -> int:
    members = path.rglob("*") if path.is_dir() else [path]
    return sum(member.stat().st_size for member in members if member.is_file())


def _detail(path: Path) -> str:
    """One line on what an entry holds."""
    if path.name.startswith("."):
        return "unfinished"
    if not path.is_dir():
        return "publisher's file"
    manifest = read_entry(path)
    if manifest is None:
        return "damaged"
    request, shape = manifest["request"], manifest["arrays"]["x_train"]["shape"]
    settings = " ".join(f"{name}={value}" for name, value in sorted(request["preparation"].items()))
    return f"{request['source']} {request['digest']}, train {tuple(shape)}, {settings}"


def clean(kind: str = "all", name: str = "") -> int:
    """Remove entries of `kind` whose name starts with `name`; returns the bytes freed.

    kind: "all", "downloads" or "prepared".

    Entries that another process is filling at the moment are left alone. Raises DataError for an
    unknown kind or a cache that cannot be written.
    """
    if kind not in ("all", "downloads", "prepared"):
        raise DataError(f"kind={kind} is unknown; choose from all, downloads, prepared")
    freed = 0
    for entry in list_entries():
        stem = entry.name.lstrip(".").partition(".partial-")[0].removesuffix(".part")
        if kind not in ("all", entry.kind) or not stem.startswith(name):
            continue
        try:
            with file_lock(entry.path.parent / f".{stem}.lock", wait=False):
                _discard(entry.path)
        except Busy:
            continue
        except OSError as error:
            raise storage_error(error, entry.path) from None
        freed += entry.bytes
    return freed


def _discard(path: Path) -> None:
    """Remove one entry and its sum. A folder is renamed first, so that it never looks complete."""
    if path.is_dir():
        doomed = path.with_name(f".{path.name.lstrip('.')}.partial-removed")
        shutil.rmtree(doomed, ignore_errors=True)
        path.rename(doomed)
        shutil.rmtree(doomed)
    else:
        path.unlink()
        path.with_name(path.name + ".sha256").unlink(missing_ok=True)
