"""The only opener of MLflow, for both packages: address, redaction, connecting, paging, quiet.

Importing MLflow takes seconds, so every function here imports it when it is called.
"""

import contextlib
import logging
import os
import re
import sqlite3
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from experiments import errors, names
from experiments.errors import TrackingError
from experiments.system.locks import file_lock
from experiments.system.paths import cache_root, project_root
from experiments.tracking.collector import gc_paused

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from experiments.config.schema import TrackingConfig

SQLITE = "sqlite:///"
HOW_TO_FILL = (
    "`python experiments/train.py task=mnist_mlp` measures a run, "
    "`python -m analysis import-published` imports the results of 2017"
)
PAGE = 500  # runs per query: larger pages sort the store less often, but hold more of it in memory
# Must be set before MLflow is imported; whatever the user has set stays.
ENVIRONMENT = {
    # MLflow waits up to two minutes and retries seven times; a person who waits wants to know
    # sooner.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    # Telemetry would report each use over a network that need not be there.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",  # importing MLflow configures its loggers anew
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}


@dataclass(frozen=True)
class Store:
    """A store that answered: its client, address and the experiment that runs go to."""

    client: "MlflowClient"
    uri: str
    experiment_id: str


# Addresses -------------------------------------------------------------------------------------


def address(uri: str | None = None) -> str:
    """The store's address: the one given, MLFLOW_TRACKING_URI, or mlflow.db in the project's root.

    `sqlite:///mlflow.db` is relative to the directory a command starts in; it is made absolute
    here.
    """
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or default_uri()
    if uri.startswith(SQLITE) and not uri.startswith(SQLITE + "/") and ":memory:" not in uri:
        return SQLITE + str(Path(uri.removeprefix(SQLITE)).resolve())
    return uri


def default_uri() -> str:
    """mlflow.db in the project's root, whatever directory a command is started from."""
    return f"{SQLITE}{project_root() / 'mlflow.db'}"


def sqlite_path(uri: str) -> Path | None:
    """The file behind a SQLite address, None for every other kind of store."""
    return Path(uri.removeprefix(SQLITE).split("?")[0]) if uri.startswith(SQLITE) else None


redacted = errors.redacted  # whoever shows an address takes it from here


def escaped(uri: str) -> str:
    """The address with "/" and "@" in its password percent-encoded, as libraries expect it.

    Unescaped, they take a part of the password for the host, and show it in their errors.
    """
    scheme, mark, rest = uri.partition("://")
    place, question, query = rest.partition("?")
    authority = place.partition("/")[0]
    port = authority.rpartition(":")[2]
    if "@" in authority:  # u:p@w@host
        user, at, host = authority.rpartition("@")
        host += place.removeprefix(authority)
    elif ":" in authority and not port.isdigit() and "@" in place:  # user:p/w@host/db
        user, at, host = place.rpartition("@")
    else:
        return uri
    name, colon, password = user.partition(":")
    hidden = quote(password, safe="%!$&'()*+,;=:~")
    return f"{scheme}{mark}{name}{colon}{hidden}{at}{host}{question}{query}"


# Connecting ------------------------------------------------------------------------------------


def connect(tracking: "TrackingConfig") -> Store:
    """Open the store and make sure that its experiment exists. Raises TrackingError in one line."""
    return open_or_create(tracking.uri, tracking.experiment)


def open_or_create(uri: str | None = None, experiment: str = names.EXPERIMENT) -> Store:
    """Open a store for writing, creating it and its experiment if missing. Raises TrackingError."""
    uri = address(uri)
    try:
        # A folder in the address is relative to the directory MLflow finds itself in.
        with contextlib.chdir(_home_of(uri)):
            prepare_import()  # takes seconds: before the lock
            with _creation_lock(uri), quiet():
                client = _client(uri)
                return Store(client, uri, _experiment(client, uri, experiment))
    except Exception as error:  # MLflow, SQLAlchemy and requests each raise their own
        raise TrackingError(
            f"tracking store {redacted(uri)} does not answer ({brief(error)}); "
            "tracking.required=false trains with the journal alone, and "
            "`python -m experiments journal ingest FILE` adds it to the store later"
        ) from error


def existing(tracking: "TrackingConfig") -> Store | None:
    """The store if it exists with its experiment; creates nothing. Raises TrackingError."""
    uri = address(tracking.uri)
    path = sqlite_path(uri)
    if path is not None and not path.exists():
        return None
    try:
        with quiet():
            client = _client(uri)
            found = client.get_experiment_by_name(tracking.experiment)
    except Exception as error:  # MLflow, SQLAlchemy and requests each raise their own
        raise TrackingError(
            f"tracking store {redacted(uri)} does not answer ({brief(error)})"
        ) from error
    return None if found is None else Store(client, uri, str(found.experiment_id))


def open_client(uri: str) -> "MlflowClient":
    """MLflow's client for an existing store; creates nothing. Raises TrackingError in one line."""
    path = sqlite_path(uri)
    if path is not None:
        _require_mlflow_file(path)
    with one_line_errors(uri):
        return _client(uri)


