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

    def carry_out() -> None:
        while not interrupted.is_set():
            try:
                piece = left.get_nowait()
            except queue.Empty:
                return
            try:
                piece()
            except BaseException as error:
                failures.append(error)

    # Daemons, so that a piece that cannot be stopped does not keep an interrupted process alive.
    threads = [threading.Thread(target=carry_out, daemon=True) for _ in range(lanes)]
    for thread in threads:
        thread.start()
    try:
        while any(thread.is_alive() for thread in threads):
            for thread in threads:
                thread.join(_JOIN_SECONDS)
    except KeyboardInterrupt:
        interrupted.set()
        stop()
        for thread in threads:
            thread.join(_LAST_SECONDS)
        raise
    if failures:
        raise failures[0]
