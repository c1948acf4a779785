"""Commands of the harness as its user runs them, and the CPU seconds that they take."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Setting:
    """What is run."""

    backend: str
    python: str | None
    pairs: int
    epochs: int
    fraction: float
    folder: Path

    def overrides(self, **more: Any) -> list[str]:
        """Hydra's words for one run."""
        words = {
            "task": "mnist_mlp",
            "backend": self.backend,
            "gpu": "cpu",
            "data": "synthetic",
            "profile": "smoke",
            "threads": 1,
            "epochs": self.epochs,
            "fraction": self.fraction,
            **more,
        }
        if self.python:
            words["backend.python"] = self.python
        return [f"{key}={value}" for key, value in words.items()]

    def variables(self) -> dict[str, str]:
        """A store and a folder of runs of our own; the caches are shared."""
        return {
            **os.environ,
            "KBB_RUNS": str(self.folder / "runs"),
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.folder / 'mlflow.db'}",
        }


@dataclass(frozen=True)
class Ran:
    """One command of the harness: its own CPU seconds, all of its children's, and its journals."""

    own_seconds: float
    children_seconds: float
    share: float | None
    journals: list[Path]


def train(setting: Setting, watch: bool = False) -> Ran:
    """One run of train.py."""
    return command(setting, [str(ROOT / "experiments" / "train.py"), *setting.overrides()], watch)


def sweep(setting: Setting, repetitions: int) -> Ran:
    """A sweep of one cell; the runs follow each other in one parent."""
    words = [
        str(ROOT / "experiments" / "sweep.py"),
        "-m",
        *setting.overrides(repetitions=repetitions, force="true"),
    ]
    return command(setting, words, False)


def command(setting: Setting, words: list[str], watch: bool) -> Ran:
    """Run it to its end; raises SystemExit with its last line where it fails."""
    before = set(setting.folder.glob("runs/*/events.jsonl"))
    with (setting.folder / "output").open("w+") as output:
        process = subprocess.Popen(
            [sys.executable, *words],
            cwd=ROOT,
            env=setting.variables(),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        share = _watch(setting, process, before) if watch else None
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        own, children = cpu_of(
            process.pid
        )  # still there: it has ended, and nobody has asked for its status yet
        status = process.wait()
        output.seek(0)
        said = output.read()
    if status:
        raise SystemExit(f"{' '.join(words)} ended with status {status}:\n{said}")
    journals = sorted(
        set(setting.folder.glob("runs/*/events.jsonl")) - before,
        key=lambda path: path.stat().st_mtime,
    )
    return Ran(own, children, share, journals)


def _watch(setting: Setting, process: "subprocess.Popen[str]", before: set[Path]) -> float | None:
    """The parent's CPU seconds over wall seconds between the end of the first epoch and that of the
    last.
    """
    first: tuple[float, float] | None = None
    last: tuple[float, float] | None = None
    # WNOWAIT: the process is asked for its CPU seconds before its status.
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        time.sleep(0.05)
        fresh = set(setting.folder.glob("runs/*/events.jsonl")) - before
        done = sum(event["event"] == "epoch" for event in read(fresh.pop())) if fresh else 0
        if done and last is None:
            now = time.monotonic(), cpu_of(process.pid)[0]
            first = first or now
            if done == setting.epochs:
                last = now
    if first is None or last is None or last[0] - first[0] < 1:
        return None
    return (last[1] - first[1]) / (last[0] - first[0])


def read(journal: Path) -> list[dict[str, Any]]:
    """The events of a journal; half a line is left out."""
    return [
        json.loads(line) for line in journal.read_text().splitlines(True) if line.endswith("\n")
    ]


def cpu_of(pid: int) -> tuple[float, float]:
    """CPU seconds of a process itself, and of its children that it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system, children_user, children_system = (int(field) for field in fields[11:15])
    return (user + system) / TICKS, (children_user + children_system) / TICKS


def own_tree_seconds() -> float:
    """CPU seconds of this process and all that it has waited for."""
    return sum(os.times()[:4])


def busy_seconds() -> float:
    """CPU seconds of the whole machine that were not idle."""
    import psutil

    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)
