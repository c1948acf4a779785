"""Run one step of a build: output to a log, progress in words, a failure in one line."""

import math
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from experiments.system.process import Guard

Say = Callable[[str], None]
_FIRST_PROGRESS_SECONDS, _LONGEST_PROGRESS_SECONDS = 15.0, 60.0
_PROGRESS_LENGTH = 70
_TAIL_BYTES = 16_000
_TAIL_LINES = 12
_MESSAGE_LENGTH = 300
_TELLING = re.compile(
    r"error|×|╰─▶|because|no space left|no matching|not found|cannot|failed", re.IGNORECASE
)
_BOX = re.compile(r"[×╰─▶│├]+")


# The children of all threads, so that the main thread can end them: Ctrl-C reaches no other.
_running: "set[subprocess.Popen[bytes]]" = set()
_stopped = threading.Event()


class StepError(Exception):
    """A step of a build failed; `reason` is one line, `tail` the last lines of its log."""

    def __init__(self, reason: str, tail: Sequence[str]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.tail = tuple(tail)


def run(
    command: Sequence[str | Path],
    log: Path,
    say: Say,
    what: str,
    environment: Mapping[str, str],
    *,
    keep: int | None = None,
    accept: Collection[int] = (0,),
    limit_seconds: float = math.inf,
) -> int:
    """Run `command`, append its output to `log` and report progress; returns the exit status.

    `keep` is a file descriptor that the child inherits (the build's lock). If it is
    interrupted or takes too long, the child's whole process group is killed. Raises StepError on a
    status that is not in `accept`.
    """
    if _stopped.is_set():
        raise StepError("interrupted", ())
    begin = log.stat().st_size if log.exists() else 0
    guard = Guard()  # a killed run takes its installers and checks with it
    try:
        child = _start(command, log, environment, keep)
    except BaseException:
        guard.release()
        raise
    guard.watch(child.pid)
    _running.add(child)
    try:
        if _stopped.is_set():  # since the child was started
            raise StepError("interrupted", ())
        status = _wait(child, lambda elapsed: say(_progress(what, elapsed, log)), limit_seconds)
    except BaseException:
        _end_group(child)
        raise
    finally:
        _running.discard(child)
        guard.release()
    if status not in accept:
        raise StepError(*explain(log, begin, status))
    return status


def _start(
    command: Sequence[str | Path], log: Path, environment: Mapping[str, str], keep: int | None
) -> "subprocess.Popen[bytes]":
    """Start `command` as a process group, its output appended to `log`; StepError if it cannot."""
    with log.open("ab") as output:
        output.write(("$ " + " ".join(map(str, command)) + "\n").encode())
        output.flush()
        try:
            return subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=log.parent,
                start_new_session=True,
                pass_fds=() if keep is None else (keep,),
            )
        except OSError as error:
            raise StepError(f"{command[0]} does not start: {error.strerror}", ()) from None


def stop() -> None:
    """End the steps of all threads, which raise StepError, and let none begin until `restart`."""
    _stopped.set()
    for child in tuple(_running):
        _end_group(child)


def restart() -> None:
    """Let steps begin again."""
    _stopped.clear()


def _wait(
    child: "subprocess.Popen[bytes]", progress: Callable[[float], None], limit_seconds: float
) -> int:
    begin, pause = time.monotonic(), _FIRST_PROGRESS_SECONDS
    while (elapsed := time.monotonic() - begin) < limit_seconds:
        try:
            return child.wait(timeout=min(pause, limit_seconds - elapsed))
        except subprocess.TimeoutExpired:
            progress(time.monotonic() - begin)
            pause = min(2 * pause, _LONGEST_PROGRESS_SECONDS)
    raise StepError(f"not finished after {limit_seconds:.0f} s", ())


def _progress(what: str, elapsed: float, log: Path) -> str:
    """One line on a running step: how long it has run, and the last line of its log."""
    lines = [" ".join(line.split()) for line in _tail(log, 0) if line.strip()]
    last = lines[-1] if lines and not lines[-1].startswith("$ ") else ""
    return f"{what}: {elapsed:.0f} s" + (f", {last[:_PROGRESS_LENGTH]}" if last else "")


def _end_group(child: "subprocess.Popen[bytes]") -> None:
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, signal_number)
            child.wait(timeout=3)
            return
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            return


def explain(log: Path, start: int, status: int) -> tuple[str, list[str]]:
    """The line of a log, from byte `start` on, that says what failed; and its last lines."""
    lines = [
        line.rstrip() for line in _tail(log, start) if line.strip() and not line.startswith("$ ")
    ]
    telling = [
        index
        for index, line in enumerate(lines)
        if _TELLING.search(line) and not line.lstrip().startswith("hint:")
    ]
    if status < 0:
        after = f" after: {lines[-1]}" if lines else ""
        reason = f"it was killed by {signal.Signals(-status).name}{after}"
    else:
        reason = (
            _sentence(lines, telling[-1])
            if telling
            else "".join(lines[-1:]) or f"exit status {status}"
        )
    tail = [line[:_MESSAGE_LENGTH] for line in lines[-_TAIL_LINES:]]
    return " ".join(_BOX.sub(" ", reason).split())[:_MESSAGE_LENGTH], tail


def _sentence(lines: list[str], last: int) -> str:
    """The line `last` with those before and after that uv indented as one message."""
    first = last
    while first > 0 and lines[first].startswith("      ") and lines[first - 1].startswith("  "):
        first -= 1
    end = last
    while end + 1 < len(lines) and lines[end + 1].startswith("      "):
        end += 1
    return " ".join(lines[first : end + 1])


def _tail(log: Path, start: int) -> list[str]:
    """The last lines of a log, from byte `start` on at most."""
    with log.open("rb") as written:
        end = written.seek(0, os.SEEK_END)
        written.seek(max(start, end - _TAIL_BYTES))
        return written.read().decode("utf-8", "replace").splitlines()
