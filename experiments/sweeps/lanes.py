"""Several pieces of work at once in this process, before anything is measured."""

import queue
import threading
from collections.abc import Callable, Sequence

_JOIN_SECONDS = 0.2  # between looks for Ctrl-C
_LAST_SECONDS = 5.0  # for threads to notice that they were stopped


def run(work: Sequence[Callable[[], None]], lanes: int, stop: Callable[[], None]) -> None:
    """Do all work, up to `lanes` pieces at a time, in order; returns when all is done.

    The first exception of a piece is raised when the others are done. On Ctrl-C no further piece is
    begun, `stop` is called, which must end what the pieces wait for, and KeyboardInterrupt is
    raised.
    """
    if lanes <= 1 or len(work) <= 1:
        for piece in work:
            piece()
        return
    left: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    for piece in work:
        left.put(piece)
    failures: list[BaseException] = []
    interrupted = threading.Event()

    def carry_out(done: threading.Event) -> None:
        try:
            while not interrupted.is_set():
                try:
                    left.get_nowait()()
                except queue.Empty:
                    return
                except BaseException as error:
                    failures.append(error)
        finally:
            done.set()

    # Daemons, so that a piece that cannot be stopped does not keep an interrupted process alive.
    # Events instead of join: Python 3.11 takes a thread for ended if Ctrl-C comes during its join.
    ended = [threading.Event() for _ in range(lanes)]
    for done in ended:
        threading.Thread(target=carry_out, args=(done,), daemon=True).start()
    try:
        for done in ended:
            while not done.wait(_JOIN_SECONDS):
                pass
    except KeyboardInterrupt:
        interrupted.set()
        stop()
        for done in ended:
            done.wait(_LAST_SECONDS)
        raise
    if failures:
        raise failures[0]
