"""A tracking server of your own: MLflow on PostgreSQL, this machine only.

    python -m experiments server start [--port 5000]     then: sweep.py … tracking=server
    python -m experiments server status
    python -m experiments server stop                    what is stored stays

PostgreSQL is reached through a socket in the server's folder, MLflow on 127.0.0.1. PostgreSQL does
not run as root: there it runs as nobody.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from experiments.errors import FailedRun
from experiments.system.paths import APPLICATION, cache_root

UNPRIVILEGED = "nobody"
START_SECONDS = 180.0


class ServerError(FailedRun):
    """The tracking server could not be started or stopped."""


class Server:
    """PostgreSQL and MLflow in one folder, with their logs; server.json is there while they run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts = folder / "server.json"
        self.data = folder / "postgres"
        self.sockets = folder / "socket"

    def running(self) -> dict[str, Any] | None:
        """What was written when it was started, None if MLflow's process is gone."""
        import psutil

        try:
            facts: dict[str, Any] = json.loads(self.facts.read_text())
            process = psutil.Process(facts["pid"])
        except (OSError, ValueError, KeyError, psutil.NoSuchProcess):
            return None
        # Its arguments tell it from a stranger that got its number; a start time moves with the
        # clock.
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and str(self.sockets) in " ".join(
                process.cmdline()
            ):
                return facts
        return None

    def start(self, port: int) -> str:
        """Start what is not running; returns MLflow's address."""
        facts = self.running()
        if facts is not None:
            return str(facts["uri"])
        if _taken(port):
            raise ServerError(f"port {port} of 127.0.0.1 is in use; choose another with --port")
        for path in (self.folder, self.sockets):
            path.mkdir(parents=True, exist_ok=True)
        _give(self.sockets)
        self.sockets.chmod(0o700)
        self._start_postgres()
        return self._start_mlflow(port)

    def _start_postgres(self) -> None:
        if len(os.fsencode(self.sockets)) > 90:
            raise ServerError(
                f"{self.sockets}: too long for a socket's path; KBB_CACHE names a shorter folder"
            )
        if not (self.data / "PG_VERSION").exists():
            shutil.rmtree(self.data, ignore_errors=True)
            self.data.mkdir()
            _give(self.data)
            self._postgres(
                "initdb",
                "--auth=trust",
                "--username=mlflow",
                "--encoding=UTF8",
                "--no-locale",
                f"--pgdata={self.data}",
            )
        if self._postgres("pg_ctl", "status", f"--pgdata={self.data}", check=False).returncode != 0:
            # No password: only the owner can enter the socket's folder, and there is no port.
            options = f"-c listen_addresses='' -c unix_socket_directories='{self.sockets}'"
            log = self.folder / "postgres.log"
            log.touch()
            _give(log)
            self._postgres(
                "pg_ctl",
                "start",
                "--wait",
                f"--pgdata={self.data}",
                f"--log={log}",
                f"--options={options}",
            )

    def _postgres(
        self, program: str, *arguments: str, check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        # pg_ctl's child keeps what it inherits: files instead of pipes, or reading them would never
        # end.
        log = self.folder / f"{program}.log"
        with log.open("w") as output:
            done = subprocess.run(
                [str(postgres_program(program)), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                cwd="/",
                user=_user(),
                group=_group(),
                extra_groups=[] if _user() else None,
            )
        if check and done.returncode != 0:
            lines = log.read_text().strip().splitlines()
            raise ServerError(
                f"{program} failed: {lines[-1] if lines else 'no message'} (log: {log})"
            )
        return done

    def _start_mlflow(self, port: int) -> str:
        uri = f"http://127.0.0.1:{port}"
        store = f"postgresql+psycopg2://mlflow@/postgres?host={self.sockets}"
        command = [
            *(sys.executable, "-m", "mlflow", "server"),
            *("--host", "127.0.0.1"),
            *("--port", str(port)),
            *("--workers", "1"),
            *("--backend-store-uri", store),
            *("--artifacts-destination", str(self.folder / "artifacts")),
        ]
        log = self.folder / "mlflow.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                env=_mlflow_variables(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self.folder,
            )
        self.facts.write_text(json.dumps({"pid": process.pid, "uri": uri}))
        limit = time.monotonic() + START_SECONDS
        while not _answers(uri):
            if process.poll() is not None or time.monotonic() > limit:
                self.stop()
                raise ServerError(f"mlflow server did not come up; see {log}")
            time.sleep(0.5)
        return uri

    def stop(self) -> bool:
        """Stop both; whether any was running."""
        facts = self.running()
        if facts is not None:
            _end_group(facts["pid"])
        self.facts.unlink(missing_ok=True)
        if not (self.data / "postmaster.pid").exists():
            return facts is not None
        self._postgres("pg_ctl", "stop", "--wait", "--mode=fast", f"--pgdata={self.data}")
        return True


def server_folder() -> Path:
    """The server's folder: in the cache, or, run by root, where PostgreSQL can reach it."""
    folder = cache_root() / "server"
    if os.geteuid() != 0 or (folder / "postgres").exists():
        return folder
    known = [path for path in folder.parents if path.exists()]
    return (
        folder
        if all(path.stat().st_mode & 0o001 for path in known)
        else Path("/var/tmp") / APPLICATION / "server"
    )


def postgres_program(name: str) -> Path:
    """One of PostgreSQL's programs, from PATH or Debian's folder. Raises ServerError."""
    found = shutil.which(name)
    if found:
        return Path(found).resolve()
    versions = sorted(
        Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: path.parts[-3].zfill(4)
    )
    if not versions:
        raise ServerError(
            f"PostgreSQL's {name} is not installed: apt-get install postgresql, or dnf, brew …"
        )
    return versions[-1]


def _user() -> int | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    import pwd

    return pwd.getpwnam(UNPRIVILEGED).pw_uid


def _group() -> int | None:
    if os.geteuid() != 0:
        return None
    import pwd

    return pwd.getpwnam(UNPRIVILEGED).pw_gid


def _give(path: Path) -> None:
    user, group = _user(), _group()
    if user is not None and group is not None:
        os.chown(path, user, group)


def _mlflow_variables() -> dict[str, str]:
    """The server's environment: ours without MLflow's settings, which are meant for a client."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    return {
        **kept,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # 2 processes instead of 11
    }


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _answers(uri: str) -> bool:
    import urllib.request

    with contextlib.suppress(OSError), urllib.request.urlopen(f"{uri}/health", timeout=2) as answer:
        return bool(answer.status == 200)
    return False


def _end_group(pid: int) -> None:
    """End the server and its workers: asked first, then made to."""
    import psutil

    process = psutil.Process(pid)
    for number, seconds in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, number)
        with contextlib.suppress(psutil.TimeoutExpired, psutil.NoSuchProcess):
            process.wait(seconds)
            return
