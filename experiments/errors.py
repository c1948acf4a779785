"""Errors meant for a person: one line that says what is wrong and what to do next.

Every class names the end state that a run takes when the error ends it.
"""


class UserError(Exception):
    """Something the user can mend; the message is one line, no traceback is shown."""

    state = "failed"


class ConfigError(UserError):
    """A value of the configuration is wrong; nothing was started."""


class DataError(UserError):
    """A data file is missing, corrupted or not what it should be."""


class NotInstalled(UserError):
    """No interpreter for a backend was found, or its environment could not be built."""

    state = "not_installed"


class DeviceMismatch(UserError):
    """The device that was asked for is not the device that is there."""

    state = "device_mismatch"


class EngineUnsound(UserError):
    """The backend computes wrong numbers (see the named check)."""

    state = "engine_unsound"


class TrackingError(UserError):
    """The tracking store does not answer or refuses what it is given."""
