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


# Seconds of processor time each: simulations, a real MLflow store, real data files. `make test` runs them,
# `make test-unit` leaves them out so that it answers within a minute.
HEAVY = {
    "test_analysis_cli.py", "test_analysis_store.py", "test_compare.py", "test_datasets_real.py", "test_formats.py",
    "test_datasets_synthetic.py", "test_findings.py", "test_report.py", "test_statistics.py", "test_tables.py",
    "test_tracking.py",
}  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the heavy modules, so that the list stands in one place."""
    for item in items:
        if item.path.name in HEAVY and item.path.parent.name == "unit":
            item.add_marker(pytest.mark.heavy)
