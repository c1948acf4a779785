"""The report of stores that are small, odd, hostile or large: an honest page, or one line."""

import dataclasses
import math
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from analysis import __main__ as command
from analysis.report import build
from analysis.store import read
from analysis.store.select import Choice
from experiments import names
from tests.support import planted
from tests.support.planted import run

Make = Callable[..., str]
EVIL = "<script>alert(1)</script><img src=http://evil.example/x onerror=alert(1)>\"'&$\\frac"


class Text(HTMLParser):
    """The visible text of a page, and what it would fetch or run."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.scripts = 0
        self.fetched: list[str] = []
        self._hidden = 0
        self.feed(page)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self._hidden += tag in ("script", "style")
        known = dict(attributes)
        assert not [name for name in known if name.startswith("on")]
        if tag in ("img", "iframe", "object", "embed", "audio", "video", "source"):
            self.fetched.append(tag)
        if tag == "link":
            self.fetched += [known["href"] or ""] if known["href"] != "data:," else []

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)


def page_of(uri: str, **options: str) -> Text:
    """The report of a store, parsed; it asks for nothing and runs nothing but its own script."""
    text = Text(build.build(read.read(uri), **options))
    assert text.scripts == 1
    assert text.fetched == []
    assert "<script" not in text.text.replace("<script>alert(1)", "")
    return text


def test_one_run_supports_no_claim(planted_store: Make, kbb_cache: Path) -> None:
    text = page_of(planted_store([run("mnist_mlp", "jax", seconds=0.5)])).text
    assert "JAX takes 0.500 s per epoch; no other backend has a run that counts." in text
    assert "First look, 1 run per cell: no difference can be shown below three" in text
    assert "is fastest" not in text
    assert "1 run, 1 task, 1 backend, 1 device" in text


def test_one_run_each_is_told_as_that(planted_store: Make, kbb_cache: Path) -> None:
    runs = [run("mnist_mlp", "jax", seconds=0.5), run("mnist_mlp", "torch", seconds=1.0)]
    text = page_of(planted_store(runs)).text
    assert (
        "JAX took 0.500 s per epoch, PyTorch 2.0× as long; one run each support no claim." in text
    )
    assert "a first look" in text


def test_planted_differences_and_ties_are_said(planted_store: Make, kbb_cache: Path) -> None:
    seconds = {"jax": 0.5, "tensorflow2": 0.502, "torch": 1.0}
    runs = [
        run("mnist_mlp", backend, seconds=value, noise=0.004, repetition=repetition)
        for backend, value in seconds.items()
        for repetition in range(1, 6)
    ]
    text = page_of(planted_store(runs)).text
    assert re.search(
        r"no difference could be shown between (JAX and TensorFlow 2|TensorFlow 2 and JAX)", text
    )
    assert re.search(r"PyTorch takes 2\.0× \[1\.9\d, 2\.0\d\] as long", text)
    assert "well supported" in text
    assert "SYNTHETIC" not in text


def test_synthetic_data_is_said_loudly(planted_store: Make, kbb_cache: Path) -> None:
    runs = list(planted.grid(("mnist_mlp",), ("jax", "torch"), 3, data_source="synthetic"))
    text = page_of(planted_store(runs)).text
    assert text.index("Synthetic data. 6 of 6 runs trained on made-up data") < text.index(
        "Which backend"
    )
    assert "SYNTHETIC data: speed only, its quality means nothing" in text


def test_a_run_that_ended_early_does_not_hide_that_data_are_synthetic(
    planted_store: Make, kbb_cache: Path
) -> None:
    early = run(
        backend="jax",
        state=names.ENGINE_UNSOUND,
        data_source="synthetic",
        start_time=planted.START - 1000,
    )
    planted.unsettle(early)
    del early.params[names.PARAM_THREADS]
    runs = [early, *planted.grid(("mnist_mlp",), ("jax", "torch"), 3, data_source="synthetic")]
    text = page_of(planted_store(runs)).text
    assert "Planted 9000, quick, SYNTHETIC data, 6,000 samples, 4 epochs" in text
    assert "Planted 9000, quick, 6,000 samples" not in text
    assert "SYNTHETIC data (all columns)" in text


def test_ends_without_figures_are_gaps(planted_store: Make, kbb_cache: Path) -> None:
    going = run(backend="torch")
    going.status = "RUNNING"
    del going.tags[names.TAG_STATE]
    nameless = run(backend="theano", state=names.NOT_INSTALLED)
    planted.unsettle(nameless)
    one_epoch = run(backend="tensorflow", epochs=1)
    for metric in [name for name in one_epoch.metrics if name.startswith("steady")]:
        del one_epoch.metrics[metric]
    runs = [
        run(
            backend="jax", metrics={"steady_train_seconds": math.nan, "last_val_accuracy": math.nan}
        ),
        run(
            backend="tensorflow2",
            metrics={"steady_train_seconds": math.inf, "last_loss": -math.inf},
        ),
        run(
            backend="cntk",
            state=names.TIMEOUT,
            tags={names.TAG_REASON: "timeouts.total=60 s passed"},
        ),
        run(
            backend="jax",
            state=names.DIVERGED,
            repetition=2,
            tags={names.TAG_REASON: "loss is nan"},
        ),
        going,
        nameless,
        one_epoch,
    ]
    text = page_of(planted_store(runs)).text
    assert "1 run still going" in text
    assert "not installed" in text
    assert "timeouts.total=60 s passed" in text
    assert "n/a (not installed)" in text
    assert "Not finished: " in text
    assert not re.search(r"\bnan\b(?! *;|is nan)", text.replace("loss is nan", ""))
    assert not re.search(r"\b(None|NaT|<NA>|inf)\b", text)


def test_a_store_of_published_results_alone_says_so(published_store: str, kbb_cache: Path) -> None:
    text = page_of(published_store).text
    assert "This store holds published results only; nothing was measured here yet." in text
    assert "from the store" in text
    assert "it is 37.1x" in text
    assert "No run was measured." in text


def test_2017_is_there_without_an_import(planted_store: Make, kbb_cache: Path) -> None:
    text = page_of(planted_store([run()])).text
    assert "since the store does not hold them" in text
    assert "it is 37.1x" in text
    assert "GTX Titan X Maxwell (local), 2017-06" in text


def test_whatever_a_store_holds_stays_text(planted_store: Make, kbb_cache: Path) -> None:
    runs = []
    for repetition in (1, 2, 3):
        for backend in ("jax", "torch"):
            evil = run("mnist_mlp", backend, repetition=repetition, noise=0.01)
            for tag in (
                names.TAG_DEVICE_NAME,
                names.TAG_HOST,
                names.TAG_REASON,
                names.TAG_NOTES,
                names.TAG_COMMIT,
                names.TAG_DATA_WARNING,
                names.TAG_DATA_DIGEST,
                names.TAG_DATA_SOURCE,
                names.TAG_FLAGS,
                names.TAG_PROTOCOL,
            ):
                evil.tags[tag] = EVIL
            evil.params.update(
                {
                    names.PARAM_TASK: EVIL,
                    names.PARAM_BACKEND: EVIL + backend,
                    "version.jax": EVIL,
                    names.PARAM_PROFILE: EVIL,
                    "hp.x": EVIL,
                    "host.x": EVIL,
                    "setting.x": EVIL,
                }
            )
            evil.name = EVIL
            runs.append(evil)
    runs.append(run(backend="jax", state=names.FAILED, tags={names.TAG_REASON: EVIL}))
    text = page_of(planted_store(runs), ui_url="http://127.0.0.1:5000/").text
    assert "<script>alert(1)</script>" in text, "shown as it is, as text"


def test_links_lead_to_a_known_server_only(planted_store: Make, kbb_cache: Path) -> None:
    reading = read.read(planted_store(planted.grid(("mnist_mlp",), ("jax", "torch"), 1)))
    assert "/#/experiments/" not in build.build(reading)
    linked = build.build(reading, "https://host/mlflow/")
    run_id = reading.frame["run_id"].iloc[0]
    assert f'href="https://host/mlflow/#/experiments/1/runs/{run_id}"' in linked
    assert "compareRunsMode=CHART" in linked


def test_a_password_in_the_address_is_not_printed(planted_store: Make, kbb_cache: Path) -> None:
    reading = read.read(planted_store([run(state=names.FAILED)]))
    text = build.build(dataclasses.replace(reading, uri="https://me:secret@host:5000/"))
    assert "secret" not in text
    assert "https://host:5000/#/experiments" in text


def test_the_same_runs_make_the_same_page(planted_store: Make, kbb_cache: Path) -> None:
    reading = read.read(planted_store(planted.grid(("mnist_mlp",), ("jax", "torch"), 3)))
    first, second = (re.sub(r"Made [\d: -]+ UTC", "", build.build(reading)) for _ in range(2))
    assert first == second


def test_a_hundred_runs_stay_small(planted_store: Make, kbb_cache: Path) -> None:
    reading = read.read(planted_store(planted.grid(repetitions=3)))
    assert len(reading.frame) == 108
    assert len(build.build(reading)) < 3_000_000


def test_more_runs_than_dots_are_thinned_and_listed_in_full(
    planted_store: Make, kbb_cache: Path
) -> None:
    from analysis.compare.layout import board
    from analysis.compare.scenarios import scenarios
    from analysis.report import runs, speed

    reading = read.read(planted_store(planted.grid(("mnist_mlp",), ("jax",), 300)))
    (member,) = scenarios(board(reading.frame, Choice()))[0].members
    assert len(member.dots) == len(member.times) == 300
    sample = speed._sample(member)
    assert len(sample.values) == speed.MAX_DOTS
    assert (min(sample.values), max(sample.values)) == (min(member.times), max(member.times))
    lists = runs.build(reading.frame, None, "")
    assert lists.runs is not None
    assert len(lists.runs.rows) == 300


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command that fails says: one line on stderr, status 2."""
    assert command.main(["report", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("error: ")
    return captured.err


def test_bad_input_is_told_in_one_line(
    planted_store: Make, kbb_cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, output = planted_store([run()]), str(tmp_path / "out.html")
    assert "must be an http:// or https:// address" in told(
        capsys, "--uri", good, "-o", output, "--ui-url", "javascript:alert(1)"
    )
    assert str(tmp_path / "nowhere") in told(
        capsys, "--uri", good, "-o", str(tmp_path / "nowhere" / "out.html")
    )
    assert str(tmp_path) in told(capsys, "--uri", good, "-o", str(tmp_path))
    assert "import-published" in told(capsys, "--uri", planted_store([]), "-o", output)
    assert "no store at" in told(capsys, "--uri", f"sqlite:///{tmp_path / 'none.db'}", "-o", output)
    assert not Path(output).exists()


def test_a_report_that_cannot_be_replaced_stays(
    planted_store: Make, kbb_cache: Path, tmp_path: Path
) -> None:
    from experiments.errors import UserError

    folder = tmp_path / "report.html"
    folder.mkdir()
    (folder / "kept").touch()
    with pytest.raises(UserError, match="cannot be written"):
        build.write(read.read(planted_store([run()])), folder)
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".new")] == []
    assert (folder / "kept").exists()


def test_the_command_writes_the_page(
    planted_store: Make, kbb_cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "report.html"
    assert command.main(["report", "--uri", planted_store([run()]), "-o", str(output)]) == 0
    assert output.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert str(output) in capsys.readouterr().out
