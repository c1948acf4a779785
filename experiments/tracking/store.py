"""Reach the tracking store, create its schema and experiment once, and say in one line when it does not answer."""

import contextlib
import logging
import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments import collector, names
from experiments.config import TrackingConfig
from experiments.errors import TrackingError
from experiments.paths import cache_root, project_root

if TYPE_CHECKING:
    from mlflow import MlflowClient

_DEFAULTS = {
    # MLflow waits up to two minutes and retries seven times; a person who waits wants to know sooner.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    # It would tell its makers of each use, over a network that need not be there.
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


@dataclass(frozen=True)
class Store:
    """A store that answered: its client, address and the experiment that runs go to."""

    client: "MlflowClient"
    uri: str
    experiment_id: str


def name_run(client: "MlflowClient", run: Any, name: str) -> None:
    """Give a run that `mlflow run` opened its own name, unless a person named it: MLflow's are like calm-owl-12."""
    if re.fullmatch(r"[a-z]+-[a-z]+-[0-9]+", run.info.run_name or ""):
        client.update_run(run.info.run_id, name=name)


def default_uri() -> str:
    """mlflow.db in the project's root, whatever directory a command is started from."""
    return f"sqlite:///{project_root() / 'mlflow.db'}"


def connect(tracking: TrackingConfig) -> Store:
    """Open the store and make sure that its experiment is there. Raises TrackingError in one line."""
    for key, value in _DEFAULTS.items():
        os.environ.setdefault(key, value)
    uri = absolute_uri(tracking.uri or default_uri())
    try:
        with collector.paused(lasting=True), quiet():
            from mlflow import MlflowClient  # takes seconds: before the lock

            # A folder in the address is relative to the directory MLflow finds itself in.
            with contextlib.chdir(_home_of(uri)), _creation_lock(uri):
                client = MlflowClient(tracking_uri=uri, registry_uri=uri)
                return Store(client, uri, _experiment(client, uri, tracking.experiment))
    except Exception as error:  # MLflow, SQLAlchemy and requests each raise their own
        raise TrackingError(
            f"tracking store {redacted(uri)} does not answer ({brief(error)}); "
            "tracking.required=false trains with the journal alone, and "
            "`python -m experiments.journal ingest FILE` brings it in later"
        ) from error


def existing(tracking: TrackingConfig) -> Store | None:
    """The store if it is there already, with its experiment; nothing is created. Raises TrackingError."""
    for key, value in _DEFAULTS.items():
        os.environ.setdefault(key, value)
    uri = absolute_uri(tracking.uri or default_uri())
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).exists():
        return None
    try:
        with collector.paused(lasting=True), quiet():
            from mlflow import MlflowClient

            client = MlflowClient(tracking_uri=uri, registry_uri=uri)
            found = client.get_experiment_by_name(tracking.experiment)
    except Exception as error:  # MLflow, SQLAlchemy and requests each raise their own
        raise TrackingError(f"tracking store {redacted(uri)} does not answer ({brief(error)})") from error
    return None if found is None else Store(client, uri, str(found.experiment_id))


def absolute_uri(uri: str) -> str:
    """`sqlite:///mlflow.db` is relative to the directory a command starts in: pin it there and then."""
    head = "sqlite:///"
    if uri.startswith(head) and not uri.startswith(head + "/") and ":memory:" not in uri:
        return head + str(Path(uri[len(head):]).resolve())
    return uri


def _home_of(uri: str) -> Path:
    if not uri.startswith("sqlite:///"):
        return Path.cwd()
    folder = Path(uri.removeprefix("sqlite:///")).parent
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def _creation_lock(uri: str) -> Iterator[None]:
    """MLflow creates the schema on first use; two first uses at once would trip over each other."""
    if not uri.startswith("sqlite:///"):
        yield
        return
    import hashlib

    from filelock import FileLock

    folder = cache_root() / "locks"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        yield
        return
    with FileLock(folder / f"store-{hashlib.sha256(uri.encode()).hexdigest()[:12]}.lock"):
        yield


def _experiment(client: "MlflowClient", uri: str, name: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        if found.lifecycle_stage != "active":
            raise TrackingError(f"experiment {name!r} was deleted; `mlflow experiments restore` brings it back")
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

    `mlflow run .` without --experiment-name writes to experiment 0; renamed, its runs stand beside those
    of train.py and sweep.py, so that the compare view shows them together.
    """
    default = client.get_experiment("0")
    if default is None or default.name != "Default" or default.lifecycle_stage != "active":
        return False
    client.rename_experiment("0", name)
    return True


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """MLflow's and Alembic's notices (schema migrations, git), and SQLAlchemy's, stay out of the terminal."""
    for logger in ("mlflow", "alembic"):
        logging.getLogger(logger).setLevel(logging.ERROR)
    # What goes wrong is raised as well; an impatient Ctrl-C in a query would put a traceback on the terminal.
    logging.getLogger("sqlalchemy").setLevel(logging.CRITICAL)
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")  # importing MLflow configures its loggers anew
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def brief(error: BaseException) -> str:
    """The first sentence of an error, at most 160 characters; a database's own words without SQLAlchemy's around."""
    text = " ".join(str(error).split()) or type(error).__name__
    told = re.search(r"\([\w.]+(?:Error|\.\w+)\) (.+?)(?: \[SQL: |$)", text)
    text = told.group(1) if told else text
    return text if len(text) <= 160 else text[:157] + "…"


def redacted(uri: str) -> str:
    """The address without a password."""
    return re.sub(r"://([^:/@]+):[^/]*@", r"://\1:***@", uri)


def search_all(client: "MlflowClient", experiment_ids: list[str], filter_string: str) -> list[Any]:
    """All runs that match, page by page."""
    runs: list[Any] = []
    token = None
    while True:
        page = client.search_runs(experiment_ids, filter_string, max_results=1000, page_token=token)
        runs.extend(page)
        token = page.token
        if not token:
            return runs
