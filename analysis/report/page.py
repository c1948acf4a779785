"""What the report shows, as plain data, and its rendering through the templates.

Text is plain text everywhere: the templates escape it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from analysis.tables.html import fill
from analysis.tables.model import Section, Table

TEMPLATES = Path(__file__).resolve().parent / "templates"


@dataclass(frozen=True)
class Notice:
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
    """The verdict on one network on one device; `shown`: whether a difference could be shown."""

    task: str
    where: str
    verdicts: Sequence[Verdict]
    shown: bool = False


@dataclass(frozen=True)
class Overview:
    """What the runs of one place say: two grids, a drawing (an SVG element) and what to mind."""

    place: str
    speed: Table
    picture: str
    quality: Table
    caveats: Sequence[str]


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
    table: Table | None = None
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
    warnings: Sequence[Notice] = ()
    overviews: Sequence[Overview] = ()
    overall: Sequence[str] = ()
    answers: Sequence[Answer] = ()
    remarks: Sequence[str] = ()
    findings: Sequence[SentenceGroup] = ()
    tables_note: str = ""
    tables: Sequence[Section] = ()
    wide: Sequence[Section] = ()
    marks: Sequence[tuple[str, str]] = ()
    figures: Sequence[FigureBlock] = ()
    published_note: str = ""
    errata: Sequence[Sentence] = ()
    published: Sequence[Section] = ()
    runs: Table | None = None
    chart_url: str | None = None
    flags: Table | None = None
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
    """The page as one HTML document that asks for nothing else."""
    return fill("report.html.j2", TEMPLATES, page=page)
