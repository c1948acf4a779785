"""What the report's page shows, as plain data, and its rendering through the templates.

Text is plain text everywhere: the templates escape it. Only SVG elements, style and script pass unescaped, and
they come from this package alone.
"""

import base64
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from analysis.numbers import short

TEMPLATES = Path(__file__).resolve().parent / "templates"


@dataclass(frozen=True)
class Column:
    """A column's head. numeric columns sort by number; `choices` gives the column a menu to filter by."""

    title: str
    unit: str = ""
    numeric: bool = False
    choices: bool = False
    note: str = ""


@dataclass(frozen=True)
class Cell:
    """One cell: what is read, what it sorts by (None: its text), and how it stands out."""

    text: str
    sort: float | str | None = None
    extra: str = ""
    classes: str = ""
    href: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Grid:
    """A table of the page; the first cell of a row is its head. `head` must be read with it, `notes` may be."""

    id: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()
    searchable: bool = False
    head: Sequence[str] = ()


@dataclass(frozen=True)
class GridGroup:
    """Tables under one heading."""

    title: str
    grids: Sequence[Grid]


@dataclass(frozen=True)
class Loud:
    """A warning that nobody should overlook."""

    head: str
    text: str


@dataclass(frozen=True)
class Verdict:
    """What the runs of one protocol say, and how far it can be trusted."""

    text: str
    trust: str
    reasons: str
    compare: str | None = None


@dataclass(frozen=True)
class Answer:
    """The summary's word on one network on one device; `shown` where a difference could be shown."""

    task: str
    where: str
    verdicts: Sequence[Verdict]
    shown: bool = False


@dataclass(frozen=True)
class Sentence:
    """A statement and what stands behind it."""

    text: str
    detail: str = ""


@dataclass(frozen=True)
class SentenceGroup:
    """Statements of one kind: those that are read first, and those that can be folded out."""

    title: str
    first: Sequence[Sentence]
    more: Sequence[Sentence] = ()


@dataclass(frozen=True)
class Panel:
    """One drawing of a figure: an SVG element under its heading."""

    picture: str
    title: str
    where: str = ""


@dataclass(frozen=True)
class KeyItem:
    """An entry of a figure's key: a small SVG element and its meaning."""

    picture: str
    label: str


@dataclass(frozen=True)
class FigureBlock:
    """A figure of small multiples with its key and its table."""

    id: str
    title: str
    note: str
    panels: Sequence[Panel] = ()
    key: Sequence[KeyItem] = ()
    table: Grid | None = None
    empty: str = "Nothing to draw yet."


@dataclass(frozen=True)
class Block:
    """Facts under a heading that can be folded away."""

    title: str
    facts: Sequence[tuple[str, str]]
    id: str = ""


@dataclass(frozen=True)
class Step:
    """A step of the instructions: a sentence and commands."""

    text: str
    commands: str


@dataclass
class Page:
    """All that the page says, in the order in which it is read."""

    title: str = "Keras backend benchmark"
    scope: str = ""
    loud: Sequence[Loud] = ()
    overall: Sequence[str] = ()
    answers: Sequence[Answer] = ()
    remarks: Sequence[str] = ()
    findings: Sequence[SentenceGroup] = ()
    tables_note: str = ""
    tables: Sequence[GridGroup] = ()
    wide: Sequence[GridGroup] = ()
    marks: Sequence[tuple[str, str]] = ()
    figures: Sequence[FigureBlock] = ()
    published_note: str = ""
    errata: Sequence[Sentence] = ()
    published: Sequence[GridGroup] = ()
    runs: Grid | None = None
    chart_url: str | None = None
    flags: Grid | None = None
    environments_note: str = ""
    environments: Sequence[Block] = ()
    protocols: Sequence[Block] = ()
    reproduce: Sequence[Step] = ()
    footer: str = ""
    contents: Sequence[tuple[str, str]] = field(
        default_factory=lambda: (
            ("summary", "Summary"),
            ("findings", "Findings"),
            ("tables", "Tables"),
            ("plots", "Plots"),
            ("published", "2017"),
            ("runs", "Runs"),
            ("trust", "Flags"),
            ("environments", "Environments"),
            ("reproduce", "Reproduce"),
        )
    )


def render(page: Page) -> str:
    """The page as one HTML document that asks for nothing else.

    Its content security policy forbids every request and every script but the page's own.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["svg"] = Markup
    template = environment.get_template("report.html.j2")
    return template.render(
        page=page, style=Markup(style), script=Markup(script), script_digest=f"sha256-{digest}"
    )


def number(value: float | None, digits: int = 3, **details: str) -> Cell:
    """A cell with a number: read rounded, sorted by all its digits."""
    known = value is not None and math.isfinite(value)
    sort = repr(float(value)) if known and value is not None else ""
    classes = " ".join(filter(None, ("number", details.pop("classes", ""))))
    return Cell(short(value, digits), sort, classes=classes, **details)


def whole(value: float) -> Cell:
    """A cell with a count."""
    return Cell(f"{round(value):,}", float(value), classes="number")
