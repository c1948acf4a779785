"""What unit tests share."""

from pathlib import Path

import pytest
from hypothesis import settings

# A loaded machine is no reason for a property to fail.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")


@pytest.fixture
def kbb_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("KBB_CACHE", str(folder))
    return folder
