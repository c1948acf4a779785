"""MLflow's own UI on a store of a small sweep: a person sees the backends side by side."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from analysis.report import links
from tests.support.chromium import Browser

pytestmark = [pytest.mark.browser, pytest.mark.server]
BACKENDS = ("theano", "tensorflow", "jax", "torch")


@pytest.fixture(scope="module")
def ui(store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`mlflow ui` on loopback, as small as it gets; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("ui") / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [
                str(Path(sys.executable).parent / "mlflow"),
                "ui",
                "--backend-store-uri",
                store,
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
                "--workers",
                "1",
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=log.parent,
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_it_answers(address, server, log)
        yield address
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def _wait_until_it_answers(address: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise AssertionError("mlflow ui does not answer: " + log.read_text()[-2000:])


@pytest.fixture(scope="module")
def runs(store: str) -> dict[str, Any]:
    """The sweep's first block of one task: backend -> run."""
    from mlflow import MlflowClient

    client = MlflowClient(store)
    experiment = client.get_experiment_by_name("keras-backend-benchmark")
    found = client.search_runs(
        [experiment.experiment_id],
        "params.task = 'mnist_mlp' AND tags.repetition = '1' AND tags.state = 'finished'",
    )
    return {run.data.params["backend"]: run for run in found}


def shown(page: Browser, ready: Callable[[str], bool], seconds: float = 150) -> str:
    """The page's text once it is what it should become, or as it is when the time is over."""
    deadline = time.monotonic() + seconds
    text = ""
    while time.monotonic() < deadline:
        text = str(page.execute_script("return document.body.innerText"))
        if ready(text):
            break
        time.sleep(1)
    return text


def test_the_compare_page_sets_backends_side_by_side(
    page: Browser, ui: str, runs: dict[str, Any], picture: Callable[[str], Path]
) -> None:
    assert set(runs) == set(BACKENDS)
    experiment = next(iter(runs.values())).info.experiment_id
    ids = [runs[backend].info.run_id for backend in BACKENDS]
    page.get(links.compare_page(ui, experiment, ids))
    text = shown(
        page,
        lambda so_far: all(word in so_far for word in ("version.keras", "compile_seconds", "Tags")),
    )
    assert "Comparing 4 Runs" in text
    lines = text.splitlines()
    row = next(line.split("\t") for line in lines if line.startswith("backend\t"))
    assert row[1:] == list(BACKENDS)
    keras = next(line.split("\t") for line in lines if line.startswith("version.keras\t"))
    assert keras[1:] == ["2.1.0", "2.1.0", "3.1.0", "3.1.0"]
    for metric in ("compile_seconds", "epoch_seconds"):
        expected = [runs[backend].data.metrics[metric] for backend in BACKENDS]
        assert metrics(lines)[metric] == pytest.approx(expected, abs=6e-4)
    picture("mlflow-compare")


def metrics(lines: list[str]) -> dict[str, list[float]]:
    """The page's table of metrics: all names in view, then one figure per run for each."""
    start = len(lines) - lines[::-1].index("Metrics")
    rest = [
        line for line in lines[start : lines.index("Artifacts", start)] if line != "Show diff only"
    ]
    names = [line for line in rest if not line[0].isdigit()]
    figures = [float(line) for line in rest if line[0].isdigit()]
    count = len(BACKENDS)
    return {name: figures[place * count : (place + 1) * count] for place, name in enumerate(names)}


def test_the_chart_page_draws_every_run(
    page: Browser, ui: str, runs: dict[str, Any], picture: Callable[[str], Path]
) -> None:
    experiment = next(iter(runs.values())).info.experiment_id
    page.get(links.chart_page(ui, experiment))
    text = shown(
        page,
        lambda so_far: (
            all(f"mnist_mlp {one} quick #1" in so_far for one in BACKENDS)
            and "matching runs" in so_far
            and "compile_seconds" in so_far
        ),
    )
    for backend in BACKENDS:
        assert f"mnist_mlp {backend} quick #1" in text, (
            "a run that is folded into another is not compared"
        )
    assert "20 matching runs" in text
    drawn = charts(page)
    assert "accuracy" in drawn
    assert len({backend for backend in BACKENDS if f"mnist_mlp {backend}" in drawn}) > 1, (
        "backends in one chart"
    )
    picture("mlflow-charts")


def charts(page: Browser, seconds: float = 60) -> str:
    """The text of the charts that are drawn, their legends included."""
    deadline = time.monotonic() + seconds
    text = ""
    while time.monotonic() < deadline:
        text = str(
            page.execute_script(
                "const cards = '[data-testid=\"experiment-view-compare-runs-card\"]';"
                "return [...document.querySelectorAll(cards)]"
                ".filter(card => card.querySelector('.main-svg'))"
                ".map(card => card.innerText).join(' ')"
            )
        )
        if "accuracy" in text:
            break
        time.sleep(1)
    return text


def test_a_link_of_the_report_opens_the_run(page: Browser, ui: str, runs: dict[str, Any]) -> None:
    info = runs["jax"].info
    page.get(links.run_page(ui, info.experiment_id, info.run_id))
    text = shown(page, lambda so_far: "mnist_mlp jax quick #1" in so_far and info.run_id in so_far)
    assert "mnist_mlp jax quick #1" in text
    assert info.run_id in text
