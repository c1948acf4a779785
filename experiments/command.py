"""The frame of every command that Hydra composes: one-line errors, right exit statuses, a readable --help.

Used as `sys.exit(run_command(main_function))`; the function gets a checked RunConfig.
"""

import contextlib
import io
import os
import re
import sys
from collections.abc import Callable
from typing import Any

from experiments import signals
from experiments.config import RunConfig
from experiments.errors import ConfigError, UserError
from experiments.paths import project_root

GROUPS = ("task", "backend", "gpu", "data", "profile", "tracking")
_PLAIN_CHOICES = re.compile(r"^([a-z]+)=([A-Za-z0-9_.,-]*)$")


def refuse_unknown_choices(arguments: list[str]) -> None:
    """Answer `task=nope` with the choices at once, before Hydra is imported (a second later)."""
    for argument in arguments:
        found = _PLAIN_CHOICES.match(argument)
        if not found or found.group(1) not in GROUPS:
            continue
        group, chosen = found.groups()
        choices = group_choices(group)
        for choice in chosen.split(","):
            if choice not in choices:
                raise ConfigError(f"{group}={choice}: unknown {group}; choose one of {', '.join(choices)}")


def group_choices(group: str) -> list[str]:
    """The members of a configuration group, in alphabetical order."""
    return sorted(path.stem for path in (project_root() / "conf" / group).glob("*.yaml"))


def typed(config: Any) -> RunConfig:
    """Turn Hydra's composed DictConfig into a checked RunConfig; raises ConfigError in one line."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from experiments.checks import check

    try:
        if OmegaConf.is_missing(config.data, "dir"):
            config.data.dir = None
        container = OmegaConf.to_object(config)
    except OmegaConfBaseException as error:
        raise ConfigError(one_line(str(error))) from error
    assert isinstance(container, RunConfig)
    return check(container)


def one_line(text: str) -> str:
    """Hydra's several lines as one, without its hints about tracebacks and its usage."""
    refused = re.search(r"^\S+: error: (.*)$", text, re.MULTILINE)
    if text.startswith("usage:") and refused:
        return f"{refused.group(1)}; --help shows what there is"
    lines = [line.strip() for line in text.partition("Config search path:")[0].strip().splitlines()]
    kept = [line for line in lines if line and "HYDRA_FULL_ERROR" not in line and "object_type" not in line]
    return re.sub(r"\s+", " ", "; ".join(kept)).replace(":;", ":").replace(".;", ";")


class _HeldStderr(io.StringIO):
    """Collects what Hydra prints while it composes, so that an error can be told in one line."""


def run_command(function: Callable[[RunConfig], int], config_name: str = "config") -> int:
    """Compose the configuration from sys.argv, run `function` on it and return the exit status.

    Statuses: what `function` returns (0: done), 1 for a UserError while it runs, 2 for a configuration
    that was refused, 130 for Ctrl-C.
    """
    try:
        refuse_unknown_choices(sys.argv[1:])
    except ConfigError as error:
        return fail(error, 2)
    register_schema()
    import hydra

    status: list[int] = []
    held, real = _HeldStderr(), sys.stderr

    def job(config: Any) -> None:
        sys.stderr = real
        status.append(guarded(lambda: function(typed(config))))

    conf = os.fspath(project_root() / "conf")
    entry = hydra.main(version_base="1.3", config_path=conf, config_name=config_name)(job)
    try:
        with contextlib.redirect_stderr(held):
            entry()
    except SystemExit as stop:
        text = held.getvalue()
        if not status and stop.code not in (0, None):
            return fail(ConfigError(one_line(text) or "the configuration was refused"), 2)
        real.write(text)
        return int(stop.code or 0) if isinstance(stop.code, int | None) else 1
    finally:
        sys.stderr = real
    return max(status, default=0)


def guarded(work: Callable[[], int]) -> int:
    """Run `work`, the whole of a command; a UserError becomes one line and a status, Ctrl-C and SIGTERM become 130."""
    signals.settle()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # no character stops a message
    try:
        return _status(work)
    except KeyboardInterrupt:  # again, while the first was told
        return 130
    finally:
        signals.rest()


def _status(work: Callable[[], int]) -> int:
    try:
        return work()
    except ConfigError as error:
        return fail(error, 2)
    except UserError as error:
        return fail(error, 1)
    except KeyboardInterrupt as stop:
        print(str(stop) or "interrupted", file=sys.stderr)
        return 130
    except Exception as error:  # a mistake of ours: still one line, the traceback goes to a log
        text = f"{type(error).__name__}: {one_line(str(error))} (traceback: {_keep_traceback()})"
        return fail(RuntimeError(text), 70)


def _keep_traceback() -> str:
    """Write the traceback at hand to a log in the runs folder, or a temporary one; returns its path."""
    import tempfile
    import traceback

    from experiments.paths import runs_root

    text = traceback.format_exc()
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


def fail(error: Exception, status: int) -> int:
    """Print an error as one line on stderr and hand back the exit status."""
    print(f"error: {error}", file=sys.stderr)
    return status


def register_schema(schema: type[RunConfig] = RunConfig) -> None:
    """Tell Hydra the types that conf/base.yaml is checked against."""
    import warnings

    from hydra.core.config_store import ConfigStore

    # The presets of launchers bear their plugins' names, so that hydra/launcher=joblib finds them.
    warnings.filterwarnings("ignore", r"\s*'hydra/launcher/\w+' is validated against ConfigStore schema")
    ConfigStore.instance().store(name="schema", node=schema)
