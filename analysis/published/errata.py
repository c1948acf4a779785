"""What is wrong on the page of 2017: its figures and sentences against the published numbers.

The page and the numbers do not change, so the errata are data, each with its arithmetic:
data/errata_2017.json. The golden tests derive them anew from published.csv and page_2017.json, and
compare.
"""

import json
from dataclasses import dataclass
from functools import cache

from analysis.published.results import DATA


@dataclass(frozen=True)
class Erratum:
    """One difference.

    key: stable name. where: the table and cell, or "text". printed: what the page has. correct:
    what the numbers say. arithmetic: how.
    """

    key: str
    where: str
    printed: str
    correct: str
    arithmetic: str

    @property
    def sentence(self) -> str:
        """The erratum without its arithmetic."""
        return f"{self.where}: the page has {self.printed}; {self.correct}."

    @property
    def text(self) -> str:
        """The erratum in one line."""
        return f"{self.where}: the page has {self.printed}; {self.correct} ({self.arithmetic})"


@cache
def errata() -> tuple[Erratum, ...]:
    """Every difference between the page of 2017 and the published numbers, in the page's order."""
    text = (DATA / "errata_2017.json").read_text(encoding="utf-8")
    return tuple(Erratum(**entry) for entry in json.loads(text))
