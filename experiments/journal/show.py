"""Print a journal for a person."""

import json
from pathlib import Path

from experiments.journal.journal import read

_LINE = 160


def show(path: Path) -> None:
    """Print a line an event, then what was wrong with the lines that were left out."""
    contents = read(path)
    hidden = ("v", "seq", "id", "t", "event", "config")
    for event in contents.events:
        rest = {key: value for key, value in event.items() if key not in hidden}
        text = json.dumps(rest, default=str)[:_LINE]
        print(f"{event['seq']:>4} {event['event']:<9} {text}")
    for problem in contents.problems:
        print(f"     problem   {problem}")
    if contents.left_out > len(contents.problems):
        print(f"     problem   … and {contents.left_out - len(contents.problems)} more lines")
