"""An interpreter that the user names (backend.python=/path): used as it is, after a check."""

import hashlib
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiments.config.schema import BackendConfig
from experiments.environments import fixes, installed
from experiments.environments.install import clean_environment
from experiments.environments.installed import Environment, Place
from experiments.errors import NotInstalled
from experiments.system.files import writing
from experiments.system.process import output_of

Say = Callable[[str], None]
_LOOK_SECONDS = 60
# Looks without importing: an engine's import takes seconds, and the worker does it anyway.
_LOOK = """
import importlib.util, json, os, sys
names = sys.argv[1:]
packages = []
for folder in sys.path:
    if os.path.isdir(folder):
        packages += [n for n in os.listdir(folder) if n.endswith((".dist-info", ".egg-info",
        ".egg"))]
print(json.dumps({
    "version": "%d.%d.%d" % sys.version_info[:3],
    "missing": [n for n in names if importlib.util.find_spec(n) is None],
    "packages": sorted(set(packages)),
}))
"""


def use(backend: BackendConfig, kind: str, say: Say) -> Environment:
    """The environment around the interpreter that `backend.python` names.

    Nothing is installed into it. What a fix adds is kept in the cache and reaches the worker by
    variables. Raises NotInstalled if there is no such program, or it is not a Python 3, or it lacks
    Keras or the backend's engine.
    """
    begin = time.monotonic()
    python = Path(str(backend.python)).expanduser()
    facts = _look(python, backend)
    whole = [str(python), facts["version"], fixes.digest(backend.fixes), *facts["packages"]]
    key = hashlib.sha256("\n".join(whole).encode()).hexdigest()[:12]
    name = f"{backend.name}-named" if kind == "cpu" else f"{backend.name}-gpu-named"
    folder = installed.environments_folder() / f"{name}-{key}"
    place = Place(folder, python, kind, key, owned=False)
    if installed.read_marker(folder) is None:
        lock = installed.environments_folder() / ".locks" / f"{name}-{key}.lock"
        with writing(folder, NotInstalled), installed.build_lock(lock, name, say):
            if installed.read_marker(folder) is None:
                _prepare(backend, place, name, facts["version"], say)
    variables = installed.fix_variables(list(backend.fixes), place)
    return Environment(
        python,
        key,
        kind,
        "named",
        folder,
        variables,
        seconds=time.monotonic() - begin,
        name=name,
    )


def _prepare(backend: BackendConfig, place: Place, name: str, version: str, say: Say) -> None:
    place.folder.mkdir(parents=True, exist_ok=True)
    if backend.fixes:
        say(f"{name}: {', '.join(backend.fixes)} for {place.python}, in {place.folder}")
    try:
        installed.require_for_fixes(list(backend.fixes), place)
        installed.apply_fixes(list(backend.fixes), place)
    except fixes.FixError as error:
        raise NotInstalled(f"{backend.name} cannot run in {place.python}: {error}") from None
    installed.write_keras_settings(place.folder)
    facts = {
        "name": name,
        "content": place.key,
        "key": place.key,
        "manager": "named",
        "version": version,
    }
    installed.write_marker(place.folder, {**facts, "python": str(place.python)})


def _look(python: Path, backend: BackendConfig) -> dict[str, Any]:
    """What the interpreter has; NotInstalled in one line if it cannot be used."""
    what = f"backend.python={python}"
    if not python.exists():
        raise NotInstalled(
            f"{what}: there is no such file; name an interpreter that has {backend.title}"
        )
    command = [str(python), "-c", _LOOK, "keras", backend.keras_backend]
    try:
        facts: dict[str, Any] = json.loads(output_of(command, clean_environment(), _LOOK_SECONDS))
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise NotInstalled(f"{what}: it does not run as Python 3 ({_reason(error)})") from None
    if facts["missing"]:
        lacking = " and ".join(facts["missing"])
        raise NotInstalled(
            f"{what} (Python {facts['version']}) has no {lacking}; "
            "install it there, or omit backend.python"
        )
    return facts


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        lines = (error.stderr or "").strip().splitlines()
        return lines[-1] if lines else f"exit status {error.returncode}"
    if isinstance(error, OSError):
        return error.strerror or "cannot be started"
    return " ".join(str(error).split())[:200] or type(error).__name__
