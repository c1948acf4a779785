"""What a run needs before it is measured: device, threads, environment, a checked engine, data.

`prepare` does all of it for one run. A sweep calls the same steps, each once for the cells that
share it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from experiments import datasets, environments
from experiments.config.schema import RunConfig
from experiments.datasets import Prepared
from experiments.environments import CheckResult, Environment
from experiments.environments.needs import of_run as needs_of_run
from experiments.errors import EngineUnsound
from experiments.runs.device import Device, choose_device
from experiments.system.threads import resolve_threads

Say = Callable[[str], None]


@dataclass(frozen=True)
class Engine:
    """An environment and the verdict on the engine in it."""

    environment: Environment
    verdict: CheckResult


@dataclass(frozen=True)
class Ready:
    """All that a run needs; from here on it is settled what will be measured."""

    device: Device
    threads: int
    environment: Environment
    verdict: CheckResult
    data: Prepared


def prepare(config: RunConfig, say: Say) -> Ready:
    """Find or make everything that a run needs.

    Raises a UserError, whose class has the run's end state.
    """
    device = choose_device(config.gpu, config.backend)
    say(f"device: {device.name} ({device.remark})")
    threads = resolve_threads(config.threads)
    engine = ready_engine(config, device, threads, say)
    return Ready(device, threads, engine.environment, engine.verdict, ready_data(config, say))


def ready_engine(config: RunConfig, device: Device, threads: int, say: Say) -> Engine:
    """The backend's environment, built if it is missing, and checked for what the run's task needs.

    Raises EngineUnsound if the engine computes wrong numbers and the run does not allow that.
    """
    needs = needs_of_run(config)
    environment = environments.ensure(config.backend, device.kind, say)
    verdict = environments.check(
        environment, config.backend, threads, say, device.index, needs=needs
    )
    if not verdict.sound and not config.allow_unsound:
        raise EngineUnsound(
            f"{verdict.message}; allow_unsound=true runs it anyway and flags the run"
        )
    return Engine(environment, verdict)


def ready_data(config: RunConfig, say: Say) -> Prepared:
    """The prepared arrays of the run's task and share of the data."""
    budget = config.budget()
    return datasets.prepare(
        config.task, config.data, budget.fraction, budget.validation_fraction, say
    )
