"""The page's parts: SVG elements, styles, addresses, and escaping whatever a store may hold."""

import base64
import hashlib
import re
import xml.etree.ElementTree as ET

import pytest

from analysis import numbers
from analysis.report import links, page, palette, plots, svg
from analysis.tables.html import html
from analysis.tables.model import Cell, Column, Document, Row, Section, Table
from experiments.errors import ConfigError

EVIL = "<script>alert('x')</script>\"'&"


def panel(name: str, label: str = "seconds") -> str:
    sample = plots.Sample(EVIL, "jax", [1.0, 1.1, 1.2], [False, True, False], 1.1, 1.0, 1.2)
    with plots.drawing():
        return svg.element(plots.dots([sample], palette.styles(["jax"]), label), name, EVIL, EVIL)


def test_an_svg_stands_alone_and_shares_no_id() -> None:
    first, second = panel("a"), panel("b")
    for text in (first, second):
        root = ET.fromstring(text)
        ids = [node.get("id") for node in root.iter() if node.get("id")]
        assert len(ids) == len(set(ids)) > 0
        targets = re.findall(r"url\(#([^)]+)\)", text) + [
            h[1:] for h in re.findall(r'href="([^"]*)"', text)
        ]
        assert targets
        assert set(targets) <= set(ids)
        assert "http" not in text
        assert "xlink" not in text
        assert "<style" not in text, "a style element would apply to the whole page"
    assert not set(re.findall(r' id="([^"]+)"', first)) & set(re.findall(r' id="([^"]+)"', second))


def test_an_svg_takes_its_inks_from_the_page_and_keeps_text_as_text() -> None:
    text = panel("a")
    assert "var(--ink)" in text
    assert "var(--grid)" in text
    assert not set(re.findall(r"#0[1-9]0[1-9]0[1-9]", text))
    assert "<text" in text
    assert EVIL not in text
    assert "&lt;script&gt;" in text


def test_text_between_dollars_is_no_formula() -> None:
    assert "$\\frac{" in panel("a", r"cost in $\frac{$")


def test_styles_tell_forty_backends_apart_and_do_not_depend_on_which_are_there() -> None:
    all_styles = palette.styles([f"engine{number}" for number in range(30)])
    pairs = {(style.colour, style.marker) for style in all_styles.values()}
    assert len(pairs) == len(all_styles) == 30 + len(palette.known_backends())
    assert palette.styles(["torch"])["torch"] == palette.styles(["torch", "jax", "a"])["torch"]
    six = [palette.styles([])[name] for name in palette.known_backends()]
    for trait in ("colour", "marker", "dash"):
        assert len({getattr(style, trait) for style in six}) == 6


def test_a_log_axis_is_named_as_one() -> None:
    styles = palette.styles([])
    near, far = ([plots.Sample("x", "jax", [1.0, top], [False, False])] for top in (2.0, 100.0))
    with plots.drawing():
        assert plots.dots(near, styles, "s").axes[0].get_xlabel() == "s"
        assert plots.dots(far, styles, "s").axes[0].get_xlabel() == "s, log scale"


def test_a_heat_map_reads_without_its_colours() -> None:
    values = {
        ("a", "x"): (1.0, "1.0×"),
        ("a", "y"): (52.0, "52×"),
        ("b", "x"): (None, "failed"),
        ("b", "y"): (3.0, "3.0×"),
    }
    with plots.drawing():
        figure = plots.heat_map(["a", "b"], ["x", "y"], lambda row, column: values[row, column])
    assert {text.get_text() for text in figure.axes[0].texts} == {"1.0×", "52×", "failed", "3.0×"}


