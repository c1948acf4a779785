"""Signals that end this process: told as KeyboardInterrupt, and kept from tearing what must be written whole."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_AGAIN_SECONDS = 0.05
_told_before = sys.unraisablehook
_settled: set[signal.Signals] = set()
_arrived: list[int] = []


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP: a scheduler, a shutdown or a closed terminal ends this process as Ctrl-C does."""

    number = signal.SIGTERM


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
    sys.unraisablehook = _send_again


def rest() -> None:
    """All is done and this process is about to end: nothing is left that a signal could interrupt."""
    while _settled:
        signal.signal(_settled.pop(), signal.SIG_IGN)


def heed() -> None:
    """Raise anew what a signal raised, where somebody else's code dropped it; to be asked before a long wait.

    A compiled module that asks whether an attribute is there takes whatever is raised meanwhile for a no.
    """
    if _arrived:
        raise _ending(_arrived[-1])


def _interrupt(number: int, _: object) -> None:
    _arrived.append(number)
    raise _ending(number)


def _ending(number: int) -> KeyboardInterrupt:
    if number == signal.SIGINT:
        return KeyboardInterrupt()
    end = Terminated(f"ended by {signal.Signals(number).name}")
    end.number = signal.Signals(number)
    return end


def _send_again(unraisable: "UnraisableHookArgs") -> None:
    """Python drops what is raised in a weak reference's callback, and SQLAlchemy has such: send the signal again."""
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
        _told_before(unraisable)
        return
    number = getattr(unraisable.exc_value, "number", signal.SIGINT)
    main = threading.main_thread().ident
    assert main is not None
    with suppress(RuntimeError):  # no thread can be started while the interpreter shuts down
        # A moment later: here, still below the callback, it would be dropped once more.
        threading.Timer(_AGAIN_SECONDS, signal.pthread_kill, (main, number)).start()


@contextmanager
def deferred(seconds: float) -> Iterator[None]:
    """Lets a short piece of work come to its end before a signal strikes; a second one, or `seconds`, cut it short.

    A transaction that is torn keeps its lock on the store, and whatever is written next waits for that.
    """
    handlers = _raising() if threading.current_thread() is threading.main_thread() else {}
    arrived: list[int] = []
    timers: list[threading.Timer] = []

    def hold(number: int, frame: FrameType | None) -> None:
        arrived.append(number)
        if len(arrived) > 1:
            handlers[number](number, frame)
            return  # a launcher's handler need not raise
        timers.append(threading.Timer(seconds, signal.pthread_kill, (threading.get_ident(), number)))
        timers[0].daemon = True
        timers[0].start()

    for number in handlers:
        signal.signal(number, hold)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for timer in timers:
            timer.cancel()
        if len(arrived) == 1:
            handlers[arrived[0]](arrived[0], None)


def _raising() -> dict[int, Callable[[int, FrameType | None], Any]]:
    """The handlers of signals that end this process, as far as it has any of its own."""
    return {number: handler for number in ENDING if callable(handler := signal.getsignal(number))}


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
