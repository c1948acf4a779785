"""Run one job: `python -m experiments.worker JOB.json`.

Exit status: 0 if the training finished or diverged, 3 if it ended otherwise, 2 for a job that
cannot be read. The last event of the journal, `end`, says how it ended and why.
"""

import time

BEGAN = time.perf_counter()  # before the imports, which the user waits for

import faulthandler  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import platform  # noqa: E402
import resource  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
import traceback  # noqa: E402
import warnings  # noqa: E402
from typing import Any, Dict, Optional  # noqa: E402

from experiments.worker import fit  # noqa: E402
from experiments.worker.engines import DeviceMismatch  # noqa: E402
from experiments.worker.events import Journal, one_line  # noqa: E402

JOB_SCHEMA = 1
NOT_OURS = r"(?!experiments\b|__main__\b)"  # the modules of engines and of what they import
OUT_OF_MEMORY = (
    "out of memory",
    "resource_exhausted",
    "resourceexhausted",
    "bad_alloc",
    "unable to allocate",
)


def main(path: str) -> int:
    """Run the job file at `path`; returns the exit status."""
    faulthandler.enable()
    for category in (FutureWarning, DeprecationWarning, UserWarning):
        warnings.filterwarnings("ignore", category=category, module=NOT_OURS)
    with open(path) as file:
        job = json.load(file)
    if job.get("schema") != JOB_SCHEMA:
        sys.stderr.write(
            "%s: job schema %r, this worker knows %d\n" % (path, job.get("schema"), JOB_SCHEMA)
        )
        return 2
    if job.get("affinity"):
        os.sched_setaffinity(0, job["affinity"])
    journal = Journal(
        job["journal"], job["journal_id"], job["first_sequence"], job.get("notify_fd")
    )
    end_on_termination(journal)
    journal.write(
        "start", pid=os.getpid(), python=platform.python_version(), platform=platform.platform()
    )
    return run(job, journal)


def run(job: Dict[str, Any], journal: Journal) -> int:
    """Train and write the `end` event, whatever happens; returns the exit status."""
    try:
        outcome = fit.train(job, journal, BEGAN)
    except DeviceMismatch as error:
        end(journal, "device_mismatch", one_line(str(error)))
        return 3
    except KeyboardInterrupt:
        end(journal, "killed", "interrupted")
        return 3
    except BaseException as error:
        traceback.print_exc()
        end(journal, "failed", describe(error))
        return 3
    end(journal, outcome.state, outcome.reason, outcome.total_seconds, outcome.peak_device_bytes)
    return 0


def end(
    journal: Journal,
    state: str,
    reason: Optional[str],
    total_seconds: Optional[float] = None,
    peak_device_bytes: Optional[int] = None,
) -> None:
    """Write the last event."""
    if total_seconds is None:
        total_seconds = time.perf_counter() - BEGAN
    journal.write(
        "end",
        state=state,
        reason=reason,
        total_seconds=total_seconds,
        peak_rss_bytes=peak_rss_bytes(),
        peak_device_bytes=peak_device_bytes,
        cpu_seconds=sum(os.times()[:4]),
    )


def end_on_termination(journal: Journal) -> None:
    """End the run as killed on SIGTERM, without the engine's own tear-down, which may be slow."""

    def finish() -> None:
        end(journal, "killed", "terminated")
        leave(3)

    def handle(number: int, frame: Any) -> None:
        del number, frame
        journal.when_idle(finish)

    signal.signal(signal.SIGTERM, handle)


def describe(error: BaseException) -> str:
    """An exception in one line; if memory ran out, that comes first, in plain words."""
    text = one_line("%s: %s" % (type(error).__name__, error)).rstrip(": ")
    if isinstance(error, MemoryError) or any(word in text.lower() for word in OUT_OF_MEMORY):
        return one_line("out of memory (a smaller batch or data fraction needs less): " + text)
    return text


def peak_rss_bytes() -> int:
    """Most resident memory of this process, mapped arrays included.

    The kernel's VmHWM if there is one: ru_maxrss also counts the process before it became Python.
    """
    try:
        with open("/proc/self/status") as lines:
            for line in lines:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def leave(status: int) -> None:
    """End the process at once: an engine's clean-up may hang or crash after all is written."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m experiments.worker JOB.json\n")
        sys.exit(2)
    leave(main(sys.argv[1]))
