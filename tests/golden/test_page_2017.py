"""The twelve tables of June 2017, regenerated cell by cell; what differs is an erratum.

`page_2017.json` in the package is the page as it was printed. The expectation here is that page
plus the errata that follow from the published numbers (errata_2017.json in the package), so that
neither a wrong figure nor a lost or invented erratum passes.
"""

import csv
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.published import errata, page_2017, results
from analysis.store import read
from analysis.store.select import Choice
from analysis.tables.build import build
from analysis.tables.model import Cell, Document, Table
from analysis.tables.render import render
from experiments.tracking import store
from tests.golden import errata_of_2017

pytestmark = [pytest.mark.golden, pytest.mark.usefixtures("golden_cache")]
HERE = Path(__file__).resolve().parent
UPDATE = bool(os.environ.get("KBB_UPDATE_GOLDEN"))


@pytest.fixture(scope="session")
def golden_cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KBB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def frame(published_store: str, golden_cache: None) -> Any:
    return read.read(published_store).frame


@pytest.fixture(scope="session")
def document(frame: Any) -> Document:
    return page_2017.document(frame)


@pytest.fixture(scope="session")
def found(frame: Any) -> list[errata.Erratum]:
    """The errata, derived anew from the published numbers."""
    return errata_of_2017.derived(frame)


def cell(document: Document, table: str, backend: str, label: str) -> Cell:
    (wanted,) = [one for one in document.tables if one.key == table]
    (key,) = [column.key for column in wanted.columns if column.label == label]
    return wanted.cell(backend, key)


def printed() -> list[dict[str, Any]]:
    return [
        {
            "table": f"{table['task']}.{table['kind']}",
            "backend": backend,
            "column": column["label"],
            "cell": table["cells"][backend].get(column["label"]),
        }
        for table in results.page()["tables"]
        for backend in table["cells"]
        for column in results.page()["columns"]
    ]


def test_there_are_the_twelve_tables_in_the_pages_order(document: Document) -> None:
    page = results.page()
    assert [table.key for table in document.tables] == [
        f"{one['task']}.{one['kind']}" for one in page["tables"]
    ]
    for table in document.tables:
        assert [column.label for column in table.columns] == ["K80", "Titan X", "1080 Ti"]
        assert [row.label for row in table.rows] == ["Theano", "TensorFlow", "CNTK"]
    assert len(printed()) == 12 * 9


@pytest.mark.parametrize(
    "one", printed(), ids=lambda one: f"{one['table']}-{one['backend']}-{one['column']}"
)
def test_value_ratio_and_bold_of_every_cell(
    document: Document, found: list[errata.Erratum], one: Any
) -> None:
    ours, theirs = cell(document, one["table"], one["backend"], one["column"]), one["cell"]
    key = f"{one['table']}.{one['column']}.{one['backend']}".replace(" ", "-")
    wrong = {
        erratum.key.rpartition(".")[2] for erratum in found if erratum.key.startswith(key + ".")
    }
    if theirs is None:
        assert (ours.absent, wrong) == ("–", set())
        return
    assert ours.text == theirs["value"], "no published value is an erratum"
    assert (ours.bold != theirs["bold"]) == ("bold" in wrong)
    if "ratio" in theirs:
        assert (ours.ratio_text != (theirs["ratio"] or "")) == ("ratio" in wrong)


# Cells of the page that differ: what it has and what is right, by hand from the page's own figures.
CORRECTED = {
    ("cifar10_cnn.speed", "theano", "Titan X"): ("24.5x", "37.1x"),
    ("cifar10_cnn.speed", "cntk", "K80"): (None, "1.0x"),
    ("text_gen.quality", "cntk", "Titan X"): (False, True),
}


def test_three_cells_of_the_page_are_wrong_and_no_other(document: Document) -> None:
    differing = {}
    for one in printed():
        ours, theirs = cell(document, one["table"], one["backend"], one["column"]), one["cell"]
        if theirs is None:
            continue
        place = (one["table"], one["backend"], one["column"])
        if ours.bold != theirs["bold"]:
            differing[place] = (theirs["bold"], ours.bold)
        if "ratio" in theirs and ours.ratio_text != (theirs["ratio"] or ""):
            differing[place] = (theirs["ratio"], ours.ratio_text)
    assert differing == CORRECTED


