"""The tracking store as a run or a sweep holds it: connected up front, retried while it is down."""

import contextlib
from collections.abc import Callable

from experiments.config.schema import TrackingConfig
from experiments.errors import TrackingError
from experiments.tracking.store import Store, address, connect


class Connection:
    """The tracking store of a run or sweep: connected once up front, retried while it is down."""

    def __init__(self, tracking: TrackingConfig, warn: Callable[[str], None]) -> None:
        """Connect now. Raises TrackingError if the store is required and does not answer.

        A store that is deferred (journals only) has no address and is never opened.
        """
        self._tracking = tracking
        self._store: Store | None = None
        self.uri = None if tracking.deferred else address(tracking.uri)
        if self.uri is None:
            return
        try:
            self._store = connect(tracking)
        except TrackingError as error:
            if tracking.required:
                raise
            warn(str(error))

    def store(self) -> Store | None:
        """The store; None if there is none, or it does not answer yet."""
        if self._store is None and self.uri is not None:
            with contextlib.suppress(TrackingError):
                self._store = connect(self._tracking)
        return self._store
