"""Column heads for conditions."""

from collections.abc import Iterable, Sequence

from analysis.compare.conditions import Condition
from analysis.tables.model import Column
from analysis.titles import short_device


def labelled(some: Sequence[Condition]) -> list[Column]:
    """Table columns for places, labels as short as can be and different from each other."""
    labels = [short_device(place.device) for place in some]
    for qualifiers in _qualifiers(some):
        for members in _duplicates(labels):
            if len({qualifiers[member] for member in members}) > 1:
                for member in members:
                    labels[member] += f", {qualifiers[member]}" if qualifiers[member] else ""
    for members in _duplicates(labels):
        for number, member in enumerate(members, 1):
            labels[member] += f" ({number})"
    return [
        Column(place.key, label, note=_note(place), device=place.device, protocol_id=place.protocol)
        for place, label in zip(some, labels, strict=True)
    ]


def _qualifiers(some: Sequence[Condition]) -> Iterable[list[str]]:
    """What may tell columns of one device apart, what matters most to a reader first."""
    yield [f"Keras {place.generation}" if place.generation else "" for place in some]
    yield [place.work for place in some]
    yield [f"profile {place.profile}" if place.profile else "" for place in some]
    yield [f"{place.data} data" if place.data else "" for place in some]
    yield [f"{place.threads} threads" if place.threads else "" for place in some]
    yield [place.host for place in some]
    yield [place.source if place.published else "" for place in some]
    yield [f"{place.epochs} epochs" if place.epochs else "" for place in some]
    yield [
        f"protocol {place.protocol[:6]}" if place.protocol else "protocol unknown" for place in some
    ]


def _duplicates(labels: Sequence[str]) -> list[list[int]]:
    found: dict[str, list[int]] = {}
    for number, label in enumerate(labels):
        found.setdefault(label, []).append(number)
    return [members for members in found.values() if len(members) > 1]


def _note(place: Condition) -> str:
    if place.published:
        return ", ".join(part for part in (place.work, place.source) if part)
    parts = [
        f"Keras {place.generation}" if place.generation else "",
        place.profile and f"profile {place.profile}",
        f"{place.data} data" if place.data not in ("", "synthetic") else "",
        "SYNTHETIC data" if place.data == "synthetic" else "",
        f"{place.threads} threads" if place.threads and place.kind != "gpu" else "",
        place.host,
    ]
    return ", ".join(part for part in parts if part)
