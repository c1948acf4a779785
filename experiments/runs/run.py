"""The life of one run, in this order: record → prepare → supervise → close."""

import traceback
from dataclasses import dataclass
from pathlib import Path

from experiments import names
from experiments.cli.console import Terminal, View
from experiments.config.schema import RunConfig
from experiments.errors import DONE, FAILED_RUN, INTERRUPTED, UserError
from experiments.runs.prepare import prepare
from experiments.runs.record import RunRecord
from experiments.runs.supervise import End, supervise
from experiments.system import signals
from experiments.system.locks import device_lock
from experiments.tracking.connection import Connection
from experiments.tracking.store import Store


@dataclass(frozen=True)
class Outcome:
    """How a run ended; `exit_status` is 0 only if it trained to its planned end."""

    state: str
    reason: str | None
    folder: Path
    mlflow_run_id: str | None

    @property
    def exit_status(self) -> int:
        """0 finished (a diverged run did train), 130 interrupted, 1 anything else."""
        if self.state in names.COMPLETE_STATES:
            return DONE
        return INTERRUPTED if self.state == names.KILLED else FAILED_RUN


def run(
    config: RunConfig,
    view: View | None = None,
    store: Store | None = None,
    known: UserError | None = None,
) -> Outcome:
    """Train one cell and record it; a UserError is raised only before anything was started.

    Every other end is an Outcome with its named state, in the journal and (if reachable) in MLflow.
    store: one that is open already. known: why this cell cannot be measured, if that was found out
    before; it is recorded and nothing is tried again.
    """
    view = view or Terminal()
    store = store or Connection(config.tracking, view.warn).store()
    with RunRecord.create(config, view) as record:
        try:
            end = _contained(record, view, store, known)
        except KeyboardInterrupt as stop:  # a second one, while the first was being dealt with
            end = End(names.KILLED, str(stop) or "interrupted by Ctrl-C")
        record.close(end.state, end.reason)
    return Outcome(end.state, end.reason, record.folder, record.mlflow_run_id)


def _contained(record: RunRecord, view: View, store: Store | None, known: UserError | None) -> End:
    """Measure; whatever goes wrong becomes a state and one line of reason."""
    try:
        record.open_mirror(store)
        if known is not None:
            raise known
        return _measure(record, view)
    except UserError as error:
        return End(error.state, str(error))
    except KeyboardInterrupt as stop:
        return End(names.KILLED, str(stop) or "interrupted by Ctrl-C")
    except OSError as error:
        record.keep_traceback(traceback.format_exc())
        where = error.filename or record.folder
        return End(names.FAILED, f"{error.strerror or error}: {where}")
    except Exception as error:
        record.keep_traceback(traceback.format_exc())
        return End(names.FAILED, f"{type(error).__name__}: {error}".splitlines()[0])


def _measure(record: RunRecord, view: View) -> End:
    signals.heed()
    ready = prepare(record.config, view.note)
    if ready.data.warning:
        view.warn(ready.data.warning)
    record.prepared(ready)
    signals.heed()
    with device_lock(ready.device.lock_name, record.config.allow_sharing, view.note) as shared:
        return supervise(ready, record, view, shared)
