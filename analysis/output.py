"""Where a command's text goes: the terminal or a file, checked before anything is read."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.errors import ConfigError
from experiments.system.paths import write_whole

_FORMATS = {
    ".md": "md",
    ".tex": "latex",
    ".csv": "csv",
    ".json": "json",
    ".html": "html",
    ".htm": "html",
}


@dataclass(frozen=True)
class Output:
    """A format, and a file or None for the terminal."""

    form: str
    path: str | None

    def put(self, text: str) -> None:
        """Write the text; Markdown is rendered on a terminal."""
        if self.path is not None:
            write(Path(self.path), text)
        elif self.form == "md" and sys.stdout.isatty():
            from rich.console import Console
            from rich.markdown import Markdown

            Console().print(Markdown(text))
        else:
            sys.stdout.write(text)

    def note(self, lines: Sequence[str]) -> None:
        """Print remarks on stderr, so that the output stays clean."""
        note(lines)


def prepare_output(options: dict[str, Any], default: str) -> Output:
    """The output that the options ask for. ConfigError if its file cannot be written."""
    path, form = options["output"], options["form"]
    check_output(path)
    if form is None:
        form = _FORMATS.get(Path(path).suffix.lower(), default) if path else default
    return Output(form, path)


def check_output(output: str | None) -> None:
    """Refuse a path that cannot be written before anything is read."""
    if output is None:
        return
    path = Path(output)
    folder = path.absolute().parent
    if path.is_dir():
        raise ConfigError(f"{output} is a folder: name a file with -o")
    if not folder.is_dir():
        raise ConfigError(f"{output} cannot be written: there is no folder {folder}")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise ConfigError(f"{output} cannot be written: permission denied; -o names another file")


def write(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all; ConfigError in one line if it cannot be written."""
    try:
        write_whole(path, content)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"{path} cannot be written ({reason}); -o names another file") from error


def note(lines: Sequence[str]) -> None:
    """Print remarks on stderr."""
    for line in lines:
        print(f"note: {line}", file=sys.stderr)
