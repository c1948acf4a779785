"""What a person sees during a run: plain lines, as a live display would use a measured core."""

import contextlib
import os
import sys
from typing import Any, Protocol, TextIO


class View(Protocol):
    """Receives what happens in a run; a sweep shows the same events in its own frame."""

    def note(self, text: str) -> None: ...
    def warn(self, text: str) -> None: ...
    def start(self, title: str, epochs: int) -> None: ...
    def phase(self, text: str) -> None: ...
    def epoch(self, event: dict[str, Any], epochs: int) -> None: ...
    def end(self, state: str, reason: str | None, text: str) -> None: ...


class Quiet:
    """Shows nothing: the base of views, and the view of a run that is followed by its journal."""

    def note(self, text: str) -> None:
        """A line about what is being done."""

    def warn(self, text: str) -> None:
        """A line that must not be missed."""

    def start(self, title: str, epochs: int) -> None:
        """The run's headline."""

    def phase(self, text: str) -> None:
        """A phase of the worker."""

    def epoch(self, event: dict[str, Any], epochs: int) -> None:
        """One finished epoch."""

    def end(self, state: str, reason: str | None, text: str) -> None:
        """The end state and where things are."""


class Terminal(Quiet):
    """Plain lines on stdout; warnings on stderr, in yellow if that is a terminal."""

    def note(self, text: str) -> None:
        say(f"  {text}")

    def warn(self, text: str) -> None:
        yellow, plain = ("\x1b[33m", "\x1b[0m") if sys.stderr.isatty() else ("", "")
        say(f"{yellow}warning: {text}{plain}", sys.stderr)

    def start(self, title: str, epochs: int) -> None:
        say(f"{title}, {epochs} epochs")

    def phase(self, text: str) -> None:
        self.note(text)

    def epoch(self, event: dict[str, Any], epochs: int) -> None:
        say(f"  {epoch_line(event, epochs)}")

    def end(self, state: str, reason: str | None, text: str) -> None:
        cause = f": {reason}" if reason else ""
        say(f"{state}{cause}\n{text}")


def say(text: str, stream: TextIO | None = None) -> None:
    """Print a line and flush. Into a closed pipe or terminal it is lost; nothing is raised."""
    if stream is not None:
        _write("", sys.stdout)  # flushes: lines appear in the order in which they were printed
    _write(f"{text}\n", stream or sys.stdout)


def _write(text: str, stream: TextIO) -> None:
    try:
        stream.write(text)
        stream.flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def epoch_line(event: dict[str, Any], epochs: int) -> str:
    """Epoch, loss, validation metric, seconds, samples/s and the time left at this epoch's pace."""
    parts = [f"epoch {event['epoch']:>{len(str(epochs))}}/{epochs}", f"loss {event['loss']:.4f}"]
    if event.get("val_loss") is not None:
        parts.append(f"val_loss {event['val_loss']:.4f}")
    if event.get("val_accuracy") is not None:
        parts.append(f"val_accuracy {event['val_accuracy']:.4f}")
    parts.append(f"{event['train_seconds']:.2f} s + {event['validation_seconds']:.2f} s validation")
    parts.append(f"{event['samples_per_second']:,.0f} samples/s")
    left = epochs - event["epoch"]
    if left:
        parts.append(f"ETA {duration(left * event['epoch_seconds'])}")
    return "  ".join(parts)


def duration(seconds: float) -> str:
    """Seconds as a person reads them: 8 s, 3 min 20 s, 2 h 05 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
