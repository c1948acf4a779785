"""What must be right before a task is measured: which cases of the worker's self-check it needs."""

from collections.abc import Iterable
from dataclasses import dataclass

from experiments.config.schema import RunConfig
from experiments.errors import ConfigError


@dataclass(frozen=True)
class Needs:
    """Cases by name, the tasks that they are for, and what those tasks use that no case covers."""

    cases: tuple[str, ...]
    tasks: tuple[str, ...] = ()  # empty: everything, whatever the task
    uncovered: tuple[str, ...] = ()

    @property
    def purpose(self) -> str:
        """ " for mnist_mlp, text_gen", to follow a noun; empty if it is for everything."""
        return f" for {', '.join(self.tasks)}" if self.tasks else ""


def everything(keras_generation: int) -> Needs:
    """What is checked without a task under a Keras generation."""
    from experiments.worker.selfcheck import needs as selfcheck  # imports NumPy

    return Needs(tuple(selfcheck.everything(keras_generation)))


def of_run(config: RunConfig) -> Needs:
    """What a run's task needs under its backend's Keras generation.

    Raises ConfigError if the task's model cannot be built with its settings.
    """
    from experiments.worker.selfcheck import needs as selfcheck  # imports NumPy

    task, generation = config.task, config.backend.keras_generation
    try:
        cases, uncovered = selfcheck.needed(config.model(), task.optimizer, task.loss, generation)
    except Exception as error:  # whatever a model's builder raises
        what = f"task.model of {task.name}"
        raise ConfigError(f"{what}: it cannot be built: {type(error).__name__}: {error}") from error
    return Needs(tuple(cases), (task.name,), tuple(uncovered))


def union(several: Iterable[Needs]) -> Needs:
    """What several tasks need under one Keras generation, each case and name once."""
    found = list(several)
    return Needs(
        tuple(dict.fromkeys(case for each in found for case in each.cases)),
        tuple(dict.fromkeys(task for each in found for task in each.tasks)),
        tuple(dict.fromkeys(name for each in found for name in each.uncovered)),
    )
