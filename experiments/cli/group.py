"""A click group whose errors are one line, with the exit status on the error's class."""

import sys
from collections.abc import Sequence

import click

from experiments.cli.frame import guarded
from experiments.errors import DONE, INTERRUPTED, USER_MISTAKE, ConfigError


def run_group(
    group: click.Group, arguments: Sequence[str] | None, program: str, complete_var: str
) -> int:
    """Parse and carry out a command line; returns the exit status.

    A command returns its own status, None for 0. complete_var: the variable through which a shell
    asks for completions (click's shell completion).
    """

    def work() -> int:
        try:
            status = group.main(
                args=None if arguments is None else list(arguments),
                prog_name=program,
                complete_var=complete_var,
                standalone_mode=False,
            )
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            return USER_MISTAKE
        except click.ClickException as error:
            raise ConfigError(_sentence(error)) from None
        except click.Abort:
            return INTERRUPTED
        sys.stdout.flush()
        return status if isinstance(status, int) else DONE

    return guarded(work)


def _sentence(error: click.ClickException) -> str:
    """click's message in one line, with the choices or the help to look at."""
    context: click.Context | None = getattr(error, "ctx", None)
    text = " ".join(error.format_message().split()).rstrip(".")
    if context is None:
        return text
    group = context.command
    if isinstance(error, click.exceptions.NoSuchCommand) and isinstance(group, click.Group):
        text = f"no command {error.command_name!r}; choose from {', '.join(group.commands)}"
    return f"{text}; see `{context.command_path} --help`"
