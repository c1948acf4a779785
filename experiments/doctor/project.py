"""The project's side: environments, data, the store, and journals not ingested yet."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from experiments.config import members
from experiments.config.schema import DatasetConfig
from experiments.doctor.section import MISSING, OK, OPTIONAL, STALE, Section
from experiments.system.files import size
from experiments.system.paths import cache_root, runs_root

COMMAND = "python -m experiments"
_SECONDS = 3.0


def environments(gpu: bool) -> Section:
    """Each backend's environment and its engine's verdict; also those for GPUs if `gpu`."""
    from experiments.environments import inventory

    section = Section("Environments")
    default = members.defaults()["backend"]
    for kind in ("cpu", "gpu") if gpu else ("cpu",):
        for backend in members.backends().values():
            entry = inventory.look(backend, kind)
            build = f"{COMMAND} env build {backend.name}" + (" --kind gpu" if kind == "gpu" else "")
            what = backend.name if kind == "cpu" else f"{backend.name} (GPU)"
            needed = backend.name == default and kind == "cpu"
            with_size = f", {size(entry.size_bytes)}" if entry.size_bytes else ""
            if entry.state == inventory.BUILT:
                section.add(
                    what, OK, f"Python {entry.found}{with_size}, {_soundness(entry.folder)}"
                )
            elif entry.state == inventory.BUILDING:
                section.add(what, "building", "by another process")
            else:
                state = STALE if entry.state == inventory.STALE else MISSING
                detail = {
                    inventory.STALE: f"built from an older conda/ file{with_size}",
                    inventory.UNFINISHED: f"its build was interrupted{with_size}",
                }.get(
                    entry.state,
                    f"will be built with Python {entry.found}" if entry.found != "none" else "",
                )
                section.add(what, state, detail, build, needed)
    return section


def _soundness(folder: Path | None) -> str:
    """The newest verdicts on the engine in an environment."""
    from experiments.environments.soundness import newest_cases

    cases = newest_cases(folder) if folder else {}
    if not cases:
        return "engine not checked yet"
    wrong = [name for name, passed in cases.items() if not passed]
    if wrong:
        return f"engine UNSOUND: {', '.join(wrong)}"
    return f"engine sound (cases checked: {len(cases)})"


def data() -> Section:
    """The publishers' files, their sums, and prepared arrays. A run needs none: it has twins."""
    from experiments.datasets import list_entries

    section = Section("Data")
    for name, dataset in members.datasets().items():
        state, detail = _files(dataset)
        fix = None if state == OK else f"{COMMAND} data fetch {name}"
        if state == "corrupted":
            fix = f"{COMMAND} data clean --kind downloads --name {next(iter(dataset.files))}"
        section.add(dataset.title, state, detail, fix)
    prepared = [entry for entry in list_entries() if entry.kind == "prepared"]
    whole = [entry for entry in prepared if entry.detail not in ("damaged", "unfinished")]
    total = size(sum(entry.bytes for entry in prepared))
    detail = f"{len(whole)} entries, {total} in {cache_root() / 'prepared'}"
    left = len(prepared) - len(whole)
    if left:
        clean = f"{COMMAND} data clean --kind prepared"
        section.add("prepared arrays", STALE, f"{detail}, {left} damaged or unfinished", clean)
    else:
        section.add("prepared arrays", OK, detail)
    return section


def _files(dataset: DatasetConfig) -> tuple[str, str]:
    """The state of a data set's files from its publisher, and their sums."""
    from experiments.datasets.digests import file_sum
    from experiments.datasets.fetch import downloads

    found_files = []
    for name, source in dataset.files.items():
        path = downloads() / name
        if not path.exists():
            return OPTIONAL, "not downloaded; without network, data=auto uses a synthetic twin"
        try:
            found = file_sum(path)
            record = path.with_name(path.name + ".sha256")
            expected = source.sha256 or (
                record.read_text().split()[0] if record.exists() else found
            )
        except (OSError, IndexError) as error:
            return "corrupted", f"{path} cannot be read: {error}"
        if found != expected:
            return "corrupted", f"{path}: sha256 {found[:12]}…, the publisher's is {expected[:12]}…"
        found_files.append(f"{name} {size(path.stat().st_size)} sha256 {found[:12]}…")
    return OK, ", ".join(found_files)


def store() -> Section:
    """The tracking store, and journals that are not ingested yet."""
    from experiments.tracking.ingest import pending
    from experiments.tracking.store import address, redacted, sqlite_path

    section = Section("Store")
    uri = address()
    path = sqlite_path(uri)
    if path is not None:
        state, detail, fix = _sqlite(path)
    elif uri.startswith(("http://", "https://")):
        state, detail, fix = _server(uri)
    else:
        state, detail, fix = "not checked", "a database server", None
    section.add(redacted(uri), state, detail, fix, needed=True)
    waiting = pending(runs_root()) if runs_root().is_dir() else []
    if waiting:
        ingest = f"{COMMAND} journal ingest {_spelled(waiting)}"
        section.add("journals", STALE, f"{len(waiting)} runs are not in a store yet", ingest)
    else:
        section.add("journals", OK, "every run's journal is in a store")
    return section


def _spelled(journals: list[Path]) -> str:
    return str(journals[0]) if len(journals) == 1 else f"{runs_root()}/*/{journals[0].name}"


def _sqlite(path: Path) -> tuple[str, str, str | None]:
    if not path.exists():
        return OK, "is created by the first run", None
    try:
        with closing(
            sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=_SECONDS)
        ) as database:
            (runs,) = database.execute("SELECT COUNT(*) FROM runs").fetchone()
    except sqlite3.Error as error:
        return "unusable", f"{error}", f"mv {path} {path}.broken   # the next run creates a new one"
    if not os.access(path, os.W_OK):
        return "read-only", f"{runs} runs", f"chmod u+w {path}"
    return OK, f"{runs} runs, {size(path.stat().st_size)}", None


def _server(uri: str) -> tuple[str, str, str | None]:
    import urllib.request
    from http.client import HTTPException

    from experiments.tracking.store import escaped, redacted

    parts = urlsplit(escaped(uri))
    # urllib takes a user's name and password for a part of the host. The health page needs neither.
    place = parts.netloc.rpartition("@")[2]
    health = urlunsplit((parts.scheme, place, f"{parts.path.rstrip('/')}/health", "", ""))
    try:
        with urllib.request.urlopen(health, timeout=_SECONDS) as answer:
            return OK, f"answers ({answer.status})", None
    except (OSError, ValueError, HTTPException) as error:
        reason = redacted(" ".join(str(getattr(error, "reason", error)).split()))
        return "no answer", reason, "make server   # or unset MLFLOW_TRACKING_URI"
