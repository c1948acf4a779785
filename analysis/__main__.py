"""The command line, `python -m analysis COMMAND`.

Importing this module costs little: each command imports what it needs (pandas, MLflow), so that
--help and refused arguments answer at once.
"""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.errors import DONE, INTERRUPTED, USER_MISTAKE, ConfigError, fail

try:
    import click
except ImportError:
    message = f"{sys.executable} lacks click; run `make setup`, then `source .venv/bin/activate`"
    sys.exit(fail(ConfigError(message)))

if TYPE_CHECKING:
    from analysis.store.read import Reading

VIEWS = ("answer", "tasks", "2017", "wide")
SOURCES = ("measured", "published", "all")
TABLE_FORMATS = ("text", "md", "latex", "csv", "json", "html")
# The keys of analysis.tables.pairs.MEASURES, whose import takes a second; a test holds them equal.
MEASURES = (
    *("speed", "throughput", "total", "compile", "first", "import", "validation", "target"),
    *("memory", "device_memory", "energy", "cost", "epoch"),
)
_SELECTION_HELP = "only these runs (same syntax as `compare`)"
Options = Callable[[Callable[..., Any]], Callable[..., Any]]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def commands() -> None:
    """Which Keras backend, on which device, for which network: tables, findings and a report."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status.

    0 done, 1 a regression, 2 refused (in one line), 70 our bug, 130 interrupted.
    """
    try:
        status = commands.main(
            args=None if arguments is None else list(arguments),
            prog_name="python -m analysis",
            complete_var="_KBB_ANALYSIS_COMPLETE",
            standalone_mode=False,
        )
        sys.stdout.flush()
        return status if isinstance(status, int) else DONE
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return USER_MISTAKE
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "python -m analysis"
        text = " ".join(error.format_message().split()).rstrip(".")
        return fail(ConfigError(f"{text}; see `{path} --help`"))
    except click.Abort:
        return INTERRUPTED
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except (Exception, KeyboardInterrupt) as error:
        return fail(error)


def _all_of(*options: Options) -> Options:
    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def _store(refresh: bool = True) -> Options:
    options = [
        click.option(
            "--uri",
            metavar="URI",
            help="the MLflow store; default: MLFLOW_TRACKING_URI, else mlflow.db in the project",
        ),
        click.option(
            "--experiment", metavar="NAME", help="the experiment; default: keras-backend-benchmark"
        ),
    ]
    if refresh:
        text = "read every run again, even if the store has not changed"
        options.append(click.option("--refresh", is_flag=True, help=text))
    return _all_of(*options)


def _choice(source: str) -> Options:
    return _all_of(
        click.option(
            "--source",
            type=click.Choice(SOURCES),
            default=source,
            help=f"runs measured here, results published by others, or both; default: {source}",
        ),
        click.option("--profile", metavar="NAME", help="only runs of this profile"),
        click.option("--sweep", metavar="ID", help="only runs of this sweep"),
        click.option(
            "--pool-hosts",
            is_flag=True,
            help="put runs of several machines with the same processor into one column",
        ),
    )


def _output(*formats: str) -> Options:
    return _all_of(
        click.option(
            "--format",
            "form",
            type=click.Choice(formats),
            help=f"default: by the file's ending, else {formats[0]}",
        ),
        click.option(
            "-o", "--output", metavar="FILE", help="write to a file instead of the terminal"
        ),
    )


_SELECT = click.option("--select", metavar="KEY=VALUE,…", help=_SELECTION_HELP)


def _read(options: dict[str, Any]) -> "Reading":
    from analysis.store.read import read

    return read(options["uri"], options["experiment"], refresh=options["refresh"])


@commands.command()
@click.option(
    "--view",
    type=click.Choice(VIEWS),
    default="answer",
    help="answer: tasks against backends, seconds per epoch and ratios; tasks: quality and speed, "
    "task by task; 2017: that page's figures, mean seconds per epoch; wide: every figure of a run; "
    "default: answer",
)
@click.option(
    "--by",
    type=click.Choice(("backend", "device")),
    default="backend",
    help="what is across in the answer; device: one grid for each backend; default: backend",
)
@_SELECT
@_choice("measured")
@_output(*TABLE_FORMATS)
@_store()
def tables(view: str, by: str, select: str | None, **options: Any) -> None:
    """Print which backend trains which network fastest, and by how much."""
    from analysis.output import prepare_output

    output = prepare_output(options, "text")
    reading = _read(options)
    from analysis.store.select import choice_of, selected
    from analysis.tables.views import shown

    if output.form == "csv":
        output.note(reading.remarks())
    frame, choice = selected(reading.frame, select), choice_of(options, view)
    output.put(shown(frame, choice, output.form, by, reading.remarks()))


@commands.command()
@click.option("-o", "--output", metavar="FILE", default="report.html", help="default: report.html")
@click.option("--ui-url", metavar="URL", help="address of MLflow's UI, for links to the runs")
@_store()
def report(output: str, ui_url: str | None, **options: Any) -> None:
    """Write one self-contained HTML page of everything."""
    from analysis.output import check_output

    check_output(output)
    reading = _read(options)
    from analysis.report.build import write

    click.echo(f"{output}: {write(reading, Path(output), ui_url) / 1e6:.2f} MB")


