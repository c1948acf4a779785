"""One thing that was looked at, and where it stands. MLflow and the engines are not imported for this."""

from dataclasses import dataclass, field

OK, MISSING, STALE, OPTIONAL = "ok", "missing", "stale", "optional"


@dataclass(frozen=True)
class Finding:
    """A row of the report.

    `state` is a word for a person; `mend` the command that puts it right, None where nothing need be done;
    `needed` says that a default run (`make run`, or train.py without arguments) cannot do without it.
    """

    what: str
    state: str
    detail: str = ""
    mend: str | None = None
    needed: bool = False


@dataclass
class Section:
    """The rows of one subject."""

    title: str
    rows: list[Finding] = field(default_factory=list)

    def add(self, what: str, state: str, detail: str = "", mend: str | None = None, needed: bool = False) -> None:
        """Append a row."""
        self.rows.append(Finding(what, state, detail, mend, needed))

    @property
    def broken(self) -> list[Finding]:
        """What a default run cannot do without and lacks."""
        return [row for row in self.rows if row.needed and row.mend is not None]


def size(count: float) -> str:
    """Bytes as a person reads them."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