def experiment_id(client: "MlflowClient", uri: str, name: str) -> str:
    """The id of an experiment; TrackingError that lists the others if it does not exist."""
    with one_line_errors(uri):
        found = client.get_experiment_by_name(name)
        if found is not None and found.lifecycle_stage == "active":
            return str(found.experiment_id)
        experiments = client.search_experiments(max_results=20)
    others = ", ".join(sorted(experiment.name for experiment in experiments)) or "none"
    what = "was deleted" if found is not None else "does not exist"
    raise TrackingError(
        f"experiment {name!r} {what} in {redacted(uri)}; it contains: {others}; {HOW_TO_FILL}"
    )


def prepare_import() -> None:
    """Import MLflow with our settings and without repeated garbage collection."""
    for key, value in ENVIRONMENT.items():
        os.environ.setdefault(key, value)
    with gc_paused(lasting=True), quiet():
        import mlflow  # noqa: F401


def _client(uri: str) -> "MlflowClient":
    prepare_import()
    with gc_paused(lasting=True):
        from mlflow import MlflowClient

        reached = escaped(uri)
        return MlflowClient(tracking_uri=reached, registry_uri=reached)


def _require_mlflow_file(path: Path) -> None:
    if not path.is_file():
        raise TrackingError(f"no store at {path}; {HOW_TO_FILL}")
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            rows = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            tables = {row[0] for row in rows}
    except sqlite3.DatabaseError as error:
        raise TrackingError(f"{path} is not a readable SQLite database ({error})") from error
    if not {"experiments", "runs"} <= tables:
        raise TrackingError(f"{path} is not an MLflow store; {HOW_TO_FILL}")


def _home_of(uri: str) -> Path:
    path = sqlite_path(uri)
    if path is None:
        return Path.cwd()
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.parent


@contextlib.contextmanager
def _creation_lock(uri: str) -> Iterator[None]:
    """MLflow creates the schema on first use; two first uses at once would collide."""
    if sqlite_path(uri) is None:
        yield
        return
    import hashlib

    digest = hashlib.sha256(uri.encode()).hexdigest()[:12]
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # a cache that cannot be written: no lock
            stack.enter_context(file_lock(cache_root() / "locks" / f"store-{digest}.lock"))
        yield


def _experiment(client: "MlflowClient", uri: str, name: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        if found.lifecycle_stage != "active":
            raise TrackingError(
                f"experiment {name!r} was deleted; `mlflow experiments restore` restores it"
            )
        return str(found.experiment_id)
    if uri == default_uri() and name == names.EXPERIMENT and _adopt_default(client, name):
        return "0"
    try:
        return str(client.create_experiment(name))
    except Exception:
        found = client.get_experiment_by_name(name)  # another process was faster
        if found is None:
            raise
        return str(found.experiment_id)


def _adopt_default(client: "MlflowClient", name: str) -> bool:
    """Give the project's own store one experiment under the project's name.

    `mlflow run .` without --experiment-name writes to experiment 0; once that is renamed, its runs
    stand beside those of train.py and sweep.py, so that the compare view shows them together.
    """
    default = client.get_experiment("0")
    if default is None or default.name != "Default" or default.lifecycle_stage != "active":
        return False
    client.rename_experiment("0", name)
    return True


# Reading and naming ----------------------------------------------------------------------------


def pages(
    client: "MlflowClient", experiment: str, filter_string: str = "", size: int = PAGE
) -> Iterator[list[Any]]:
    """Pages of MLflow's runs, newest first; at least one, which may be empty."""
    token: str | None = None
    while True:
        page = client.search_runs([experiment], filter_string, max_results=size, page_token=token)
        yield list(page)
        token = page.token
        if not token:
            return


def name_run(client: "MlflowClient", run: Any, name: str) -> None:
    """Name a run that `mlflow run` opened, unless a person did; MLflow's names: calm-owl-12."""
    if re.fullmatch(r"[a-z]+-[a-z]+-[0-9]+", run.info.run_name or ""):
        client.update_run(run.info.run_id, name=name)


# Quiet -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep MLflow's, Alembic's and SQLAlchemy's notices out of the terminal."""
    for logger in ("mlflow", "alembic"):
        logging.getLogger(logger).setLevel(logging.ERROR)
    # Errors are raised as well; an interrupt within a query would print a traceback.
    logging.getLogger("sqlalchemy").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def one_line_errors(uri: str) -> Iterator[None]:
    """Turn what MLflow, SQLAlchemy or requests raise into a TrackingError; hide their notices."""
    try:
        with quiet():
            yield
    except TrackingError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())
        if "out-of-date database schema" in text or "Can't locate revision" in text:
            raise TrackingError(
                f"the store {redacted(uri)} was written by another version of MLflow: "
                "read it with that "
                "version, or upgrade an older store with `mlflow db upgrade URI`"
            ) from error
        raise TrackingError(
            f"the store {redacted(uri)} does not answer ({brief(error)})"
        ) from error


def brief(error: BaseException) -> str:
    """The first sentence of an error, at most 160 characters, without passwords or SQL."""
    text = " ".join(str(error).split()) or type(error).__name__
    told = re.search(r"\([\w.]+(?:Error|\.\w+)\) (.+?)(?: \[SQL: |$)", text)
    text = redacted(told.group(1) if told else text)
    return text if len(text) <= 160 else text[:157] + "…"
