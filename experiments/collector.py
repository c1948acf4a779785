"""Python's cyclic garbage collector, kept from looking over and over through what is no garbage."""

import contextlib
import functools
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def paused(lasting: bool = False) -> Iterator[None]:
    """No collections within; where collecting is off already, it stays off.

    `lasting` says that what is made within lasts as long as the process: later collections, and those at the
    process' end, leave it out. Only the first such block in a process is, since later ones may be set up in
    place of what is then garbage. (Importing MLflow and mapping its tables makes some hundred thousand objects; a
    third of the processor time of a command that opens a store went into looking through them.)
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
