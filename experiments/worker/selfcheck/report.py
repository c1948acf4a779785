"""Collects the checks' results, prints one line for each, and writes them as JSON."""

import json
import math
import os
import time
from typing import Any, Dict, List, Union


def plain(number: float) -> Union[float, str]:
    """A number for strict JSON: "NaN", "Infinity" or "-Infinity" if it is not finite."""
    if math.isfinite(number):
        return float(number)
    return "NaN" if math.isnan(number) else ("Infinity" if number > 0 else "-Infinity")


class Report(object):
    """The checks so far. A check's seconds count from the one before it, compilation included."""

    def __init__(self) -> None:
        self.checks: List[Dict[str, Any]] = []
        self.facts: Dict[str, Any] = {}
        self._began = self._last = time.perf_counter()

    def check(self, name: str, value: float, limit: float, case: str) -> bool:
        """Record that `value` (a relative error, unless the name says otherwise) is within `limit`.

        `case` is what the check belongs to (see needs.py). Returns whether it passed; NaN does not.
        """
        now = time.perf_counter()
        passed = bool(value <= limit)
        self.checks.append(
            {
                "name": name,
                "case": case,
                "value": plain(value),
                "limit": limit,
                "passed": passed,
                "seconds": round(now - self._last, 4),
            }
        )
        print(
            "%-6s %-56s %9.2e  limit %.0e  %6.1f s"
            % ("ok" if passed else "WRONG", name, value, limit, now - self._last),
            flush=True,
        )
        self._last = now
        return passed

    @property
    def sound(self) -> bool:
        """Whether there were checks and all of them passed."""
        return bool(self.checks) and all(check["passed"] for check in self.checks)

    def write(self, path: str, **more: Any) -> None:
        """Write the result to `path`, whole or not at all; `more` adds keys or replaces them."""
        result = {
            "sound": self.sound,
            "checks": self.checks,
            "seconds": round(time.perf_counter() - self._began, 3),
        }
        result.update(self.facts)
        result.update(more)
        unfinished = "%s.%d.part" % (path, os.getpid())
        with open(unfinished, "w") as stream:
            json.dump(result, stream, indent=1, allow_nan=False)
            stream.write("\n")
        os.replace(unfinished, path)
