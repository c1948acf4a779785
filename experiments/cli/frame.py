"""The frame of every command: one-line errors, exit statuses, signals."""

import io
import sys
from collections.abc import Callable

from experiments.errors import INTERRUPTED, fail
from experiments.system import signals


def guarded(work: Callable[[], int]) -> int:
    """Run `work`, the whole of a command, and return its exit status.

    An error becomes one line on stderr and the status of its class; Ctrl-C and SIGTERM become 130.
    The traceback of a bug goes to a log.
    """
    signals.settle()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # no character stops a message
    try:
        return _status(work)
    except KeyboardInterrupt:  # a second one, while the first was reported
        return INTERRUPTED
    finally:
        signals.rest()


def _status(work: Callable[[], int]) -> int:
    try:
        return work()
    except (Exception, KeyboardInterrupt) as error:
        return fail(error)
