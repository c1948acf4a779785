"""The command line, `python -m analysis COMMAND`.

Importing this module costs nothing beyond argparse: --help and refused arguments answer at once.
"""

import argparse
import os
import sys
from typing import NoReturn

from experiments import collector
from experiments.bootstrap import require_project_environment
from experiments.errors import UserError

VIEWS = ("standard", "2017", "wide")
SOURCES = ("measured", "published", "all")
TABLE_FORMATS = ("md", "latex", "csv", "json", "html")
MEASURES = ("speed", "throughput", "total", "compile", "first", "import", "validation", "target", "memory",
            "device_memory", "energy", "cost", "epoch")


class _Parser(argparse.ArgumentParser):
    """Refuses arguments in one line."""

    def error(self, message: str) -> NoReturn:
        """Print one line and end with status 2."""
        print(f"error: {message}; `{self.prog} --help` tells more", file=sys.stderr)
        sys.exit(2)


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = _Parser(
        prog="python -m analysis", description="Which Keras backend, on which device, for which network: "
        "tables, findings and a report from the runs in an MLflow store.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _tables(commands.add_parser("tables", help="comparison tables: backends against devices, task by task"))
    _report(commands.add_parser("report", help="one self-contained HTML page of everything"))
    _findings(commands.add_parser("findings", help="sentences that the numbers support, with their arithmetic"))
    _compare(commands.add_parser("compare", help="two selections of runs side by side; can fail on a regression"))
    _runs(commands.add_parser("runs", help="list the runs"))
    _export(commands.add_parser("export", help="the tidy table as Parquet, CSV or JSON"))
    columns = commands.add_parser("columns", help="what the columns of the tidy table mean, with types and units")
    columns.add_argument("--epochs", action="store_true", help="of the table of epochs")
    published = commands.add_parser(
        "import-published", help="bring the results that others published in 2017 into the store, once")
    _store(published, refresh=False)
    return top


def _store(one: argparse.ArgumentParser, refresh: bool = True) -> None:
    one.add_argument("--uri", metavar="URI", help="the MLflow store; default: MLFLOW_TRACKING_URI, else mlflow.db in "
                                                  "the project's folder")
    one.add_argument("--experiment", metavar="NAME", help="the experiment; default: keras-backend-benchmark")
    if refresh:
        one.add_argument("--refresh", action="store_true", help="read every run again instead of what has changed")


def _choice(one: argparse.ArgumentParser, source: str) -> None:
    one.add_argument("--source", choices=SOURCES, default=source,
                     help=f"runs measured here, results published by others, or both; default: {source}")
    one.add_argument("--profile", metavar="NAME", help="runs of this profile only")
    one.add_argument("--sweep", metavar="ID", help="runs of this sweep only")
    one.add_argument("--pool-hosts", action="store_true",
                     help="runs of several machines with the same processor's name in one column")


def _output(one: argparse.ArgumentParser, formats: tuple[str, ...]) -> None:
    one.add_argument("--format", choices=formats, help=f"default: by the file's ending, else {formats[0]}")
    one.add_argument("-o", "--output", metavar="FILE", help="write to a file instead of the terminal")


def _tables(one: argparse.ArgumentParser) -> None:
    one.add_argument("--view", choices=VIEWS, default="standard",
                     help="standard: quality and steady speed; 2017: that page's figures, mean seconds per epoch; "
                          "wide: every figure of a run; default: standard")
    _choice(one, "measured")
    _output(one, TABLE_FORMATS)
    _store(one)


def _report(one: argparse.ArgumentParser) -> None:
    one.add_argument("-o", "--output", metavar="FILE", default="report.html", help="default: report.html")
    one.add_argument("--ui-url", metavar="URL", help="address of MLflow's UI, for links to the runs")
    _store(one)


def _findings(one: argparse.ArgumentParser) -> None:
    _choice(one, "all")
    _output(one, ("md", "json"))
    _store(one)


def _compare(one: argparse.ArgumentParser) -> None:
    one.description = "Pairs the cells of two selections and judges the second against the first."
    one.epilog = ("A selection is key=value, several parted by commas: backend=jax,profile=quick. Of a commit the "
                  "first digits are enough, of a device a part of its name. Status: 0; 1 for a regression under "
                  "--fail-if-slower; 2 where nothing could be compared.")
    one.add_argument("first", metavar="A", help="what is compared with, such as commit=1a2b3c")
    one.add_argument("second", metavar="B", help="what is judged, such as commit=4d5e6f")
    one.add_argument("--measure", choices=MEASURES, default="speed", help="default: speed (steady training epoch)")
    one.add_argument("--fail-if-slower", metavar="5%",
                     help="end with status 1 where B is shown to be slower by at least so much, or no longer finishes")
    one.add_argument("--pool-hosts", action="store_true", help="pair runs of different machines")
    _output(one, ("md", "json"))
    _store(one)


def _runs(one: argparse.ArgumentParser) -> None:
    _choice(one, "all")
    one.add_argument("--select", metavar="KEY=VALUE,…", help="such runs only, as in compare")
    _output(one, ("md", "csv", "json"))
    _store(one)


def _export(one: argparse.ArgumentParser) -> None:
    one.add_argument("-o", "--output", metavar="FILE", required=True, help="ending in .parquet, .csv or .json")
    one.add_argument("--epochs", action="store_true", help="the table of epochs instead of that of runs")
    one.add_argument("--select", metavar="KEY=VALUE,…", help="such runs only, as in compare")
    _store(one)


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Status: 0 done, 1 a regression, 2 bad input (told in one line), 130 Ctrl-C."""
    args = parser().parse_args(arguments)
    require_project_environment()
    from analysis import commands

    try:
        with collector.paused(lasting=True):  # until the process ends
            status = commands.run(args)
        sys.stdout.flush()
        return status
    except UserError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("KBB_TRACEBACK"):
            raise
        return _fail(f"{type(error).__name__}: {error}; this is a fault of the program, KBB_TRACEBACK=1 shows where")


def _fail(message: str) -> int:
    print("error: " + " ".join(message.split()), file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
