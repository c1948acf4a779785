"""A place for each fault, the checks that hold after any fault, and the table of all that was
injected.
"""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.parents import Place, Zygote, copy_place, copy_store, finished_epochs, store_of

_ROW = (
    "injection"  # the property of a test's report that is a row of the table; it crosses processes
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.faults)


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    process = Zygote()
    yield process
    process.close()


@pytest.fixture(scope="session")
def template(zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache and a store as one good run leaves them; the run is taken out again."""
    place = Place(tmp_path_factory.mktemp("template"), zygote)
    place.database.parent.mkdir()
    place.plan()
    parent = place.run(seconds=300)
    assert parent.status == 0, parent.said
    assert store_of(place.database).only["state"] == "finished"
    connection = sqlite3.connect(place.database)
    for table in (
        "metrics",
        "latest_metrics",
        "params",
        "tags",
        "input_tags",
        "inputs",
        "datasets",
        "runs",
    ):
        connection.execute(f"DELETE FROM {table}")
    connection.commit()
    connection.close()
    shutil.rmtree(place.folder / "cache" / "envs")
    shutil.rmtree(place.folder / "cache" / "checks")
    return place.folder


@pytest.fixture
def place(zygote: Zygote, template: Path, tmp_path: Path) -> Iterator[Place]:
    """Somewhere to run a parent; afterwards nothing of it may be left running."""
    folder = tmp_path.resolve()
    copy_place(template, folder)
    made = Place(folder, zygote)
    yield made
    assert made.orphans() == []


class Server:
    """MLflow's web application behind a gate (see server.py)."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.uri = folder, ""
        self.order("ok")
        self._process: subprocess.Popen[str] | None = None
        self.start()

    def start(self, port: int = 0) -> None:
        command = [
            sys.executable,
            str(Path(__file__).parent / "server.py"),
            str(self.folder),
            str(port),
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.uri = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def order(self, mode: str, **more: object) -> None:
        """What the gate does from now on."""
        fresh = self.folder / "gate.new"
        fresh.write_text(json.dumps({"mode": mode, **more}))
        fresh.replace(self.folder / "gate.json")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None


@pytest.fixture(scope="session")
def server_process(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server").resolve()
    copy_store(template, folder)
    server = Server(folder)
    yield server
    server.stop()


@pytest.fixture
def server(server_process: Server, place: Place) -> Server:
    """The server, in good order, as this place's store; a client that is not patient."""
    server_process.order("ok")
    place.uri, place.database = server_process.uri, server_process.folder / "mlflow.db"
    place.variables.update(
        MLFLOW_HTTP_REQUEST_MAX_RETRIES="1", MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR="0",
        MLFLOW_HTTP_REQUEST_BACKOFF_JITTER="0", MLFLOW_HTTP_REQUEST_TIMEOUT="5",
    )  # fmt: skip
    return server_process


class Injection:
    """One fault: the checks that always hold, and its row in the table."""

    def __init__(self, place: Place, properties: list[tuple[str, object]]) -> None:
        self.place, self._properties = place, properties
        self._begin = time.monotonic()

    def holds(
        self,
        what: str,
        state: str | None,
        says: str = "",
        ingest: bool = True,
        shown: str = "refused",
    ) -> None:
        """The message, the state and the epochs are right, after ingesting twice at that.

        Without a `state` the test has looked at the runs itself; the table then says `shown`.
        """
        place, message = self.place, ""
        assert place.orphans() == []
        said = place.everything_said()
        assert "Traceback" not in said and "Exception ignored" not in said, said
        lines = [line for line in said.splitlines() if says and says in line]
        assert not says or lines, f"nothing says {says!r}:\n{said}"
        message = lines[0].strip() if lines else ""
        found: dict[int, int] = {}
        if ingest:
            done = place.ingest(*place.journals() * 2)
            assert "Traceback" not in done.said and done.status == 0, done.said
            message = message or "ingest: " + done.said.splitlines()[0].partition(": ")[2]
        if state is not None:
            run = place.kept().only
            assert run["state"] == state, (run, said)
            assert run["doubled"] == []
            found = run["epochs"]
            whole = finished_epochs(place.journal())
            assert found == dict.fromkeys(whole, 1), (found, whole)
            kinds = {"finished": "FINISHED", "diverged": "FINISHED", "killed": "KILLED"}
            assert run["status"] == kinds.get(state, "FAILED")
        seconds = f"{time.monotonic() - self._begin:.1f}"
        message = re.sub(re.escape(str(place.folder)), "…", message)
        row = [what, state or shown, str(len(found)) if state else "–", seconds, message]
        self._properties.append((_ROW, row))


@pytest.fixture
def injection(place: Place, request: pytest.FixtureRequest) -> Injection:
    return Injection(place, request.node.user_properties)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    passed = [
        report for report in terminalreporter.stats.get("passed", []) if report.when == "call"
    ]
    rows = sorted(
        value for report in passed for name, value in report.user_properties if name == _ROW
    )
    if not rows:
        return
    terminalreporter.section(f"{len(rows)} injected faults")
    heads = ("fault", "state", "epochs", "seconds", "what is said")
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(4)]
    room = max(terminalreporter._tw.fullwidth - sum(widths) - 8, 90)
    for row in [heads, *rows]:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        terminalreporter.write_line("  ".join([*cells, row[4][:room]]).rstrip())
