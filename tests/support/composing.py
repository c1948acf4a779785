"""Compose and check a configuration in this process, as a command would."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from experiments.config.compose import register_schema, typed
from experiments.config.schema import RunConfig

CONF = Path(__file__).resolve().parents[2] / "conf"


def members(group: str) -> list[str]:
    """The files of a configuration group."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def composed(*overrides: str, config_name: str = "config") -> RunConfig:
    """The checked configuration that these overrides give."""
    with hydra() as make:
        return typed(make(config_name, list(overrides)))


@contextmanager
def hydra() -> Iterator[object]:
    """Hydra's compose function on the project's conf/."""
    register_schema(RunConfig)
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield compose
