"""What the tests of environments share."""

import os
from pathlib import Path

import pytest


@pytest.fixture
def no_conda(monkeypatch: pytest.MonkeyPatch, kbb_cache: Path) -> None:
    """Conda, where a machine has it, would be taken first."""
    folders = [
        folder
        for folder in os.environ["PATH"].split(":")
        if not any(Path(folder, name).exists() for name in ("conda", "mamba"))
    ]
    monkeypatch.setenv("PATH", ":".join(folders))
    for name in ("CONDA_EXE", "MAMBA_EXE"):
        monkeypatch.delenv(name, raising=False)
