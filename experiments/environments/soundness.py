"""Check an engine before it is measured: the cases of the worker's self-check that a task needs.

Each case's verdict is kept, so that the next task waits only for what is new to it. The file that
keeps them is named by all that decides a verdict: the environment's content, the source of the
engines and of the self-check, the backend's settings and variables, the number of threads and the
kind of device.
"""

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.config.schema import BackendConfig
from experiments.environments import steps
from experiments.environments.installed import Environment, build_lock
from experiments.environments.needs import Needs, everything
from experiments.environments.variables import worker_variables
from experiments.errors import NotInstalled
from experiments.system.files import writing
from experiments.system.paths import cache_root, project_root, write_whole

Say = Callable[[str], None]
Check = dict[str, Any]  # name, case, value, limit, passed, seconds
_SCHEMA = 2
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
    seconds: float  # that the checks took, whenever they ran
    cached: bool  # whether all of it was known
    checks: list[Check] = field(default_factory=list)
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
    needs: Needs | None = None,
) -> CheckResult:
    """Whether the engine of `backend` computes what `needs` asks for correctly (None: all).

    Only cases without a kept verdict are run, all of them if `again` is set. A self-check that
    crashes or hangs is unsound too, with its reason, but is not kept: the next call tries again. So
    is a task that uses what no case covers. `index` is the GPU to check on. Raises NotInstalled if
    the cache cannot be written.
    """
    needs = needs or everything(backend.keras_generation)
    if needs.uncovered:
        return _uncovered(backend, needs)
    memory = Memory(env, backend, threads)
    known = {} if again else memory.read()
    if _missing(needs, known):
        with (
            writing(checks_folder(), NotInstalled),
            build_lock(memory.lock, f"{backend.name}'s check", say),
        ):
            known = {} if again else memory.read()
            missing = _missing(needs, known)
            if missing:
                return _check_now(env, backend, threads, index, needs, memory, missing, say)
    return _result(backend, needs, known, memory, cached=True)


def _missing(needs: Needs, known: dict[str, list[Check]]) -> list[str]:
    return [case for case in needs.cases if case not in known]


def _check_now(
    env: Environment,
    backend: BackendConfig,
    threads: int,
    index: int | None,
    needs: Needs,
    memory: "Memory",
    missing: list[str],
    say: Say,
) -> CheckResult:
    """Run the missing cases, keep their verdicts, and say that the engine is sound if it is.

    What is wrong is the caller's to tell, as an error or a warning.
    """
    say(f"{backend.name}: checking its engine{needs.purpose} against reference results, once")
    begin = time.monotonic()
    try:
        found = _run(env, backend, threads, index, memory, missing, say)
    except steps.StepError as error:
        reason = f"{backend.name}: its engine's check ended badly: {error} (log: {memory.log})"
        return CheckResult(False, [], reason, time.monotonic() - begin, False, log=memory.log)
    known = memory.add(found)
    result = _result(backend, needs, known, memory, cached=False)
    if result.sound:
        count = sum(len(checks) for checks in found.values())
        partly = len(missing) < len(needs.cases)
        more, total = ("more ", f" ({len(result.checks)} in all)") if partly else ("", "")
        seconds = time.monotonic() - begin
        passed = f"{count} {more}checks{needs.purpose} passed in {seconds:.0f} s{total}"
        say(f"{backend.name}: {passed}")
    return result


class Memory:
    """The verdicts kept for one engine: a file of cases with their checks, and a log."""

    def __init__(self, env: Environment, backend: BackendConfig, threads: int) -> None:
        key = verdict_key(env, backend, threads)
        self.name = f"{env.name or backend.name}-{env.key}-{key}"
        self.path = checks_folder() / f"{self.name}.json"
        self.log = checks_folder() / f"{self.name}.log"
        self.lock = checks_folder() / ".locks" / f"{self.name}.lock"

    def read(self) -> dict[str, list[Check]]:
        """Case to its checks; what cannot be read is not known."""
        return read_cases(self.path)

    def add(self, found: dict[str, list[Check]]) -> dict[str, list[Check]]:
        """Keep further cases; returns all that are known then."""
        known = {**self.read(), **found}
        write_whole(self.path, json.dumps({"schema": _SCHEMA, "cases": known}, indent=1))
        return known


def read_cases(path: Path) -> dict[str, list[Check]]:
    """The cases in a file of verdicts; empty if it is missing, damaged or of another version."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict) or content.get("schema") != _SCHEMA:
        return {}
    cases = content.get("cases")
    if not isinstance(cases, dict):
        return {}
    return {name: checks for name, checks in cases.items() if _whole(checks)}


def newest_cases(env_folder: Path) -> dict[str, bool]:
    """Case to whether it passed, of the environment's newest verdicts."""
    files = checks_folder().glob(f"{env_folder.name}-*.json")
    newest = max(files, key=lambda path: path.stat().st_mtime, default=None)
    cases = read_cases(newest) if newest is not None else {}
    return {name: all(each["passed"] for each in checks) for name, checks in cases.items()}


