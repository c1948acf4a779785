"""Sweeps into an MLflow server on PostgreSQL that `python -m experiments server` starts: two at
once, and one that goes away.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.tracking import server
from tests.support.sweeping import ROOT, Bench

pytestmark = pytest.mark.server


class Own:
    """A server with a folder and port of its own."""

    def __init__(self, cache: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.cache = cache

    def act(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "experiments", "server", *arguments],
            cwd=ROOT,
            text=True,
            capture_output=True,
            env={**os.environ, "KBB_CACHE": str(self.cache)},
            check=False,
            timeout=300,
        )

    def start(self) -> str:
        done = self.act("start", "--port", str(self.port))
        assert done.returncode == 0, done.stdout + done.stderr
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def own() -> Iterator[Own]:
    """Stopped again at the end, whatever happens."""
    try:
        server.postgres_program("initdb")
    except server.ServerError as error:
        pytest.skip(str(error))
    # pytest's folders are closed to other users, and PostgreSQL does not run as root.
    folder = Path(tempfile.mkdtemp(prefix="kbb-server-"))
    folder.chmod(0o755)
    made = Own(folder)
    try:
        yield made
    finally:
        made.act("stop")
        shutil.rmtree(folder, ignore_errors=True)


def test_start_status_stop_and_start_again(own: Own) -> None:
    assert own.act("status").returncode == 1
    uri = own.start()
    assert uri in own.act("status").stdout
    taken = own.act("start", "--port", str(own.port))
    assert taken.returncode == 0  # it runs already
    assert own.act("stop").stdout.strip() == "stopped"
    assert own.act("status").returncode == 1
    assert own.act("stop").stdout.strip() == "the server was not running"


def test_a_port_in_use_is_refused_in_one_line(own: Own) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", own.port))
        done = own.act("start", "--port", str(own.port))
    assert done.returncode == 1
    assert f"port {own.port} of 127.0.0.1 is in use" in done.stderr
    assert done.stderr.count("\n") == 1


def test_two_sweeps_at_once_into_one_server(own: Own, bench: Bench) -> None:
    bench.behave(all={"epoch_seconds": 0.3})
    bench.uri = own.start()
    processes = [
        bench.start("backend=jax,torch", "repetitions=2", "tracking=server"),
        bench.start("backend=torch,tensorflow2", "repetitions=2", "tracking=server"),
    ]
    for process in processes:
        out, _ = process.communicate(timeout=300)
        assert process.returncode == 0, out
        assert "View run" not in out
    assert bench.cells() == {
        ("mnist_mlp", b, n): 1 for b in ("jax", "torch", "tensorflow2") for n in "12"
    }
    bench.assert_whole()


def test_a_server_that_goes_away_costs_nothing(own: Own, bench: Bench) -> None:
    bench.behave(all={"epoch_seconds": 2.0})
    bench.uri = own.start()
    process = bench.start(
        "backend=jax,torch", "repetitions=2", "tracking=server", "tracking.flush_seconds=0.1"
    )
    bench.until(process, "epoch 1/2")
    assert own.act("stop").returncode == 0
    bench.until(process, "[1/4] finished")
    own.start()
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0, out
    bench.assert_whole()
    assert bench.cells() == {("mnist_mlp", b, n): 1 for b in ("jax", "torch") for n in "12"}


def test_a_server_that_stays_away_is_filled_by_the_next_start(own: Own, bench: Bench) -> None:
    bench.behave(all={"epoch_seconds": 1.0})
    bench.uri = own.start()
    process = bench.start("backend=jax,torch", "tracking=server")
    bench.until(process, "epoch 1/2")
    assert own.act("stop").returncode == 0
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0, out
    assert "when it answers: python -m experiments journal ingest" in out
    own.start()
    done = bench.run("backend=jax,torch", "tracking=server")
    assert done.returncode == 0, done.stdout
    assert "brought in" in done.stdout
    assert "2 runs are finished already" in done.stdout
    bench.assert_whole()
    assert set(bench.cells().values()) == {1}


def test_a_killed_server_is_seen_to_be_gone(own: Own) -> None:
    own.start()
    facts = server.Server(own.cache / "server").running()
    assert facts is not None
    os.killpg(facts["pid"], signal.SIGKILL)
    limit = time.monotonic() + 10
    while own.act("status").returncode == 0:
        assert time.monotonic() < limit
    own.start()
    assert own.act("status").returncode == 0
