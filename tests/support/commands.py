"""How a command of the analysis ended, and what one that is refused prints."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


Cli = Callable[..., Done]


def refused(done: Done, *parts: str, status: int = 2) -> None:
    """One line on stderr that says these things, nothing on stdout, no traceback."""
    lines = [line for line in done.stderr.splitlines() if not line.startswith("note: ")]
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in lines[0]
