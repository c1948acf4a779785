"""Take out of a journal what identifies a person or a machine, and nothing that a table needs.

Removed: host and user names, paths, addresses, serial numbers, the build of the kernel. Kept: every
figure, version, parameter and digest, so that a scrubbed journal replays into the same metrics.
"""

import getpass
import hashlib
import platform
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.journal.events import Event

PATH, ADDRESS, SERIAL, USER, HOST = "<path>", "<address>", "<serial>", "<user>", "<host>"

# Vocabulary that readers compare word by word. It names no person, even if a host is called "jax".
_VOCABULARY = frozenset(
    (
        *("id", "event", "task", "backend", "gpu", "profile", "data", "dataset", "data_source"),
        *("data_digest", "kind", "state", "quality_metric", "protocol_id", "sweep_id", "cell"),
        *("git_commit", "experiment", "params", "work", "versions", "facts", "flags"),
    )
)
_URL = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]+")
_QUOTED_PATH = re.compile(r"(?<=['\"])(?:~|[A-Za-z]:\\)?[/\\][^'\"\n]*(?=['\"])")
# A slash after a word is a fraction or a choice ("train/validation"), except after a compiler's -I.
# TensorFlow's device names ("/job:localhost/…/device:CPU:0") are not paths.
_PATH = re.compile(
    r"(?:(?<![\w./~])|(?<=\s-[ILR]))~?/(?!(?:job|replica|task|device):)[^\s'\"<>:;,()\[\]{}|]+"
)
_WINDOWS_PATH = re.compile(r"\b[A-Za-z]:\\[^\s'\"<>;,()|]+")
_SERIAL = re.compile(r"\b(?:GPU|MIG)-[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")
_MAIL = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")
_IPV4 = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")
_SERIAL_KEY = re.compile(r"serial|uuid|pci_bus", re.IGNORECASE)
# "Linux 6.1.0-18-amd64", "Linux-6.1.0-18-amd64-x86_64-with-glibc2.36" keep major and minor version.
_KERNEL = re.compile(
    r"\b(Linux|Darwin|macOS|Windows)([ -])(\d+(?:\.\d+)?)(?:(?!-(?:x86_64|aarch64|arm64|AMD64))\S)*"
)


@dataclass(frozen=True)
class Secrets:
    """What must not leave: words (host and user names) and folders, each as it is spelt."""

    hosts: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()

    @staticmethod
    def of(events: Sequence[Event], folders: Sequence[str] = ()) -> "Secrets":
        """This machine's names and home, and those that the events themselves tell."""
        hosts = {platform.node(), *(_host(event) for event in events)}
        users, homes = {_user()}, {str(Path.home())}
        for text in (text for event in events for _, text in _texts(event)):
            users.update(re.findall(r"(?:/home/|/Users/|\\Users\\)([^/\\\s'\"]+)", text))
        homes.update(folder for folder in folders if len(folder) > 1)
        short = {host.split(".")[0] for host in hosts}
        names = (hosts | short, users, homes)
        return Secrets(*(frozenset(filter(None, found)) for found in names))

    def found_in(self, text: str) -> list[str]:
        """Which of them occur in a text: folders anywhere, names as whole words."""
        found = [folder for folder in self.folders if folder != "/" and folder in text]
        words = self.hosts | self.users
        return sorted([*found, *(word for word in words if _word(word).search(text))])


def scrub(events: Sequence[Event], secrets: Secrets | None = None) -> list[Event]:
    """Copies of the events without what identifies a person or a machine.

    The host gets the same alias in every journal of one machine, because tables compare the runs
    of a processor per host. `mlflow_run_id` is dropped: it is valid only in its own store.
    """
    secrets = secrets or Secrets.of(events)
    return [_event(event, secrets) for event in events]


def changes(before: Sequence[Event], after: Sequence[Event]) -> Counter[str]:
    """What was scrubbed: "event.key.key" of each value that differs, and how often it did."""
    counted: Counter[str] = Counter()
    for old, new in zip(before, after, strict=True):
        counted.update(f"{old['event']}.{place}" for place in _differences(old, new))
    return counted


def alias(host: str, cpu_model: str) -> str:
    """A host's public name: equal for equal hosts.

    Only four hex digits: many names share each of them, so that a guessed name cannot be confirmed.
    """
    return "host-" + hashlib.sha256(f"{host}|{cpu_model}".encode()).hexdigest()[:4]


def _event(event: Event, secrets: Secrets) -> Event:
    clean: Event = {key: _value(key, value, secrets, words=True) for key, value in event.items()}
    host = event.get("host")
    if isinstance(host, dict):
        name = str(host.get("hostname") or "")
        clean["host"]["hostname"] = alias(name, str(host.get("cpu_model"))) if name else None
    if "mlflow_run_id" in event:
        clean["mlflow_run_id"] = None
    return clean


def _value(key: str, value: Any, secrets: Secrets, words: bool) -> Any:
    words = words and key not in _VOCABULARY
    if isinstance(value, dict):
        return {name: _value(name, item, secrets, words) for name, item in value.items()}
    if isinstance(value, list):
        return [_value(key, item, secrets, words) for item in value]
    if value is not None and _SERIAL_KEY.search(key):
        return SERIAL
    return _text(value, secrets, words) if isinstance(value, str) else value


def _text(text: str, secrets: Secrets, words: bool) -> str:
    # URLs first, because a path pattern would leave their beginning; long folders before parents.
    text = _URL.sub(ADDRESS, text)
    for folder in sorted(secrets.folders - {"/"}, key=len, reverse=True):
        text = re.sub(re.escape(folder) + r"(?![\w-])[^\s'\"<>:;,()\[\]{}|]*", PATH, text)
    for pattern, instead in (
        (_QUOTED_PATH, PATH),
        (_PATH, PATH),
        (_WINDOWS_PATH, PATH),
        (_SERIAL, SERIAL),
        (_MAIL, ADDRESS),
    ):
        text = pattern.sub(instead, text)
    if not words:
        return text
    text = _KERNEL.sub(r"\1\2\3", _IPV4.sub(ADDRESS, text))
    for names, instead in ((secrets.hosts, HOST), (secrets.users, USER)):
        for name in sorted(names, key=len, reverse=True):
            text = _word(name).sub(instead, text)
    return text


def _word(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")


def _texts(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, place)
    elif isinstance(value, str):
        yield place, value


def _differences(old: Any, new: Any, place: str = "") -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old:
            yield from _differences(old[key], new[key], f"{place}.{key}" if place else str(key))
    elif isinstance(old, list) and isinstance(new, list):
        for one, other in zip(old, new, strict=True):
            yield from _differences(one, other, place)
    elif old is not new and old != new:  # NaN is copied as the same object
        yield place


def _host(event: Event) -> str:
    host = event.get("host")
    return str(host.get("hostname") or "") if isinstance(host, dict) else ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return ""
