"""What unit tests share."""

from pathlib import Path

import pytest


@pytest.fixture
def kbb_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("KBB_CACHE", str(folder))
    return folder