def _whole(checks: Any) -> bool:
    """Whether these are the checks of a case, with all that is read of them."""
    return (
        isinstance(checks, list)
        and bool(checks)
        and all(
            isinstance(each, dict)
            and isinstance(each.get("passed"), bool)
            and isinstance(each.get("seconds"), int | float)
            and {"name", "value", "limit"} <= each.keys()
            for each in checks
        )
    )


def verdict_key(env: Environment, backend: BackendConfig, threads: int) -> str:
    """12 hex digits that name the kept verdicts of an engine."""
    facts = [
        _SCHEMA,
        env.key,
        env.kind,
        source_digest(),
        backend.keras_backend,
        backend.keras_generation,
        threads,
    ]
    settings = [sorted(backend.settings.items()), sorted(backend.variables.items())]
    return hashlib.sha256(json.dumps([facts, settings], default=str).encode()).hexdigest()[:12]


def source_digest() -> str:
    """sha256 over the source that decides a case's verdict: the engines and the self-check.

    A task's model decides which cases it needs, and that is asked anew each time.
    """
    worker = project_root() / "experiments" / "worker"
    total = hashlib.sha256()
    for folder in ("engines", "selfcheck"):
        for path in sorted((worker / folder).rglob("*.py")):
            total.update(str(path.relative_to(worker)).encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def _run(
    env: Environment,
    backend: BackendConfig,
    threads: int,
    index: int | None,
    memory: Memory,
    cases: Sequence[str],
    say: Say,
) -> dict[str, list[Check]]:
    """Run cases in the environment; their checks. StepError without a verdict on each."""
    checks_folder().mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{memory.name}-", dir=checks_folder()))
    try:
        job = {**_job(env, backend, threads, index, cases), "folder": str(scratch)}
        (scratch / "job.json").write_text(json.dumps(job), encoding="utf-8")
        command: list[str | Path] = [env.python, "-m", "experiments.worker.selfcheck"]
        command += [scratch / "job.json", scratch / "out.json"]
        start = memory.log.stat().st_size if memory.log.exists() else 0
        status = steps.run(
            command,
            memory.log,
            say,
            f"{backend.name}: checking its engine",
            worker_variables(env, backend, threads, env.kind, index),
            accept=(_SOUND, _UNSOUND),
            limit_seconds=_LIMIT_SECONDS,
        )
        found = _answer(scratch / "out.json", cases)
        if found is None:
            raise steps.StepError(*steps.explain(memory.log, start, status))
        return found
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _job(
    env: Environment,
    backend: BackendConfig,
    threads: int,
    index: int | None,
    cases: Sequence[str],
) -> dict[str, Any]:
    """What the self-check is told (job.json), less its folder."""
    return {
        "schema": 1,
        "task": "selfcheck",
        "backend": backend.name,
        "keras_backend": backend.keras_backend,
        "keras_generation": backend.keras_generation,
        "cases": list(cases),
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
    }


def _answer(path: Path, cases: Sequence[str]) -> dict[str, list[Check]] | None:
    """The checks of each case as the self-check wrote them; None if one has none."""
    try:
        checks = json.loads(path.read_text(encoding="utf-8"))["checks"]
        found = {case: [each for each in checks if each["case"] == case] for case in cases}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if all(_whole(checks) for checks in found.values()) else None


def _uncovered(backend: BackendConfig, needs: Needs) -> CheckResult:
    used = ", ".join(needs.uncovered)
    message = f"{backend.name}: no check covers {used}, used by {', '.join(needs.tasks)}"
    failed = [f"no check covers {name}" for name in needs.uncovered]
    return CheckResult(False, failed, message, 0.0, cached=False)


def _result(
    backend: BackendConfig,
    needs: Needs,
    known: dict[str, list[Check]],
    memory: Memory,
    cached: bool,
) -> CheckResult:
    """The verdict on what is needed, out of the known cases."""
    checks = [each for case in needs.cases for each in known[case]]
    failed = [
        f"{each['name']} is {_figure(each['value'])}, limit {_figure(each['limit'])}"
        for each in checks
        if not each["passed"]
    ]
    seconds = float(sum(each["seconds"] for each in checks))
    if failed:
        others = f" and {len(failed) - 1} more of {len(checks)} checks" if len(failed) > 1 else ""
        message = f"{backend.name}: its engine is unsound{needs.purpose}: {failed[0]}{others}"
    else:
        message = f"{backend.name}: {len(checks)} checks{needs.purpose} passed in {seconds:.0f} s"
    return CheckResult(not failed, failed, message, seconds, cached, checks, memory.log)


def _figure(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, int | float) else str(value)
