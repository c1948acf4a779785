"""Check an engine before it is measured: the worker's self-check, run once per environment and kept.

What is kept is named by all that decides the verdict: the environment's content, the worker's source, the
backend's settings and variables, the number of threads and the kind of device.
"""

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.config.schema import BackendConfig
from experiments.environments import steps
from experiments.environments.installed import Environment, build_lock
from experiments.environments.variables import worker_variables
from experiments.errors import NotInstalled
from experiments.system.files import writing
from experiments.system.paths import cache_root, project_root

Say = Callable[[str], None]
_SCHEMA = 1
_SEED = 20170601
# A cold Theano compiles for minutes on a busy machine; beyond this an engine hangs.
_LIMIT_SECONDS = 1800.0
_SOUND, _UNSOUND = 0, 1  # exit statuses of a self-check that came to a verdict


@dataclass(frozen=True)
class CheckResult:
    """The verdict on one engine."""

    sound: bool
    failed: list[str]  # one line each: name, figure, limit
    message: str  # one line
    seconds: float  # that the check took, whenever it ran
    cached: bool
    checks: list[dict[str, Any]] = field(
        default_factory=list
    )  # name, value, limit, passed, seconds
    log: Path | None = None


def checks_folder() -> Path:
    """Where verdicts are kept."""
    return cache_root() / "checks"


def check(
    env: Environment,
    backend: BackendConfig,
    threads: int,
    say: Say,
    index: int | None = None,
    again: bool = False,
) -> CheckResult:
    """Whether the engine of `backend` in `env` computes what it should.

    A verdict is kept and given again at no cost until something changes, or `again` is set. A self-check that
    crashes or hangs is unsound too, with its reason, but is not kept: the next call tries again. `index` is the
    GPU to check on. Raises NotInstalled where the cache cannot be written.
    """
    base = (
        checks_folder()
        / f"{env.name or backend.name}-{env.key}-{verdict_key(env, backend, threads)}"
    )
    verdict = base.with_name(base.name + ".json")
    kept = None if again else _read(verdict)
    if kept is not None:
        return _result(backend, kept, base, cached=True)
    lock = checks_folder() / ".locks" / f"{base.name}.lock"
    with writing(checks_folder(), NotInstalled), build_lock(lock, f"{backend.name}'s check", say):
        kept = None if again else _read(verdict)
        if kept is not None:
            return _result(backend, kept, base, cached=True)
        say(f"{backend.name}: checking its engine against reference results, once")
        begin = time.monotonic()
        try:
            result = _result(
                backend, _run(env, backend, threads, index, base, say), base, cached=False
            )
        except steps.StepError as error:
            reason = f"{backend.name}: its engine's check ended badly: {error} (log: {_log(base)})"
            result = CheckResult(False, [], reason, time.monotonic() - begin, False, log=_log(base))
    if result.sound:  # what is wrong is the caller's to tell, as an error or a warning
        say(result.message)
    return result


def verdict_key(env: Environment, backend: BackendConfig, threads: int) -> str:
    """12 hex digits that name a verdict."""
    facts = [
        _SCHEMA,
        env.key,
        env.kind,
        worker_digest(),
        backend.keras_backend,
        backend.keras_generation,
        threads,
    ]
    settings = [sorted(backend.settings.items()), sorted(backend.variables.items())]
    return hashlib.sha256(json.dumps([facts, settings], default=str).encode()).hexdigest()[:12]


def worker_digest() -> str:
    """sha256 over the worker's source files."""
    folder = project_root() / "experiments" / "worker"
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        total.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def _run(
    env: Environment, backend: BackendConfig, threads: int, index: int | None, base: Path, say: Say
) -> dict[str, Any]:
    """Run the self-check in the environment; its verdict, kept in the cache. StepError where there is none."""
    scratch = Path(tempfile.mkdtemp(prefix=f".{base.name}-", dir=base.parent))
    try:
        job = {
            "schema": 1,
            "task": "selfcheck",
            "backend": backend.name,
            "keras_backend": backend.keras_backend,
            "keras_generation": backend.keras_generation,
            "seed": _SEED,
            "threads": threads,
            "affinity": None,
            "settings": dict(backend.settings),
            "device": {
                "kind": env.kind,
                "name": None,
                "index": index or 0,
                "memory_growth": True,
                "tf32": False,
            },
            "folder": str(scratch),
        }
        (scratch / "job.json").write_text(json.dumps(job), encoding="utf-8")
        command: list[str | Path] = [env.python, "-m", "experiments.worker.selfcheck"]
        command += [scratch / "job.json", scratch / "out.json"]
        _log(base).unlink(missing_ok=True)
        status = steps.run(
            command,
            _log(base),
            say,
            f"{backend.name}: checking its engine",
            worker_variables(env, backend, threads, env.kind, index),
            accept=(_SOUND, _UNSOUND),
            limit_seconds=_LIMIT_SECONDS,
        )
        found = _read(scratch / "out.json")
        if found is None:
            raise steps.StepError(*steps.explain(_log(base), 0, status))
        (scratch / "out.json").replace(base.with_name(base.name + ".json"))
        return found
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _log(base: Path) -> Path:
    return base.with_name(base.name + ".log")


def _read(path: Path) -> dict[str, Any] | None:
    try:
        verdict = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = (
        isinstance(verdict, dict)
        and isinstance(verdict.get("sound"), bool)
        and verdict.get("checks")
    )
    return verdict if whole else None


def _result(
    backend: BackendConfig, verdict: dict[str, Any], base: Path, cached: bool
) -> CheckResult:
    checks: list[dict[str, Any]] = verdict["checks"]
    failed = [
        f"{c['name']} is {_figure(c['value'])}, limit {_figure(c['limit'])}"
        for c in checks
        if not c["passed"]
    ]
    seconds = float(verdict.get("seconds", 0.0))
    sound = verdict["sound"] and not failed
    if sound:
        message = (
            f"{backend.name}: its engine is sound, {len(checks)} checks passed in {seconds:.0f} s"
        )
    else:
        others = f" and {len(failed) - 1} more of {len(checks)} checks" if len(failed) > 1 else ""
        message = f"{backend.name}: its engine is unsound: {failed[0] if failed else 'no reason given'}{others}"
    return CheckResult(sound, failed, message, seconds, cached, checks, _log(base))


def _figure(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, int | float) else str(value)
