"""A password in a store's address is never shown or kept, whatever characters it has."""

from pathlib import Path
from typing import Any

import pytest

from experiments.config.schema import TrackingConfig
from experiments.doctor import project
from experiments.errors import TrackingError, fail, keep_traceback
from experiments.runs import record
from experiments.tracking import ingest, store
from experiments.tracking.connection import Connection
from tests.support.composing import composed

ADDRESSES = [
    ("postgresql://user:p/w@127.0.0.1:9/db", "postgresql://user:***@127.0.0.1:9/db"),
    ("http://u:p@w@127.0.0.1:9", "http://u:***@127.0.0.1:9"),
    ("http://u:p/w@127.0.0.1:9", "http://u:***@127.0.0.1:9"),
    ("mysql+pymysql://u:p@/w@h/db?password=p/w", "mysql+pymysql://u:***@h/db?password=***"),
    ("postgresql://:p@w@h/db", "postgresql://:***@h/db"),
]
PIECES = ("p/w", "p@w", "p@/w", ":p", "/w@", "w@h", "w@127")


@pytest.fixture(params=ADDRESSES, ids=[address for address, _ in ADDRESSES])
def uri(request: pytest.FixtureRequest) -> tuple[str, str]:
    return request.param  # type: ignore[no-any-return]


def assert_hidden(text: str, shown: str | None = None) -> None:
    assert shown is None or shown in text
    assert [piece for piece in PIECES if piece in text.replace("://:***", "")] == []


def test_an_address_and_a_text_with_addresses(uri: tuple[str, str]) -> None:
    address, shown = uri
    assert store.redacted(address) == shown
    assert store.redacted(f"{address} and {address} are down") == (f"{shown} and {shown} are down")


@pytest.mark.parametrize(
    "address", ["sqlite:////x@y/mlflow.db", "http://127.0.0.1:5000", "postgresql://user@host/db"]
)
def test_what_holds_no_password_is_shown_whole(address: str) -> None:
    assert store.redacted(address) == store.escaped(address) == address


@pytest.mark.parametrize(
    ("given", "handed"),
    [
        ("postgresql://user:p/w@host/db", "postgresql://user:p%2Fw@host/db"),
        ("http://u:p@w@host", "http://u:p%40w@host"),
        ("http://u:p@w@host/path?x=a@b", "http://u:p%40w@host/path?x=a@b"),
        ("postgresql://u:a:b/c@d@host:5432/db", "postgresql://u:a:b%2Fc%40d@host:5432/db"),
        ("postgresql://u:p%2Fw@host/db", "postgresql://u:p%2Fw@host/db"),
        ("postgresql+psycopg2://m@/db?host=/a@b", "postgresql+psycopg2://m@/db?host=/a@b"),
        ("http://host:5000/a@b", "http://host:5000/a@b"),
    ],
)
def test_mlflow_is_handed_a_password_that_it_can_tell_from_the_host(
    given: str, handed: str
) -> None:
    assert store.escaped(given) == handed


@pytest.mark.parametrize("opener", ["connect", "existing", "open_client"])
def test_errors_of_every_opener(
    uri: tuple[str, str], opener: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, shown = uri
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    tracking = TrackingConfig(name="server", uri=address)
    with pytest.raises(TrackingError, match="does not answer") as refusal:
        if opener == "open_client":
            client = store.open_client(address)
            store.experiment_id(client, address, "any")
        else:
            getattr(store, opener)(tracking)
    assert_hidden(str(refusal.value), shown)


def test_a_warning_of_a_store_that_is_not_required(uri: tuple[str, str]) -> None:
    said: list[str] = []
    Connection(TrackingConfig(name="server", uri=uri[0], required=False), said.append)
    (warning,) = said
    assert_hidden(warning, uri[1])


def test_an_error_and_its_traceback(
    uri: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("KBB_RUNS", str(tmp_path))
    try:
        raise ValueError(f"cannot parse {uri[0]}")
    except ValueError as error:
        assert fail(error) == 70
        assert_hidden(capsys.readouterr().err, f"ValueError: cannot parse {uri[1]}")
        log = Path(keep_traceback(error))
    assert log.parent == tmp_path
    text = log.read_text()
    assert_hidden(text, f"ValueError: cannot parse {uri[1]}")
    assert "Traceback" in text
    assert fail(TrackingError(f"{uri[0]} is down")) == 2
    assert_hidden(capsys.readouterr().err, f"error: {uri[1]} is down")


def test_doctor(uri: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KBB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri[0])
    row = project.store().rows[0]
    assert row.what == uri[1]
    assert_hidden(f"{row.what} {row.state} {row.detail} {row.fix}", uri[1])


def test_the_mark_beside_a_journal(uri: tuple[str, str], tmp_path: Path) -> None:
    client: Any = None
    ingest.mark(tmp_path, store.Store(client, uri[0], "1"), "run")
    assert_hidden((tmp_path / ingest.MARK).read_text(), uri[1])


def test_the_config_and_log_of_a_run(
    uri: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from experiments.cli.console import Quiet

    monkeypatch.setenv("KBB_RUNS", str(tmp_path))
    config = composed("task=mnist_mlp", "backend=jax", "tracking=journal")
    config.tracking.uri = uri[0]
    with record.RunRecord.create(config, Quiet()) as run:
        run.keep_traceback(f"ValueError: {uri[0]}\n")
        run.close("failed", f"ValueError: {uri[0]}")
    written = {path.name: path.read_text() for path in run.folder.iterdir()}
    assert uri[1] in written["config.yaml"] and uri[1] in written["worker.log"]
    assert uri[1] in written["events.jsonl"]
    for text in written.values():
        assert uri[0] not in text
