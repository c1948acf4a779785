"""The schema of a journal's lines: which fields each event has, for reading and for writing.

Standard library only.
"""

import json
import math
from typing import Any

VERSION = 1
Event = dict[str, Any]
_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

# What readers rely on. A name with "?" may be absent or null; an event of another name is taken as
# it is.
_NUMBER, _WHOLE, _TEXT, _TABLE = "a number", "a whole number", "text", "a table"
_FIELDS: dict[str, dict[str, str]] = {
    "job": {
        "name": _TEXT,
        "description": _TEXT,
        "task": _TEXT,
        "backend": _TEXT,
        "gpu": _TEXT,
        "profile": _TEXT,
        "data": _TEXT,
        "quality_metric": _TEXT,
        "repetition": _WHOLE,
        "keras_generation": _WHOLE,
        "host": _TABLE,
    },
    "prepared": {
        "protocol_id": _TEXT,
        "dataset": _TEXT,
        "data_source": _TEXT,
        "data_digest": _TEXT,
        "device_kind": _TEXT,
        "device_name": _TEXT,
        "params": _TABLE,
        "facts?": _TABLE,
        "data_warning?": _TEXT,
    },
    "imported": {"import_seconds": _NUMBER, "versions": _TABLE},
    "device": {"kind": _TEXT},
    "data": {"load_seconds": _NUMBER},
    "built": {"build_seconds": _NUMBER, "parameters": _WHOLE},
    "epoch": {
        "epoch": _WHOLE,
        "epoch_seconds": _NUMBER,
        "train_seconds": _NUMBER,
        "validation_seconds": _NUMBER,
        "samples_per_second": _NUMBER,
        "loss": _NUMBER,
        "accuracy?": _NUMBER,
        "val_loss?": _NUMBER,
        "val_accuracy?": _NUMBER,
    },
    "end": {
        "state": _TEXT,
        "reason?": _TEXT,
        "total_seconds?": _NUMBER,
        "peak_rss_bytes?": _NUMBER,
        "peak_device_bytes?": _NUMBER,
        "cpu_seconds?": _NUMBER,
    },
    "closed": {"state": _TEXT, "reason?": _TEXT, "facts?": _TABLE},
}


def parse(line: bytes) -> tuple[str, Event | None]:
    """One line as (problem, event): the event is None if there is a problem."""
    try:
        # A power failure may leave zeros where the last blocks were to be written.
        event = json.loads(line.decode("utf-8").strip("\x00"))
    except (ValueError, RecursionError):
        return "not JSON", None
    if not isinstance(event, dict):
        return "not an object", None
    version = event.get("v")
    if version != VERSION or isinstance(version, bool):
        return f"schema version {version!r:.40}, this program reads {VERSION}", None
    sequence, name, identity, when = (event.get(key) for key in ("seq", "event", "id", "t"))
    if not (
        _is(sequence, _WHOLE)
        and _is(when, _NUMBER)
        and isinstance(name, str)
        and isinstance(identity, str)
    ):
        return "lacks seq, id, t or event", None
    if event["seq"] < 0 or not math.isfinite(event["t"]):
        return "lacks seq, id, t or event", None
    return _typed(name, event)


def _typed(name: str, event: Event) -> tuple[str, Event | None]:
    """The event with its fields decoded, if all that readers rely on are present and valid."""
    for field_name, kind in _FIELDS.get(name, {}).items():
        key = field_name.rstrip("?")
        value = event.get(key)
        if value is None and field_name.endswith("?"):
            continue
        if kind is _NUMBER and isinstance(value, str) and value in _NON_FINITE:
            event[key] = _NON_FINITE[value]
        elif not _is(value, kind):
            return f"{name} without {kind} in {key}", None
    if isinstance(event.get("facts"), dict):
        event["facts"] = {
            k: _NON_FINITE.get(v, v) if isinstance(v, str) else v for k, v in event["facts"].items()
        }
    return "", event


def _is(value: Any, kind: str) -> bool:
    if kind is _TEXT:
        return isinstance(value, str)
    if kind is _TABLE:
        return isinstance(value, dict)
    if isinstance(value, bool):
        return False
    # Larger whole numbers are none of our counts, and stores refuse them.
    return (
        isinstance(value, int)
        and abs(value) < 2**63
        or (kind is _NUMBER and isinstance(value, float))
    )


def encoded(value: Any) -> Any:
    """NaN and infinities as strings: JSON has no words for them."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {str(key): encoded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encoded(item) for item in value]
    return value
