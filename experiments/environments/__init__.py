"""The interpreters that backends are measured in: found or built, checked, started."""

from experiments.environments.build import BuildError, ensure
from experiments.environments.installed import Environment, freeze
from experiments.environments.needs import Needs
from experiments.environments.soundness import CheckResult, check
from experiments.environments.variables import (
    compile_cache_state,
    compiled_functions,
    worker_variables,
)
from experiments.system.threads import resolve_threads

__all__ = [
    "BuildError",
    "CheckResult",
    "Environment",
    "Needs",
    "check",
    "compile_cache_state",
    "compiled_functions",
    "ensure",
    "freeze",
    "resolve_threads",
    "worker_variables",
]
