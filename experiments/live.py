"""What a person sees while a run goes on: a line for each phase and each epoch, nothing that keeps a core busy."""

import sys
from typing import Any, Protocol


class View(Protocol):
    """Where a run's news goes; a sweep shows the same news in its own frame."""

    def note(self, text: str) -> None: ...
    def warn(self, text: str) -> None: ...
    def start(self, title: str, epochs: int) -> None: ...
    def phase(self, text: str) -> None: ...
    def epoch(self, event: dict[str, Any], epochs: int) -> None: ...
    def end(self, state: str, reason: str | None, text: str) -> None: ...


class Terminal:
    """Plain lines on stdout; warnings on stderr, in yellow where that is a terminal."""

    def note(self, text: str) -> None:
        """A line about what is being done."""
        print(f"  {text}", flush=True)

    def warn(self, text: str) -> None:
        """A line that must not be missed."""
        yellow, plain = ("\x1b[33m", "\x1b[0m") if sys.stderr.isatty() else ("", "")
        sys.stdout.flush()
        print(f"{yellow}warning: {text}{plain}", file=sys.stderr, flush=True)

    def start(self, title: str, epochs: int) -> None:
        """The run's headline."""
        print(f"{title}, {epochs} epochs", flush=True)

    def phase(self, text: str) -> None:
        """A phase of the worker."""
        self.note(text)

    def epoch(self, event: dict[str, Any], epochs: int) -> None:
        """One finished epoch."""
        print(f"  {epoch_line(event, epochs)}", flush=True)

    def end(self, state: str, reason: str | None, text: str) -> None:
        """The end state and where things are."""
        cause = f": {reason}" if reason else ""
        print(f"{state}{cause}\n{text}", flush=True)


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
