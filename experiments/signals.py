"""Signals that end this process: told as KeyboardInterrupt, and kept from tearing what must be written whole."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP: a scheduler, a shutdown or a closed terminal ends this process as Ctrl-C does."""


def settle() -> None:
    """From here on the signals that end this process raise KeyboardInterrupt in its main thread.

    A handler that somebody else has set (a cluster's launcher) stays, and so does `nohup`.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # as bootstrap left it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _terminate)


def _terminate(number: int, _: object) -> None:
    raise Terminated(f"ended by {signal.Signals(number).name}")


class Shield:
    """Holds back KeyboardInterrupt; `lowered` lets it through for a while."""

    def __init__(self) -> None:
        self.arrived: list[int] = []
        self._handlers: dict[int, object] = {}

    def raise_(self) -> None:
        """Hold the signals back from now on; without effect beside the main thread, which takes them."""
        if threading.current_thread() is threading.main_thread():
            for number in ENDING:
                if callable(signal.getsignal(number)):
                    self._handlers[number] = signal.signal(number, lambda number, _: self.arrived.append(number))

    def lower(self) -> None:
        """Let them through again."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type] # what signal.signal returned
        self._handlers.clear()

    @contextmanager
    def lowered(self) -> Iterator[None]:
        """Signals count here, those that have arrived before too."""
        self.lower()
        try:
            if self.arrived:
                raise KeyboardInterrupt
            yield
        finally:
            self.raise_()


@contextmanager
def shielded() -> Iterator[Shield]:
    """A section that signals do not tear; what arrived is in `Shield.arrived` for the caller to heed."""
    shield = Shield()
    shield.raise_()
    try:
        yield shield
    finally:
        shield.lower()
