"""The rows of the doctor's report. Neither MLflow nor an engine is imported for them."""

from dataclasses import dataclass, field

OK, MISSING, STALE, OPTIONAL = "ok", "missing", "stale", "optional"


@dataclass(frozen=True)
class Row:
    """A row of the report.

    `state` is a word for a person; `fix` the command that fixes it, None if nothing need be done;
    `needed` says that a default run (`make run`, or train.py without arguments) cannot do without
    it.
    """

    what: str
    state: str
    detail: str = ""
    fix: str | None = None
    needed: bool = False


@dataclass
class Section:
    """The rows of one subject."""

    title: str
    rows: list[Row] = field(default_factory=list)

    def add(
        self, what: str, state: str, detail: str = "", fix: str | None = None, needed: bool = False
    ) -> None:
        """Append a row."""
        self.rows.append(Row(what, state, detail, fix, needed))

    @property
    def broken(self) -> list[Row]:
        """What a default run cannot do without and lacks."""
        return [row for row in self.rows if row.needed and row.fix is not None]
