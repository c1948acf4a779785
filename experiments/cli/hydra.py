"""Run a Hydra command: one-line errors, exit statuses, --help. For train.py and sweep.py.

    sys.exit(compose_and_run(task, RunConfig, "config"))

The task ends with `finish(work)`, which carries the exit status through Hydra.
"""

import contextlib
import io
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from experiments.cli.frame import guarded
from experiments.config.compose import one_line, refuse_unknown_choices, register_schema
from experiments.config.members import conf
from experiments.config.schema import RunConfig
from experiments.errors import DONE, ConfigError, fail


class Finished(SystemExit):
    """Carries the exit status through Hydra, which would report any other exception itself."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def finish(work: Callable[[], int]) -> NoReturn:
    """Do the work of a composed command, with the real stderr again, and end with its status."""
    with contextlib.redirect_stderr(sys.__stderr__ or sys.stderr):
        status = guarded(work)
    raise Finished(status)


def compose_and_run(task: Callable[[Any], Any], schema: type[RunConfig], config_name: str) -> int:
    """Compose the configuration from sys.argv and hand it to `task`; returns the exit status.

    What Hydra prints while it composes is held back, so that an error is one line.
    """
    try:
        refuse_unknown_choices(sys.argv[1:])
    except ConfigError as error:
        return fail(error)
    register_schema(schema)
    import hydra

    folder = os.fspath(conf())
    entry = hydra.main(version_base="1.3", config_path=folder, config_name=config_name)(task)
    held = io.StringIO()
    try:
        with contextlib.redirect_stderr(held):
            entry()
    except Finished as finished:
        return finished.status
    except SystemExit as stop:
        if stop.code not in (0, None):
            reason = one_line(held.getvalue()) or "the configuration was refused"
            return fail(ConfigError(reason))
    sys.stderr.write(held.getvalue())
    return DONE
