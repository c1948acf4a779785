"""From Hydra's composed configuration to a checked RunConfig; every error is one line."""

import re
import warnings
from typing import Any

from experiments.config.members import GROUPS, choices
from experiments.config.schema import RunConfig
from experiments.errors import ConfigError

_PLAIN_CHOICES = re.compile(r"^([a-z]+)=([A-Za-z0-9_.,-]*)$")


def refuse_unknown_choices(arguments: list[str]) -> None:
    """Refuse `task=nope` and name the choices, without the second that importing Hydra takes."""
    for argument in arguments:
        match = _PLAIN_CHOICES.match(argument)
        if not match or match.group(1) not in GROUPS:
            continue
        group, chosen = match.groups()
        known = choices(group)
        for choice in chosen.split(","):
            if choice not in known:
                listed = ", ".join(known)
                raise ConfigError(f"{group}={choice}: unknown {group}; choose from {listed}")


def typed(config: Any) -> RunConfig:
    """Turn Hydra's composed DictConfig into a checked RunConfig; raises ConfigError in one line."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from experiments.config.checks import check

    try:
        if OmegaConf.is_missing(config.data, "dir"):
            config.data.dir = None
        container = OmegaConf.to_object(config)
    except OmegaConfBaseException as error:
        raise ConfigError(one_line(str(error))) from error
    assert isinstance(container, RunConfig)
    return check(container)


def one_line(text: str) -> str:
    """Hydra's several lines as one, without its hints about tracebacks and its usage."""
    refused = re.search(r"^\S+: error: (.*)$", text, re.MULTILINE)
    if text.startswith("usage:") and refused:
        return f"{refused.group(1)}; see --help"
    lines = [line.strip() for line in text.partition("Config search path:")[0].strip().splitlines()]
    hints = ("HYDRA_FULL_ERROR", "object_type")
    kept = [line for line in lines if line and not any(hint in line for hint in hints)]
    return re.sub(r"\s+", " ", "; ".join(kept)).replace(":;", ":").replace(".;", ";")


def register_schema(schema: type[RunConfig]) -> None:
    """Register with Hydra the types that conf/base.yaml is checked against."""
    from hydra.core.config_store import ConfigStore

    # The presets of launchers have the names of their plugins, so that hydra/launcher=joblib finds
    # them.
    message = r"\s*'hydra/launcher/\w+' is validated against ConfigStore schema"
    warnings.filterwarnings("ignore", message)
    ConfigStore.instance().store(name="schema", node=schema)
