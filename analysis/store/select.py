"""Selections of runs, as the command line takes them: `backend=jax,profile=quick`."""

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.store.columns import ALIASES, SELECTABLE
from experiments.errors import ConfigError, TrackingError, UserError

if TYPE_CHECKING:
    import pandas as pd

_PART = re.compile(r"(?:^|,)\s*([A-Za-z_][\w.-]*)\s*=")
_VERSION = "version."
Selection = dict[str, str]


def parse(text: str) -> Selection:
    """`key=value,key=value` as a dictionary; values may contain commas. Raises ConfigError."""
    found = list(_PART.finditer(text))
    if not found or found[0].start() != 0:
        raise ConfigError(
            f"{text!r} is not a valid selection; write key=value pairs separated by commas; "
            f"keys: {_keys()}"
        )
    selection: Selection = {}
    for place, match in enumerate(found):
        end = found[place + 1].start() if place + 1 < len(found) else len(text)
        key, value = ALIASES.get(match[1], match[1]), text[match.end() : end].strip()
        if key not in SELECTABLE and not key.startswith(_VERSION):
            raise ConfigError(f"{match[1]}: unknown key of a selection; choose from {_keys()}")
        if not value:
            raise ConfigError(f"{match[1]}= has no value in {text!r}")
        if key in selection:
            raise ConfigError(f"{match[1]} is given twice in {text!r}")
        selection[key] = value
    return selection


def _keys() -> str:
    return ", ".join([*SELECTABLE, *ALIASES, "version.PACKAGE"])


def choose(frame: "pd.DataFrame", selection: Selection) -> "pd.DataFrame":
    """The runs of a selection. ConfigError that lists what there is where a value is nowhere.

    A commit may be shortened; of a device's name a part is enough ("device=H200").
    """
    chosen = frame
    for key, value in selection.items():
        kept = chosen[_matches(chosen, key, value)]
        if kept.empty:
            known = sorted({str(one) for one in _column(chosen, key).dropna()})
            listed = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
            raise ConfigError(f"no run has {key}={value}; there are: {listed or 'none'}")
        chosen = kept
    return chosen


def _column(frame: "pd.DataFrame", key: str) -> "pd.Series[Any]":
    if key.startswith(_VERSION):
        package = key.removeprefix(_VERSION)
        return frame["versions"].map(lambda text: json.loads(text).get(package), na_action="ignore")
    return frame[key]


def _matches(frame: "pd.DataFrame", key: str, value: str) -> "pd.Series[bool]":
    column = _column(frame, key)
    text = column.astype("object").where(column.notna(), "").astype("str")
    if key == "git_commit":
        return text.str.startswith(value)
    if column.dtype == "float64":
        return text.map(lambda one: _same_number(one, value)).astype("bool")
    exact = text == value
    if key == "device_name" and not exact.any():
        return text.str.contains(value, case=False, regex=False)
    return exact


def _same_number(one: str, other: str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return False


def percentage(text: str) -> float:
    """ "5%" or "0.05" as 0.05; ConfigError for what is no share, and for a bare 5, which may mean
    either.
    """
    bare = text.strip().removesuffix("%")
    try:
        share = float(bare) / (1 if bare == text.strip() else 100)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 10 or (share >= 1 and bare == text.strip()):
        raise ConfigError(f"{text!r} is not a share; write 5% or 0.05")
    return share


@dataclass(frozen=True)
class Choice:
    """Which runs, and how they are laid out."""

    view: str = "tasks"
    source: str = "measured"
    profile: str | None = None
    sweep: str | None = None
    pool_hosts: bool = False


def select(frame: "pd.DataFrame", choice: Choice) -> "pd.DataFrame":
    """The chosen runs; UserError that names the choices where none is left."""
    chosen = frame[frame["task"].notna() & frame["backend"].notna()]
    if choice.source != "all":
        is_published = chosen["source"] == "published"
        chosen = chosen[is_published if choice.source == "published" else ~is_published]
        if chosen.empty and choice.source == "published":
            require_published(0, "the store")
        if chosen.empty:
            raise UserError(
                "no measured run in the store yet; --source published shows the results of 2017"
            )
    for column, value in (("profile", choice.profile), ("sweep_id", choice.sweep)):
        if value is None:
            continue
        kept = chosen[chosen[column] == value]
        if kept.empty:
            known = ", ".join(sorted(chosen[column].dropna().unique())) or "none"
            raise UserError(f"no run has {column}={value}; there are: {known}")
        chosen = kept
    return chosen


def choice_of(options: dict[str, Any], view: str = "tasks") -> Choice:
    """The choice that a command line makes."""
    return Choice(
        view, options["source"], options["profile"], options["sweep"], options["pool_hosts"]
    )


def selected(frame: "pd.DataFrame", text: str | None) -> "pd.DataFrame":
    """The runs of a selection as it is typed; all of them for None."""
    return frame if text is None else choose(frame, parse(text))


def require_published(found: int, store: str) -> None:
    """TrackingError that names the command if a store has no published results."""
    if not found:
        raise TrackingError(
            f"no published results in {store}; `python -m analysis import-published` imports them"
        )
