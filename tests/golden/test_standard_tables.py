"""The standard and wide tables and the findings of one planted store, as they were recorded."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.report.findings import findings
from analysis.store import read
from analysis.store.select import Choice
from analysis.tables.build import build
from analysis.tables.render import render
from experiments import names
from tests.support import planted
from tests.support.planted import run

pytestmark = pytest.mark.golden
HERE = Path(__file__).resolve().parent


@pytest.fixture
def uri(planted_store: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Two generations on a processor, two devices for one backend, and every way to end."""
    monkeypatch.setenv("KBB_CACHE", str(tmp_path / "cache"))
    runs = [
        *planted.grid(tasks=["mnist_mlp", "mnist_cnn", "text_gen"], repetitions=5, seed=4),
        *planted.grid(
            tasks=["mnist_mlp"],
            backends=["jax", "torch"],
            repetitions=8,
            device="NVIDIA H200",
            kind="gpu",
            host="planted-gpu",
            seed=9,
        ),
    ]
    for number, (state, reason) in enumerate(
        (
            (names.TIMEOUT, "timeouts.total=3600 s passed in epoch 2"),
            (names.FAILED, "MemoryError: 8 GB"),
            (names.ENGINE_UNSOUND, "LSTM gradient 1.25 off"),
        )
    ):
        runs.append(
            run(
                "imdb_bilstm",
                ("theano", "tensorflow", "cntk")[number],
                state=state,
                tags={names.TAG_REASON: reason},
            )
        )
    runs += [run("imdb_fasttext", "jax", repetition=n, data_source="synthetic") for n in (1, 2, 3)]
    runs += [run("imdb_fasttext", "torch", repetition=1, data_source="synthetic", flags="noisy")]
    for number, one in enumerate(runs):
        one.run_id = f"{number:032x}"
    return planted_store(runs)


def same_as_recorded(text: str, name: str) -> None:
    path = HERE / name
    if os.environ.get("KBB_UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize(("view", "form"), [("tasks", "md"), ("wide", "md"), ("2017", "csv")])
def test_tables_are_as_recorded(uri: str, view: str, form: str) -> None:
    document = build(read.read(uri).frame, Choice(view=view))
    same_as_recorded(render(document, form), f"planted_{view}.{form}")


def test_findings_are_as_recorded(uri: str) -> None:
    lines = [f"{one.kind}: {one.line}\n" for one in findings(read.read(uri).frame)]
    same_as_recorded("".join(lines), "planted_findings.txt")
