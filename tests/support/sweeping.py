"""Sweeps through the command that a person types, with an engine that trains nothing: helper of the
e2e tests.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.support import fake_engine

ROOT = Path(__file__).resolve().parents[2]
GRID = ("data=synthetic", "profile=smoke", "gpu=cpu")


class Bench:
    """A store, a folder of runs and a fake engine of one test."""

    def __init__(self, folder: Path, cache: Path, empty_store: Path | None) -> None:
        self.folder, self.cache = folder, cache
        self.engine = folder / "engine"
        self.python = fake_engine.make(self.engine)
        self.uri = f"sqlite:///{folder / 'mlflow.db'}"
        if empty_store is not None:
            shutil.copy(empty_store, folder / "mlflow.db")

    def behave(self, **behaviour: dict[str, Any]) -> None:
        """What the engine does: key "task backend", with _ for the space, or "all"."""
        known = {
            "*" if key == "all" else key.replace("__", " "): value
            for key, value in behaviour.items()
        }
        fake_engine.behave(self.engine, known)

    def variables(self, **more: str) -> dict[str, str]:
        """The environment of the command."""
        return {
            **os.environ,
            "KBB_RUNS": str(self.folder / "runs"),
            "KBB_CACHE": str(self.cache),
            "MLFLOW_TRACKING_URI": self.uri,
            **more,
        }

    def start(
        self, *arguments: str, out: Any = subprocess.PIPE, **more: str
    ) -> "subprocess.Popen[str]":
        """Start a sweep and let it go on."""
        command = [
            sys.executable,
            "experiments/sweep.py",
            "-m",
            *GRID,
            f"backend.python={self.python}",
            *arguments,
        ]
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=self.variables(**more),
            text=True,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(
        self, *arguments: str, timeout: float = 300, **more: str
    ) -> "subprocess.CompletedProcess[str]":
        """A whole sweep; stdout holds stderr too."""
        process = self.start(*arguments, **more)
        try:
            out, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, _ = process.communicate()
            raise AssertionError(f"no end within {timeout} s:\n{out}") from None
        return subprocess.CompletedProcess(process.args, process.returncode, out, "")

    def until(self, process: "subprocess.Popen[str]", word: str, timeout: float = 120) -> list[str]:
        """Read the sweep's lines until one has `word`."""
        assert process.stdout is not None
        lines: list[str] = []
        limit = time.monotonic() + timeout
        for line in process.stdout:
            lines.append(line)
            if word in line:
                return lines
            assert time.monotonic() < limit, f"no {word!r} in time:\n{''.join(lines)}"
        raise AssertionError(f"it ended without {word!r}:\n{''.join(lines)}")

    def stored(self, kind: str = "run", uri: str | None = None) -> list[Any]:
        """MLflow's runs of a kind, oldest first."""
        from mlflow import MlflowClient

        client = MlflowClient(uri or self.uri)
        experiment = client.get_experiment_by_name("keras-backend-benchmark")
        if experiment is None:
            return []
        found = client.search_runs(
            [experiment.experiment_id], f"tags.kind = '{kind}'", order_by=["start_time"]
        )
        return list(found)

    def cells(self, uri: str | None = None) -> "Counter[tuple[str, str, str]]":
        """How many complete runs the store has of each (task, backend, repetition)."""
        return Counter(
            (run.data.params["task"], run.data.params["backend"], run.data.tags["repetition"])
            for run in self.stored(uri=uri)
            if run.data.tags["state"] in ("finished", "diverged")
        )

    def assert_whole(self, uri: str | None = None) -> None:
        """Every journal is in the store exactly once, each epoch of it exactly once, and no process
        is left.
        """
        from mlflow import MlflowClient

        from experiments.journal import journal

        client, stored = MlflowClient(uri or self.uri), self.stored(uri=uri)
        by_id = Counter(run.data.tags["journal_id"] for run in stored)
        assert set(by_id.values()) <= {1}
        paths = list((self.folder / "runs").glob("*/events.jsonl"))
        kept = {journal.read(path).events[0]["id"]: path.parent.name for path in paths}
        assert set(kept) == set(by_id), (kept, by_id)
        for run in stored:
            (path,) = [
                p for p in paths if journal.read(p).events[0]["id"] == run.data.tags["journal_id"]
            ]
            written = [event["epoch"] for event in journal.read(path).all("epoch")]
            history = client.get_metric_history(run.info.run_id, "epoch_seconds")
            assert sorted(metric.step for metric in history) == written
        assert self.workers() == []

    def workers(self) -> list[int]:
        """Processes of this bench's engine that are alive."""
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    command = (folder / "cmdline").read_bytes()
                except OSError:
                    continue
                if str(self.python).encode() in command and b"experiments.worker" in command:
                    found.append(int(folder.name))
        return found

    def summary(self) -> Any:
        """The one summary run."""
        (run,) = self.stored("sweep")
        return run

    def artifact(self, run: Any, name: str) -> str:
        """The text of an artifact."""
        from mlflow import MlflowClient

        return Path(MlflowClient(self.uri).download_artifacts(run.info.run_id, name)).read_text()
