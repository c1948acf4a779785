"""All sections of the report, in the order in which one asks. One that fails stops no other."""

from collections.abc import Callable

from experiments.config import members
from experiments.doctor import machine, project
from experiments.doctor.section import MISSING, Section
from experiments.errors import UserError
from experiments.system.gpu import present_gpus


def survey() -> list[Section]:
    """Look at everything; nothing is changed, built or downloaded."""
    gpu = bool(present_gpus())
    environments = _guarded("Environments", lambda: project.environments(gpu))
    return [
        _guarded(
            "Interpreters",
            lambda: machine.interpreters(_default_python() if environments.broken else ""),
        ),
        environments,
        _guarded("Data", project.data),
        _guarded("Devices", machine.devices_here),
        _guarded("Store", project.store),
        _guarded("Programs", machine.compilers),
        _guarded("Folders", lambda: machine.disks(bool(environments.broken))),
    ]


def _default_python() -> str:
    from experiments.environments.specification import read

    return read(members.backends()[members.defaults()["backend"]].environment, "cpu").python


def _guarded(title: str, look: Callable[[], Section]) -> Section:
    try:
        return look()
    except (UserError, OSError) as error:
        section = Section(title)
        section.add(title.lower(), MISSING, f"{error}", "see the message", needed=True)
        return section
