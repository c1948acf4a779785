"""The report's lists of what was run: every run, every environment, every protocol, every flag.

Takes the tidy table of `analysis.store.columns`; no figure is computed here.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.report import links
from analysis.report.lists import figures, listing, menu, number, text, words
from analysis.report.page import Block
from analysis.tables.model import Cell, Table
from analysis.titles import counted
from experiments import names

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS = 2000  # rows of the table of runs; the newest stay
MAX_BLOCKS = 150  # environments, and protocols, that are told one by one
_MOVING_FACTS = (
    "load_average",
    "cpu_pressure",
)  # differ from run to run and say nothing about the machine
_FLAG_MEANINGS = {
    names.FLAG_NOISY: "noisy: steady epochs scatter by more than 5 % (MAD / median)",
    names.FLAG_OUTLIER: "outlier: one steady epoch is far from the others (modified z above 14.8)",
    names.FLAG_LOADED: "loaded: other processes used more than a quarter of the cores",
    names.FLAG_THROTTLED: "throttled: the device lowered its clock",
    names.FLAG_SHARED: "shared: measured beside another measured run on one device",
    names.FLAG_UNSOUND: "unsound: the engine's check failed; its numbers may be wrong",
    names.FLAG_DEVICE_DOUBTFUL: "device doubtful: the named device may not have done the work",
}
_ENVIRONMENT = [
    "host",
    "device_name",
    "backend",
    "versions",
    "settings",
    "git_commit",
    "git_dirty",
    "facts",
]


@dataclass(frozen=True)
class Inventory:
    """What the page shows of the runs themselves."""

    runs: Table | None
    flags: Table | None
    environments: list[Block]
    protocols: list[Block]


def build(frame: "pd.DataFrame", ui: str | None, remark: str) -> Inventory:
    """Lists of the runs in `frame`, measured ones; `remark` says where the rows are that do not fit
    on a page.
    """
    if frame.empty:
        return Inventory(None, None, [], [])
    measured = frame.copy()
    measured["facts"] = measured["host_facts"].map(_lasting, na_action="ignore")
    groups = measured.groupby(_ENVIRONMENT, dropna=False, sort=False)
    measured["environment"] = groups.ngroup() + 1
    environments = [_environment(number_ + 1, group) for number_, (_, group) in enumerate(groups)]
    protocols = [
        _protocol(str(key), group) for key, group in measured.groupby("protocol_id", sort=True)
    ]
    return Inventory(
        _runs(measured, ui, remark), _flags(measured, ui), _capped(environments), _capped(protocols)
    )


def _capped(blocks: list[Block]) -> list[Block]:
    if len(blocks) <= MAX_BLOCKS:
        return blocks
    left = len(blocks) - MAX_BLOCKS
    return [*blocks[:MAX_BLOCKS], Block(f"{left} more are left out of this page", [])]


def _lasting(text: str) -> str:
    facts = json.loads(text)
    return json.dumps({key: value for key, value in facts.items() if key not in _MOVING_FACTS})


def text_of(value: Any) -> str:
    """A value as it is read; nothing where it is missing."""
    import pandas as pd

    return "" if value is None or value is pd.NA or pd.isna(value) else str(value)


def state_of(row: Any) -> str:
    """The run's end state, or that it has none yet."""
    return text_of(row.state) or (
        "still going" if row.mlflow_status == "RUNNING" else "no end state"
    )


def _runs(measured: "pd.DataFrame", ui: str | None, remark: str) -> Table:
    columns = (
        words("Started (UTC)"),
        *(menu(label) for label in ("Task", "Backend", "Device", "Profile", "Data")),
        figures("Repetition"),
        menu("State"),
        figures("Steady training", "s per epoch", "median of epochs 2 to the last"),
        figures("Throughput", "samples/s"),
        figures("Total", "s"),
        figures("Quality", "last epoch"),
        words("Flags"),
        words("Environment"),
        words("Protocol"),
    )
    newest = measured.sort_values("start_time", ascending=False, kind="stable")
    rows = [_run(row, ui) for row in newest.head(MAX_ROWS).itertuples()]
    notes = [
        "Quality is the task's own metric: validation accuracy, or loss where lower is better."
    ]
    if len(newest) > MAX_ROWS:
        notes.append(f"The newest {MAX_ROWS:,} of {len(newest):,} runs; {remark}.")
    return listing("runs", f"{len(newest):,} measured runs", columns, rows, notes)


