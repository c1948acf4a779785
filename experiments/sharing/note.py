"""NOTE.md of a packed folder: what was measured, on what, with which data, under which licence."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from experiments.journal.events import Event

_LICENCE = (
    "These results are in the public domain: "
    "[CC0 1.0](https://creativecommons.org/publicdomain/zero/1.0/)."
)
_KEPT = (
    "`journals.jsonl.zst` holds the journal of every run, one event a line, compressed with "
    "zstandard. Host and user names, paths, addresses, serial numbers and the kernel's build were "
    "taken out; figures, versions, parameters and digests are as they were measured. "
    "`machine.json` holds the facts above for programs."
)


@dataclass(frozen=True)
class About:
    """What the journals do not hold: the command, what each data set is, remarks (Markdown)."""

    command: str = ""
    data: dict[str, str] = field(default_factory=dict)
    remarks: Sequence[str] = ()


def note_text(name: str, events: Sequence[Event], machine: dict[str, Any], about: About) -> str:
    """The whole note, from scrubbed events, what `describe` made of them and what the user adds."""
    sections = [
        f"# {name}\n\n{_LICENCE}",
        f"## What was measured\n\n{_measured(events, machine)}{_command(about.command)}",
        f"## On what\n\n{_machine(machine)}",
        f"## Which data\n\n{_data(machine)}",
    ]
    if about.remarks:
        sections.append("## Remarks\n\n" + "\n".join(f"- {remark}" for remark in about.remarks))
    sections.append(f"## What is in this folder\n\n{_KEPT}")
    return "\n\n".join(sections) + "\n"


def _measured(events: Sequence[Event], machine: dict[str, Any]) -> str:
    jobs = [event for event in events if event["event"] == "job"]
    cells = Counter((job["task"], job["backend"]) for job in jobs)
    each = sorted({*cells.values()})
    repetitions = str(each[0]) if len(each) == 1 else f"{each[0]} to {each[-1]}"
    states = Counter(event["state"] for event in events if event["event"] == "closed")
    flags = Counter(
        flag for event in events if event["event"] == "closed" for flag in event.get("flags") or ()
    )
    lines = [
        f"{len(jobs)} runs: {len(cells)} combinations of {_counted(jobs, 'task')} tasks and "
        f"{_counted(jobs, 'backend')} backends, {repetitions} repetitions each, "
        f"at profile={_named(jobs, 'profile')}.",
        f"- tasks: {_named(jobs, 'task')}",
        f"- backends: {_named(jobs, 'backend')}",
        f"- from {machine['first_event']} to {machine['last_event']}",
        f"- code: {', '.join(machine['git_commit']) or 'not under git'}"
        + (" with local changes" if machine["git_dirty"] else ""),
        f"- end states: {_tally(states)}; flags: {_tally(flags) or 'none'}",
    ]
    return lines[0] + "\n\n" + "\n".join(lines[1:])


def _command(command: str) -> str:
    return f"\n\n    {command}" if command else ""


def _machine(machine: dict[str, Any]) -> str:
    memory = machine["memory_bytes"]
    size = f", {memory / 1e9:.0f} GB of memory" if memory else ""
    cores = f"{machine['cpu_physical']} cores ({machine['cpu_logical']} threads)"
    return (
        f"{machine['cpu_model']}, {cores}{size}, {machine['system']}, Python {machine['python']} "
        f"for the program itself; devices used: {', '.join(machine['devices'])}."
    )


def _data(machine: dict[str, Any]) -> str:
    lines = []
    for name, about in machine["data"].items():
        what = f": {about['what']}" if about["what"] else ""
        lines.append(
            f"- `{name}`{what} (data={', '.join(about['source'])}, "
            f"digest {', '.join(about['digest'])})"
        )
    return "\n".join(lines)


def _named(jobs: Sequence[Event], key: str) -> str:
    return ", ".join(sorted({str(job[key]) for job in jobs}))


def _counted(jobs: Sequence[Event], key: str) -> int:
    return len({job[key] for job in jobs})


def _tally(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
