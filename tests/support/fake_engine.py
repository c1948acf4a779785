"""An interpreter with an engine that trains nothing, in milliseconds: for tests of what is around
the training.

The parent, the journal, the store and the launchers are the real ones. `backend.python=INTERPRETER`
names it; what it does is read from behaviour.json beside it: {"task backend": {...}, "*": {...}}
with the keys

    epoch_seconds   how long an epoch lasts
    end             "finished" (default), "import_error", "killed" (by SIGKILL), "hangs", "nan"
    after           epochs before that end
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

PACKAGES = ("keras", "torch", "jax", "tensorflow", "theano", "cntk")
SCRIPT = """#!{python}
import os, sys
sys.path.insert(0, {site!r})
sys.path.insert(0, {root!r})
from tests.support import fake_engine
fake_engine.main({folder!r}, sys.argv[1:])
"""


def make(folder: Path, **behaviour: dict[str, Any]) -> Path:
    """Write the interpreter into `folder`; returns its path."""
    site = folder / "site"
    for name in PACKAGES:
        (site / name).mkdir(parents=True, exist_ok=True)
        (site / name / "__init__.py").write_text("")
        info = site / f"{name}-0.1.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Name: {name}\nVersion: 0.1\n\n")
    script = folder / "python"
    root = str(Path(__file__).resolve().parents[2])
    script.write_text(
        SCRIPT.format(python=sys.executable, site=str(site), root=root, folder=str(folder))
    )
    script.chmod(0o755)
    behave(folder, behaviour)
    return script


def behave(folder: Path, behaviour: dict[str, dict[str, Any]]) -> None:
    """Set what the engine does from now on."""
    fresh = folder / ".behaviour.json"
    fresh.write_text(json.dumps(behaviour))
    fresh.replace(folder / "behaviour.json")


def main(folder: str, arguments: list[str]) -> None:
    """What the interpreter does with its command line."""
    if arguments[:1] == ["-c"]:
        sys.argv = ["-c", *arguments[2:]]
        exec(arguments[1], {"__name__": "__main__"})
    elif arguments[:2] == ["-m", "experiments.worker.selfcheck"]:
        check = {"name": "fake", "value": 0.0, "limit": 1.0, "passed": True, "seconds": 0.0}
        checks = [
            {**check, "case": case} for case in json.loads(Path(arguments[2]).read_text())["cases"]
        ]
        Path(arguments[3]).write_text(
            json.dumps({"sound": True, "checks": checks, "versions": {}, "seconds": 0.0})
        )
    elif arguments[:2] == ["-m", "experiments.worker"]:
        work(Path(folder), json.loads(Path(arguments[2]).read_text()))
    else:
        raise SystemExit(f"fake engine: {arguments}")


def work(folder: Path, job: dict[str, Any]) -> None:
    """Write the events of a run, as the real worker does."""
    known = json.loads((folder / "behaviour.json").read_text())
    what = {**known.get("*", {}), **known.get(f"{job['task']} {job['backend']}", {})}
    journal = Journal(job)
    begun = time.perf_counter()
    journal.write("start", pid=os.getpid(), python="3.11", platform=sys.platform)
    if what.get("end") == "import_error":
        print(
            "Traceback (most recent call last):\nImportError: libfake.so.1: cannot open shared object file",
            flush=True,
        )
        journal.end("failed", "ImportError: libfake.so.1: cannot open shared object file", begun)
    journal.write(
        "imported",
        import_seconds=0.01,
        versions={"keras": "0.1", "python": "3.11", job["backend"]: "0.1"},
        keras_generation=job["keras_generation"],
        keras_backend=job["keras_backend"],
    )
    journal.write(
        "device", kind="cpu", name="cpu", report="fake", proof={"value": 1.0}, memory_bytes=None
    )
    journal.write("data", load_seconds=0.01, bytes=1, train_samples=100, validation_samples=10)
    journal.write("built", build_seconds=0.01, parameters=10)
    for epoch in range(1, job["epochs"] + 1):
        if what.get("end") and epoch > what.get("after", 0):
            misbehave(what["end"], journal, begun)
        seconds = what.get("epoch_seconds", 0.02)
        time.sleep(seconds)
        journal.write(
            "epoch",
            epoch=epoch,
            train_seconds=seconds,
            validation_seconds=0.001,
            epoch_seconds=seconds + 0.001,
            samples_per_second=100 / seconds,
            loss=1 / epoch,
            accuracy=0.9,
            val_loss=1 / epoch,
            val_accuracy=0.9,
        )
    journal.end("finished", None, begun)


def misbehave(end: str, journal: "Journal", begun: float) -> None:
    """End as told."""
    if end == "killed":
        os.kill(os.getpid(), 9)
    if end == "hangs":
        time.sleep(3600)
    journal.end("diverged", "loss is nan in epoch 1", begun)


class Journal:
    """Appends events as the worker's own does."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.job, self.sequence = job, job["first_sequence"]
        self.file = os.open(job["journal"], os.O_WRONLY | os.O_APPEND)

    def write(self, event: str, **fields: Any) -> None:
        """One line, and a byte to the parent."""
        record = {
            "v": 1,
            "seq": self.sequence,
            "id": self.job["journal_id"],
            "t": time.time(),
            "event": event,
        }
        record.update(fields)
        os.write(self.file, (json.dumps(record) + "\n").encode())
        os.write(self.job["notify_fd"], b".")
        self.sequence += 1

    def end(self, state: str, reason: str | None, begun: float) -> None:
        """The end event, and the exit status that goes with it."""
        self.write(
            "end",
            state=state,
            reason=reason,
            total_seconds=time.perf_counter() - begun,
            peak_rss_bytes=1,
            peak_device_bytes=None,
            cpu_seconds=0.1,
        )
        raise SystemExit(0 if state in ("finished", "diverged") else 3)
