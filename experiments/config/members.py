"""The only reader of the files in conf/: which members a group has, their titles and contents.

Hydra composes runs; this is for everything that need not wait for Hydra. PyYAML only.
"""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from experiments.config.schema import BackendConfig, DatasetConfig, FileConfig
from experiments.errors import ConfigError
from experiments.system.paths import project_root

GROUPS = ("task", "backend", "gpu", "data", "profile", "tracking")


def conf() -> Path:
    """The folder of configuration groups."""
    return project_root() / "conf"


def choices(group: str) -> list[str]:
    """The members of a configuration group, in alphabetical order."""
    return sorted(path.stem for path in (conf() / group).glob("*.yaml"))


@cache
def read(group: str, name: str) -> dict[str, Any]:
    """A member's file as plain data, not composed. ConfigError if it is not a mapping."""
    return _mapping(conf() / group / f"{name}.yaml")


def title(group: str, name: str) -> str:
    """A member's title; its name if there is no such member or it has no title."""
    if name not in choices(group):
        return name
    return str(read(group, name).get("title", name))


@cache
def defaults() -> dict[str, str]:
    """What a run takes without arguments: group -> choice, from conf/base.yaml."""
    found: dict[str, str] = {}
    for entry in _mapping(conf() / "base.yaml")["defaults"]:
        if isinstance(entry, dict):
            found.update(entry)
    return found


def backends() -> dict[str, BackendConfig]:
    """The backends of conf/backend/, by name. ConfigError if a file is not one."""
    found = {}
    for name in choices("backend"):
        try:
            found[name] = BackendConfig(**read("backend", name))
        except TypeError as error:
            raise ConfigError(f"conf/backend/{name}.yaml is not a backend: {error}") from None
    return found


def datasets() -> dict[str, DatasetConfig]:
    """The data sets of conf/dataset/, by name. ConfigError if a file is not one."""
    found = {}
    for name in choices("dataset"):
        content = read("dataset", name)
        try:
            files = {file: FileConfig(**source) for file, source in content["files"].items()}
            found[name] = DatasetConfig(content["name"], content["title"], files)
        except (KeyError, TypeError, AttributeError) as error:
            raise ConfigError(f"conf/dataset/{name}.yaml is not a data set: {error}") from None
    return found


def _mapping(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path} is not valid YAML: {reason}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path} is not a mapping of keys to values")
    return content
