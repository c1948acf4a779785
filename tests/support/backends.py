"""Which backends' environments can be had on this machine."""

import pytest

from experiments.environments import interpreters, inventory
from tests.support.composing import composed


def need(name: str) -> None:
    """Skip the test if a backend's environment is neither built nor can be; say what to install."""
    entry = inventory.look(composed(f"backend={name}").backend, "cpu")
    if entry.state != inventory.BUILT and entry.found.startswith("none"):
        get = interpreters.install_hint(entry.python)
        pytest.skip(f"{name} needs Python {entry.python} (`{get}`) or conda")
