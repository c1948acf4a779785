"""Python's cyclic garbage collector, paused while long-lived objects are built."""

import contextlib
import functools
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def gc_paused(lasting: bool = False) -> Iterator[None]:
    """Pause the cyclic garbage collector while long-lived objects are built.

    Importing MLflow and mapping its tables makes some hundred thousand objects; a third of the
    processor time of a command that opens a store went into walking them. `lasting` says that what
    is made lasts as long as the process: later collections leave it out. Only the first such block
    in a process is frozen, since later ones may replace what is then garbage.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        if lasting:
            _freeze_once()
        gc.enable()


@functools.cache
def _freeze_once() -> None:
    gc.freeze()
