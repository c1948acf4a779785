"""An interpreter that misbehaves on order: `fake_worker.py PLAN.json ARGUMENTS…`, reached by a
script called `python`.

It takes the place of a backend's interpreter (backend.python=…), so the parent is the real one in
every respect. Asked for `-m experiments.worker JOB` it speaks the journal's protocol and, at the
point that the plan names, commits the plan's fault. The self-check is sound unless the plan says
otherwise; `-c CODE` runs the code. Standard library only; starts in milliseconds.

A plan: {"fault": NAME, "at": EVENT, …}. The fault happens once EVENT has been written ("begin":
before the first). Events: start imported device data built epoch1 epoch2 … end.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

FEATURES = (
    Path(__file__).parent / "no_engines"
)  # folders named as packages, so that a look finds them


def main(plan_file: str, arguments: list[str]) -> None:
    plan_path = Path(plan_file)
    plan = json.loads(plan_path.read_text())
    if arguments[0] == "-c":
        sys.path.append(str(FEATURES))
        if plan["fault"] == "hang" and plan["at"] == "look":
            pause(plan_path)
        sys.argv = ["-c", *arguments[2:]]
        exec(compile(arguments[1], "<command>", "exec"), {"__name__": "__main__"})
    elif arguments[1] == "experiments.worker.selfcheck":
        selfcheck(plan, plan_path, json.loads(Path(arguments[2]).read_text()), Path(arguments[3]))
    else:
        Worker(plan, plan_path, json.loads(Path(arguments[2]).read_text())).play()


def selfcheck(plan: dict, plan_path: Path, job: dict, out: Path) -> None:
    if plan["at"] == "check":
        if plan["fault"] == "hang":
            pause(plan_path)
        if plan["fault"] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if plan["fault"] == "crash":
            raise RuntimeError("no such operation")
    sound = plan["fault"] != "unsound"
    checks = [
        {
            "name": "dense gradient",
            "case": case,
            "value": 1e-7 if sound or number else 0.4,
            "limit": 1e-4,
            "passed": sound or number > 0,
            "seconds": 0.1,
        }
        for number, case in enumerate(job["cases"])
    ]
    out.write_text(
        json.dumps({"sound": sound, "checks": checks, "versions": {"keras": "0"}, "seconds": 0.1})
    )
    sys.exit(0 if sound else 1)


def pause(plan_path: Path, *helpers: int) -> None:
    """Say that the point has been reached, then do nothing for ever."""
    fresh = plan_path.with_name("paused.new")
    fresh.write_text(" ".join(map(str, (os.getpid(), *helpers))))
    fresh.replace(plan_path.with_name("paused"))
    time.sleep(600)
    os._exit(99)


class Worker:
    """Writes the events of a training that takes no time."""

    def __init__(self, plan: dict, plan_path: Path, job: dict) -> None:
        self.plan, self.plan_path, self.job = plan, plan_path, job
        self.fault = plan["fault"]
        self.journal = os.open(job["journal"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self.sequence = job["first_sequence"]
        self.held: list[bytes] = []

    def play(self) -> None:
        self.commit("begin")
        self.write("start", pid=os.getpid(), python="3.11.0", platform="fake")
        self.write("imported", import_seconds=0.1, versions={"keras": "0.0", "python": "3.11.0"},
                   keras_generation=3, keras_backend=self.job["keras_backend"])  # fmt: skip
        self.write("device", kind="cpu", name="fake", report="CPU:0", proof=6.0, memory_bytes=None)
        self.write("data", load_seconds=0.01, bytes=1000, train_samples=100, validation_samples=50)
        self.write("built", build_seconds=0.02, parameters=1234)
        for number in range(1, self.job["epochs"] + 1):
            time.sleep(self.plan.get("pace", 0))
            self.write("epoch", **self.epoch(number))
        self.finish("finished")

    def epoch(self, number: int) -> dict:
        nan = self.fault == "nan" and number == self.job["epochs"]
        return {
            "epoch": number, "train_seconds": 1.0 + number / 100, "validation_seconds": 0.5,
            "epoch_seconds": 1.5 + number / 100, "samples_per_second": 100.0, "accuracy": 0.9,
            "loss": "NaN" if nan else 1.0 / number, "val_loss": "NaN" if nan else 0.5, "val_accuracy": 0.95,
        }  # fmt: skip

    def finish(self, state: str, reason: str | None = None) -> None:
        self.write("end", state=state, reason=reason, total_seconds=3.0, peak_rss_bytes=10**8,
                   peak_device_bytes=None, cpu_seconds=2.0)  # fmt: skip
        os._exit(0 if state in ("finished", "diverged") else 3)

    def write(self, event: str, **fields: object) -> None:
        point = f"epoch{fields['epoch']}" if event == "epoch" else event
        now = time.time() + self.plan.get("clock", {}).get(point, 0.0)
        record = {
            "v": 1,
            "seq": self.sequence,
            "id": self.job["journal_id"],
            "t": now,
            "event": event,
            **fields,
        }
        self.sequence += 1
        line = json.dumps(record).encode() + b"\n"
        self.deliver(self.mangled(line, record, point), point)
        self.commit(point)

    def mangled(self, line: bytes, record: dict, point: str) -> bytes:
        """What reaches the journal in place of a line."""
        if self.fault == "twice":
            return line + line
        if point != self.plan["at"]:
            return line

        def other(**fields: object) -> bytes:
            return json.dumps({**record, **fields}).encode() + b"\n"

        if self.fault == "same epoch again":
            self.sequence += 1
        number = record["seq"]
        written = {
            "torn": line[: len(line) // 2],
            "no newline": line[:-1],
            "torn, then on": line[: len(line) // 2] + b"\n",
            "other version": other(v=2, seq=number + 500) + line,
            "other journal": other(id="f" * 32) + line,
            "same epoch again": line + other(seq=number + 1, loss=77.0),
            "wrong fields": other(seq=900, loss="low", epoch=9) + line,
            "garbage": bytes(range(256))
            + b"\n"
            + b"[" * 5000
            + b"\n"
            + b"x" * (3 << 20)
            + b"\n"
            + b"\0" * 512
            + line,
        }
        return written.get(self.fault, line)

    def deliver(self, data: bytes, point: str) -> None:
        if self.fault == "reorder":
            self.held.insert(0, data)
            if point not in ("start", "epoch2", "end"):
                return
            data, self.held = b"".join(self.held), []
        while data:
            data = data[os.write(self.journal, data) :]
        if self.fault != "silent":
            with contextlib.suppress(OSError):
                os.write(self.job["notify_fd"], b".")

    def commit(self, point: str) -> None:
        """The fault itself, if this is the point for it."""
        if point != self.plan["at"]:
            return
        action = getattr(self, "do_" + self.fault.replace(" ", "_").replace(",", ""), None)
        if action is not None:
            action()

    def do_kill(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    do_torn = do_no_newline = do_kill

    def do_segfault(self) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)

    def do_hang(self) -> None:
        pause(self.plan_path, self.helper())

    def do_deaf(self) -> None:
        """Neither it nor its helper takes SIGTERM."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.do_hang()

    def do_polite(self) -> None:
        """As the real worker: SIGTERM ends the run in good order."""
        signal.signal(signal.SIGTERM, lambda *_: self.finish("killed", "terminated"))
        pause(self.plan_path)

    def do_chatter(self) -> None:
        """Hangs, and wakes the parent all the time."""
        while True:
            try:
                os.write(self.job["notify_fd"], b"." * 64)
            except OSError:
                time.sleep(0.001)

    def do_exit(self) -> None:
        os._exit(self.plan["status"])

    def do_crash(self) -> None:
        raise RuntimeError("something the worker did not expect")

    def do_end(self) -> None:
        self.finish(self.plan["state"], self.plan.get("reason"))

    def do_flood(self) -> None:
        for _ in range(self.plan["mebibytes"]):
            os.write(1, b"x" * 1023 + b"\n" * 1025 + b"y" * ((1 << 20) - 2048))

    def do_straggler(self) -> None:
        """A helper that would outlive an orderly end."""
        self.helper()

    def helper(self) -> int:
        """A process of the worker's, as a compiler would be."""
        sleep = "import time; time.sleep(600)"
        return subprocess.Popen([sys.executable, "-S", "-E", "-c", sleep, str(self.plan_path)]).pid

    def do_allocate(self) -> None:
        """Takes memory until there is no more: the kernel of a control group kills, a limit raises
        MemoryError.
        """
        import resource

        limit = (2 << 30) if self.plan.get("group") else (256 << 20)  # never the whole machine's
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        if self.plan.get("group"):
            Path(self.plan["group"], "cgroup.procs").write_text(str(os.getpid()))
        kept = []
        while True:
            kept.append(bytearray(b"x") * (8 << 20))

    def do_remove(self) -> None:
        Path(self.job["journal"]).unlink()

    def do_fill(self) -> None:
        """Fills the disk that the job's folder is on, and the rest of the journal's last page with
        a blank line.
        """
        room = -os.fstat(self.journal).st_size % 4096
        os.write(self.journal, b" " * (room - 1) + b"\n" if room else b"")
        with Path(self.job["folder"], "filler").open("wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"x" * 4096)
            except OSError:
                pass
            try:
                while True:
                    filler.write(b"x")
            except OSError:
                pass

    def do_brief_fill(self) -> None:
        """As when the disk is full for one write: what the worker writes next fails, and it
        ends.
        """
        self.do_fill()
        try:
            self.write("epoch", **self.epoch(2))
        except OSError:
            Path(self.job["folder"], "filler").unlink()
            raise

    def do_meet(self) -> None:
        """Say that the point has been reached, and wait to be told to go on."""
        self.plan_path.with_name("paused").write_text(str(os.getpid()))
        for _ in range(3000):
            if self.plan_path.with_name("go").exists():
                return
            time.sleep(0.02)
        os._exit(98)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
