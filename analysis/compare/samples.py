"""The runs behind one cell: which of them count, how the others ended, and what must be said with
the figure.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from analysis.compare import statistics
from analysis.compare.conditions import PLACE
from analysis.compare.finite import Floats, finite
from analysis.compare.marks import DIVERGED, DOUBTFUL, FLAGGED, MISSING, UNSOUND
from analysis.compare.measures import STEADY, THROUGHPUT, Measure
from analysis.store.frame import TERMINAL
from analysis.titles import counted
from experiments import names

if TYPE_CHECKING:
    import pandas as pd

Positions = npt.NDArray[np.int64]
_NOISE = (
    names.FLAG_NOISY,
    names.FLAG_OUTLIER,
    names.FLAG_LOADED,
    names.FLAG_THROTTLED,
    names.FLAG_SHARED,
)
_REASONS = {
    names.KILLED: "killed",
    names.DEVICE_MISMATCH: "device mismatch",
    names.NOT_INSTALLED: "not installed",
    names.ENGINE_UNSOUND: "engine unsound",
}


class Runs:
    """The tidy table as arrays: looking into a data frame once for each of a thousand cells takes
    seconds.
    """

    def __init__(self, frame: "pd.DataFrame") -> None:
        self.frame = frame.reset_index(drop=True)
        self._arrays: dict[str, npt.NDArray[Any]] = {}

    def array(self, column: str) -> npt.NDArray[Any]:
        """A column as an array of objects or float64."""
        if column not in self._arrays:
            series = self.frame[column]
            if column == "gemm_share" or series.dtype == "float64":
                self._arrays[column] = series.to_numpy(dtype="float64")
            else:
                self._arrays[column] = (
                    series.astype("object").where(series.notna(), None).to_numpy()
                )
        return self._arrays[column]

    def samples(self) -> dict[tuple[str, str], "Sample"]:
        """(place, backend) -> the runs there."""
        grouped = self.frame.groupby([PLACE, "backend"], sort=False).indices
        found = {}
        for key, index in grouped.items():
            place, backend = cast("tuple[str, str]", key)
            found[place, backend] = Sample(self, np.asarray(index, dtype=np.int64))
        return found


@dataclass(frozen=True)
class Sample:
    """Runs of one backend in one place. `counted`: those whose figures stand in the table."""

    runs: Runs
    index: Positions
    _values: dict[str, Floats] = field(default_factory=dict)
    _notes: dict[bool, tuple[str, ...]] = field(default_factory=dict)

    def _of(self, column: str) -> npt.NDArray[Any]:
        return self.runs.array(column)[self.index]

    @cached_property
    def _states(self) -> list[str | None]:
        """End states; None while a run goes on."""
        return [
            state if status in TERMINAL else None
            for state, status in zip(self._of("state"), self._of("mlflow_status"), strict=True)
        ]

    @cached_property
    def _flags(self) -> list[set[str]]:
        return [set((flags or "").split(",")) - {""} for flags in self._of("flags")]

    def _where(self, state: str) -> Positions:
        return np.asarray(
            [place for place, known in enumerate(self._states) if known == state], dtype=np.int64
        )

    @cached_property
    def doubts(self) -> Positions:
        """Finished runs whose device is doubtful or whose engine is unsound."""
        odd = {names.FLAG_DEVICE_DOUBTFUL, names.FLAG_UNSOUND}
        finished = self._where(names.FINISHED)
        return np.asarray([place for place in finished if self._flags[place] & odd], dtype=np.int64)

    @cached_property
    def counted(self) -> Positions:
        """Finished runs without such doubts; if there are none, those with; if none finished, the
        diverged.
        """
        finished = self._where(names.FINISHED)
        sound = np.setdiff1d(finished, self.doubts)
        if len(sound):
            return sound
        return finished if len(finished) else self._where(names.DIVERGED)

    @cached_property
    def valid(self) -> bool:
        """Whether it may win: finished runs, more than diverged ones, none of them in doubt."""
        finished = np.setdiff1d(self._where(names.FINISHED), self.doubts)
        return len(finished) > 0 and len(finished) > len(self._where(names.DIVERGED))

    def values(self, measure: Measure) -> Floats:
        """The counted runs' figures in the measure's unit; what is missing or no number is left
        out.
        """
        if measure.column not in self._values:
            column = self.runs.array(measure.column)
            raw = (
                column[self.index[self.counted]].astype("float64")
                if len(self.counted)
                else np.empty(0)
            )
            self._values[measure.column] = finite(raw)
        return self._values[measure.column] * measure.scale

    def epochs(self, measure: Measure) -> list[Floats] | None:
        """The same of each counted run's steady epochs, for a time or rate of training; None where
        one is not known.
        """
        if (
            measure.column not in (STEADY.column, THROUGHPUT.column)
            or len(self.counted) < statistics.MIN_FOR_BOOTSTRAP
        ):
            return None
        each = [seconds_of(text) for text in self._of("steady_train_each")[self.counted]]
        if measure.column == THROUGHPUT.column:
            samples = self._of("train_samples")[self.counted]
            each = [float(count or 0) / one for count, one in zip(samples, each, strict=True)]
        return [one * measure.scale for one in each] if all(len(one) for one in each) else None

    def ids(self) -> tuple[str, ...]:
        """MLflow's ids of the counted runs."""
        return tuple(str(run) for run in self._of("run_id")[self.counted])

    def text(self, column: str) -> str:
        """The first known value of a column, as text."""
        return next((str(value) for value in self._of(column) if value is not None), "")

    def all_of(self, column: str) -> set[str]:
        """The known values of a column among the counted runs, as text."""
        return (
            {str(value) for value in self._of(column)[self.counted] if value is not None}
            if len(self.counted)
            else set()
        )

    def warnings(self) -> Counter[str]:
        """How many counted runs carry each warning about noise."""
        return Counter(flag for place in self.counted for flag in self._flags[place] & set(_NOISE))

    def ends(self) -> dict[str, tuple[int, str]]:
        """state -> (how many runs ended so, one of the reasons), for every end but finished."""
        reasons = self._of("reason")
        found: dict[str, tuple[int, str]] = {}
        for place, state in enumerate(self._states):
            if state not in (names.FINISHED, None):
                count, reason = found.get(str(state), (0, ""))
                found[str(state)] = (count + 1, str(reasons[place] or reason))
        return found

    def resolution(self) -> float | None:
        """The step that published times are rounded to."""
        known = finite(self._of("resolution_seconds"))
        return float(known.max()) if len(known) else None

    def marks(self, speed: bool) -> str:
        """Signs behind the figure; those about the device and noise belong to times alone."""
        flags: set[str] = (
            set().union(*(self._flags[place] for place in self.counted))
            if len(self.counted)
            else set()
        )
        signs = [
            (DIVERGED, len(self._where(names.DIVERGED)) > 0),
            (UNSOUND, names.FLAG_UNSOUND in flags),
            (DOUBTFUL, speed and names.FLAG_DEVICE_DOUBTFUL in flags),
            (FLAGGED, speed and bool(flags & set(_NOISE))),
        ]
        return "".join(sign for sign, holds in signs if holds)

    def notes(self, speed: bool) -> tuple[str, ...]:
        """How runs that are not in the figure ended, and warnings of those that are."""
        if speed not in self._notes:
            self._notes[speed] = self._noted(speed)
        return self._notes[speed]

    def _noted(self, speed: bool) -> tuple[str, ...]:
        total = len(self.index)
        found = []
        for state, count in sorted(Counter(self._states).items(), key=str):
            if state not in (names.FINISHED, None):
                found.append(f"{count} of {total} {state.replace('_', ' ')}" if total > 1 else "")
        left_out = len(self.doubts) if len(np.setdiff1d(self.counted, self.doubts)) else 0
        if left_out:
            found.append(
                f"{counted(left_out, 'run')} with a doubtful device or an unsound engine left out"
            )
        if speed and len(self.counted):
            found.extend(
                f"{count} of {len(self.counted)} {flag}"
                for flag, count in sorted(self.warnings().items())
            )
        return tuple(note for note in found if note)

    def absent(self, measure: Measure) -> str:
        """The mark where no figure stands: "failed", ">60 s", "n/a (…)", or "–"."""
        if len(self.counted):
            epochs = finite(self._of("epochs"))
            if measure.column.startswith("steady") and len(epochs) and epochs.max() < 2:
                return "n/a (one epoch)"
            return MISSING
        ended = [state for state in self._states if state is not None]
        if not ended:
            return MISSING
        state = Counter(reversed(ended)).most_common(1)[0][0]
        if state == names.TIMEOUT:
            return self._timeout()
        return "failed" if state == names.FAILED else f"n/a ({_REASONS.get(state, state)})"

    def _timeout(self) -> str:
        for reason in self._of("reason"):
            found = re.search(r"=([0-9.]+) s passed", reason or "")
            if found:
                return f">{float(found[1]):g} s"
        return "n/a (timeout)"


def compared_to(sample: Sample, base: Sample, measure: Measure) -> statistics.Comparison:
    """`statistics.compare` of two samples' figures, by their epochs too where those are known."""
    return statistics.compare(
        sample.values(measure),
        base.values(measure),
        epochs_a=sample.epochs(measure),
        epochs_b=base.epochs(measure),
    )


def seconds_of(text: Any) -> Floats:
    """The numbers in a space-separated list; empty where it is missing or no list of positive
    numbers.
    """
    try:
        found = np.array((text or "").split(), dtype=np.float64)
    except (AttributeError, ValueError):
        return np.empty(0)
    return found if len(found) and np.isfinite(found).all() and found.min() > 0 else np.empty(0)