def _run(row: Any, ui: str | None) -> list[Cell]:
    metric = text_of(row.quality_metric)
    quality = getattr(row, f"last_{metric}", None) if metric else None
    protocol, started = text_of(row.protocol_id), row.start_time
    when = started.strftime("%Y-%m-%d %H:%M:%S") if text_of(started) else "unknown"
    return [
        text(
            when,
            href=links.run_page(ui, text_of(row.experiment_id), text_of(row.run_id)),
            hint=f"run {row.run_id}",
        ),
        text(text_of(row.task)),
        text(text_of(row.backend)),
        text(text_of(row.device_name), classes="device"),
        text(text_of(row.profile)),
        text(
            text_of(row.data_source).upper()
            if row.data_source == "synthetic"
            else text_of(row.data_source)
        ),
        text(text_of(row.repetition)),
        text(state_of(row)),
        number(row.steady_train_seconds),
        number(row.steady_samples_per_second),
        number(row.total_seconds),
        number(quality, 4, hint=metric),
        text(", ".join(flags_of(row))),
        text(f"E{row.environment}", href=f"#E{row.environment}"),
        text(protocol, href=f"#protocol-{protocol}" if protocol else None),
    ]


def flags_of(row: Any) -> list[str]:
    """The flags of a run, one word each."""
    return [flag.strip() for flag in text_of(row.flags).split(",") if flag.strip()]


def _flags(measured: "pd.DataFrame", ui: str | None) -> Table | None:
    rows = []
    for row in measured.itertuples():
        state, flags = state_of(row), flags_of(row)
        if state == names.FINISHED and not flags:
            continue
        remarks = [_FLAG_MEANINGS.get(flag, flag) for flag in flags]
        if state != names.FINISHED:
            remarks.insert(0, text_of(row.reason))
        where = ", ".join(
            filter(None, (text_of(row.task), text_of(row.backend), text_of(row.device_name)))
        )
        link = links.run_page(ui, text_of(row.experiment_id), text_of(row.run_id))
        rows.append(
            [
                text(where, href=link, hint=f"run {row.run_id}"),
                text(state),
                text("; ".join(filter(None, remarks)), classes="wide"),
            ]
        )
    if not rows:
        return None
    columns = (words("Run"), menu("State"), words("What is known"))
    caption = f"{counted(len(rows), 'run')} with a flag, or without a good end"
    return listing("flags", caption, columns, rows[:MAX_ROWS])


def _environment(number_: int, group: "pd.DataFrame") -> Block:
    row = next(group.itertuples())
    dirty = " with local changes" if text_of(row.git_dirty) == "True" else ""
    facts = [
        ("Device", f"{text_of(row.device_name)} ({text_of(row.device_kind)})"),
        ("Code", f"commit {text_of(row.git_commit) or 'unknown'}{dirty}"),
        ("Versions", _pairs(row.versions, " ")),
        ("Engine's settings", _pairs(row.settings, " = ")),
        *(
            (key.replace("_", " ").capitalize(), _readable(key, value))
            for key, value in _object(row.facts).items()
        ),
    ]
    title = (
        f"E{number_}: {text_of(row.backend)} on {text_of(row.device_name) or 'an unknown device'}, "
        f"host {text_of(row.host) or 'unknown'} ({counted(len(group), 'run')})"
    )
    return Block(title, [(name, value) for name, value in facts if value], f"E{number_}")


def _protocol(protocol: str, group: "pd.DataFrame") -> Block:
    row = next(group.itertuples())
    data = f"{text_of(row.data_source)}, digest {text_of(row.data_digest)}"
    if row.data_source == "synthetic":
        reason = text_of(row.data_warning) or "no real data were asked for"
        data = f"SYNTHETIC ({reason}), {text_of(row.data_digest)}"
    facts = [
        ("Backends", ", ".join(sorted(set(group["backend"].dropna())))),
        ("Keras generation", text_of(row.keras_generation)),
        ("Profile", text_of(row.profile)),
        ("Data", data),
        ("Training samples", text_of(row.train_samples)),
        ("Validation samples", text_of(row.validation_samples)),
        ("Epochs", text_of(row.epochs)),
        ("Batch", text_of(row.batch)),
        ("Threads", text_of(row.threads)),
        ("Hyper-parameters", _pairs(row.hyper, " = ")),
    ]
    title = (
        f"{protocol}: {text_of(row.task)}, {text_of(row.profile)} ({counted(len(group), 'run')})"
    )
    return Block(title, [(name, value) for name, value in facts if value], f"protocol-{protocol}")


def _object(text: Any) -> Mapping[str, str]:
    return json.loads(text) if text_of(text) else {}


def _pairs(text: Any, link: str) -> str:
    return ", ".join(f"{key}{link}{value}" for key, value in _object(text).items())


def _readable(key: str, value: str) -> str:
    if key.endswith("_bytes"):
        try:
            return f"{int(float(value)) / 2**30:.1f} GiB"
        except ValueError:
            return value
    return value