@commands.command()
@_choice("all")
@_output("md", "json")
@_store()
def findings(**options: Any) -> None:
    """Print sentences that the numbers support, with their arithmetic."""
    from analysis.output import prepare_output

    output = prepare_output(options, "md")
    reading = _read(options)
    from analysis.report.findings import as_text
    from analysis.store.select import choice_of

    output.put(as_text(reading, choice_of(options), output.form))


@commands.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option(
    "--measure",
    type=click.Choice(MEASURES),
    default="speed",
    help="default: speed (steady training epoch)",
)
@click.option(
    "--fail-if-slower",
    metavar="5%",
    help="end with status 1 if B is shown to be slower by this much or more, or does not finish",
)
@click.option("--pool-hosts", is_flag=True, help="pair runs of different machines")
@_output("md", "json")
@_store()
def compare(
    first: str, second: str, measure: str, fail_if_slower: str | None, **options: Any
) -> None:
    """Pair the cells of two selections and judge B against A.

    A selection is key=value pairs separated by commas: backend=jax,profile=quick. The first digits
    of a commit and a part of a device's name are enough. Status: 0; 1 for a regression under
    --fail-if-slower; 2 if nothing could be compared.
    """
    from analysis.output import prepare_output
    from analysis.store.select import parse, percentage

    selections = parse(first), parse(second)
    limit = percentage(fail_if_slower) if fail_if_slower is not None else None
    output = prepare_output(options, "md")
    reading = _read(options)
    from analysis.tables.pairs import MEASURES as KNOWN
    from analysis.tables.pairs import as_text, judge
    from analysis.tables.pairs import compare as compare_

    result = compare_(
        reading.frame,
        *selections,
        measure=KNOWN[measure],
        names_=(first, second),
        pool_hosts=options["pool_hosts"],
    )
    output.put(as_text(result, limit, output.form))
    if limit is not None:
        judge(result, limit)


@commands.command()
@_choice("all")
@_SELECT
@_output("md", "csv", "json")
@_store()
def runs(select: str | None, **options: Any) -> None:
    """List the runs, newest last."""
    from analysis.output import prepare_output

    output = prepare_output(options, "md")
    reading = _read(options)
    from analysis.store.listing import as_text
    from analysis.store.select import choice_of, selected
    from analysis.store.select import select as select_

    output.note(reading.remarks())
    frame = selected(select_(reading.frame, choice_of(options)), select)
    output.put(as_text(frame, output.form))


@commands.command()
@click.option(
    "-o", "--output", metavar="FILE", required=True, help="ending in .parquet, .csv or .json"
)
@click.option("--epochs", is_flag=True, help="the table of epochs instead of that of runs")
@_SELECT
@_store()
def export(output: str, epochs: bool, select: str | None, **options: Any) -> None:
    """Write the tidy table as Parquet, CSV or JSON."""
    from analysis.output import check_output, note
    from analysis.store.listing import EXPORT_ENDINGS, write_table
    from analysis.store.select import selected

    if Path(output).suffix.lower() not in EXPORT_ENDINGS:
        raise ConfigError(f"{output}: name a file that ends in {', '.join(EXPORT_ENDINGS)}")
    check_output(output)
    reading = _read(options)
    note(reading.remarks())
    frame = selected(reading.frame, select)
    if epochs:
        from analysis.store.epochs import read

        frame = read(frame, options["uri"], options["experiment"])
    shape = write_table(Path(output), frame, epochs)
    click.echo(f"{output}: {shape[0]} rows, {shape[1]} columns", err=True)


@commands.command()
@click.option("--epochs", is_flag=True, help="of the table of epochs")
def columns(epochs: bool) -> None:
    """Explain the columns of the tidy table, with types and units."""
    from analysis.store.columns import COLUMNS, EPOCH_COLUMNS
    from analysis.tables.grid import grid_markdown

    listed = EPOCH_COLUMNS if epochs else COLUMNS
    rows = [
        (column.name, column.dtype, column.unit, f"{column.kind} {column.key}", column.meaning)
        for column in listed
    ]
    click.echo(grid_markdown(("Column", "Type", "Unit", "MLflow", "Meaning"), rows), nl=False)


@commands.command()
@click.option(
    "--results",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="packed journals; default: the newest folder in results/",
)
@click.option("--readme", metavar="FILE", type=click.Path(path_type=Path), default="README.md")
@click.option("--check", is_flag=True, help="write nothing; status 1 if something would change")
def readme(results: Path | None, readme: Path, check: bool) -> None:
    """Write the results block of the README from committed results."""
    from analysis.output import check_output
    from analysis.readme import check_block, newest_results, write_block

    check_output(str(readme))
    folder = results or newest_results()
    if check:
        check_block(readme, folder)
        return
    changed = write_block(readme, folder)
    click.echo(f"{len(changed)} files written: {', '.join(map(str, changed)) or 'none changed'}")


@commands.command("import-published")
@_store(refresh=False)
def import_published(uri: str | None, experiment: str | None) -> None:
    """Add the results that others published in 2017 to the store, once."""
    from analysis.published.results import import_published as import_

    added, present = import_(uri, experiment)
    click.echo(f"{added} published results added, {present} were there already")


if __name__ == "__main__":
    sys.exit(main())
