"""Errors meant for a person: one line that says what is wrong and what to do next.

Every class has the exit status that a command ends with, and the end state of a run that it ends.
Standard library only.
"""

import sys
from typing import ClassVar

DONE, FAILED_RUN, USER_MISTAKE, BUG, INTERRUPTED = 0, 1, 2, 70, 130


class UserError(Exception):
    """Something the user can fix; the message is one line, no traceback is shown."""

    exit_status: ClassVar[int] = USER_MISTAKE
    state: ClassVar[str] = "failed"


class ConfigError(UserError):
    """A value of the configuration or command line is wrong; nothing was started."""


class DataError(UserError):
    """A data file is missing, corrupted or not what it should be."""


class TrackingError(UserError):
    """The tracking store does not answer or refuses what it is given."""


class FailedRun(UserError):
    """What was asked for is valid, but it failed: a build, a check, a run."""

    exit_status = FAILED_RUN


class NotInstalled(FailedRun):
    """No interpreter for a backend was found, or its environment could not be built."""

    state = "not_installed"


class DeviceMismatch(FailedRun):
    """The requested device is not the one that is present."""

    state = "device_mismatch"


class EngineUnsound(FailedRun):
    """The backend computes wrong numbers (see the named check)."""

    state = "engine_unsound"


class Regression(FailedRun):
    """A comparison that was asked to fail on a regression found one."""


def exit_status(error: BaseException) -> int:
    """The exit status for an error: its class' own, 130 for an interrupt, 70 for our bug."""
    if isinstance(error, UserError):
        return error.exit_status
    return INTERRUPTED if isinstance(error, KeyboardInterrupt) else BUG


def fail(error: BaseException) -> int:
    """Print an error as one line on stderr; returns the exit status."""
    if isinstance(error, KeyboardInterrupt):
        print(str(error) or "interrupted", file=sys.stderr)
    elif isinstance(error, UserError):
        print("error: " + " ".join(str(error).split()), file=sys.stderr)
    else:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"error: {text} (a bug; traceback: {keep_traceback(error)})", file=sys.stderr)
    return exit_status(error)


def keep_traceback(error: BaseException) -> str:
    """Write an error's traceback to a log in the runs folder, or a temporary one; returns its path."""
    import os
    import tempfile
    import traceback

    from experiments.system.paths import project_root, runs_root

    text = "".join(traceback.format_exception(error))
    for folder in (runs_root(), project_root(), None):
        try:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix="error-", suffix=".log", dir=folder)
            with os.fdopen(descriptor, "w") as log:
                log.write(text)
            return name
        except OSError:
            continue
    return "could not be written"
