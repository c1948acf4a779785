"""The backend of a run that names none: the configured one if it can be had here, else another."""

from collections.abc import Sequence

from experiments.config import members
from experiments.config.schema import BackendConfig
from experiments.environments import inventory

NOTHING = "none"  # how `inventory.available` begins if no interpreter was found


def choice(arguments: Sequence[str]) -> tuple[list[str], str]:
    """The override that a command line lacks, and one line that says why; both may be empty.

    Nothing is looked for if the command line names a backend or asks for something other than a
    run, and no interpreter is started if the default's environment is built.
    """
    keys = [argument.lstrip("+~").partition("=")[0] for argument in arguments]
    if any(key.startswith("-") or key.partition(".")[0] == "backend" for key in keys):
        return [], ""
    backends = members.backends()
    default = backends[members.defaults()["backend"]]
    if _can_be_had(default):
        return [], ""
    for backend in sorted(
        backends.values(), key=lambda each: each.keras_backend != default.keras_backend
    ):
        if backend.name != default.name and _can_be_had(backend):
            python = inventory.look(default, "cpu").python
            why = f"no Python {python} here for {default.name}; name a backend to choose"
            return [f"backend={backend.name}"], f"backend={backend.name} ({why})"
    return [], ""


def _can_be_had(backend: BackendConfig) -> bool:
    """Whether the environment is built, or could be."""
    entry = inventory.look(backend, "cpu")
    return entry.state == inventory.BUILT or not entry.found.startswith(NOTHING)
