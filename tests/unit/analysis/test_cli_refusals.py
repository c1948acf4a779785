"""`python -m analysis` refuses bad input: one line with the next step, and an exit status."""

import os
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments import names
from tests.support.commands import Cli, refused
from tests.support.planted import run

Make = Callable[..., str]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["nonsense"], ["No such command 'nonsense'", "--help"]),
        (["tables", "--view", "2018"], ["'2018' is not one of", "answer", "tasks", "2017", "wide"]),
        (["tables", "--format", "pdf"], ["'pdf' is not one of", "latex"]),
        (["tables", "--surprise"], ["--surprise"]),
        (["compare", "backend=jax"], ["B"]),
        (["compare", "jax", "torch"], ["'jax' is not a valid selection", "key=value"]),
        (["compare", "bakend=jax", "backend=torch"], ["bakend: unknown key", "backend"]),
        (
            ["compare", "backend=jax", "backend=torch", "--fail-if-slower", "5"],
            ["'5' is not a share", "5% or 0.05"],
        ),
        (["export", "-o", "x.xlsx"], [".parquet, .csv, .json"]),
        (["tables", "-o", "/nowhere/at/all.md"], ["cannot be written", "/nowhere/at"]),
        (["tables", "-o", "."], [". is a folder"]),
    ],
)
def test_bad_arguments_are_refused_in_one_line_before_anything_is_read(
    cli: Cli, arguments: list[str], parts: list[str]
) -> None:
    refused(cli(*arguments, uri="sqlite:////nowhere/mlflow.db"), *parts)


COMMANDS = (
    ["tables"],
    ["tables", "--view", "tasks"],
    ["tables", "--view", "wide"],
    ["findings"],
    ["runs"],
    ["export", "-o", "x.csv"],
    ["compare", "backend=jax", "backend=torch"],
)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_store_that_is_not_there_says_what_fills_it(
    cli: Cli, tmp_path: Path, arguments: list[str]
) -> None:
    refused(
        cli(*arguments, uri=f"sqlite:///{tmp_path}/none.db"),
        "no store at",
        "experiments/train.py",
        "import-published",
    )
    assert not (tmp_path / "none.db").exists()


def test_an_empty_store_says_what_fills_it(cli: Cli, planted_store: Make) -> None:
    refused(cli("tables", uri=planted_store()), "holds no run of this project", "import-published")


def test_a_store_of_others_alone_counts_their_runs(cli: Cli, planted_store: Make) -> None:
    foreign = run()
    foreign.tags = {"team": "others"}
    refused(
        cli("tables", uri=planted_store([foreign])),
        "holds no run of this project (1 of another project)",
    )


def test_an_unknown_experiment_lists_the_known(cli: Cli, planted_store: Make) -> None:
    refused(
        cli("tables", "--experiment", "nope", uri=planted_store([run()])),
        "'nope' does not exist",
        names.EXPERIMENT,
    )


def test_a_deleted_experiment_says_so(cli: Cli, planted_store: Make) -> None:
    uri = planted_store([run()])
    with sqlite3.connect(uri.removeprefix("sqlite:///")) as database:
        database.execute(
            "UPDATE experiments SET lifecycle_stage = 'deleted' WHERE name = ?", (names.EXPERIMENT,)
        )
    database.close()
    refused(cli("tables", uri=uri), "was deleted")


@pytest.mark.parametrize(
    "content", [b"", b"no database at all, but long enough to be looked at " * 40]
)
def test_a_file_that_is_no_store_is_told(cli: Cli, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd.db").write_bytes(content)
    refused(cli("tables", uri=f"sqlite:///{tmp_path}/odd.db"), "odd.db is not a")
    assert (tmp_path / "odd.db").read_bytes() == content, "looking changes nothing"


def test_another_programs_database_is_left_alone(cli: Cli, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("CREATE TABLE runs (distance REAL)")
    database.close()
    refused(cli("tables", uri=f"sqlite:///{tmp_path}/shop.db"), "is not an MLflow store")


def test_a_store_of_a_newer_mlflow_is_told(cli: Cli, planted_store: Make) -> None:
    uri = planted_store([run()])
    with sqlite3.connect(uri.removeprefix("sqlite:///")) as database:
        database.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    database.close()
    refused(cli("tables", uri=uri), "written by another version of MLflow")


def test_a_server_that_does_not_answer_is_told(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    refused(cli("tables", uri=f"http://127.0.0.1:{port}"), "does not answer")


def test_an_address_of_no_known_kind_is_told(cli: Cli) -> None:
    refused(cli("tables", uri="gopher://store"), "gopher")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_permission_is_told(
    cli: Cli, planted_store: Make, tmp_path: Path
) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    refused(
        cli("tables", "-o", str(folder / "x.md"), uri=planted_store([run()])), "permission denied"
    )
