"""Signals that end this process: raised as KeyboardInterrupt, but never during a write."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_previous_hook = sys.unraisablehook
_settled: set[signal.Signals] = set()
_arrived: list[int] = []


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP: a scheduler, a shutdown or a closed terminal ends this process."""


def settle() -> None:
    """From here on the signals that end this process raise KeyboardInterrupt in its main thread.

    A handler that somebody else has set (a cluster's launcher) stays, and so does `nohup`.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    _arrived.clear()
    for number in ENDING:
        if signal.getsignal(number) is signal.SIG_DFL:  # SIGINT: as bootstrap left it
            signal.signal(number, _interrupt)
            _settled.add(number)
    sys.unraisablehook = _quiet_hook


def rest() -> None:
    """Ignore the signals from here on: the work is done, and this process is about to end."""
    while _settled:
        signal.signal(_settled.pop(), signal.SIG_IGN)


def heed() -> None:
    """Re-raise an interrupt that third-party code swallowed; call before blocking.

    A compiled module that tests for an attribute takes any exception for "no"; Python drops what is
    raised in a weak reference's callback, as SQLAlchemy has them.
    """
    if _arrived:
        raise _ending(_arrived[-1])


def _interrupt(number: int, _: object) -> None:
    _arrived.append(number)
    raise _ending(number)


def _ending(number: int) -> KeyboardInterrupt:
    if number == signal.SIGINT:
        return KeyboardInterrupt()
    return Terminated(f"ended by {signal.Signals(number).name}")


def _quiet_hook(unraisable: "UnraisableHookArgs") -> None:
    """Print nothing for an interrupt that Python dropped: `heed` raises it again."""
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
        _previous_hook(unraisable)


class Held:
    """Signals that are held back; `arrived` has those that came meanwhile."""

    def __init__(self, seconds: float | None) -> None:
        self.arrived: list[int] = []
        self._seconds = seconds
        self._handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._timers: list[threading.Timer] = []

    def hold(self) -> None:
        """Hold the signals back; without effect outside the main thread, which alone takes them."""
        if threading.current_thread() is threading.main_thread():
            for number in ENDING:
                handler = signal.getsignal(number)
                if callable(handler):
                    self._handlers[number] = handler
                    signal.signal(number, self._take)

    def release(self) -> None:
        """Restore the handlers."""
        while self._handlers:
            signal.signal(*self._handlers.popitem())
        while self._timers:
            self._timers.pop().cancel()

    def _take(self, number: int, frame: FrameType | None) -> None:
        self.arrived.append(number)
        if self._seconds is None:
            return
        if len(self.arrived) > 1:
            self._handlers[number](number, frame)  # a launcher's handler need not raise
            return
        again = (threading.get_ident(), number)
        self._timers.append(threading.Timer(self._seconds, signal.pthread_kill, again))
        self._timers[0].daemon = True
        self._timers[0].start()

    @contextmanager
    def released(self) -> Iterator[None]:
        """Let signals through for a while; one that has arrived before is raised here."""
        self.release()
        try:
            if self.arrived:
                raise KeyboardInterrupt
            yield
        finally:
            self.hold()


@contextmanager
def held(seconds: float | None = None) -> Iterator[Held]:
    """A section that signals do not tear; what arrives is delivered at its end.

    A transaction that is torn keeps its lock on the store, and the next write waits for that.
    seconds: a second signal, or this much time, cuts the section short; None waits for its end.
    Clear `arrived` to drop what has come.
    """
    section = Held(seconds)
    section.hold()
    handlers = dict(section._handlers)
    try:
        yield section
    finally:
        section.release()
        arrived, section.arrived = section.arrived, []
        if arrived and (seconds is None or len(arrived) == 1) and arrived[0] in handlers:
            handlers[arrived[0]](arrived[0], None)
