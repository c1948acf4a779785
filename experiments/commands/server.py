"""`server`: a tracking server for this machine."""

import click

from experiments.cli.console import say
from experiments.errors import DONE


@click.group()
def server() -> None:
    """Run a tracking server on this machine: MLflow on PostgreSQL."""


@server.command("start")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=5000, help="of 127.0.0.1; default: 5000"
)
def server_start(port: int) -> None:
    """Start the server."""
    from experiments.tracking.server import Server, server_folder

    tracking = Server(server_folder())
    say(f"starting PostgreSQL and MLflow in {tracking.folder} (up to a minute)")
    uri = tracking.start(port)
    named = "" if port == 5000 and uri.endswith(":5000") else f" tracking.uri={uri}"
    say(f"MLflow answers on {uri}; use it with tracking=server{named}")


@server.command("stop")
def server_stop() -> None:
    """Stop the server; stored runs are kept."""
    from experiments.tracking.server import Server, server_folder

    say("stopped" if Server(server_folder()).stop() else "the server was not running")


@server.command("status")
def server_status() -> int:
    """Show whether the server is running; exit status 1 if not."""
    from experiments.tracking.server import Server, server_folder

    tracking = Server(server_folder())
    facts = tracking.running()
    say(f"MLflow answers on {facts['uri']} ({tracking.folder})" if facts else "not running")
    return DONE if facts else 1
