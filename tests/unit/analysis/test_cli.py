"""`python -m analysis`: exit statuses, one clear line for bad input, and files as asked for."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.__main__ import MEASURES, TABLE_FORMATS
from experiments import names
from tests.support import planted
from tests.support.commands import Cli, refused
from tests.support.planted import run

Make = Callable[..., str]


@pytest.mark.parametrize("arguments", [["--help"], ["tables", "--help"], ["compare", "--help"]])
def test_help_answers_without_pandas_or_mlflow(root: Path, arguments: list[str]) -> None:
    script = (
        f"import runpy, sys\nsys.argv = ['analysis', *{arguments!r}]\n"
        "try:\n    runpy.run_module('analysis', run_name='__main__')\nexcept SystemExit as stop:\n"
        "    assert stop.code == 0, stop.code\n"
        "heavy = {'numpy', 'pandas', 'mlflow', 'scipy', 'pyarrow', 'rich', 'matplotlib'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    before = os.times().children_user
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--" in done.stdout
    assert os.times().children_user - before < 1.0, "seconds of processor time"


def test_the_choices_that_the_command_line_lists_are_all_there_are() -> None:
    from analysis.tables import pairs, render

    assert set(MEASURES) == set(pairs.MEASURES)
    assert set(TABLE_FORMATS) == {"text", *render.FORMATS}


def test_no_command_shows_the_commands(cli: Cli) -> None:
    done = cli(uri="sqlite:////nowhere/mlflow.db")
    assert (done.returncode, done.stdout) == (2, "")
    for command in ("tables", "report", "findings", "compare", "runs", "export"):
        assert f"  {command} " in done.stderr


def test_one_backend_only_makes_tables_and_no_claim(cli: Cli, planted_store: Make) -> None:
    uri = planted_store([run(repetition=n) for n in range(5)])
    done = cli("tables", "--view", "tasks", uri=uri)
    assert done.returncode == 0
    assert "| JAX " in done.stdout
    done = cli("findings", uri=uri)
    assert done.returncode == 0
    assert "faster" not in done.stdout


def test_gaps_are_honest(cli: Cli, planted_store: Make) -> None:
    going = run("mnist_cnn", "torch")
    going.status = "RUNNING"
    del going.tags[names.TAG_STATE]
    bare = run("mnist_cnn", "tensorflow2")
    bare.metrics = {"steady_train_seconds": float("nan")}
    nothing = run("mnist_cnn", "jax")
    nothing.metrics, nothing.tags = (
        {},
        {names.TAG_SCHEMA: "1", names.TAG_KIND: "run", names.TAG_STATE: "finished"},
    )
    uri = planted_store([run(), going, bare, nothing])
    for arguments in (
        ["tables"],
        ["tables", "--view", "tasks"],
        ["tables", "--view", "2017"],
        ["tables", "--view", "wide"],
        ["findings"],
        ["runs"],
        ["tables", "--format", "json"],
        ["tables", "--format", "latex"],
    ):
        done = cli(*arguments, uri=uri)
        assert done.returncode == 0, done.stderr
        assert "nan" not in done.stdout.lower()
        assert "Traceback" not in done.stderr
    assert "1 run still going" in cli("tables", uri=uri).stdout


def test_the_store_is_found_by_option_by_variable_and_in_the_project(
    cli: Cli, planted_store: Make
) -> None:
    first, second = planted_store([run()]), planted_store([run(backend="torch")])
    tables = ("tables", "--view", "tasks")
    assert "| JAX" in cli(*tables, uri=first).stdout
    assert "| PyTorch" in cli(*tables, "--uri", second, uri=first).stdout


@pytest.mark.parametrize(
    ("ending", "begin"),
    [
        ("md", "# Which Keras backend"),
        ("tex", "% Input"),
        ("csv", "table,section"),
        ("json", "{"),
        ("html", "<!doctype html>"),
    ],
)
def test_the_files_ending_decides_the_format(
    cli: Cli, planted_store: Make, tmp_path: Path, ending: str, begin: str
) -> None:
    file = tmp_path / f"tables.{ending}"
    done = cli("tables", "-o", str(file), uri=planted_store([run()]))
    assert (done.returncode, done.stdout) == (0, "")
    assert file.read_text().startswith(begin)


def test_a_reader_that_stops_is_no_error(cli: Cli, planted_store: Make, root: Path) -> None:
    uri = planted_store(planted.grid(repetitions=3))
    shell = f"{sys.executable} -m analysis runs --uri {uri} | head -1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {shell}"],
        cwd=root,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stderr == ""


@pytest.mark.parametrize(("limit", "status"), [(None, 0), ("5%", 1), ("150%", 0)])
def test_a_regression_is_a_status(
    cli: Cli, planted_store: Make, limit: str | None, status: int
) -> None:
    uri = planted_store([*planted.grid(["mnist_mlp"], ["jax", "torch"])])
    extra = ["--fail-if-slower", limit] if limit else []
    done = cli("compare", "backend=jax", "backend=torch", *extra, uri=uri)
    assert done.returncode == status
    assert "slower" in done.stdout
    assert ("regression: B is worse by 5 % or more" in done.stderr) == (status == 1)
    assert cli("compare", "backend=torch", "backend=jax", *extra, uri=uri).returncode == 0


def test_a_gate_does_not_pass_for_want_of_runs(cli: Cli, planted_store: Make) -> None:
    uri = planted_store([run(), run(backend="torch")])
    done = cli("compare", "backend=jax", "backend=torch", "--fail-if-slower", "5%", uri=uri)
    assert done.returncode == 2
    assert "nothing could be judged" in done.stderr
    assert cli("compare", "backend=jax", "backend=torch", uri=uri).returncode == 0


def test_compare_as_json_names_the_regressions(cli: Cli, planted_store: Make) -> None:
    uri = planted_store([*planted.grid(["mnist_mlp"], ["jax", "torch"])])
    done = cli(
        "compare",
        "backend=jax",
        "backend=torch",
        "--fail-if-slower",
        "5%",
        "--format",
        "json",
        uri=uri,
    )
    data = json.loads(done.stdout)
    assert (data["unit"], len(data["pairs"]), len(data["regressions"])) == ("s", 1, 1)
    assert data["pairs"][0]["verdict"] == "slower"


def test_runs_are_listed_and_selected(cli: Cli, planted_store: Make) -> None:
    uri = planted_store(
        [run(), run(backend="torch", accuracy=0.5), run("text_gen", state=names.FAILED)]
    )
    rows = list(csv.DictReader(io.StringIO(cli("runs", "--format", "csv", uri=uri).stdout)))
    assert {(row["backend"], row["state"], row["last_quality"]) for row in rows} == {
        ("jax", "finished", "0.98"),
        ("torch", "finished", "0.5"),
        ("jax", "failed", ""),
    }
    assert "1 run." in cli("runs", "--select", "backend=torch", uri=uri).stdout
    assert len(json.loads(cli("runs", "--format", "json", uri=uri).stdout)) == 3


def test_the_export_holds_everything_with_units(
    cli: Cli, planted_store: Make, tmp_path: Path
) -> None:
    import pandas as pd
    import pyarrow.parquet as pq

    uri = planted_store([run(seconds=1 / 3), run(backend="torch", seconds=2 / 3)])
    for ending in ("parquet", "csv", "json"):
        done = cli("export", "-o", str(tmp_path / f"runs.{ending}"), uri=uri)
        assert done.returncode == 0, done.stderr
    table = pq.read_table(tmp_path / "runs.parquet")
    assert table.schema.field("steady_train_seconds").metadata[b"unit"] == b"s"
    assert sorted(table.column("steady_train_seconds").to_pylist()) == [1 / 3, 2 / 3]
    assert sorted(pd.read_csv(tmp_path / "runs.csv")["steady_train_seconds"]) == [1 / 3, 2 / 3]
    data: dict[str, Any] = json.loads((tmp_path / "runs.json").read_text())
    assert {column["name"]: column["unit"] for column in data["columns"]}["peak_rss_bytes"] == "B"
    assert sorted(row["steady_train_seconds"] for row in data["rows"]) == pytest.approx(
        [1 / 3, 2 / 3], rel=1e-14
    )
    done = cli(
        "export",
        "--epochs",
        "--select",
        "backend=torch",
        "-o",
        str(tmp_path / "epochs.csv"),
        uri=uri,
    )
    assert done.returncode == 0, done.stderr
    assert list(pd.read_csv(tmp_path / "epochs.csv")["epoch"]) == [1, 2, 3, 4]


def test_columns_are_explained(cli: Cli) -> None:
    from analysis.store.columns import COLUMNS, EPOCH_COLUMNS

    text = cli("columns", uri="").stdout + cli("columns", "--epochs", uri="").stdout
    for column in (*COLUMNS, *EPOCH_COLUMNS):
        assert f"| {column.name} " in text


def test_published_results_come_into_a_fresh_store_once(cli: Cli, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/fresh.db"
    done = cli("import-published", uri=uri)
    assert (done.returncode, done.stdout) == (
        0,
        "126 published results added, 0 were there already\n",
    ), done.stderr
    assert (
        cli("import-published", uri=uri).stdout
        == "0 published results added, 126 were there already\n"
    )
    done = cli("tables", "--view", "2017", "--source", "published", uri=uri)
    assert done.stdout.count("### ") == 12
    refused(cli("tables", uri=uri), "no measured run in the store yet", "--source published")


def test_a_published_view_without_published_results_says_what_to_do(
    cli: Cli, planted_store: Make
) -> None:
    refused(
        cli("tables", "--view", "2017", "--source", "published", uri=planted_store([run()])),
        "import-published",
    )


def test_the_terminal_shows_tables_with_rich(
    planted_store: Make, root: Path, tmp_path: Path
) -> None:
    script = shutil.which("script")
    if script is None:
        pytest.skip("no `script` to give the command a terminal")
    line = f"{sys.executable} -m analysis tables --uri {planted_store([run()])}"
    done = subprocess.run(
        [script, "-qec", line, "/dev/null"],
        cwd=root,
        text=True,
        capture_output=True,
        check=False,
        env={**os.environ, "KBB_CACHE": str(tmp_path / "cache"), "COLUMNS": "120", "TERM": "xterm"},
    )
    assert done.returncode == 0
    assert "\x1b[1" in done.stdout, "headings stand out"
    assert "JAX" in done.stdout
    assert "| JAX" not in done.stdout, "no Markdown source"
