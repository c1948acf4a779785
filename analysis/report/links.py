"""Addresses of pages in MLflow's UI."""

import json
from collections.abc import Sequence
from urllib.parse import quote, urlsplit, urlunsplit

from experiments.errors import ConfigError
from experiments.tracking.store import escaped


def ui_address(given: str | None, tracking_uri: str) -> str | None:
    """Where MLflow's UI is: the address given, else the tracking server's own; None where there is
    no server.

    User names and passwords in an address stay out of it. Raises ConfigError for what is no http(s)
    address.
    """
    if given is None and not tracking_uri.startswith(("http://", "https://")):
        return None
    text = given or escaped(tracking_uri)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigError(
            f"--ui-url {text!r}: must be an http:// or https:// address, such as http://127.0.0.1:5000"
        )
    name = f"[{host}]" if ":" in host else host
    location = name if port is None else f"{name}:{port}"
    return urlunsplit((parts.scheme, location, parts.path.rstrip("/"), "", ""))


def run_page(ui: str | None, experiment_id: str, run_id: str) -> str | None:
    """The page of one run."""
    return (
        None
        if ui is None
        else f"{ui}/#/experiments/{quote(experiment_id, safe='')}/runs/{quote(run_id, safe='')}"
    )


def compare_page(ui: str | None, experiment_id: str, run_ids: Sequence[str]) -> str | None:
    """MLflow's page that sets runs side by side; None for fewer than two."""
    if ui is None or len(run_ids) < 2:
        return None
    runs = quote(json.dumps(list(run_ids), separators=(",", ":")))
    experiments = quote(json.dumps([experiment_id], separators=(",", ":")))
    return f"{ui}/#/compare-runs?runs={runs}&experiments={experiments}"


def chart_page(ui: str | None, experiment_id: str) -> str | None:
    """The experiment's runs as charts."""
    return (
        None
        if ui is None
        else f"{ui}/#/experiments/{quote(experiment_id, safe='')}/runs?compareRunsMode=CHART"
    )
