"""Start the real parent beside a worker that misbehaves, and look at what is left afterwards."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
SECONDS = 90.0


class Zygote:
    """The process that forks parents (see zygote.py)."""

    def __init__(self) -> None:
        command = [sys.executable, str(HERE / "zygote.py")]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert self._answer() == {"ready": True}

    def ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the zygote has died"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(30)
        finally:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


@dataclass
class Parent:
    """One command that was started."""

    zygote: Zygote
    pid: int
    output: Path
    errors: Path
    status: int | None = None

    def wait(self, seconds: float = SECONDS) -> int:
        """Its exit status; fails the test where it does not end."""
        if self.status is None:
            self.status = self.zygote.ask(wait=self.pid, seconds=seconds)["status"]
            if self.status is None:
                os.kill(self.pid, signal.SIGUSR1)  # where it stands
                time.sleep(0.5)
                os.kill(self.pid, signal.SIGKILL)
                self.zygote.ask(wait=self.pid, seconds=5)
                raise AssertionError(
                    f"the parent did not end within {seconds} s; it said:\n{self.said}"
                )
        return self.status

    def send(self, number: int) -> None:
        """A signal to the parent alone."""
        os.kill(self.pid, number)

    @property
    def said(self) -> str:
        """What stands on the terminal."""
        return self.output.read_text() + self.errors.read_text()


@dataclass
class Place:
    """A store, a cache and a folder of runs for one fault, and the interpreter that commits it."""

    folder: Path
    zygote: Zygote
    variables: dict[str, str] = field(default_factory=dict)
    count: int = 0
    started: list[Parent] = field(default_factory=list)
    uri: str = ""  # of another store than the SQLite file of this place
    database: Path = field(default=Path())

    def __post_init__(self) -> None:
        self.database = self.folder / "store" / "mlflow.db"

    def kept(self) -> "Kept":
        """What the store holds of this place's runs."""
        own = set()
        for path in self.journals():
            with contextlib.suppress(ValueError, IndexError):
                own.add(json.loads(path.read_text(errors="replace").splitlines()[0])["id"])
        return Kept(
            [run for run in store_of(self.database).runs if run["tags"].get("journal_id") in own]
        )

    @property
    def runs(self) -> Path:
        return Path(self.variables.get("KBB_RUNS", self.folder / "runs"))

    def plan(self, fault: str = "none", at: str = "", **more: Any) -> None:
        """What the worker of the next run will do."""
        for name in ("paused", "go"):
            (self.folder / name).unlink(missing_ok=True)
        (self.folder / "plan.json").write_text(json.dumps({"fault": fault, "at": at, **more}))

    def interpreter(self) -> Path:
        path = self.folder / "python"
        if not path.exists():
            fake, plan = HERE / "fake_worker.py", self.folder / "plan.json"
            path.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E -B {fake} {plan} "$@"\n')
            path.chmod(0o755)
        return path

    def environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("MLFLOW", "KBB_"))
        }
        return {
            **kept, "KBB_RUNS": str(self.folder / "runs"), "KBB_CACHE": str(self.folder / "cache"),
            "MLFLOW_TRACKING_URI": self.uri or f"sqlite:///{self.database}", "MLFLOW_LOGGING_LEVEL": "ERROR",
            **self.variables,
        }  # fmt: skip

    def start(self, *overrides: str) -> Parent:
        """experiments/train.py with the fake interpreter."""
        plain = ("task=mnist_mlp", "backend=jax", "gpu=cpu", "profile=smoke", "data=synthetic", "threads=1",
                 "fraction=0.001", f"backend.python={self.interpreter()}")  # fmt: skip
        return self._start([str(ROOT / "experiments" / "train.py"), *plain, *overrides], None)

    def start_module(self, module: str, *arguments: str) -> Parent:
        """`python -m MODULE …` of the project."""
        return self._start([module, *arguments], module)

    def _start(self, argv: list[str], module: str | None) -> Parent:
        self.count += 1
        output, errors = self.folder / f"output-{self.count}", self.folder / f"errors-{self.count}"
        output.touch()
        errors.touch()
        request = {
            "argv": argv, "module": module, "environment": self.environment(), "output": str(output),
            "errors": str(errors),
        }  # fmt: skip
        self.started.append(
            Parent(self.zygote, self.zygote.ask(start=request)["pid"], output, errors)
        )
        return self.started[-1]

    def run(self, *overrides: str, seconds: float = SECONDS) -> Parent:
        parent = self.start(*overrides)
        parent.wait(seconds)
        return parent

    def ingest(self, *journals: Path) -> Parent:
        """Replay journals, as a person would."""
        parent = self.start_module(
            "experiments", "journal", "ingest", *map(str, journals or self.journals())
        )
        parent.wait()
        return parent

    def journals(self) -> list[Path]:
        """All journals of this place."""
        return sorted(self.runs.glob("*/events.jsonl"))

    def journal(self) -> Path:
        """The only journal."""
        (path,) = self.journals()
        return path

    def paused(self, seconds: float = 60) -> list[int]:
        """Wait for the fault's point; the processes that pause there."""
        path, limit = self.folder / "paused", time.monotonic() + seconds
        while time.monotonic() < limit:
            if path.exists() and path.read_text():
                return [int(word) for word in path.read_text().split()]
            time.sleep(0.01)
        for parent in self.started:
            if parent.status is None:
                os.kill(parent.pid, signal.SIGUSR1)
        time.sleep(0.5)
        raise AssertionError(
            f"the worker did not reach its point; the parent said:\n{self.everything_said()}"
        )

    def go(self) -> None:
        """Let a worker that waits at its point go on."""
        (self.folder / "go").touch()

    def everything_said(self) -> str:
        """What all parents of this place have put on the terminal."""
        files = [*sorted(self.folder.glob("output-*")), *sorted(self.folder.glob("errors-*"))]
        return "".join(path.read_text() for path in files)

    def orphans(self, of: Path | None = None, seconds: float = 6) -> list[str]:
        """Processes of this place (or `of` one run's folder) that still live: worker, helpers,
        checks.
        """
        limit = time.monotonic() + seconds
        while left := self._processes(of or self.folder):
            if time.monotonic() > limit:
                return left
            time.sleep(0.02)
        return []

    def _processes(self, folder: Path) -> list[str]:
        found = []
        for process in psutil.process_iter(["pid", "cmdline", "status"]):
            words = process.info["cmdline"] or []
            if process.info["status"] != psutil.STATUS_ZOMBIE and any(
                str(folder) in word for word in words
            ):
                found.append(" ".join(words))
        return found