def test_the_errata_that_are_shown_are_those_that_the_numbers_give(
    found: list[errata.Erratum],
) -> None:
    path = results.DATA / "errata_2017.json"
    if UPDATE:
        ours = [vars(erratum) for erratum in found]
        path.write_text(json.dumps(ours, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        errata.errata.cache_clear()
    assert list(errata.errata()) == found


# The protocol's twelve errata: what each must say, whatever its wording.
TWELVE = {
    1: (
        "cifar10_cnn.speed.Titan-X.theano.ratio",
        ["24.5x", "37.1x", "630.3 / 17.0", "against CNTK"],
    ),
    2: ("cifar10_cnn.speed.K80.cntk.ratio", ["no ratio", "1.03x", "40.3 / 39.2"]),
    3: ("text_gen.quality.Titan-X.cntk.bold", ["1.3980", "lowest"]),
    4: ("label.speed", ["Average time in seconds for", "mean per epoch"]),
    5: ("label.text_gen.K80", ["Validation loss", "training loss"]),
    6: ("work.imdb_fasttext.K80", ["58.3–69.5 s", "2.7–10.9 s", "bi-grams", "not compared"]),
    7: ("claim-theano-1080-ti", ["up to 14 times", "332.2 / 17.3 = 19.2x"]),
    8: ("claim-theano-slower", ["148.5 / 245.5 = 0.605x", "83.1 / 107.6 = 0.772x"]),
    9: ("claim-devices", ["276.6 / 295.3", "87.6 / 107.6", "87.6 / 162.2"]),
    10: ("claim-cntk-lstm", ["2 to 4 times", "1.8 to 3.9 times"]),
    11: ("device.Titan-X.theano", ["doubtful", "cuDNN"]),
    12: ("no-spread", ["one run per cell", "14.3x", "13.8 to 14.9"]),
}


@pytest.mark.parametrize("number", TWELVE)
def test_each_of_the_twelve_errata_comes_out_with_its_arithmetic(
    found: list[errata.Erratum], number: int
) -> None:
    key, parts = TWELVE[number]
    (erratum,) = [one for one in found if one.key == key]
    for part in parts:
        assert part in erratum.text


def test_more_contradictions_that_the_numbers_hold(found: list[errata.Erratum]) -> None:
    more = {
        one.key: one.text for one in found if one.key not in {key for key, _ in TWELVE.values()}
    }
    assert set(more) == {"claim-theano-up-to-50", "claim-order-imdb_fasttext"}
    assert "332.2 / 6.2 = 53.6x" in more["claim-theano-up-to-50"]
    assert "58.3 / 69.5 = 0.839x" in more["claim-order-imdb_fasttext"]


def changed(frame: Any, task: str, backend: str, device: str, seconds: float) -> Any:
    rows = (
        (frame["task"] == task)
        & (frame["backend"] == backend)
        & frame["device_name"].str.contains(device)
    )
    rows &= frame["published_source"] == "szilard-2017-06"
    assert rows.sum() == 1
    return frame.assign(mean_epoch_seconds=frame["mean_epoch_seconds"].where(~rows, seconds))


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        (
            ("cifar10_cnn", "theano", "Titan X", 416.5),
            "cifar10_cnn.speed.Titan-X.theano.ratio",
        ),  # 416.5 / 17.0 = 24.5
        (("imdb_bilstm", "theano", "1080 Ti", 260.0), None),
        (("mnist_cnn", "theano", "Titan X", 20.0), None),
    ],
)
def test_errata_are_computed_and_follow_the_numbers(
    frame: Any, found: list[errata.Erratum], change: tuple[str, str, str, float], gone: str | None
) -> None:
    other = {one.key: one.arithmetic for one in errata_of_2017.derived(changed(frame, *change))}
    assert other != {one.key: one.arithmetic for one in found}
    if gone is not None:
        assert gone not in other