def test_everything_from_outside_is_escaped() -> None:
    known = {"text": EVIL, "interval_text": EVIL, "ratio_text": EVIL, "marks": EVIL}
    cell = Cell(**known, notes=(EVIL,), classes=EVIL, href="#" + EVIL)
    gap = Cell(absent=EVIL, sort=EVIL, hint=EVIL)
    table = Table(
        key=EVIL,
        section=EVIL,
        heading=EVIL,
        label=EVIL,
        unit=EVIL,
        corner=EVIL,
        columns=[Column(EVIL, EVIL, EVIL, EVIL, choices=True), Column(EVIL, EVIL)],
        rows=[Row(EVIL, EVIL, href="#" + EVIL, hint=EVIL), Row(EVIL, EVIL)],
        cells=[[cell, gap], [gap, cell]],
        head=[EVIL, f"SYNTHETIC {EVIL}"],
        notes=[EVIL],
        corner_choices=True,
    )
    figure = page.FigureBlock("f", EVIL, EVIL, [page.Panel(panel("a"), EVIL)], [], table)
    evil = page.Sentence(EVIL, EVIL)
    text = page.render(
        page.Page(
            title=EVIL,
            scope=EVIL,
            warnings=[page.Notice(EVIL, EVIL)],
            overall=[EVIL],
            answers=[page.Answer(EVIL, EVIL, [page.Verdict(EVIL, EVIL, EVIL, "#" + EVIL)], True)],
            remarks=[EVIL],
            findings=[page.SentenceGroup(EVIL, [evil], [evil])],
            tables_note=EVIL,
            tables=[Section(EVIL, [table])],
            wide=[Section(EVIL, [table])],
            marks=[(EVIL, EVIL)],
            figures=[figure],
            published_note=EVIL,
            errata=[evil],
            published=[Section(EVIL, [table])],
            runs=table,
            chart_url="#" + EVIL,
            flags=table,
            environments_note=EVIL,
            environments=[page.Block(EVIL, [(EVIL, EVIL)])],
            protocols=[page.Block(EVIL, [(EVIL, EVIL)])],
            reproduce=[page.Step(EVIL, EVIL)],
            footer=EVIL,
        )
    )
    for shown in (text, html(Document(EVIL, [table], [EVIL]))):
        assert shown.count("<script>") == 1, "the page's own"
        assert "<script>alert" not in shown
        assert not re.search(r'="[^"]*<script', shown)


def test_the_policy_allows_the_pages_own_script_and_no_request() -> None:
    text = page.render(page.Page())
    script = re.search(r"<script>(.*)</script>", text, re.DOTALL)
    assert script
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    policy = re.search(r'Security-Policy" content="([^"]*)"', text)
    assert policy
    assert f"script-src 'sha256-{digest}'" in policy[1]
    assert "default-src 'none'" in policy[1]
    assert not re.search(r'(?:src|href)="(?!#|data:,)', text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (float("inf"), "∞"),
        (0.0, "0"),
        (0.012345, "0.0123"),
        (1.5, "1.50"),
        (123456.0, "123,456"),
        (99.96, "100"),
        (-2.5, "-2.50"),
        (1e-9, "0.00000000100"),
    ],
)
def test_numbers_for_reading(value: float | None, text: str) -> None:
    assert numbers.significant(value, thousands=True) == text


def test_addresses_in_mlflow() -> None:
    ui = links.ui_address(None, "https://user:secret@host:5000/mlflow/?x=1")
    assert ui == "https://host:5000/mlflow"
    assert links.ui_address(None, "sqlite:////tmp/mlflow.db") is None
    assert links.ui_address("http://[::1]:5000/", "sqlite:///x") == "http://[::1]:5000"
    assert links.run_page(ui, "7", "ab/c") == "https://host:5000/mlflow/#/experiments/7/runs/ab%2Fc"
    assert links.compare_page(ui, "7", ["a", "b"]) == (
        "https://host:5000/mlflow/#/compare-runs?runs=%5B%22a%22%2C%22b%22%5D&experiments=%5B%227%22%5D"
    )
    assert links.compare_page(ui, "7", ["a"]) is None
    assert links.run_page(None, "7", "a") is links.chart_page(None, "7") is None


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "host:5000", "http://", "ftp://host", "http://[::1", "x"]
)
def test_no_other_address_becomes_a_link(address: str) -> None:
    with pytest.raises(ConfigError, match="must be an http:// or https:// address"):
        links.ui_address(address, "sqlite:///x")
