"""Hydra's launchers: what each means for measuring, and what its processes need."""

import copy
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.errors import ConfigError, DeviceMismatch
from experiments.runs.device import choose_device
from experiments.sweeps.grid import Cell
from experiments.sweeps.records import SweepRecord
from experiments.system.paths import plugins_folder, project_root, runs_root

if TYPE_CHECKING:
    from hydra.plugins.launcher import Launcher
    from omegaconf import DictConfig

    from experiments.sweeps.grid import Request

_NAMES = {
    "BasicLauncher": "basic",
    "JoblibLauncher": "joblib",
    "SlurmLauncher": "slurm",
    "LocalLauncher": "submitit_local",
    "RayLauncher": "ray",
    "RayAWSLauncher": "ray_aws",
}


@dataclass(frozen=True)
class Launching:
    """How jobs are started. remote: on nodes with their own devices and environments."""

    name: str
    remote: bool
    parallel: int | None  # jobs at once on this machine; None: a scheduler decides

    @property
    def in_process(self) -> bool:
        """Whether this very process follows one run after another."""
        return self.name == "basic"


def launching(config: "DictConfig") -> Launching:
    """What the composed hydra/launcher is. ConfigError if its package is missing."""
    launcher = config.hydra.launcher
    name = _NAMES.get(str(launcher.get("_target_", "")).rsplit(".", 1)[-1], "other")
    if name == "basic":
        return Launching(name, remote=False, parallel=1)
    if name == "joblib":
        return Launching(name, remote=False, parallel=_joblib_jobs(int(launcher.get("n_jobs", -1))))
    if name == "submitit_local":
        return Launching(name, remote=False, parallel=10**6)  # it starts every job at once
    if name == "ray" and launcher.ray.init.get("address") is None:
        return Launching(name, remote=False, parallel=_ray_tasks(launcher.ray))
    return Launching(name, remote=True, parallel=None)


def _joblib_jobs(n_jobs: int) -> int:
    return n_jobs if n_jobs > 0 else max(1, (os.cpu_count() or 1) + 1 + n_jobs)


def _ray_tasks(ray: Any) -> int:
    processors = ray.init.get("num_cpus") or os.cpu_count() or 1
    return int(processors // max(ray.remote.get("num_cpus", 1), 1e-6))


def refuse_crowding(how: Launching, cells: list[Cell], sharing: bool) -> None:
    """Raise ConfigError if jobs would be measured at once on one device without allow_sharing."""
    if how.parallel is None or sharing:
        return
    found = {name for cell in cells if (name := _lock_name(cell)) is not None}
    at_once = min(how.parallel, sum(cell.repetitions for cell in cells))
    if at_once > max(1, len(found)):
        where = ", ".join(sorted(found)) or "one device"
        raise ConfigError(
            f"hydra/launcher={how.name} would measure {at_once} runs at once on {where}: "
            "one per device at a time "
            f"({_remedy(how)}), or allow_sharing=true, which tags the runs"
        )


def _lock_name(cell: Cell) -> str | None:
    try:
        return choose_device(cell.config.gpu, cell.config.backend).lock_name
    except DeviceMismatch:
        return None


def _remedy(how: Launching) -> str:
    return {"joblib": "hydra.launcher.n_jobs=1", "ray": "hydra.launcher.ray.init.num_cpus=1"}.get(
        how.name, "hydra/launcher=basic"
    )


def queue_name(record: SweepRecord) -> str:
    """The name of a sweep's jobs in a scheduler's queue."""
    return f"kbb-{record.id}"


def without_address(overrides: Sequence[str]) -> list[str]:
    """Overrides without the store's address.

    A job does not open the store, and launchers write overrides to disk.
    """
    return [text for text in overrides if text.lstrip("+").partition("=")[0] != "tracking.uri"]


def _forget_address(config: "DictConfig") -> None:
    """Remove the store's address from what a launcher pickles: `config` and Hydra's own copy."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import open_dict

    with open_dict(config):
        config.tracking.uri = None
        config.hydra.overrides.task = without_address(config.hydra.overrides.task)
        config.hydra.job.override_dirname = ""
    HydraConfig.instance().set_config(config)


def make(request: "Request", record: SweepRecord) -> "Launcher":
    """The launcher, its files in the sweep's own folder and its processes given what they need.

    They inherit this process's environment: the project on the path, the folder of runs, and no
    MLFLOW_RUN_ID, which is the summary run's alone.
    """
    from hydra.core.plugins import Plugins
    from omegaconf import open_dict

    config = copy.deepcopy(request.config)
    os.environ.pop("MLFLOW_RUN_ID", None)
    path = [
        os.fspath(project_root()),
        os.fspath(plugins_folder()),
        os.environ.get("PYTHONPATH", ""),
    ]
    variables = {
        "PYTHONPATH": os.pathsep.join(part for part in path if part),
        "KBB_RUNS": os.fspath(runs_root()),
    }
    os.environ.update(variables)
    with open_dict(config):
        config.hydra.sweep.dir = os.fspath(record.folder)
        launcher = config.hydra.launcher
        if "submitit_folder" in launcher:
            launcher.name = queue_name(record)
        if "ray" in launcher and launcher.ray.init.get("address") is not None:
            kept = {key: os.environ[key] for key in ("KBB_CACHE",) if key in os.environ}
            launcher.ray.init.runtime_env = {"env_vars": {**variables, **kept}}
    _forget_address(config)
    return Plugins.instance().instantiate_launcher(
        hydra_context=request.context, task_function=request.task, config=config
    )
