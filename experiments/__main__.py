"""What runs need: `python -m experiments doctor | env | data | journal | server | share`."""

import sys
from collections.abc import Sequence

from experiments.cli.bootstrap import require_project_environment

require_project_environment()

import click  # noqa: E402

from experiments.cli.group import run_group  # noqa: E402
from experiments.commands.data import data  # noqa: E402
from experiments.commands.env import env  # noqa: E402
from experiments.commands.journal import journal  # noqa: E402
from experiments.commands.server import server  # noqa: E402
from experiments.commands.share import share  # noqa: E402


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def commands() -> None:
    """Look after what runs need: environments, data, journals, a tracking server.

    \b
    Measure with   python experiments/train.py --help
                   python experiments/sweep.py --help
    Compare with   python -m analysis --help
    """


@commands.command()
def doctor() -> int:
    """Show what is missing and how to fix it.

    The exit status is 1 if a default run lacks something.
    """
    from experiments.doctor.checks import survey
    from experiments.doctor.render import show

    return show(survey())


for group in (env, data, journal, server, share):
    commands.add_command(group)


def main(arguments: Sequence[str] | None = None, program: str = "python -m experiments") -> int:
    """Run one command; returns the exit status: 0 done, 1 failed, 2 refused, 130 interrupted.

    program: the command's name in help and errors. `.venv/bin/kbb` passes its own name, which a
    shell can complete.
    """
    return run_group(commands, arguments, program, "_KBB_COMPLETE")


if __name__ == "__main__":
    sys.exit(main())