def test_a_device_is_doubted_exactly_where_the_published_notes_doubt_it(frame: Any) -> None:
    cards = {
        (source, device)
        for source, device in zip(frame["published_source"], frame["device_name"], strict=True)
        if source in ("szilard-2017-06", "szilard-2017-07")
    }
    tasks = list(dict.fromkeys(table["task"] for table in results.page()["tables"]))
    computed = {
        (task, backend, device)
        for task, backend, (_, device), _, _ in errata_of_2017.doubtful_devices(
            frame, tasks, sorted(cards)
        )
    }
    flagged = frame[frame["flags"].fillna("").str.contains("device_doubtful")]
    assert computed == set(
        zip(flagged["task"], flagged["backend"], flagged["device_name"], strict=True)
    )
    assert len(computed) == 7


def test_theano_on_titan_x_is_marked_doubtful(document: Document) -> None:
    marked = {
        table.key: [
            row.key
            for row, line in zip(table.rows, table.cells, strict=True)
            if "?" in line[1].marks
        ]
        for table in document.tables
        if table.key.endswith("speed")
    }
    assert {key for key, rows in marked.items() if rows == ["theano"]} == {
        "mnist_mlp.speed",
        "mnist_cnn.speed",
        "cifar10_cnn.speed",
        "text_gen.speed",
    }


@pytest.mark.parametrize("form", ["md", "latex"])
def test_the_printed_tables_are_the_recorded_ones(document: Document, form: str) -> None:
    path = HERE / f"page_2017.{form}"
    text = render(document, form)
    if UPDATE:
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_other_published_work_stands_in_columns_of_its_own(frame: Any) -> None:
    tables = {table.key: table for table in build(frame, Choice(source="published")).tables}
    text_gen: Table = tables["text_gen.speed"]
    p100 = [
        (
            column.label,
            {
                row.key
                for row, line in zip(text_gen.rows, text_gen.cells, strict=True)
                if not line[number].absent
            },
        )
        for number, column in enumerate(text_gen.columns)
        if "P100" in column.device
    ]
    assert sorted((backends for _, backends in p100), key=sorted) == [{"cntk"}, {"tensorflow"}], (
        "CuDNNLSTM is not LSTM"
    )


def test_the_import_changes_nothing_the_second_time(published_store: str) -> None:
    assert results.import_published(published_store) == (0, 126)


def test_an_interrupted_import_is_completed(planted_store: Callable[..., str]) -> None:
    uri = planted_store()
    wanted = results.results()
    client = store.open_client(uri)
    experiment = store.experiment_id(client, uri, "keras-backend-benchmark")
    for result in wanted[:2]:  # as if it had died before the figures were written
        client.create_run(
            experiment, start_time=result.milliseconds, tags=result.tags, run_name=result.name
        )
    results.import_published(uri)
    frame = read.read(uri).frame
    assert len(frame) == 126
    assert frame["mean_epoch_seconds"].notna().all()
    assert (frame["mlflow_status"] == "FINISHED").all()


def test_the_page_is_the_one_that_was_published(real_data: Path) -> None:
    text = real_data.parent / "published" / "2017_tables.md"
    if not text.is_file():
        pytest.skip(f"{text} is not there")
    lines = [
        [part.strip() for part in line.split("|")]
        for line in text.read_text(encoding="utf-8").splitlines()
        if re.match(r"(Theano|TensorFlow|CNTK)\t", line)
    ]
    ours = []
    for table in results.page()["tables"]:
        for backend, name in results.page()["backends"].items():
            texts = []
            for column in results.page()["columns"]:
                shown = table["cells"][backend].get(column["label"])
                bold = "**" if shown and shown["bold"] else ""
                ratio = f"({shown['ratio']})" if shown and shown.get("ratio") else ""
                texts.append(f"{bold}{shown['value']}{bold}{ratio}" if shown else "")
            ours.append([name, *texts])
    assert [[re.sub(r"\s", "", part) for part in line] for line in lines] == ours
    for claim in results.page()["claims"]:
        assert claim["quote"] in text.read_text(encoding="utf-8")


def test_the_numbers_are_those_that_were_published(real_data: Path) -> None:
    source = real_data.parent / "published" / "published.csv"
    if not source.is_file():
        pytest.skip(f"{source} is not there")
    with (
        source.open(newline="") as theirs,
        (results.DATA / "published.csv").open(newline="") as ours,
    ):
        wanted, held = list(csv.DictReader(theirs)), list(csv.DictReader(ours))
    assert [{key: row[key] for key in wanted[0]} for row in held] == wanted
