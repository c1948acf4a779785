"""The life of one run: device → environment → check → data → worker → end state.

The only place that knows the order.
"""

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from experiments import names
from experiments.config import RunConfig
from experiments.errors import TrackingError, UserError
from experiments.live import Terminal, View
from experiments.session import Session

if TYPE_CHECKING:
    from experiments.tracking.store import Store


@dataclass(frozen=True)
class Outcome:
    """How a run ended; `exit_status` is 0 only where it trained to its planned end."""

    state: str
    reason: str | None
    folder: Path
    mlflow_run_id: str | None

    @property
    def exit_status(self) -> int:
        """0 finished (a diverged run did train), 130 interrupted, 1 anything else."""
        if self.state in names.COMPLETE_STATES:
            return 0
        return 130 if self.state == names.KILLED else 1


def run(
    config: RunConfig, view: View | None = None, store: "Store | None" = None, known: UserError | None = None
) -> Outcome:
    """Train one cell and keep it; a UserError is raised only before anything was started.

    Every other end is an Outcome with its named state, in the journal and (where reachable) in MLflow.
    `store` is one that is open already. `known` is why this cell cannot be measured, where that has been
    found out before: it is recorded and nothing is tried again.
    """
    view = view or Terminal()
    store = store or _open_store(config, view)
    session = Session.create(config, view)
    with session:
        try:
            state, reason = _contained(session, store, known)
        except KeyboardInterrupt as stop:  # again, while the first was being dealt with
            state, reason = names.KILLED, str(stop) or "interrupted by Ctrl-C"
        session.close(state, reason)
    return Outcome(state, reason, session.folder, session.mlflow_run_id)


def _open_store(config: RunConfig, view: View) -> "Store | None":
    """The tracking store; None where it does not answer and is not required, or is to be filled later."""
    if config.tracking.deferred:
        return None
    from experiments.tracking.store import connect

    try:
        return connect(config.tracking)
    except TrackingError as error:
        if config.tracking.required:
            raise
        view.warn(f"{error}")
        return None


def _contained(session: Session, store: "Store | None", known: UserError | None) -> tuple[str, str | None]:
    """Run the phases; whatever goes wrong becomes a state and one line of reason."""
    try:
        session.record_into(store)
        if known is not None:
            raise known
        return _phases(session)
    except UserError as error:
        return error.state, str(error)
    except KeyboardInterrupt as stop:
        return names.KILLED, str(stop) or "interrupted by Ctrl-C"
    except OSError as error:
        session.keep_traceback(traceback.format_exc())
        return names.FAILED, f"{error.strerror or error}: {error.filename or session.folder}"
    except Exception as error:
        session.keep_traceback(traceback.format_exc())
        return names.FAILED, f"{type(error).__name__}: {error}".splitlines()[0]


def _phases(session: Session) -> tuple[str, str | None]:
    from experiments import datasets, devices, environments
    from experiments.environments.threads import resolve_threads
    from experiments.locks import device_lock
    from experiments.training import train

    config, view = session.config, session.view
    device = devices.choose(config.gpu, config.backend)
    view.note(f"device: {device.name} ({device.remark})")
    environment = environments.ensure(config.backend, device.kind, view.note)
    threads = resolve_threads(config.threads)
    verdict = environments.check(environment, config.backend, threads, view.note, device.index)
    if not verdict.sound and not config.allow_unsound:
        from experiments.errors import EngineUnsound

        raise EngineUnsound(f"{verdict.message}; allow_unsound=true measures it all the same, and marks the run")
    budget = config.budget()
    data = datasets.prepare(config.task, config.data, budget.fraction, budget.validation_fraction, view.note)
    if data.warning:
        view.warn(data.warning)
    session.prepared(device, environment, verdict, threads, data)
    with device_lock(device.lock_name, config.allow_sharing, view.note) as shared:
        return train(session, device, environment, threads, data, shared)

