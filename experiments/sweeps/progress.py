"""One view of a whole sweep: lines as things happen; on a terminal also a status line."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from experiments import names
from experiments.cli.console import Quiet, duration, epoch_line

if TYPE_CHECKING:
    from rich.live import Live

Key = tuple[str, int]
_BAR = 30  # characters


class Progress:
    """Counts cells and shows the sweep. seconds_left: the expected seconds of what is left."""

    def __init__(self, total: int, seconds_left: Callable[[], float]) -> None:
        self.total, self._seconds_left = total, seconds_left
        self.done = self.failed = 0
        self._running: dict[Key, str] = {}
        self._latest = ""
        self._said: set[str] = set()
        self._live: Live | None = None

    def __enter__(self) -> "Progress":
        if sys.stdout.isatty():
            from rich.console import Console
            from rich.live import Live

            # No thread that refreshes: beside a measured worker this process sleeps.
            self._live = Live(console=Console(), auto_refresh=False, transient=True)
            self._live.start()
            self._redraw()
        return self

    def __exit__(self, *details: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def line(self, text: str) -> None:
        """A line that stays."""
        if self._live is None:
            print(text, flush=True)
        else:
            self._live.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def once(self, text: str) -> bool:
        """Whether a fact that holds for the whole sweep has not been said yet."""
        if text in self._said:
            return False
        self._said.add(text)
        return True

    def warn(self, text: str) -> None:
        """A line that must not be missed; the same one is printed once a sweep."""
        if not self.once(text):
            return
        if self._live is None:
            sys.stdout.flush()
            print(f"warning: {text}", file=sys.stderr, flush=True)
        else:
            self._live.console.print(
                f"warning: {text}", style="yellow", markup=False, highlight=False, soft_wrap=True
            )

    def begin(self, key: Key, name: str, epochs: int) -> None:
        """A run begins."""
        self._running[key] = name
        self._latest = f"{name}: starting"
        if self._live is None:
            self.line(f"{self._count()} {name}, {epochs} epochs")
        self._redraw()

    def note(self, key: Key, text: str) -> None:
        """What a run is doing: a line in a log, the status on a terminal."""
        self._latest = f"{self._running.get(key, '')}: {text}"
        if self._live is None:
            self.line(f"    {text}")
        self._redraw()

    def epoch(self, key: Key, event: dict[str, Any], epochs: int) -> None:
        """A run has finished an epoch."""
        self.note(key, epoch_line(event, epochs))

    def end(
        self,
        key: Key,
        name: str,
        state: str,
        reason: str | None,
        figures: dict[str, float],
        log: str,
    ) -> None:
        """A run has ended; a failure is shown at once, with its reason and the path of its log."""
        self._running.pop(key, None)
        self.done += 1
        if state in names.COMPLETE_STATES:
            remark = f"  ({reason})" if reason else ""
            self.line(f"{self._count()} {state:<9} {name}  {figures_line(figures)}{remark}")
        else:
            self.failed += 1
            where = f"\n    log: {log}" if log else ""
            self.line(f"{self._count()} {state:<9} {name}: {reason or 'no reason was left'}{where}")
        self._redraw()

    def record(self) -> None:
        """A run that was recorded as failed; the reason was shown once for its whole backend."""
        self.done += 1
        self.failed += 1
        self._redraw()

    def skip(self, name: str, state: str) -> None:
        """A run that another sweep has finished meanwhile."""
        self.done += 1
        self.line(f"{self._count()} {state:<9} {name}  (measured meanwhile by another sweep)")
        self._redraw()

    def _count(self) -> str:
        return f"[{min(self.done, self.total):>{len(str(self.total))}}/{self.total}]"

    def _redraw(self) -> None:
        if self._live is None:
            return
        from rich.text import Text

        left = self.total - self.done
        ahead = f" · about {duration(self._seconds_left())} left" if left else ""
        beside = f" (+{len(self._running) - 1} beside)" if len(self._running) > 1 else ""
        text = Text(no_wrap=True, overflow="ellipsis")
        filled = round(_BAR * min(self.done, self.total) / max(self.total, 1))
        text.append("━" * filled, "green")
        text.append("━" * (_BAR - filled), "dim")
        text.append(f" {self.done - self.failed} done · ", "green")
        text.append(f"{self.failed} failed", "red" if self.failed else "")
        text.append(f" · {left} left{ahead}\n{self._latest}{beside}")
        self._live.update(text, refresh=True)


class RunView(Quiet):
    """One run's news, shown in the sweep's Progress; the sweep itself shows the end."""

    def __init__(self, progress: Progress, key: Key, name: str) -> None:
        self._progress, self._key, self._name = progress, key, name

    def note(self, text: str) -> None:
        # The device, or an environment that is ready: the same for every run of the sweep.
        if self._progress.once(text):
            self._progress.note(self._key, text)

    def warn(self, text: str) -> None:
        self._progress.warn(text)

    def start(self, title: str, epochs: int) -> None:  # noqa: ARG002 (the sweep has its own name for it)
        self._progress.begin(self._key, self._name, epochs)

    def phase(self, text: str) -> None:
        self._progress.note(self._key, text)

    def epoch(self, event: dict[str, Any], epochs: int) -> None:
        self._progress.epoch(self._key, event, epochs)


def figures_line(figures: dict[str, float]) -> str:
    """The figures of one run that a person looks at first."""
    parts = []
    if "steady_train_seconds" in figures:
        parts.append(f"{figures['steady_train_seconds']:.3g} s/epoch")
    for key in ("last_val_accuracy", "last_val_loss"):
        if key in figures:
            parts.append(f"{key.removeprefix('last_')} {figures[key]:.4f}")
            break
    if "total_seconds" in figures:
        parts.append(f"total {duration(figures['total_seconds'])}")
    return "  ".join(parts)