@dataclass(frozen=True)
class Kept:
    """What a store holds of the runs of one place."""

    runs: list[dict[str, Any]]

    @property
    def only(self) -> dict[str, Any]:
        (run,) = self.runs
        return run


def store_of(database: Path) -> Kept:
    """All runs with tags, MLflow status, and how often each epoch's loss is there."""
    connection = sqlite3.connect(database)
    try:
        runs = []
        active = "SELECT run_uuid, status FROM runs WHERE lifecycle_stage = 'active'"
        for identity, status in connection.execute(active):
            tags = dict(
                connection.execute("SELECT key, value FROM tags WHERE run_uuid = ?", (identity,))
            )
            rows = connection.execute(
                "SELECT key, step FROM metrics WHERE run_uuid = ?", (identity,)
            ).fetchall()
            metrics = dict(
                connection.execute(
                    "SELECT key, value FROM latest_metrics WHERE run_uuid = ?", (identity,)
                )
            )
            counts = Counter(rows)
            epochs = {step: counts["loss", step] for key, step in counts if key == "loss"}
            runs.append({
                "id": identity, "status": status, "tags": tags, "state": tags.get("state"), "epochs": epochs,
                "doubled": sorted(key for key, times in counts.items() if times > 1), "metrics": metrics,
            })  # fmt: skip
        return Kept(runs)
    finally:
        connection.close()


def finished_epochs(journal: Path) -> set[int]:
    """The epochs that a journal holds whole, found without the project's own reader."""
    found, owner = set(), None
    records = []
    for line in journal.read_bytes().split(b"\n"):
        try:
            record = json.loads(line.strip(b"\0"))
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and record.get("v") == 1:
            records.append(record)
            if record.get("event") == "job":
                owner = record["id"]
    for record in records:
        loss = record.get("loss")
        measured = isinstance(loss, int | float) or loss in ("NaN", "Infinity", "-Infinity")
        if record["id"] == owner and record["event"] == "epoch" and measured:
            found.add(record["epoch"])
    return found


def copy_place(template: Path, folder: Path) -> None:
    """A cache with prepared data and an empty store, from those that were made once."""
    shutil.copytree(template / "cache", folder / "cache")
    copy_store(template, folder / "store")


def copy_store(template: Path, folder: Path) -> None:
    """An empty store in `folder`, its artifacts beside it."""
    folder.mkdir(exist_ok=True)
    shutil.copy(template / "store" / "mlflow.db", folder / "mlflow.db")
    connection = sqlite3.connect(folder / "mlflow.db")
    connection.execute("UPDATE experiments SET artifact_location = ?", (str(folder / "artifacts"),))
    connection.commit()
    connection.close()
