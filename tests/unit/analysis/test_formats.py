"""Numbers as they are printed, and tables in every format: Markdown, LaTeX, CSV, JSON, HTML."""

import csv
import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from analysis.numbers import decimals, ratio_text, significant
from analysis.store import read
from analysis.store.select import Choice
from analysis.tables.build import build
from analysis.tables.model import Document
from analysis.tables.render import FORMATS, render
from analysis.tables.text import latex_text
from tests.support import planted
from tests.support.planted import five

Make = Callable[..., str]
pytestmark = pytest.mark.usefixtures("kbb_cache")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0531, "0.0531"),
        (5.306, "5.31"),
        (99.96, "100"),
        (531.4, "531"),
        (5314.0, "5310"),
        (0, "0"),
        (0.00012, "0.000120"),
    ],
)
def test_numbers_are_printed_with_three_significant_digits(value: float, text: str) -> None:
    assert significant(value) == text


def test_half_way_goes_to_the_even_digit_of_the_decimal_number() -> None:
    assert decimals(1.40605, 4) == "1.4060"
    assert decimals(1.40615, 4) == "1.4062"
    assert decimals(0.25, 1) == "0.2"


@pytest.mark.parametrize(
    ("ratio", "digits", "text"),
    [
        (1.0312, 15, "1.0x"),
        (14.286, 15, "14x"),
        (14.286, 1, "10x"),
        (123.4, 15, "120x"),
        (3.118, 2, "3.1x"),
    ],
)
def test_ratios_carry_two_digits_and_no_more_than_their_inputs(
    ratio: float, digits: int, text: str
) -> None:
    assert ratio_text(ratio, digits) == text


# Formats ------------------------------------------------------------------------------------------


@pytest.fixture
def document(planted_store: Make) -> Document:
    odd = five("torch", 1.05, device="CPU_1 & 50% <b>\\x|y</b>", flags="noisy")
    frame = read.read(planted_store([*five("jax", 0.5), *odd, *planted.grid(repetitions=3)])).frame
    return build(frame, Choice())


def test_markdown_tables_are_rectangular(document: Document) -> None:
    text = render(document, "md")
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(counts) == 1
    assert "<b>\\x\\|y" in text


def test_latex_escapes_every_special_character(document: Document) -> None:
    text = render(document, "latex")
    body = re.sub(
        r"\\(?:label|begin|end)\{[^}]*\}", "", re.sub(r"^%.*$", "", text, flags=re.MULTILINE)
    )
    assert not re.search(r"(?<!\\)[_#%]", body)
    assert r"CPU\_1 \& 50\% \textless{}b\textgreater{}\textbackslash{}x" in text
    assert body.count("{") - body.count(r"\{") == body.count("}") - body.count(r"\}")
    for environment in ("table", "tabular"):
        assert (
            text.count(f"\\begin{{{environment}}}")
            == text.count(f"\\end{{{environment}}}")
            == len(document.tables)
        )
    for rows in re.findall(r"\\toprule\n(.*?)\\bottomrule", text, flags=re.DOTALL):
        lines = [line for line in rows.splitlines() if line.endswith(r"\\")]
        assert len({len(re.findall(r"(?<!\\)&", line)) for line in lines}) == 1
    assert not re.search(r"[^\x00-\x7f]", text.replace("é", "")), (
        "no character that a plain LaTeX lacks"
    )


def test_latex_compiles(document: Document, tmp_path: Path) -> None:
    engine = shutil.which("pdflatex")
    if engine is None:
        pytest.skip("no pdflatex on this machine")
    (tmp_path / "tables.tex").write_text(render(document, "latex"))
    (tmp_path / "paper.tex").write_text(
        "\\documentclass{article}\\usepackage[T1]{fontenc}\\usepackage{booktabs,textcomp,graphicx}\n"
        "\\begin{document}\\input{tables.tex}\\end{document}\n"
    )
    done = subprocess.run(
        [engine, "-interaction=nonstopmode", "-halt-on-error", "paper.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout


def test_csv_and_json_carry_full_precision_and_units(document: Document) -> None:
    rows = list(csv.DictReader(io.StringIO(render(document, "csv"))))
    assert len(rows) == sum(len(table.rows) * len(table.columns) for table in document.tables)
    data = json.loads(render(document, "json"), parse_constant=pytest.fail)
    for table, plain in zip(document.tables, data["tables"], strict=True):
        assert [[cell["value"] for cell in line] for line in plain["cells"]] == [
            [cell.value for cell in line] for line in table.cells
        ]
    speeds = [row for row in rows if row["table"] == "mnist_mlp.speed" and row["value"]]
    assert {row["unit"] for row in speeds} == {"s"}
    (table,) = [table for table in document.tables if table.key == "mnist_mlp.speed"]
    assert {row["value"] for row in speeds} == {
        repr(cell.value) for line in table.cells for cell in line if cell.text
    }
    assert all(len(row["run_ids"].split()) == int(row["runs"]) for row in speeds)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for key, value in attrs if key in ("src", "href")]
        if tag not in ("meta", "br", "link", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_is_well_formed_escaped_and_asks_for_nothing(document: Document) -> None:
    text = render(document, "html")
    parser = _Tags()
    parser.feed(text)
    assert parser.open == []
    sections = {f"#section-{number}" for number, _ in enumerate(document.sections(), 1)}
    assert set(parser.links) == {"data:,", *sections}, "an empty icon, and itself"
    assert "50% &lt;b&gt;" in text
    assert text.count("<table") == len(document.tables)


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_every_format_holds_every_table(document: Document, form: str) -> None:
    text = render(document, form)
    assert text.endswith("\n")
    for table in document.tables:
        assert table.section in text or latex_text(table.section) in text


def test_tables_are_the_same_each_time(planted_store: Make, tmp_path: Path) -> None:
    uri = planted_store(planted.grid(repetitions=7, noise=0.03))
    texts = {
        render(build(read.read(uri, refresh=refresh).frame), "json") for refresh in (False, True)
    }
    assert len(texts) == 1
