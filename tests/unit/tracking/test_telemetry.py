"""MLflow's telemetry is off on every path that opens a store, unless a person has set it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from experiments.tracking import server

OPENERS = {
    "connect": """
from experiments.config.schema import TrackingConfig
from experiments.tracking.store import connect
connect(TrackingConfig(name="sqlite", uri=uri))
""",
    "existing": """
from experiments.config.schema import TrackingConfig
from experiments.tracking.store import existing
assert existing(TrackingConfig(name="sqlite", uri=uri)) is not None
""",
    "open_client": """
from experiments.tracking.store import open_client
open_client(uri)
""",
    "analysis": """
import contextlib, analysis
from experiments.errors import UserError
with contextlib.suppress(UserError):  # there is no run in it
    analysis.load(uri)
""",
    "import-published": """
from analysis.published.results import import_published
assert import_published(uri)[0] > 0
""",
}
SAID = """
import os, sys
uri = sys.argv[1]
{opener}
print(os.environ.get("MLFLOW_DISABLE_TELEMETRY"), "mlflow" in sys.modules)
"""


def said(opener: str, store: str, root: Path, **variables: str) -> list[str]:
    """What stands in the environment afterwards, and whether MLflow was imported at all."""
    kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", SAID.format(opener=OPENERS[opener]), store],
        cwd=root,
        env={**kept, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.mark.parametrize("opener", OPENERS)
def test_no_opener_leaves_it_on(
    opener: str, planted_store: Any, root: Path, tmp_path: Path
) -> None:
    cache = str(tmp_path / "cache")
    assert said(opener, planted_store(), root, KBB_CACHE=cache) == ["true", "True"]


def test_what_a_person_has_set_stays(planted_store: Any, root: Path) -> None:
    assert said("existing", planted_store(), root, MLFLOW_DISABLE_TELEMETRY="false")[0] == "false"


def test_the_server_is_started_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[dict[str, str]] = []

    class Process:
        pid = 1

        def __init__(self, command: list[str], env: dict[str, str], **_: Any) -> None:
            assert "mlflow" in command
            started.append(env)

    monkeypatch.setattr(server.subprocess, "Popen", Process)
    monkeypatch.setattr(server, "_answers", lambda _: True)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "false")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@elsewhere")
    server.Server(tmp_path)._start_mlflow(5000)
    (variables,) = started
    assert variables["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert "MLFLOW_TRACKING_URI" not in variables
