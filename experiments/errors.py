"""Errors meant for a person: one line that says what is wrong and what to do next.

Every class has the exit status that a command ends with, and the end state of a run that it ends.
Standard library only.
"""

import re
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


# A password may contain any character, "/" and "@" included, so it ends at the last "@" before a
# space. That can hide more than the password; hiding less is worse.
_PASSWORD = re.compile(r"(?P<head>[a-zA-Z][\w+.-]*://[^:/@\s]*):(?P<password>\S*)@")
_SECRET_OPTION = re.compile(
    r"(?P<head>[?&;](?:\w*password|\w*passwd|\w*token|\w*secret)=)[^&\s]*", re.I
)


def redacted(text: str) -> str:
    """An address, or a text that contains addresses, without passwords."""
    hidden = _PASSWORD.sub(r"\g<head>:***@", text)
    return _SECRET_OPTION.sub(r"\g<head>***", hidden)


def exit_status(error: BaseException) -> int:
    """The exit status for an error: its class' own, 130 for an interrupt, 70 for our bug."""
    if isinstance(error, UserError):
        return error.exit_status
    return INTERRUPTED if isinstance(error, KeyboardInterrupt) else BUG


def fail(error: BaseException) -> int:
    """Print an error as one line on stderr, without passwords; returns the exit status."""
    if isinstance(error, KeyboardInterrupt):
        text = str(error) or "interrupted"
    elif isinstance(error, UserError):
        text = f"error: {error}"
    else:
        name = type(error).__name__
        text = f"error: {name}: {error} (a bug; traceback: {keep_traceback(error)})"
    print(redacted(" ".join(text.split())), file=sys.stderr)
    return exit_status(error)


def keep_traceback(error: BaseException) -> str:
    """Write an error's traceback, without passwords, to a log; returns the log's path.

    The log goes to the folder of runs, else to the project's root, else to a temporary folder.
    """
    import os
    import tempfile
    import traceback

    from experiments.system.paths import project_root, runs_root

    text = redacted("".join(traceback.format_exception(error)))
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
