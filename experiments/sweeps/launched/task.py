"""One job of a launcher: compose, run, leave the result in the journal for the submitter."""

import os
import warnings
from typing import Any

from experiments.cli.console import Quiet, Terminal, View

# conf/hydra/launcher/joblib.yaml has the name of the plugin's own schema, on purpose: it is what
# people type. Launchers' processes import this module before they compose.
warnings.filterwarnings(
    "ignore", message=r"\s*'hydra/launcher/\w+' is validated against ConfigStore schema"
)

LEFT = "left"


def measure(config: Any) -> dict[str, str | None]:
    """Hydra's task function; returns the run's end state.

    The state is "left" for a job that a fail_fast stopped before it began.
    """
    from experiments.config.compose import typed
    from experiments.config.schema import SweepRunConfig
    from experiments.names import COMPLETE_STATES
    from experiments.runs.run import run
    from experiments.sweeps.records import STOP
    from experiments.system.paths import sweeps_root

    os.environ.pop("MLFLOW_RUN_ID", None)  # the summary run's alone
    settings = typed(config)
    assert isinstance(settings, SweepRunConfig)
    stop = sweeps_root() / str(settings.sweep.id) / STOP
    if stop.exists():
        return {"state": LEFT, "reason": None, "folder": None}
    # A scheduler keeps stdout as the job's log; elsewhere it is the terminal of the sweep.
    view: View = Terminal() if "SLURM_JOB_ID" in os.environ else Quiet()
    outcome = run(settings.of_run(), view)
    if settings.fail_fast and outcome.state not in COMPLETE_STATES:
        stop.parent.mkdir(parents=True, exist_ok=True)
        stop.touch()
    return {"state": outcome.state, "reason": outcome.reason, "folder": str(outcome.folder)}
